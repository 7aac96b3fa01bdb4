"""Conversation: one mail, told to one filter as Postfix would tell it, and what the filter says."""

from __future__ import annotations

from struct import pack

from attrs import frozen

from gateway.envelope import SmtpEnvelope
from gateway.interfaces import Address
from gateway.tools import ILine
from protocols.scanners.asked import Answer
from protocols.scanners.fault import ScannerFault, Unfit
from protocols.scanners.heard import Heard
from protocols.scanners.milter.changes import Changes
from protocols.scanners.milter.message import Message
from protocols.scanners.milter.numbers import (
    ACTIONS,
    OLDEST,
    OMITS,
    STEPS,
    VERSION,
    Command,
    Reply,
    Step,
)
from protocols.scanners.milter.packet import LONGEST, numbers, packet, read_packet, strings, text

_ENDS = {
    Reply.REJECT: "550 5.7.1 Command rejected",
    Reply.TEMPFAIL: "451 4.7.1 Service unavailable - try again later",
    Reply.DISCARD: "550 5.7.1 The message was refused",
    Reply.SHUTDOWN: "421 4.7.0 Try again later",
}
"""How a mail ends that does not pass; the words are Postfix's, where that has some."""


class Refused(Answer):
    """
    The filter does not let the mail pass.

    @ivar reply: to the client.
    @ivar why: for the record.
    """

    def __init__(self, reply: str, why: str) -> None:
        super().__init__(why)
        self.reply = reply
        self.why = why


class Accepted(Exception):
    """The filter lets it pass, and wants to hear no more of it."""


@frozen
class Told:
    """
    What a filter is told beside the mail.

    @ivar host: the gateway's name (the macro C{j}).
    @ivar queue: a name for the mail, for logs (the macro C{i}).
    """

    host: str
    queue: str
    client: Address
    user: str
    envelope: SmtpEnvelope

    def macros(self, command: Command, recipient: str = "") -> dict[str, str]:
        """What is known at a step, by Sendmail's names."""
        if command is Command.CONNECT:
            return {"j": self.host, "{daemon_name}": self.host, "v": "tproxygw"}
        if command is Command.HELO:
            return {}
        macros = {"i": self.queue}
        if command is Command.MAIL:
            macros["{mail_addr}"] = self.envelope.sender
            if self.user:
                macros["{auth_authen}"] = self.user
        elif command is Command.RCPT:
            macros["{rcpt_addr}"] = recipient
        return macros


class Conversation:
    """One mail, told to one filter."""

    def __init__(self, line: ILine, told: Told) -> None:
        self._line = line
        self._told = told
        self._read = Heard(line)
        self._steps = Step(0)

    async def judge(self, message: Message, changes: Changes) -> None:
        """
        Tell it all.

        @param changes: gets what the filter wants to be changed.
        @raise Refused: it does not let the mail pass.
        @raise ScannerFault: it does not keep to the protocol.
        """
        try:
            await self._negotiate()
            await self._tell_envelope()
            await self._tell_content(message)
            await self._end(changes)
        except Accepted:
            pass
        finally:
            self._line.send(packet(Command.QUIT))
            self._read.leave()

    async def _negotiate(self) -> None:
        self._line.send(packet(Command.OPTNEG, pack(">III", VERSION, ACTIONS, STEPS)))
        reply, data = await read_packet(self._read)
        if reply is not Reply.OPTNEG:
            raise ScannerFault(f"milter: {reply.name} in place of an offer")
        version, _, steps = numbers(data[:12], 3)  # and which macros it wants: it gets all
        if not OLDEST <= version <= VERSION:
            raise ScannerFault(f"milter: protocol version {version}")
        self._steps = Step(steps & STEPS)
        self._line.works()

    async def _tell_envelope(self) -> None:
        told, client = self._told, self._told.client
        family = b"6" if ":" in client.host else b"4"
        where = family + pack(">H", client.port) + text(client.host)
        await self._tell(Command.CONNECT, text(f"[{client.host}]") + where)
        await self._tell(Command.HELO, text(told.envelope.helo))
        await self._tell(Command.MAIL, text(f"<{told.envelope.sender}>"))
        for recipient in told.envelope.recipients:
            await self._tell(Command.RCPT, text(f"<{recipient}>"), recipient)
        await self._tell(Command.DATA)

    async def _tell_content(self, message: Message) -> None:
        spaced = Step.HDR_LEADSPC in self._steps
        for field in message.fields:
            value = field.value.replace(b"\r\n", b"\n")
            value = value if spaced else value.lstrip(b" \t")
            if b"\0" in field.name + value:
                raise Unfit("milter: a NUL can't be told to a filter")
            await self._tell(Command.HEADER, field.name + b"\0" + value + b"\0")
        await self._tell(Command.EOH)
        at = message.body
        while block := message.spool.read(at, LONGEST):
            at += len(block)
            if await self._tell(Command.BODY, block) is Reply.SKIP:
                return
            await self._read.room()

    async def _tell(self, command: Command, data: bytes = b"", recipient: str = "") -> Reply:
        """
        One step.

        @raise Accepted: it wants no more.
        """
        omit, silent = OMITS[command]
        if omit in self._steps:
            return Reply.CONTINUE
        if command not in (Command.HEADER, Command.BODY):
            self._send_macros(command, self._told.macros(command, recipient))
        self._line.send(packet(command, data))
        if silent in self._steps:
            return Reply.CONTINUE
        while True:
            reply, said = await read_packet(self._read)
            if reply is not Reply.PROGRESS:
                break
        if reply is Reply.ACCEPT and command is not Command.RCPT:
            raise Accepted
        if reply in (Reply.CONTINUE, Reply.ACCEPT) or (
            reply is Reply.SKIP and command is Command.BODY
        ):
            return reply
        raise self._refusal(reply, said)

    def _send_macros(self, command: Command, macros: dict[str, str]) -> None:
        pairs = (text(name, value) for name, value in macros.items())
        self._line.send(packet(Command.MACRO, command.value, *pairs))

    async def _end(self, changes: Changes) -> None:
        """The end of the mail, after which a filter may change it."""
        self._send_macros(Command.BODYEOB, self._told.macros(Command.BODYEOB))
        self._line.send(packet(Command.BODYEOB))
        spaced = Step.HDR_LEADSPC in self._steps
        while True:
            reply, data = await read_packet(self._read)
            if reply in (Reply.CONTINUE, Reply.ACCEPT):
                return
            if reply is Reply.REPLYCODE or reply in _ENDS:
                raise self._refusal(reply, data)
            if reply is not Reply.PROGRESS:
                changes.take(reply, data, spaced)

    def _refusal(self, reply: Reply, data: bytes) -> Refused:
        """@raise ScannerFault: it is none."""
        if reply is Reply.REPLYCODE:
            (said,) = strings(data, 1)
            words = said.decode("utf-8", "replace")
            if words[:1] not in ("4", "5"):
                raise ScannerFault(f"milter: a reply that refuses nothing: {words[:100]!r}")
            return Refused(words, f"the filter says {words}")
        if reply not in _ENDS:
            raise ScannerFault(f"milter: {reply.name} where it means nothing")
        return Refused(_ENDS[reply], f"the filter says {reply.name}")
