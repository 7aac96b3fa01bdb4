"""ClamdInspector: bodies judged by ClamAV's daemon."""

from __future__ import annotations

from attrs import frozen

from gateway.inspector import option
from gateway.tools import ILine, ISpool
from protocols.scanners.asked import asked
from protocols.scanners.clamd.command import INSTREAM, LAST, SESSION, VERSION, chunks
from protocols.scanners.clamd.reply import Replies, Reply, Said
from protocols.scanners.clamd.version import version
from protocols.scanners.fault import ScannerFault, Unfit
from protocols.scanners.held import BLOCK
from protocols.scanners.judgement import Judgement
from protocols.scanners.places import read_places
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import DaemonSettings


@frozen
class ClamdSettings(DaemonSettings):
    """The C{[clamd]} table."""

    servers: tuple[str, ...] = option(
        'Where clamd is: "/path/of/its/socket", "192.0.2.1:3310", "[2001:db8::1]:3310". With '
        "several, the first one that answers is asked.",
        ("/run/clamav/clamd.ctl",),
        precedent="Debian's LocalSocket",
        read=read_places,
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """For the doctor."""
        return self.servers


class ClamdInspector(ScanInspector):
    """One body."""

    Settings = ClamdSettings
    settings: ClamdSettings

    async def judge(self, body: ISpool) -> Judgement:
        """See L{ScanInspector.judge}."""
        tools, settings = self.session.tools, self.settings
        return await asked(
            tools, settings.servers, settings.terms, lambda line: ask(line, body), self.is_late
        )


async def ask(line: ILine, body: ISpool) -> Judgement:
    """
    Have a body judged on a line of which nobody has made a session yet, or one that was kept.

    @raise ScannerFault: the daemon does not do it.
    @raise Unfit: the body is too long for it.
    """
    talk = Talk(line)
    if not line.uses:
        line.send(SESSION)
        talk.ask(VERSION)
    number = talk.ask(INSTREAM)
    at = 0
    while block := body.read(at, BLOCK):
        at += len(block)
        last = (LAST,) if at == body.size else ()
        line.send(b"".join((*chunks(block), *last)))
        await line.flushed()
    if not at:
        line.send(LAST)
    reply = await talk.reply(number)
    if reply.said is Said.CLEAN or reply.said is Said.FOUND:
        found = (reply.text,) if reply.text else ()
        scanner = str(line.notes.get("version", "ClamAV"))
        return Judgement(found=found, scanner=scanner, where=line.address)
    if reply.said is Said.TOO_LONG:
        raise Unfit(f"clamd: {reply.text}")
    raise ScannerFault(f"clamd: {reply.text}")


class Talk:
    """One session with the daemon, as far as one body is concerned."""

    def __init__(self, line: ILine) -> None:
        self._line = line
        self._replies = Replies()

    def ask(self, command: bytes) -> int:
        """
        Send a command.

        @return: its number.
        """
        number = int(str(self._line.notes.get("commands", 0))) + 1
        self._line.notes["commands"] = number
        self._line.send(command)
        return number

    async def reply(self, number: int) -> Reply:
        """
        The reply to a command. Replies come in any order; and one without a number is to all, but
        no verdict on a body that may be another one.

        @raise ScannerFault: there is none.
        """
        while data := await self._line.read():
            for reply in self._replies.feed(data):
                to_all = not reply.number and reply.said is not Said.CLEAN
                if to_all or reply.number == number:
                    return reply
                self._note(reply)
        self._replies.end()
        raise ScannerFault("clamd closed without an answer")

    def _note(self, reply: Reply) -> None:
        found = version(reply.text)
        if reply.said is Said.OTHER and found is not None:
            self._line.notes["version"] = found
            self._line.works()
        else:
            raise ScannerFault(f"clamd answered what it was not asked: {reply.text}")
