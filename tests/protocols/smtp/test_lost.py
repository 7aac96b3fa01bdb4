"""Peers that are gone, servers that greet late, and what the other side hears of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import (
    DATA,
    ENVELOPE,
    GREETING,
    HELLO,
    OFFER,
    OK,
    TAKEN,
    said,
    talk,
)

DOT = (CLIENT, b"x\r\n.\r\n")
NOOP = (CLIENT, b"NOOP\r\n")


class GreetingTests(SynchronousTestCase):
    """The server speaks first (RFC 5321, section 3.1)."""

    def test_waits(self) -> None:
        """What a client says before the greeting is heard after it."""
        session = talk([(CLIENT, b"EHLO a\r\nNOOP\r\n")])
        self.assertEqual((session.sent[CLIENT], session.sent[SERVER]), (b"", b""))
        said(session, [(SERVER, b"220-mail\r\n")])
        self.assertEqual((session.sent[CLIENT], session.sent[SERVER]), (b"", b""))
        said(session, [(SERVER, b"220 example\r\n")])
        self.assertEqual(session.sent[CLIENT], b"220-mail\r\n220 example\r\n")
        self.assertEqual(session.sent[SERVER], b"EHLO a\r\n")

    def test_wrong_before_it(self) -> None:
        """So is the answer to what is wrong with it."""
        session = talk([(CLIENT, b"FOO\r\n")])
        self.assertEqual(session.sent[CLIENT], b"")
        said(session, [(SERVER, GREETING)])
        self.assertEqual(session.sent[CLIENT], GREETING + b"500 5.5.1 Command unknown\r\n")

    def test_no_service(self) -> None:
        """A client that was too early is stopped by a 554 like any other."""
        session = talk([(CLIENT, b"EHLO a\r\nMAIL FROM:<a@b>\r\n"), (SERVER, b"554 No\r\n")])
        self.assertEqual(session.sent[CLIENT][:8], b"554 No\r\n")
        self.assertEqual(session.sent[CLIENT].count(b"503 5.5.0 "), 2)
        self.assertEqual(session.sent[SERVER], b"")

    def test_half(self) -> None:
        """A session that ends within the greeting ends."""
        for steps in ([], [(CLIENT, b"EHLO a\r\n")]):
            session = talk([*steps, (SERVER, b"220-mail\r\n")])
            session.resets(SERVER)
            self.assertIn(b"421 4.4.2 ", session.sent[CLIENT])
            session = talk([*steps, (SERVER, b"220-mail\r\n")])
            session.over()
            session = talk([*steps, (SERVER, b"220-mail\r\n"), (SERVER, None)])
            self.assertIn(b"421 4.4.2 ", session.sent[CLIENT])


class ServerTests(SynchronousTestCase):
    """A server that resets its connection."""

    def test_told(self) -> None:
        """The client hears 421, and that its mail was not taken, as of a server that hangs up."""
        for steps in (
            HELLO,
            ENVELOPE,
            DATA,
            [*DATA, (CLIENT, b"x\r\n")],
            [*DATA, DOT, (SERVER, TAKEN)],
        ):
            session = talk(steps)
            session.resets(SERVER)
            self.assertTrue(
                session.sent[CLIENT].endswith(b"broke the connection off; try again later\r\n")
            )
            self.assertIs(session.verdict.outcome, Outcome.FAILED)
            self.assertIn("reset by the server", session.verdict.reason)

    def test_in_doubt(self) -> None:
        """It may have taken the mail: the client hears the end of the connection, and no reset."""
        session = talk([*DATA, DOT])
        before = session.sent[CLIENT]
        session.resets(SERVER)
        self.assertEqual(session.sent[CLIENT], before)
        self.assertIn(f"close: {session.verdict.reason}", session.events)
        self.assertIn("may have taken the message", session.records_of("smtp")[-1]["reason"])

    def test_after_its_last_words(self) -> None:
        """After QUIT, and after a greeting that says no, nothing is left to be told."""
        quit_ = [*HELLO, (CLIENT, b"QUIT\r\n"), (SERVER, b"221 Bye\r\n")]
        for steps in (quit_, [(SERVER, b"554 No\r\n")]):
            session = talk(steps)
            before = session.sent[CLIENT]
            session.resets(SERVER)
            self.assertEqual(session.sent[CLIENT], before)
            self.assertTrue(session.events[-2].startswith("close: "), session.events)

    def test_early_refusal(self) -> None:
        """What it has said within a message is what the client hears."""
        session = talk([*DATA, (CLIENT, b"x\r\n"), (SERVER, b"552 5.3.4 Too big\r\n")])
        session.resets(SERVER)
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n552 5.3.4 Too big\r\n"))

    def test_early_refusal_and_goodbye(self) -> None:
        """So it is if the server hangs up then; the client is heard to the end of its message."""
        steps = [*DATA, (CLIENT, b"x\r\n"), (SERVER, b"552 5.3.4 Too big\r\n"), (SERVER, None)]
        session = talk(steps)
        before = session.sent[CLIENT]
        said(session, [(CLIENT, b"x\r\n" * 99)])
        self.assertEqual(session.sent[CLIENT], before)
        self.assertNotIn("end client", session.events)
        said(session, [DOT])
        self.assertEqual(session.sent[CLIENT], before + b"552 5.3.4 Too big\r\n")
        self.assertEqual(session.records_of("smtp")[-1]["answer"], "552 5.3.4 Too big")

    def test_unanswered(self) -> None:
        """What had reached the server, and was not answered, is in the audit with its end."""
        settings = SMTPSettings(
            auth="always",
            extensions=SMTPSettings().extensions | {"ETRN"},
            commands=SMTPSettings().commands | {"ETRN"},
        )
        login = [(CLIENT, b"AUTH PLAIN\r\n"), (SERVER, b"334 \r\n"), (CLIENT, b"QUFB\r\n")]
        for steps, command in (
            ([(CLIENT, b"ETRN b.example\r\n")], "ETRN"),
            ([(CLIENT, b"MAIL FROM:<a@b>\r\n")], "MAIL"),
            (login[:1], "AUTH"),
            (login, "AUTH"),
        ):
            session = talk([*HELLO, *steps], settings)
            session.resets(SERVER)
            (record,) = session.records_of("smtp")
            self.assertEqual(record["verdict"], "failed")
            reason = f"reset by the server; the server had not answered to {command}"
            self.assertEqual(record["reason"], reason)
            self.assertNotIn("QUFB", repr(session.recorded))
        session = talk([*HELLO, NOOP])
        session.resets(SERVER)
        self.assertEqual(session.records_of("smtp"), [])

    def test_no_refusal_between_chunks(self) -> None:
        """Every chunk has an answer of its own; what else the server says belongs to nothing."""
        chunk = (CLIENT, b"BDAT 70000\r\n" + b"x\r\n" * 23333 + b"x")
        session = talk([*ENVELOPE, chunk, (SERVER, OK), (SERVER, b"552 5.3.4 Too big\r\n")])
        self.assertIn("nobody had asked", session.verdict.reason)


class ClientTests(SynchronousTestCase):
    """A client that resets its connection."""

    def test_told(self) -> None:
        """The server hears QUIT."""
        for steps in (HELLO, ENVELOPE, [*DATA, DOT, (SERVER, TAKEN)]):
            session = talk(steps)
            session.resets(CLIENT)
            self.assertTrue(session.sent[SERVER].endswith(b"\r\nQUIT\r\n"))
            self.assertIs(session.verdict.outcome, Outcome.RESET)

    def test_within_a_message(self) -> None:
        """Nothing that could make half a message a whole one."""
        for steps in (DATA, [*DATA, (CLIENT, b"x\r\n")]):
            session = talk(steps)
            before = session.sent[SERVER]
            session.resets(CLIENT)
            self.assertEqual(session.sent[SERVER], before)
            self.assertEqual(session.records_of("smtp")[-1]["reason"], "reset by the client")

    def test_after_its_last_words(self) -> None:
        """Many programs say goodbye in that way, and all was said."""
        session = talk([*HELLO, (CLIENT, b"QUIT\r\n"), (SERVER, b"221 Bye\r\n")])
        session.resets(CLIENT)
        self.assertEqual(session.sent[SERVER].count(b"QUIT"), 1)
        self.assertIs(session.verdict.outcome, Outcome.PASSED)

    def test_before_the_greeting(self) -> None:
        """Nobody is told anything."""
        session = talk([])
        session.resets(CLIENT)
        self.assertEqual(session.sent[SERVER], b"")


class HelloTests(SynchronousTestCase):
    """A client that says something odd in the place of its name."""

    def test_any(self) -> None:
        """Its name is what it has said, and the server hears what can be one."""
        for name, heard in (
            (b"my printer", b"[192.0.2.1]"),
            (b"b\xfcro", b"[192.0.2.1]"),
            ("b\u00fcro".encode(), b"[192.0.2.1]"),
            (b"x" * 300, b"[192.0.2.1]"),
            (b"x_y!", b"x_y!"),
        ):
            session = talk(
                [(SERVER, GREETING), (CLIENT, b"EHLO " + name + b"\r\n"), (SERVER, OFFER)]
            )
            self.assertEqual(session.sent[SERVER], b"EHLO " + heard + b"\r\n")
            self.assertIn(b"\r\n250-SIZE 1000000\r\n", session.sent[CLIENT])
