"""
Lines: one command after the other, each with its reply.

A command is passed on when the one before it has been answered. So a reply always
belongs to the command that the gateway thinks of, whatever a client says at
once, and what the gateway answers itself comes in its place.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, Outcome, Side, Verdict
from protocols.lines import resp
from protocols.lines.reply import LONE_DOT, Reply
from protocols.lines.settings import COUNT, Command, LinesSettings

_END = {"crlf": b"\r\n", "lf": b"\n"}

_DIGITS = 19
"""Of a number of bytes, at most. Python reads none of more than 4,300."""


class LinesInspector(StreamInspector):
    """One session of a protocol of lines."""

    Settings = LinesSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: LinesSettings = session.settings
        self._end = _END[self._settings.line_end]
        self._resp = self._settings.form == "resp"
        self._passed: tuple[str, Command] | None = None
        self._reply: Reply | resp.Value | None = None
        self._replied: Deferred[None] | None = None
        self._greeted = not self._settings.server_first
        self._errors = 0
        self._timer: Any = None

    def started(self) -> None:
        """Connect; who speaks first is for the settings to say."""
        self.session.connect()
        if not self._greeted:
            self._wait()

    # The client

    async def from_client(self, read: Reader) -> None:
        """One command after the other."""
        if not self._greeted:
            await self._next_reply()
        while await read.more():
            line, onward = await self._said(read)
            command = self._command_for(line)
            if command is None or not command.allow:
                self._refuse(line, command)
            else:
                await self._pass(read, line, command, onward)
                if command.last:
                    return

    async def _said(self, read: Reader) -> tuple[str, bytes]:
        """The next command: as a line, and as it is sent."""
        if self._resp:
            strings = await resp.command(read, self._settings.line_bytes)
            return resp.line_of(strings), resp.framed(strings)
        line = await self._bytes(read)
        return line.decode("latin-1"), line + self._end

    def _command_for(self, line: str) -> Command | None:
        """The first one of the settings that matches."""
        return next((each for each in self._settings.command if each.match.fullmatch(line)), None)

    async def _pass(self, read: Reader, line: str, command: Command, onward: bytes) -> None:
        """Send a command on, and wait until it is answered."""
        self._passed = line, command
        self.session.send(SERVER, onward)
        if not self._resp:
            await self._counted(read, command.match.fullmatch(line))
        reply = await self._answered(command)
        if reply.asks_for_upload:
            await self._upload(read)
            reply = await self._answered(command)
        self._passed = None
        self._record(line, command, {"verdict": Outcome.PASSED.value, "answer": reply.last})

    async def _upload(self, read: Reader) -> None:
        """A block of the client's, to its lone dot."""
        left = self._settings.block_bytes
        while True:
            line = await self._bytes(read)
            left -= len(line)
            if left < 0:
                raise self._too_much("block_bytes")
            self.session.send(SERVER, line + self._end)
            if line == LONE_DOT:
                return

    async def _answered(self, command: Command) -> Reply | resp.Value:
        """The reply, when all of it has come."""
        values = self._resp and command.reply != "none"
        self._reply = reply = resp.Value() if values else Reply(command)
        if not reply.over:
            self._wait()
            await self._next_reply()
        self._reply = None
        return reply

    async def _next_reply(self) -> None:
        self._replied = Deferred()
        await self._replied

    def _refuse(self, line: str, command: Command | None) -> None:
        """
        Tell the client, in the place of the server.

        @raise Denied: it ends with that, or there were too many.
        """
        by = "command" if command is None else command.written.rpartition(":")[0]
        reason = f"the line {line[:100]!r} is not allowed"
        gateway = {"verdict": Outcome.DENIED.value, "reason": reason}
        self._errors += 1
        if not self._settings.refusal:
            self._record(line, command, gateway, by)
            raise self._denied(reason, by)
        self._record(line, command, {**gateway, "answer": self._settings.refusal}, by)
        self.session.send(CLIENT, self._settings.refusal.encode() + self._end)
        if self._settings.errors and self._errors >= self._settings.errors:
            raise self._denied(f"{self._errors} lines were refused", "errors")

    # The server

    async def from_server(self, read: Reader) -> None:
        """Whatever it says belongs to what was asked."""
        if not self._greeted:
            await self._greet(read)
        while await read.more():
            if self._reply is None:
                await self._unasked(read)
            else:
                await self._reply_line(read, self._reply)

    async def _greet(self, read: Reader) -> None:
        line = await self._line(read)
        if not self._settings.greeting.fullmatch(line):
            raise self._denied(f"the server greets with {line[:100]!r}", "greeting")
        self._greeted = True
        self.session.send(CLIENT, line.encode("latin-1") + self._end)
        self._complete()

    async def _unasked(self, read: Reader) -> None:
        """@raise Denied: nothing was asked."""
        line = await self._line(read)
        unasked = self._settings.unasked
        if unasked is None or not unasked.fullmatch(line):
            raise self._denied(f"the server says {line[:100]!r}, and nobody has asked", "unasked")
        self.session.send(CLIENT, line.encode("latin-1") + self._end)

    async def _reply_line(self, read: Reader, reply: Reply | resp.Value) -> None:
        """All of a reply; its length is bounded."""
        left = self._settings.reply_bytes
        while not reply.over:
            line = await self._line(read)
            found = self._settings.line.fullmatch(line)
            if found is None:
                raise self._denied(f"the server says {line[:100]!r}", "line")
            left -= len(line)
            self._wait()
            reply.add(line.encode("latin-1"))
            self.session.send(CLIENT, line.encode("latin-1") + self._end)
            left -= await self._counted(read, resp.BULK.fullmatch(line) if self._resp else found)
            if left < 0:
                raise self._too_much("reply_bytes")
        self._complete()

    def _complete(self) -> None:
        """The client's coroutine may go on."""
        self._stop_waiting()
        replied, self._replied = self._replied, None
        if replied is not None:
            replied.callback(None)

    # Lines

    async def _line(self, read: Reader) -> str:
        return (await self._bytes(read)).decode("latin-1")

    async def _bytes(self, read: Reader) -> bytes:
        """
        The next line, without its end.

        @raise Denied: it is too long, or ends in another way than lines do here.
        """
        if self._end == b"\r\n":
            return await read.line(self._settings.line_bytes)
        line = await read.until(b"\n", self._settings.line_bytes)
        if b"\r" in line:
            raise Denied(f"the {read.side.value} sent a line with a CR")
        return line

    async def _counted(self, read: Reader, found: Any) -> int:
        """
        Pass the bytes that a line has announced, and the line end behind them.

        @return: how many there were.
        """
        said = found.groupdict().get(COUNT) if found is not None else None
        if said is None:
            return 0
        if not said.isdecimal() or len(said) > _DIGITS or int(said) > self._settings.block_bytes:
            raise self._too_much("block_bytes")
        left = count = int(said)
        other: Side = read.side.other
        while left:
            data = await read.some(left)
            left -= len(data)
            self.session.send(other, data)
            if read.side is SERVER:
                self._wait()
        if await read.exactly(len(self._end), len(self._end)) != self._end:
            raise Denied(f"the {read.side.value} sent more bytes than it had announced")
        self.session.send(other, self._end)
        return count

    # Time

    def _wait(self) -> None:
        """The server has its time, from now on."""
        self._stop_waiting()
        self._timer = self.session.after(self._settings.reply_seconds, self._too_late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        """The server does not answer: not the client's fault."""
        self._say_goodbye()
        seconds = self._settings.reply_seconds
        why = f"the server was silent for reply_seconds = {seconds:g}"
        self.session.close(why, Outcome.FAILED)

    # The end

    def _too_much(self, setting: str) -> Denied:
        return self._denied("more bytes than are allowed", setting)

    def _denied(self, reason: str, by: str) -> Denied:
        goodbye = self._settings.goodbye
        return Denied(reason, goodbye.encode() + self._end if goodbye else b"", by)

    def _say_goodbye(self) -> None:
        """If the client is not in the middle of a reply, where it would not understand."""
        if self._settings.goodbye and (self._reply is None or not self._reply.begun):
            self.session.send(CLIENT, self._settings.goodbye.encode() + self._end)

    def closed(self, verdict: Verdict) -> None:
        """No time runs any more; record what was not answered."""
        self._stop_waiting()
        super().closed(verdict)
        if self._passed is not None:
            outcome = verdict.outcome if verdict.outcome is Outcome.DENIED else Outcome.FAILED
            reason = verdict.reason or "the connection ended"
            self._record(*self._passed, {"verdict": outcome.value, "reason": reason})

    def _record(
        self, line: str, command: Command | None, gateway: dict[str, Any], by: str = ""
    ) -> None:
        """What was said, and what came of it; of secrets only the first word."""
        told = "line" if command is None else command.record
        if told == "nothing" and not by:
            return
        said = line if told == "line" else line.partition(" ")[0]
        self.session.record("line", gateway, by, line=said)
