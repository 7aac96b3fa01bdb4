"""Too much of everything: it is refused, the client hears why, and the server sees none of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import (
    DATA,
    ENVELOPE,
    GREETING,
    HELLO,
    OK,
    answer,
    said,
    talk,
)

SMALL = SMTPSettings(message_bytes=1024, command_bytes=512, errors=3)

HUGE = 10**20 - 1
"""The largest number that BDAT and SIZE may name (RFC 1870, section 4; RFC 3030, section 2)."""


class ClientTests(SynchronousTestCase):
    """What a client may not overdo."""

    def test_commands(self) -> None:
        """A command that is too long is refused; one that has no end at all ends the session."""
        self.assertEqual(answer(HELLO, b"NOOP " + b"x" * 505 + b"\r\n", SMALL)[1][-3:], b"x\r\n")
        for size, end, denied in (
            *((508, b"\r\n", False), (5000, b"\r\n", False), (9000, b"", True)),
            *((5000, b"\n", True), (600, b"\n\r\n", True), (507, b"\n", True)),
        ):
            session = talk([*HELLO, (CLIENT, b"NOOP " + b"x" * size + end)], SMALL)
            self.assertIn(b"\r\n500 5.5.2 ", session.sent[CLIENT])
            self.assertTrue(session.sent[SERVER].endswith(b"EHLO client.example\r\n"))
            self.assertEqual(session.verdict is not None, denied, (size, end))
            if not denied:
                said(session, [(CLIENT, b"RSET\r\n")])
                self.assertTrue(session.sent[SERVER].endswith(b"\r\nRSET\r\n"))

    def test_numbers(self) -> None:
        """Sizes beyond what the extensions allow, and beyond the policy, are refused."""
        for command, code in (
            (b"MAIL FROM:<a@b> SIZE=%d" % HUGE, b"552"),
            (b"MAIL FROM:<a@b> SIZE=%d" % (HUGE + 1), b"555"),
            (b"MAIL FROM:<a@b> SIZE=1025", b"552"),
        ):
            client, server = answer(HELLO, command + b"\r\n", SMALL)
            self.assertEqual((client[:3], server), (code, b""), command)

    def test_chunks(self) -> None:
        """A chunk that is larger than anybody would read to its end is not read to its end."""
        for steps in (HELLO, ENVELOPE):
            for size, denied in (
                (8192, True),
                (HUGE, True),
                (HUGE + 1, True),
                (4096, False),
            ):
                content = (b"a: b\r\n" * 1000)[: min(size, 1100)]
                session = talk([*steps, (CLIENT, b"BDAT %d\r\n" % size + content)], SMALL)
                if not denied:
                    self.assertIsNone(session.verdict)
                    said(session, [(CLIENT, b"x" * (size - len(content)))])
                    self.assertIsNone(session.verdict)
                    continue
                self.assertIs(session.verdict.outcome, Outcome.DENIED, size)
                self.assertRegex(session.sent[CLIENT].splitlines()[-1], rb"\A5\d\d ")
                self.assertNotIn(b"BDAT", session.sent[SERVER])

    def test_pipeline(self) -> None:
        """One command is on its way to the server, and what is pipelined behind it is not read."""
        session = talk([*HELLO, (CLIENT, b"NOOP\r\n" * 10_000)])
        self.assertEqual(session.sent[SERVER].count(b"NOOP"), 1)
        self.assertIn(CLIENT, session.paused)
        said(session, [(SERVER, OK)] * 5)
        self.assertEqual(session.sent[SERVER].count(b"NOOP"), 6)

    def test_names(self) -> None:
        """A host's name, a mechanism, a base64 word."""
        auth = SMTPSettings(auth="always", auth_bytes=512)
        for command in (b"AUTH " + b"X" * 21, b"AUTH PLAIN " + b"=" * 40):
            client, server = answer(HELLO, command + b"\r\n", auth)
            self.assertEqual((client[:3], server), (b"501", b""), command)
        steps = [*HELLO, (CLIENT, b"AUTH LOGIN\r\n"), (SERVER, b"334 x\r\n")]
        session = talk([*steps, (CLIENT, b"YWFh" * 200 + b"\r\n")], auth)
        self.assertNotIn(b"YWFh", session.sent[SERVER])


class ServerTests(SynchronousTestCase):
    """What a server may not overdo."""

    def test_replies(self) -> None:
        """Neither lines nor replies without end; the client hears 421."""
        for steps, reply in (
            ([], b"220-x\r\n" * 1100),
            ([(SERVER, GREETING), (CLIENT, b"EHLO c\r\n")], b"250-SIZE\r\n" * 1100),
            ([*HELLO, (CLIENT, b"NOOP\r\n")], b"250 " + b"x" * 5_000_000),
            (DATA[:-1], b"3" * 5_000_000),
        ):
            session = talk([*steps, (SERVER, reply)])
            self.assertIs(session.verdict.outcome, Outcome.DENIED, reply[:20])
            self.assertTrue(session.sent[CLIENT].splitlines()[-1].startswith(b"421 "), reply[:20])

    def test_offers(self) -> None:
        """As many words of AUTH as fit in a line are no more than those that are known."""
        session = talk(
            [
                (SERVER, GREETING),
                (CLIENT, b"EHLO c\r\n"),
                (SERVER, b"250-m\r\n250 AUTH" + b" X1 PLAIN" * 400 + b"\r\n"),
            ],
            SMTPSettings(auth="always"),
        )
        self.assertTrue(session.sent[CLIENT].endswith(b"250 AUTH PLAIN\r\n"))
