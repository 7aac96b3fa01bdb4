"""How a session begins: EHLO and HELO, STARTTLS, AUTH."""

from __future__ import annotations

import re

from attrs import evolve

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.smtp.dialogue import Dialogue
from protocols.smtp.grammar.command import Command, is_base64, is_word
from protocols.smtp.grammar.extension import EXTENSIONS, Offer
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.permission import check_hello
from protocols.smtp.server import CONTINUATION
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.trace import written_host

_TLS = re.compile(rb"\x16\x03[\x00-\x04]")


async def hello(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """EHLO and HELO (RFC 5321, section 4.1.1.1)."""
    check_hello(command.argument, dialogue.settings)
    dialogue.end_transaction()
    reply = await dialogue.ask(command.verb, _named(dialogue, command).line())
    if reply.positive:
        dialogue.helo = command.argument
        dialogue.extended = command.verb == "EHLO"
        offer = _offer(reply, dialogue.settings)
        dialogue.offered = offer.extensions if dialogue.extended else {}
        reply = offer.reply() if dialogue.extended else Reply.of(250, reply.lines[0])
    dialogue.tell(reply)


def _named(dialogue: Dialogue, command: Command) -> Command:
    """As the server hears it: with the client's address if the client has not said a word."""
    if is_word(command.argument) and command.argument.isascii():
        return command
    return evolve(command, argument=written_host(dialogue.session.client.host))


def _offer(reply: Reply, settings: SMTPSettings) -> Offer:
    """What the client may hear of the server's answer to EHLO."""
    allowed = set(settings.extensions) & set(EXTENSIONS)
    if settings.starttls == "hide":
        allowed.discard("STARTTLS")
    offer = Offer.parse(reply).only(allowed).limited(settings.message_bytes)
    return offer.mechanisms(settings.auth_mechanisms if settings.auth == "always" else ())


async def authenticate(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """AUTH, and the lines of the exchange that it begins (RFC 4954, section 4)."""
    mechanism = command.argument.split()[0]
    if dialogue.authenticated or dialogue.transaction is not None:
        raise refusal(503, "5.5.1 AUTH is out of place")
    if mechanism not in dialogue.offered["AUTH"].split():
        raise refusal(504, "5.5.4 Not with this mechanism", "AUTH with another mechanism")
    reply = await dialogue.forward(command)
    while reply.goes_on:
        line = await _response(dialogue, read)
        reply = await dialogue.ask(CONTINUATION, line + b"\r\n")
        dialogue.tell(reply)
    dialogue.authenticated = reply.done
    gateway = {"auth": mechanism, "answer": reply.text}
    dialogue.session.record("smtp", gateway, helo=dialogue.helo)


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


async def secure(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """
    STARTTLS (RFC 3207): TLS passes blindly. What came in plaintext behind it would be
    taken for protected by a careless server (CVE-2011-0411), so it is denied.
    """
    if dialogue.settings.starttls == "refuse":
        raise refusal(454, "4.7.0 TLS is not available", "STARTTLS", "starttls")
    if dialogue.transaction is not None:
        raise refusal(503, "5.5.1 STARTTLS within a transaction")
    reply = await dialogue.forward(command)
    if reply.done:
        dialogue.tls = await _beginning(dialogue, read)


async def _beginning(dialogue: Dialogue, read: Reader) -> bytes:
    """
    The first bytes of what the client says next, whenever it said them.

    @raise Denied: they are not TLS.
    """
    dialogue.waits("command_seconds")
    beginning = await read.exactly(3, 3)
    if not _TLS.fullmatch(beginning):
        raise Denied("plaintext behind STARTTLS", b"421 4.7.0 Nothing may follow STARTTLS\r\n")
    return beginning
