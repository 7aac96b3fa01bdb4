"""
TLS in SMTP: STARTTLS (RFC 3207), passed blindly or looked into, and TLS from the first
byte on (RFC 8314, section 3.3).

What is looked into has two connections of TLS, one with each side, and neither side
learns anything before the other has agreed. What was said before is forgotten (RFC
3207, section 4.2), and what anybody says in plaintext behind its agreement would be taken
for protected by a careless peer (CVE-2011-0411): it ends the session.
"""

from __future__ import annotations

import re

from gateway.agreement import Agreed, Insecure, Invalid
from gateway.inspector import Reader, Terms
from gateway.interfaces import CLIENT, SERVER, Denied, Outcome, Side
from protocols.smtp.dialogue import Dialogue, Over
from protocols.smtp.grammar.command import Command
from protocols.smtp.grammar.extension import Offer
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import Reply, configured
from protocols.smtp.known import Known
from protocols.tls.story import described
from protocols.tls.upgrade import Reach, Unreached, Unsafe, Upgrade, words

ALPN = ("smtp", "esmtp")
"""Those that Exim takes (RFC 7301); they are not registered, and hardly anybody asks for one."""

_TLS = re.compile(rb"\x16\x03[\x00-\x04]")


async def secure(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """STARTTLS. The server decides first, and the client hears its words."""
    mode = dialogue.settings.starttls
    if mode == "refuse":
        raise refusal(454, "4.7.0 TLS is not available", "STARTTLS", "starttls")
    if dialogue.transaction is not None:
        raise refusal(503, "5.5.1 STARTTLS within a transaction")
    reply = await dialogue.forward(command)
    if not reply.done:
        return
    await _begins(dialogue, read)
    if mode == "inspect":
        await agree(dialogue, read)
    else:
        dialogue.tls = read.take(read.unread)


async def _begins(dialogue: Dialogue, read: Reader) -> None:
    """
    What the client says next is TLS, whenever it said it.

    @raise Denied: it is not.
    """
    dialogue.waits("command_seconds")
    if not await read.more(than=2):
        raise Denied("the client ended behind STARTTLS")
    if not _TLS.fullmatch(read.peek(3)):
        raise Denied("plaintext behind STARTTLS", b"421 4.7.0 Nothing may follow STARTTLS\r\n")
    dialogue.waits(None)


async def agree(dialogue: Dialogue, read: Reader, reach: Reach | None = None) -> None:
    """
    Agree with both.

    @param reach: connects to the server, if that is not there yet.
    @raise Over: there is no server.
    @raise Denied: there is none that is to be believed, or no client.
    """
    place = "starttls" if reach is None else "implicit"
    try:
        await Upgrade(dialogue.session, dialogue.settings.tls, place, ALPN).agree(read, reach)
    except Unreached as unreached:
        reply = configured(dialogue.settings.unreachable)
        raise _end(dialogue, unreached.reason, reply) from None
    except Unsafe as unsafe:
        raise _end(dialogue, unsafe.reason, _told(unsafe.reason), unsafe.by) from None
    dialogue.known = Known()
    dialogue.encrypted = frozenset(Side)


def _told(reason: str) -> Reply:
    return Reply.of(421, f"4.7.0 {words(reason)}")


def _end(dialogue: Dialogue, reason: str, reply: Reply, by: str = "") -> Exception:
    """
    The end, of which the client is told.

    @param by: the setting that wants it so; empty: it can't be otherwise.
    """
    if by:
        return Denied(reason, reply.data(), by)
    dialogue.tell(reply)
    dialogue.session.close(reason, Outcome.FAILED)
    return Over()


async def check(dialogue: Dialogue, what: str) -> None:
    """
    Whether something may go on as things are; if only the server's side is not as it should
    be, that is mended.

    @raise Refusal: it may not.
    """
    settings, known = dialogue.settings, dialogue.known
    if CLIENT in dialogue.encrypted:
        return
    if settings.tls_required == "client":
        if known.extended and "STARTTLS" not in known.has:
            raise _no_tls("the server has no TLS")
        raise refusal(530, "5.7.0 Say STARTTLS first", f"{what} in plaintext", "tls_required")
    if settings.starttls == "require":
        raise refusal(530, "5.7.0 Say STARTTLS first", f"{what} in plaintext", "starttls")
    if settings.tls_required == "server" and SERVER not in dialogue.encrypted:
        await _protect_server(dialogue)


def _no_tls(reason: str) -> Refusal:
    return refusal(454, "4.7.0 The mail server has no TLS now", reason, "tls_required")


async def _protect_server(dialogue: Dialogue) -> None:
    """
    Ask the server for TLS, where the client has not.

    @raise Refusal: it has none.
    """
    known = dialogue.known
    if not known.extended:
        await _hear(dialogue, "EHLO")
    if "STARTTLS" not in known.has:
        raise _no_tls("the server has no TLS")
    reply = await dialogue.ask("STARTTLS", b"STARTTLS\r\n")
    if not reply.done:
        raise _no_tls(f"the server refused TLS: {reply.text}")
    await _agree_with_server(dialogue)
    dialogue.encrypted |= {SERVER}
    await _hear(dialogue, "EHLO" if known.extended else "HELO")
    known.offered = known.still(known.has)


async def _hear(dialogue: Dialogue, verb: str) -> None:
    """Introduce the client again."""
    known = dialogue.known
    reply = await dialogue.ask(verb, dialogue.introduction(Command(verb, known.helo)))
    known.has = Offer.parse(reply).extensions if reply.positive else {}


async def _agree_with_server(dialogue: Dialogue) -> None:
    """
    @raise Over: there is no TLS with it, and no way back.
    @raise Denied: it is not to be believed.
    """
    settings = dialogue.settings.tls
    terms = Terms(settings.minimum, settings.ciphers, settings.handshake_seconds)
    try:
        agreed = await dialogue.session.secure(SERVER, terms=terms, accept=frozenset(Invalid))
    except Insecure as error:
        _record(dialogue, Outcome.FAILED, error.reason)
        raise _end(dialogue, error.reason, _told(error.reason)) from None
    # What it should be called, only the client knows.
    flaws = [flaw for flaw in agreed.flaws if flaw.kind is not Invalid.NAME]
    if flaws and settings.invalid == "deny":
        reason = f"the server's certificate: {flaws[0]}"
        _record(dialogue, Outcome.DENIED, reason, agreed, "tls.invalid")
        raise _end(dialogue, reason, _told(reason), "tls.invalid")
    _record(dialogue, Outcome.PASSED, "", agreed)


def _record(
    dialogue: Dialogue, outcome: Outcome, reason: str, agreed: Agreed | None = None, by: str = ""
) -> None:
    fields, own = described(agreed)
    gateway = {"verdict": outcome.value, "tls": {"mode": "inspect", "rule": "tls_required", **own}}
    if reason:
        gateway["reason"] = reason
    dialogue.session.record("tls", gateway, by, **fields)
