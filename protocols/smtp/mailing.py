"""A mail transaction: MAIL, RCPT, and DATA or BDAT (RFC 5321, section 3.3; RFC 3030); RSET."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.smtp import protection
from protocols.smtp.content.chunk import Chunk
from protocols.smtp.content.content import too_large
from protocols.smtp.dialogue import Dialogue, Over
from protocols.smtp.grammar.command import Command
from protocols.smtp.grammar.parameter import MAIL, RCPT, Parameter
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.permission import check_recipient, check_sender
from protocols.smtp.transaction import Discard, Transaction

GO_AHEAD = Reply.of(354, "End the message with <CR><LF>.<CR><LF>")


async def begin(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """MAIL (section 4.1.1.2)."""
    assert command.path is not None
    if not dialogue.known.helo:
        raise refusal(503, "5.5.1 Say EHLO first")
    await protection.check(dialogue, "mail")
    _check_may_begin(dialogue)
    _check_parameters(dialogue, command, MAIL)
    if int(command.parameter("SIZE") or 0) > dialogue.settings.message_bytes:
        raise too_large(dialogue.settings.message_bytes)
    discard = check_sender(command.path, dialogue.settings)
    reply = await dialogue.forward(command)
    if reply.positive:
        international = command.parameter("SMTPUTF8") is not None
        mailbox = command.path.mailbox
        dialogue.transaction = Transaction(mailbox, international, discard, said=[command])
        dialogue.transfer.recorded = False


def _check_may_begin(dialogue: Dialogue) -> None:
    settings = dialogue.settings
    if settings.auth_required and not dialogue.known.authenticated:
        raise refusal(530, "5.7.0 Say AUTH first", "mail without AUTH", "auth_required")
    if dialogue.messages >= settings.messages_per_session:
        reply = b"421 4.7.0 So many messages are enough; connect again\r\n"
        raise Denied(f"more than {dialogue.messages} messages", reply, "messages_per_session")
    if dialogue.transaction is not None:
        raise refusal(503, "5.5.1 One sender at a time")


def _check_parameters(dialogue: Dialogue, command: Command, table: Mapping[str, Parameter]) -> None:
    for name, _ in command.parameters:
        if table[name].extension not in dialogue.known.offered:
            raise refusal(555, f"5.5.4 {name} is not available", f"{name}, not offered")
    assert command.path is not None
    transaction = dialogue.transaction
    international = command.parameter("SMTPUTF8") is not None or (
        transaction is not None and transaction.international
    )
    if not (command.path.mailbox.ascii or international):
        raise refusal(553, "5.6.7 Not without SMTPUTF8", f"{command.path} without SMTPUTF8")


async def address(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """RCPT (section 4.1.1.3)."""
    assert command.path is not None
    transaction = _begun(dialogue, "RCPT")
    if transaction.chunked:
        raise refusal(503, "5.5.1 RCPT after BDAT")
    _check_parameters(dialogue, command, RCPT)
    discard = _check_recipient(dialogue, command, transaction)
    if discard is not None:
        transaction.discarded.append(command.path.mailbox)
        transaction.why = transaction.why or discard
        dialogue.tell(Reply.of(250, "2.1.5 Ok"))
        return
    reply = await dialogue.forward(command)
    if reply.positive:
        transaction.recipients.append(command.path.mailbox)
        transaction.said.append(command)


def _check_recipient(
    dialogue: Dialogue, command: Command, transaction: Transaction
) -> Discard | None:
    assert command.path is not None
    most = dialogue.settings.recipients_per_message
    if len(transaction.recipients) + len(transaction.discarded) >= most:
        raise _overshot(dialogue, transaction, most)
    return check_recipient(command.path, dialogue.session.client.host, dialogue.settings)


def _overshot(dialogue: Dialogue, transaction: Transaction, most: int) -> Exception:
    """
    One recipient too many (RFC 5321, section 4.5.3.1.10). That is no error: a client
    sends the message to those that it could name, and then to the others.
    """
    transaction.overshot += 1
    if transaction.overshot > dialogue.settings.recipients_overshoot:
        enough = b"421 4.7.0 So many recipients are too many\r\n"
        reason = f"more than {most} recipients, {transaction.overshot} times"
        return Denied(reason, enough, "recipients_overshoot")
    return Refusal(
        Reply.of(452, "4.5.3 Too many recipients"),
        f"more than {most} recipients",
        "recipients_per_message",
        counts=False,
        quiet=transaction.overshot > 1,
    )


def _begun(dialogue: Dialogue, verb: str) -> Transaction:
    if dialogue.transaction is None:
        raise refusal(503, "5.5.1 Say MAIL first", f"{verb} out of sequence")
    return dialogue.transaction


def _addressed(dialogue: Dialogue, verb: str) -> Transaction:
    transaction = _begun(dialogue, verb)
    if not (transaction.recipients or transaction.discarded):
        raise refusal(503, "5.5.1 No valid recipients", f"{verb} without recipients")
    return transaction


async def send(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """DATA (section 4.1.1.4). Where the message is held, the server hears of it later."""
    if _addressed(dialogue, "DATA").chunked:
        raise refusal(503, "5.5.1 DATA after BDAT")
    held = dialogue.settings.holds or dialogue.discard is not None
    if held:
        dialogue.tell(GO_AHEAD)
    elif not (await dialogue.forward(command)).goes_on:
        return
    mail = dialogue.mail()
    reply = await dialogue.transfer.dotted(read, dialogue.waits, mail, begun=not held)
    _answered(dialogue, reply)


async def send_chunk(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """BDAT (RFC 3030, section 2)."""
    transaction = _addressed(dialogue, "BDAT")
    transaction.chunked = True
    chunk = Chunk(read, command.size, dialogue.waits)
    reply = await dialogue.transfer.chunk(chunk, command.last, dialogue.mail())
    if command.last or not reply.positive:
        _answered(dialogue, reply)
    else:
        dialogue.tell(reply)


def _answered(dialogue: Dialogue, reply: Reply) -> None:
    """A message came to its end."""
    dialogue.messages += 1
    dialogue.end_transaction()
    if reply.positive:
        dialogue.forgive()
    dialogue.tell(reply)
    if reply.code == 421:
        dialogue.session.close(f"the server ended the session: {reply.text}")
        raise Over


async def reset(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """RSET (section 4.1.1.5)."""
    await dialogue.forward(command)
    dialogue.end_transaction()
