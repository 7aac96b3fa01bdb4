"""An Exchange: one command, and what the server answers to it."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.interfaces import ISession
from protocols.pop3.command import Command
from protocols.pop3.message import Retrieved
from protocols.pop3.reply import Reply


@define(eq=False)
class Exchange:
    """
    One command that was passed to the server.

    @ivar answered: fires when the client has all of the answer.
    @ivar lists: the client is in the middle of a list.
    @ivar message: what comes behind the answer, if that is a message.
    """

    command: Command
    answered: Deferred[Reply] = field(factory=Deferred)
    lists: bool = False
    message: Retrieved | None = None

    @property
    def inside(self) -> bool:
        """Whether the client would take what it is told for a part of a block."""
        return self.lists or (self.message is not None and self.message.begun)


def record(
    session: ISession,
    gateway: dict[str, Any],
    by: str = "",
    command: Command | None = None,
    reply: Reply | None = None,
) -> None:
    """Write the audit record of what the two said. Never a password, nor what may echo it."""
    fields: dict[str, Any] = {}
    kind = command.kind if command is not None else None
    secret = kind is not None and kind.secret
    if command is not None:
        fields["request"] = {"command": command.keyword, "args": command.told}
    if reply is not None:
        header = b"" if secret else reply.text
        fields["response"] = {
            "success": reply.positive,
            "status": reply.status,
            "header": header,
        }
    session.record("pop3", gateway, by, **fields)
