"""
Readdressing: a mail gets another envelope than its client said, before its content leaves.

The server has agreed to what the client said. It agrees to more recipients as long as no content
was sent; for anything else the transaction begins anew, by RSET (RFC 5321, section 4.1.1.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from gateway.envelope import Addressed, Readdressed
from protocols.smtp.grammar.command import Command, parse_command
from protocols.smtp.grammar.parameter import MAIL, RCPT, Parameter, written
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.server import Server

REFUSED = Reply.of(550, "5.7.1 The message was refused")
LATER = Reply.of(451, "4.7.1 Service unavailable - try again later")

_SENDER = frozenset({"AUTH", "ENVID", "RET"})
"""Parameters of MAIL that are about the sender whom the client said."""


@frozen
class Agreed:
    """
    What the server has agreed to.

    @ivar mail: MAIL as it was said.
    @ivar recipients: RCPT likewise, those that were accepted.
    @ivar has: the server's extensions.
    """

    mail: Command
    recipients: tuple[Command, ...]
    has: Mapping[str, str]


async def readdress(server: Server, agreed: Agreed, to: Readdressed) -> None:
    """
    Have the server agree to another envelope.

    @raise Refusal: it does not. Then nobody knows what it has; it has to be reset.
    """
    for command in _commands(agreed, to):
        reply = await server.ask(command.verb, command.line())
        if reply.code == 421:
            raise Refusal(reply, f"the server ended the session: {reply.text}")
        if not reply.positive:
            said = command.line().decode().strip()
            reason = f"the server does not agree to {said!r}, of a filter: {reply.text}"
            raise Refusal(LATER if reply.code < 500 else REFUSED, reason)


def _commands(agreed: Agreed, to: Readdressed) -> Iterator[Command]:
    if to.sender is not None or to.removed:
        yield Command("RSET")
        mail = agreed.mail
        yield mail if to.sender is None else _mail(agreed, to.sender)
        for each in agreed.recipients:
            assert each.path is not None
            if str(each.path.mailbox) not in to.removed:
                yield each
    for recipient in to.added:
        yield _written("RCPT TO:", RCPT, recipient, (), agreed.has)


def _mail(agreed: Agreed, sender: Addressed) -> Command:
    kept = tuple(each for each in agreed.mail.parameters if each[0] not in _SENDER)
    return _written("MAIL FROM:", MAIL, sender, kept, agreed.has)


def _written(
    begin: str,
    table: Mapping[str, Parameter],
    who: Addressed,
    kept: tuple[tuple[str, str | None], ...],
    has: Mapping[str, str],
) -> Command:
    """Without parameters that the server does not know, as Postfix has it."""
    text = f"{begin}<{who.address}> {who.parameters}"
    command = parse_command(text.encode(), lenient=True)
    parameters = {**dict(kept), **dict(command.parameters)}
    known = tuple(
        (name, value) for name, value in parameters.items() if table[name].extension in has
    )
    assert command.path is not None
    return evolve(
        command, argument=f"{begin.split()[1]}{command.path}{written(known)}", parameters=known
    )
