"""Telnet: text passes, and what is said about it is looked at."""

from __future__ import annotations

from typing import Any

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import Denied, ISession, Side, Verdict
from protocols.telnet.about import Allowed, is_asked, told
from protocols.telnet.numbers import Code, Option
from protocols.telnet.settings import TelnetSettings
from protocols.telnet.token import About, Command, Negotiation, Text, next_token

_REFUSALS = {Code.WILL: Code.DONT, Code.DO: Code.WONT}
"""What a side without an option says to who wants it. WONT and DONT need no answer."""


class TelnetInspector(StreamInspector):
    """One session."""

    Settings = TelnetSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: TelnetSettings = session.settings
        self._allowed = Allowed(self._settings.variables, self._settings.value)
        self._mentioned: set[int] = set()
        self._refused: set[int] = set()
        self._told: dict[str, str] = {}
        self._recorded = False

    async def from_client(self, read: Reader) -> None:
        """What is typed, and what the client's terminal is."""
        await self._from(read)

    async def from_server(self, read: Reader) -> None:
        """What is shown."""
        await self._from(read)

    async def _from(self, read: Reader) -> None:
        while await read.more():
            token = await next_token(read, self._settings.about_bytes)
            if isinstance(token, Text):
                self.session.send(read.side.other, token.written())
            elif isinstance(token, Command):
                self._pass_command(read.side, token)
            elif isinstance(token, Negotiation):
                self._negotiate(read.side, token)
            else:
                self._pass_about(read.side, token)

    def _pass_command(self, side: Side, command: Command) -> None:
        """A data mark is what the other side is to notice at once (RFC 854, Synch)."""
        if command.code == Code.DM:
            self.session.urge(side.other, command.written())
        else:
            self.session.send(side.other, command.written())

    def _negotiate(self, side: Side, said: Negotiation) -> None:
        """Pass it, or answer for a side that does not have the option."""
        if said.option in self._settings.options:
            self._mentioned.add(said.option)
            self.session.send(side.other, said.written())
            return
        self._refused.add(said.option)
        answer = _REFUSALS.get(Code(said.code))
        if answer is not None:
            self.session.send(side, Negotiation(answer, said.option).written())

    def _pass_about(self, side: Side, about: About) -> None:
        """@raise Denied: it is about an option that they don't have, or not allowed."""
        if about.option not in self._mentioned:
            raise Denied(f"the {side.value} talks about option {_name(about.option)}, unasked")
        try:
            for name, value in told(about, self._allowed):
                self._told[name] = value
        except Denied as denied:
            reason = (
                f"the {side.value} {'asks for' if is_asked(about) else 'tells'} {denied.args[0]}"
            )
            self._record({"verdict": "denied", "reason": reason}, denied.by)
            raise Denied(reason, b"\r\nThat is not allowed here.\r\n", denied.by) from None
        self.session.send(side.other, about.written())

    def closed(self, verdict: Verdict) -> None:
        """What the client was, at the end, when all is told."""
        self._record({"verdict": verdict.outcome.value, "reason": verdict.reason})
        super().closed(verdict)

    def _record(self, gateway: dict[str, Any], by: str = "") -> None:
        """Once for each session."""
        if self._recorded:
            return
        self._recorded = True
        fields: dict[str, Any] = {**self._told}
        if self._refused:
            fields["refused"] = [_name(number) for number in sorted(self._refused)]
        self.session.record("telnet", gateway, by, **fields)


def _name(option: int) -> str:
    try:
        return Option(option).name.lower().replace("_", "-")
    except ValueError:
        return str(option)
