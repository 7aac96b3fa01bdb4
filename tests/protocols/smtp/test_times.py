"""How long who may take, and what a client hears that takes too long, or gets too much wrong."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Outcome
from gateway.testing import FakeSession
from protocols.smtp.rules import HeaderRule
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import (
    DATA,
    ENVELOPE,
    GO_AHEAD,
    HELLO,
    OFFER,
    OK,
    TAKEN,
    said,
    talk,
)

TIMES = SMTPSettings(
    command_seconds=30,
    data_seconds=20,
    reply_seconds=40,
    message_seconds=60,
    extensions=SMTPSettings().extensions | {"AUTH"},
    auth="always",
)
NOOP = (CLIENT, b"NOOP\r\n")


class LimitTests(SynchronousTestCase):
    """RFC 5321, section 4.5.3.2."""

    def ends(self, steps: Any, seconds: float, settings: SMTPSettings = TIMES) -> FakeSession:
        """A session that ends after so many seconds, and not before."""
        session = talk(steps, settings)
        session.advance(seconds - 1)
        self.assertIsNone(session.verdict, steps[-1:])
        session.advance(2)
        self.assertIsNotNone(session.verdict, steps[-1:])
        return session

    def test_client(self) -> None:
        """A client that says nothing, or half of something, is told 421."""
        for steps, seconds in (
            (HELLO[:1], 30),
            (HELLO, 30),
            ([*HELLO, NOOP, (SERVER, OK)], 30),
            ([*HELLO, (CLIENT, b"NOO")], 30),
            ([*HELLO, (CLIENT, b"AUTH LOGIN\r\n"), (SERVER, b"334 \r\n")], 30),
        ):
            session = self.ends(steps, seconds)
            self.assertIs(session.verdict.outcome, Outcome.FAILED)
            self.assertIn("'command_seconds'", session.verdict.reason)
            self.assertTrue(
                session.sent[CLIENT].endswith(b"\r\n421 4.4.2 Timeout, closing the connection\r\n")
            )

    def test_message(self) -> None:
        """Within a message too, whose half has to be taken back from the server."""
        for steps in (
            DATA,
            [*DATA, (CLIENT, b"a\r\nb")],
            [*DATA, (CLIENT, b"a\n")],
            [*ENVELOPE, (CLIENT, b"BDAT 9\r\na\r\n")],
        ):
            session = self.ends(steps, 20)
            self.assertIs(session.verdict.outcome, Outcome.DENIED, steps[-1])
            self.assertIn("'data_seconds'", session.verdict.reason)
            self.assertTrue(
                session.sent[CLIENT].endswith(b"\r\n421 4.4.2 Timeout, closing the connection\r\n")
            )

    def test_server_is_slow(self) -> None:
        """A client that can't go on since the server does not take content is not too slow."""
        for steps in (
            [*DATA, (CLIENT, b"a\r\n")],
            [*DATA, (CLIENT, b"a\r\nb")],
        ):
            session = talk(steps[:-1], TIMES)
            session.slow.add(SERVER)
            said(session, steps[-1:])
            session.advance(19)
            self.assertIsNone(session.verdict)
            session.slow.clear()
            session.flush(SERVER)
            session.advance(19)
            self.assertIsNone(session.verdict)
            session.advance(2)
            self.assertIn("'data_seconds'", session.verdict.reason)

    def test_server_takes_nothing(self) -> None:
        """A server that takes no content has as long as a client that sends none."""
        session = talk(DATA, TIMES)
        session.slow.add(SERVER)
        said(session, [(CLIENT, b"a\r\n")])
        session.advance(21)
        self.assertIs(session.verdict.outcome, Outcome.FAILED)
        self.assertEqual(
            session.verdict.reason, "the server took no content (setting 'data_seconds')"
        )
        self.assertTrue(session.sent[CLIENT].endswith(b"does not answer; try again later\r\n"))
        self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))

    def test_record(self) -> None:
        """That of a refused mail has what its client heard, even if that fell asleep."""
        settings = evolve(TIMES, headers=(HeaderRule("X", "reject"),))
        session = talk([*DATA[:-2], (CLIENT, b"DATA\r\nX: y\r\n\r\n")], settings)
        session.advance(21)
        (record,) = session.records_of("smtp")
        self.assertEqual((record["verdict"], record["denied_by"]), ("denied", "headers"))
        self.assertEqual(record["answer"].encode(), session.sent[CLIENT].splitlines()[-1])
        self.assertEqual(record["answer"][:3], "421")

    def test_server_was_slow(self) -> None:
        """What the server takes while the client is not waited for does not matter."""
        session = talk(DATA, TIMES)
        session.slow.add(SERVER)
        said(session, [(CLIENT, b"a\r\n.\r\n")])
        session.flush(SERVER)
        session.advance(59)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.assertIn("'message_seconds'", session.verdict.reason)

    def test_between_chunks(self) -> None:
        """What comes next is a command, and the server has half of a message."""
        session = self.ends([*ENVELOPE, (CLIENT, b"BDAT 3\r\na\r\n")], 30)
        self.assertIs(session.verdict.outcome, Outcome.DENIED)

    def test_each_piece(self) -> None:
        """A message may take as long as it likes if it goes on."""
        for steps, piece in (
            (DATA, b"a\r\n"),
            ([*ENVELOPE, (CLIENT, b"BDAT 900\r\n")], b"a\r\n"),
            ([*DATA, (CLIENT, b"a\n")], b"a\r\n"),
        ):
            session = talk(steps, TIMES)
            for _ in range(9):
                session.advance(19)
                said(session, [(CLIENT, piece)])
            self.assertIsNone(session.verdict)

    def test_server(self) -> None:
        """A server that does not answer is no reason to let the client wait for ever."""
        for steps, seconds in (([], 40), (HELLO[:2], 40), ([*HELLO, NOOP], 40)):
            session = self.ends(steps, seconds)
            self.assertIs(session.verdict.outcome, Outcome.FAILED)
            self.assertIn("'reply_seconds'", session.verdict.reason)
            self.assertTrue(
                session.sent[CLIENT].endswith(
                    b"421 4.4.2 The mail server does not answer; try again later\r\n"
                )
            )

    def test_server_with_the_message(self) -> None:
        """It has longer for a message, and may have taken it: the client is told nothing."""
        session = self.ends([*DATA, (CLIENT, b".\r\n")], 60)
        self.assertTrue(session.sent[CLIENT].endswith(GO_AHEAD))
        self.assertIn("'message_seconds'", session.verdict.reason)

    def test_after_it(self) -> None:
        """A long limit that was not needed does not put off a short one."""
        session = talk([*DATA, (CLIENT, b".\r\n")], TIMES)
        session.advance(50)
        said(session, [(SERVER, TAKEN)])
        session.advance(31)
        self.assertIn("'command_seconds'", session.verdict.reason)

    def test_goodbye(self) -> None:
        """Who has said goodbye is not waited for by these limits."""
        session = talk([*HELLO, (CLIENT, b"QUIT\r\n"), (SERVER, b"221 Bye\r\n")], TIMES)
        session.advance(1000)
        self.assertIsNone(session.verdict)

    def test_unreachable(self) -> None:
        """While the server is not there yet, the service's limits count."""
        session = talk([], TIMES, reachable=None)
        session.advance(1000)
        self.assertIsNone(session.verdict)

    def test_no_hello(self) -> None:
        """TLS that was agreed to has to begin."""
        settings = SMTPSettings(starttls="pass", command_seconds=30)
        steps = [*HELLO, (CLIENT, b"STARTTLS\r\n"), (SERVER, b"220 Go\r\n"), (CLIENT, b"\x16")]
        self.ends(steps, 30, settings)

    def test_blind(self) -> None:
        """Neither do ours when nothing is inspected any more."""
        settings = SMTPSettings(starttls="pass", command_seconds=30)
        steps = [*HELLO, (CLIENT, b"STARTTLS\r\n"), (SERVER, b"220 Go\r\n")]
        session = talk([*steps, (CLIENT, b"\x16\x03\x01hello")], settings)
        session.advance(1000)
        self.assertIsNone(session.verdict)


class DelayTests(SynchronousTestCase):
    """Clients that try things out are slowed down."""

    def test_grows(self) -> None:
        """Each refusal takes longer than the one before; nothing else does."""
        session = talk(HELLO, SMTPSettings(error_delay=2, errors=100))
        for count in range(5):
            before = session.sent[CLIENT]
            said(session, [(CLIENT, b"FOO\r\n")])
            if count:
                session.advance(2 * count - 1)
                self.assertEqual(session.sent[CLIENT], before)
                session.advance(1)
            self.assertEqual(session.sent[CLIENT], before + b"500 5.5.1 Command unknown\r\n")
            said(session, [NOOP, (SERVER, OK)])
            self.assertTrue(session.sent[CLIENT].endswith(OK))

    def test_bounded(self) -> None:
        """A minute at most, and the end of the session ends it."""
        session = talk(HELLO, SMTPSettings(error_delay=50, errors=100, command_seconds=10))
        said(session, [(CLIENT, b"FOO\r\n" * 4)])
        session.advance(170)
        self.assertEqual(session.sent[CLIENT].count(b"500 "), 4)
        said(session, [(CLIENT, b"FOO\r\n"), (SERVER, None)])
        self.assertIsNotNone(session.verdict)
        self.assertEqual(session.late, [])


class ReceivedTests(SynchronousTestCase):
    """The gateway's own trace in a message (RFC 5321, section 4.4)."""

    on = SMTPSettings(received_by="gw.example", hold_bytes=0)
    date = b"\tMon, 12 Jan 1970 13:46:40 +0000\r\n"

    def passed(self, wire: bytes, settings: SMTPSettings = on, **session: Any) -> bytes:
        """What the server gets behind DATA."""
        done = talk([*DATA, (CLIENT, wire)], settings, service="mail", **session)
        return done.sent[SERVER].partition(b"DATA\r\n")[2]

    def test_field(self) -> None:
        """Who, by whom, how, when; on top of the header."""
        self.assertEqual(
            self.passed(b"A: b\r\n\r\nx\r\n.\r\n", id=7),
            b"Received: from client.example ([192.0.2.1])\r\n"
            b"\tby gw.example with ESMTP id mail.7.1;\r\n" + self.date + b"A: b\r\n\r\nx\r\n.\r\n",
        )

    def test_off(self) -> None:
        """Nobody has to hear of the gateway."""
        self.assertEqual(self.passed(b"A: b\r\n.\r\n", SMTPSettings()), b"A: b\r\n.\r\n")

    def test_ways(self) -> None:
        """HELO, AUTH and SMTPUTF8 have words of their own; so have IPv6 and what is no name."""
        auth = [(CLIENT, b"AUTH PLAIN AHgAeQ==\r\n"), (SERVER, b"235 ok\r\n")]
        envelope = ENVELOPE[3:]
        wide = [(CLIENT, b"MAIL FROM:<a@b> SMTPUTF8\r\n"), *envelope[1:]]
        settings = SMTPSettings(received_by="gw.example", auth="always")
        for steps, words in (
            (
                [HELLO[0], (CLIENT, b"HELO c\r\n"), (SERVER, OK), *envelope],
                b"from c ([192.0.2.1])\r\n\tby gw.example with SMTP id",
            ),
            ([*HELLO, *auth, *envelope], b"with ESMTPA id"),
            ([*HELLO, *wide], b"with UTF8SMTP id"),
            ([*HELLO, *auth, *wide], b"with UTF8SMTPA id"),
            (
                [HELLO[0], (CLIENT, b"EHLO a)(b\r\n"), (SERVER, OFFER), *envelope],
                b"from [192.0.2.1] ([192.0.2.1])",
            ),
        ):
            session = talk(
                [*steps, (CLIENT, b"DATA\r\n"), (SERVER, GO_AHEAD), (CLIENT, b"A: b\r\n.\r\n")],
                settings,
            )
            self.assertIn(words, session.sent[SERVER])
        passed = self.passed(b"A: b\r\n.\r\n", client=Address("2001:db8::1", 5))
        self.assertIn(b"([IPv6:2001:db8::1])", passed)

    def test_counts(self) -> None:
        """Each message of a session has an identity of its own; in chunks too."""
        chunk = (CLIENT, b"BDAT 6 LAST\r\nA: b\r\n")
        session = talk([*ENVELOPE, chunk, (SERVER, TAKEN), *ENVELOPE[3:], chunk], self.on)
        self.assertIn(b" id test.1.1;", session.sent[SERVER])
        self.assertIn(b" id test.1.2;", session.sent[SERVER])

    def test_no_header(self) -> None:
        """A message without a header does not become one."""
        for message, between in (
            (b"just text\r\n", b"\r\n"),
            (b" folded\r\n", b"\r\n"),
            (b"\r\nbody\r\n", b""),
            (b"", b""),
            (b"A: b\r\n", b""),
        ):
            expected = self.date + between + message + b".\r\n"
            self.assertTrue(self.passed(message + b".\r\n").endswith(expected), message)

    def test_rules(self) -> None:
        """Rules about headers are about what the client sent."""
        rule = HeaderRule("Received", "remove")
        settings = SMTPSettings(received_by="gw.example", headers=(rule,), hold_bytes=0)
        passed = self.passed(b"Received: x\r\nA: b\r\n.\r\n", settings)
        self.assertTrue(passed.endswith(self.date + b"A: b\r\n.\r\n"))
