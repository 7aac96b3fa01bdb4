"""An Exchange: one command, and what the server answers to it."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.interfaces import ISession
from protocols.imap.command import Command
from protocols.imap.fetch import UNASKED, Key
from protocols.imap.item import Item
from protocols.imap.refusal import Refusal
from protocols.imap.reply import Reply
from protocols.imap.value import written

_SHOWN = 500
"""Characters of a command's arguments in its record."""


@define
class Tally:
    """
    The messages that an exchange has brought.

    @ivar refused: how many of them were.
    """

    messages: int = 0
    size: int = 0
    refused: int = 0
    stacked: dict[str, str] = field(factory=dict)

    def record(self) -> dict[str, Any]:
        """Fields of the gateway's own."""
        told: dict[str, Any] = {}
        if self.messages:
            told = {"messages": self.messages, "size": self.size}
        if self.refused:
            told["refused"] = self.refused
        if self.stacked:
            told["stacked"] = self.stacked
        return told


@define(eq=False)
class Exchange:
    """
    One command that was passed to the server.

    @ivar keys: what an answer may tell of messages.
    @ivar wanted: what the client gets of messages that come as a whole, to be examined.
    @ivar spoken: fires when the server has said whether it goes on.
    @ivar goes_on: the server may say that the client is to go on.
    @ivar idles: nobody is waited for.
    @ivar reply: the answer, if the client has it.
    @ivar failing: why an answer that is OK is none.
    @ivar tally: messages that have come.
    """

    command: Command
    keys: frozenset[Key] = UNASKED
    wanted: tuple[Item, ...] = ()
    spoken: Deferred[Reply] | None = None
    goes_on: bool = False
    idles: bool = False
    reply: Reply | None = None
    failing: Refusal | None = None
    tally: Tally = field(factory=Tally)


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
        fields["request"] = {"command": command.name, "args": _told(command)}
    if reply is not None:
        fields["response"] = {
            "success": reply.positive,
            "status": reply.status,
            "header": b"" if secret else reply.text,
        }
        if reply.code:
            fields["response"]["code"] = reply.code
    session.record("imap", gateway, by, **fields)


def _told(command: Command) -> list[str]:
    """Arguments, as far as they may be written down."""
    if command.kind is None:
        return []
    if command.kind.secret:
        return [written(command.values[:1])[:_SHOWN].decode("utf-8", "replace")]
    if command.fetch is not None:
        items = " ".join(command.fetch.tells)
        return [written(command.values[:1])[:_SHOWN].decode("ascii", "replace"), items[:_SHOWN]]
    if command.mailboxes:
        return [mailbox.name[:_SHOWN] for mailbox in command.mailboxes]
    return [written(command.values)[:_SHOWN].decode("utf-8", "replace")] * bool(command.values)
