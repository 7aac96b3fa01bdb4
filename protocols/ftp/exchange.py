"""An Exchange: one command, and what the server answers to it."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from gateway.interfaces import ISession
from protocols.ftp.command import Command
from protocols.ftp.reply import Reply
from protocols.ftp.transfer import Transfer
from protocols.ftp.verbs import GREETING, SECURE, VERBS, Verb

GREETED = "(greeting)"
"""In place of a verb: what the server's first reply answers."""

_VERBS = {**VERBS, **SECURE}
_ANNOUNCEMENTS = {227: "PASV", 228: "", 229: "EPSV"}


@define(eq=False)
class Exchange:
    """
    One command that was passed to the server.

    @ivar command: as the server gets it.
    @ivar asked: as the client sent it, if that is another one (C{data_mode}).
    @ivar silent: the client gets none of the replies: it did not ask.
    @ivar begun: a preliminary reply has come: the transfer is on.
    @ivar doubtful: an ABOR whose transfer was answered since: some servers answer no more to it.
    @ivar instead: an ABOR in doubt: if this one is answered, that one won't be.
    @ivar replies: so far.
    @ivar port: where the client or the gateway listens for data, after an agreement on that.
    """

    command: Command
    asked: Command | None = None
    transfer: Transfer | None = None
    silent: bool = False
    begun: bool = False
    doubtful: bool = False
    instead: Exchange | None = None
    replies: list[Reply] = field(factory=list)
    port: int = 0

    @property
    def verb(self) -> Verb:
        """What kind of command it is."""
        return _VERBS.get(self.command.verb, GREETING)

    @property
    def asks(self) -> bool:
        """Whether anything was asked, or the server has greeted by itself."""
        return self.command.verb != GREETED or bool(self.replies)

    def fault(self, reply: Reply) -> str:
        """Why C{reply} can't be the next one; empty if it can."""
        verb = self.command.verb
        if reply.code == 421:
            return ""
        if reply.preliminary:
            waits = self.verb.flow is not None or verb in (GREETED, "REIN")
            return "" if waits and not self.begun else "nothing is to begin"
        if str(reply.code)[0] not in self.verb.replies:
            return f"{verb} can't be answered so"
        if reply.code in _ANNOUNCEMENTS and verb != _ANNOUNCEMENTS[reply.code]:
            return "no such announcement was asked for"
        if verb == "AUTH" and reply.completed and reply.code != 234:
            return "that is no agreement on encryption"
        return self._missing(reply)

    def _missing(self, reply: Reply) -> str:
        """Whether an announcement was asked for, and this is none."""
        wanted = {"PASV": 227, "EPSV": 229}.get(self.command.verb)
        if wanted is None or not reply.completed:
            return ""
        only = (self.command.argument or b"").upper() == b"ALL"
        return "an announcement was asked for" if (reply.code == wanted) is only else ""

    def record(
        self, session: ISession, verdict: str, reason: str = "", by: str = "", **more: Any
    ) -> None:
        """Write the audit record: what the two said, and what the gateway says about it."""
        gateway: dict[str, Any] = {"verdict": verdict, **more}
        if reason:
            gateway["reason"] = reason
        asked = self.asked or self.command
        if asked.verb != self.command.verb:
            gateway["server_command"] = self.command.verb
        session.record("ftp", gateway, by, **self._fields(asked))

    def _fields(self, command: Command) -> dict[str, Any]:
        """In the names of EVE. Never a password, nor what may echo it."""
        secret = self.verb.secret
        fields: dict[str, Any] = {"command": command.verb}
        if command.argument is not None and not secret:
            fields["command_data"] = command.argument
        if self.replies:
            fields["completion_code"] = [str(reply.code) for reply in self.replies]
            if not secret:
                fields["reply"] = [reply.text for reply in self.replies]
        fields["reply_received"] = "yes" if self.replies else "no"
        if self.port:
            fields["dynamic_port"] = self.port
            fields["mode"] = "passive" if command.verb in ("PASV", "EPSV") else "active"
        return fields
