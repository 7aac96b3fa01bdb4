"""How a session begins: EHLO and HELO, AUTH."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import CLIENT
from protocols.smtp import protection
from protocols.smtp.dialogue import Dialogue
from protocols.smtp.grammar.command import Command, is_base64
from protocols.smtp.grammar.extension import EXTENSIONS, Offer
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.permission import check_hello
from protocols.smtp.server import CONTINUATION


async def hello(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """EHLO and HELO (RFC 5321, section 4.1.1.1)."""
    check_hello(command.argument, dialogue.settings)
    dialogue.end_transaction()
    reply = await dialogue.ask(command.verb, dialogue.introduction(command))
    if reply.positive:
        reply = _introduced(dialogue, command, reply)
    dialogue.tell(reply)


def _introduced(dialogue: Dialogue, command: Command, reply: Reply) -> Reply:
    """The server has answered: what the client hears of it."""
    known = dialogue.known
    known.helo, known.extended = command.argument, command.verb == "EHLO"
    if not known.extended:
        known.has, known.offered = {}, {}
        return Reply.of(250, reply.lines[0])
    theirs = Offer.parse(reply)
    offer = _offer(theirs, dialogue)
    known.has, known.offered = theirs.extensions, offer.extensions
    return offer.reply()


def _offer(theirs: Offer, dialogue: Dialogue) -> Offer:
    """What the client may hear of what the server has."""
    settings = dialogue.settings
    allowed = set(settings.extensions) & set(EXTENSIONS)
    if settings.starttls == "hide" or dialogue.encrypted:
        allowed.discard("STARTTLS")
    may = settings.auth == "always" or (settings.auth == "tls" and CLIENT in dialogue.encrypted)
    offer = theirs.only(allowed).limited(settings.message_bytes)
    return offer.mechanisms(settings.auth_mechanisms if may else ())


async def authenticate(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """AUTH, and the lines of the exchange that it begins (RFC 4954, section 4)."""
    await protection.check(dialogue, "a login")
    mechanism = command.argument.split()[0]
    if dialogue.known.authenticated or dialogue.transaction is not None:
        raise refusal(503, "5.5.1 AUTH is out of place")
    if mechanism not in dialogue.known.offered["AUTH"].split():
        raise refusal(504, "5.5.4 Not with this mechanism", "AUTH with another mechanism")
    reply = await dialogue.forward(command)
    while reply.goes_on:
        line = await _response(dialogue, read)
        reply = await dialogue.ask(CONTINUATION, line + b"\r\n")
        dialogue.tell(reply)
    dialogue.known.authenticated = reply.done
    gateway = {"auth": mechanism, "answer": reply.text}
    dialogue.session.record("smtp", gateway, helo=dialogue.known.helo)


async def _response(dialogue: Dialogue, read: Reader) -> bytes:
    """
    The client's next line.

    @raise Refusal: it is none; the exchange is cancelled (RFC 4954, section 4).
    """
    try:
        line = await dialogue.line(read, dialogue.settings.auth_bytes)
        if line != b"*" and not is_base64(line.decode("latin-1")):
            raise refusal(501, "5.5.2 Not base64", "an AUTH line that is not base64")
    except Refusal:
        await dialogue.ask(CONTINUATION, b"*\r\n")
        raise
    return line
