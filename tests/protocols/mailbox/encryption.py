"""What holds of TLS in POP3 and in IMAP alike."""

from __future__ import annotations

from typing import Any, ClassVar

from gateway.agreement import Agreed, Flaw, Insecure, Invalid
from gateway.interfaces import CLIENT, SERVER, Outcome
from tests.protocols.mailbox.speak import Talk
from tests.protocols.tls.hellos import alpn, body, message, records, server_name

AGREED = Agreed("TLS 1.3", "TLS_AES_128_GCM_SHA256", "X25519")
AGREES: dict[Any, Any] = {SERVER: AGREED, CLIENT: Agreed("TLS 1.2", "AES")}
NAME = "mail.example.org"
HELLO = records(message(body([server_name(NAME.encode("ascii"))])))
BROWSER = records(message(body([alpn(b"http/1.1")])))


class EncryptionCase:
    """
    TLS within the session, and from the first byte on. To be mixed into a test case.

    @cvar talk: of the protocol.
    @cvar inspect: settings with which TLS is inspected.
    @cvar implicit: those with which it is spoken from the first byte on.
    @cvar careful: those that deny servers that are not to be believed.
    @cvar greeting: the server's.
    @cvar start: how the client asks for TLS.
    @cvar go_on: how the server agrees.
    @cvar declined: how it does not.
    @cvar spoken: what the client hears if it asks again.
    @cvar login: a command that belongs to a login.
    @cvar taken: what the server says to that.
    @cvar bye: how the last words begin.
    """

    talk: ClassVar[type[Talk]]
    inspect: ClassVar[Any]
    implicit: ClassVar[Any]
    careful: ClassVar[Any]
    greeting: ClassVar[bytes]
    start: ClassVar[bytes]
    go_on: ClassVar[bytes]
    declined: ClassVar[bytes]
    spoken: ClassVar[bytes]
    login: ClassVar[bytes]
    taken: ClassVar[bytes]
    bye: ClassVar[bytes]

    def greeted(self, settings: Any = None, **ways: Any) -> Talk:
        """The server has greeted."""
        one = self.talk(settings or self.inspect, **ways)
        one.server(self.greeting + b"\r\n")
        return one

    def encrypted(self, settings: Any = None, **ways: Any) -> Talk:
        """Both have agreed, and the client has begun."""
        one = self.greeted(settings, **{"agrees": AGREES, **ways})
        assert one.ask(self.start, self.go_on) == self.go_on + b"\r\n"
        one.client(HELLO)
        return one

    def test_server_without(self: Any) -> None:
        """A server that has none: its answer passes, and all goes on as it was."""
        one = self.greeted()
        self.assertEqual(one.ask(self.start, self.declined), self.declined + b"\r\n")
        one.ask(self.login, self.taken)
        self.assertEqual(one.session.secured, [])

    def test_plaintext(self: Any) -> None:
        """What either says in plain text behind its word was never protected."""
        one = self.greeted()
        said = self.start + b"\r\n"
        self.assertEqual(one.client(said + self.login + b"\r\n")[0], said)
        one.server(self.go_on + b"\r\n")
        self.assertIn("not TLS", one.reason)
        self.assertEqual(one.heard(SERVER), b"")
        one = self.greeted()
        one.ask(self.start, self.go_on)
        one.client(self.login + b"\r\n")
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        answer = self.taken + b"\r\n"
        for first, second in ((answer, b""), (b"+", b""), (b"", answer)):
            one = self.greeted()
            one.client(said)
            one.server(self.go_on + b"\r\n" + first)
            if second:
                one.server(second)
            one.client(HELLO)
            self.assertIn("plaintext", one.reason)
            self.assertNotIn(answer, one.session.sent[CLIENT])

    def test_another_protocol(self: Any) -> None:
        """A browser that was led here is turned away (ALPACA)."""
        one = self.talk(self.implicit)
        one.client(BROWSER)
        self.assertIn("ALPN", one.reason)
        self.assertFalse(one.session.opened)

    def test_named_protocol(self: Any) -> None:
        """A client that names the protocol gets it, and the server is asked for no other one."""
        name = self.talk.inspector.alpn
        named = AGREED._replace(alpn=name)
        one = self.talk(self.implicit, agrees={SERVER: named, CLIENT: named})
        one.client(records(message(body([alpn(b"http/1.1", name.encode("ascii"))]))))
        asked = one.session.asked_for
        self.assertEqual([tuple(asked[side]["alpn"]) for side in (SERVER, CLIENT)], [(name,)] * 2)

    def test_implicit(self: Any) -> None:
        """The hello first, then the server, then the greeting; more TLS makes no sense."""
        one = self.talk(self.implicit, agrees=AGREES)
        one.client(HELLO)
        self.assertEqual(one.server(self.greeting + b"\r\n"), self.greeting + b"\r\n")
        self.assertEqual(one.client(self.start + b"\r\n"), (b"", self.spoken + b"\r\n"))
        one.ask(self.login, self.taken)
        one = self.talk(self.implicit, agrees=AGREES, reachable=False)
        one.client(HELLO)
        self.assertTrue(one.session.sent[CLIENT].startswith(self.bye + b"server unreachable"))

    def test_bad_server(self: Any) -> None:
        """One that is not to be believed: the client reads why, in TLS."""
        flawed = AGREED._replace(flaws=(Flaw(Invalid.EXPIRED, "so it is"),))
        one = self.encrypted(self.careful, agrees={**AGREES, SERVER: flawed})
        reason = self.bye + b"the server's certificate: expired"
        self.assertIn(reason, one.session.sent[CLIENT])
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        one = self.encrypted(agrees={**AGREES, SERVER: Insecure("TLS with the server: no")})
        self.assertIn(self.bye + b"TLS with the server: no", one.session.sent[CLIENT])
        self.assertIs(one.session.verdict.outcome, Outcome.FAILED)
