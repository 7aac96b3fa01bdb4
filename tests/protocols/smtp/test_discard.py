"""Mail that is taken, and that nobody gets."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from gateway.testing import FakeSession
from protocols.smtp.rules import AddressRule, AttachmentRule, HeaderRule
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import DATA, ENVELOPE, HELLO, OK, TAKEN, said, talk

TRAP = re.compile("trap@.*")
MAIL = b"X-Spam: yes\r\nContent-Type: a/b; name=a.exe\r\n\r\nx\r\n.\r\n"
OK_ = b"250 2.0.0 Ok\r\n"


class DiscardTests(SynchronousTestCase):
    """C{action = "discard"}: the client hears 250, and the server nothing of the content."""

    def check(self, session: FakeSession, by: str) -> dict[str, Any]:
        """The client is content, the server has no message, and the audit says why."""
        self.assertTrue(session.sent[CLIENT].endswith(OK_), session.sent[CLIENT])
        self.assertNotIn(b"X-Spam", session.sent[SERVER])
        self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\n"))
        self.assertIsNone(session.verdict)
        record = session.records_of("smtp")[-1]
        self.assertEqual((record["verdict"], record["answer"]), ("denied", "250 2.0.0 Ok"))
        self.assertIn(": discarded", record["reason"])
        self.assertEqual(record["denied_by"], by)
        return record

    def test_content(self) -> None:
        """By a header, or an attachment; behind DATA and in chunks."""
        for rules, by in (
            ({"headers": (HeaderRule("X-Spam", "discard"),)}, "headers"),
            (
                {"attachments": (AttachmentRule(extensions=frozenset({"exe"}), action="discard"),)},
                "attachments",
            ),
        ):
            settings = SMTPSettings(**rules)  # type: ignore[arg-type]
            session = talk([*ENVELOPE, (CLIENT, b"DATA\r\n" + MAIL), (SERVER, OK)], settings)
            self.check(session, by)
            chunk = MAIL.removesuffix(b".\r\n")
            bdat = b"BDAT %d LAST\r\n" % len(chunk) + chunk
            self.check(talk([*ENVELOPE, (CLIENT, bdat), (SERVER, OK)], settings), by)

    def test_late(self) -> None:
        """What has begun at the server is not taken by it: the session ends, with a reset."""
        settings = SMTPSettings(headers=(HeaderRule("X-Spam", "discard"),), hold_bytes=0)
        session = talk([*DATA, (CLIENT, MAIL)], settings)
        self.assertTrue(session.sent[CLIENT].endswith(OK_))
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\n"))
        self.assertIsNotNone(session.verdict)

    def test_sender(self) -> None:
        """All that a sender sends, whatever is to be held."""
        rule = AddressRule(re.compile("alice@.*"), action="discard")
        for hold in (0, 131072):
            settings = SMTPSettings(senders=(rule,), hold_bytes=hold)
            session = talk([*ENVELOPE, (CLIENT, b"DATA\r\n" + MAIL), (SERVER, OK)], settings)
            record = self.check(session, "senders")
            self.assertEqual(record["rcpt_to"], ["<bob@b.example>"])

    def test_recipient(self) -> None:
        """One of several gets nothing, and the others do; if it is the only one, nobody does."""
        settings = SMTPSettings(recipients=(AddressRule(TRAP, action="discard"),))
        trap = (CLIENT, b"RCPT TO:<trap@b.example>\r\n")
        session = talk([*ENVELOPE, trap, (CLIENT, b"DATA\r\n")], settings)
        self.assertNotIn(b"trap", session.sent[SERVER])
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\n"))
        said(session, [(SERVER, b"354 Go\r\n"), (CLIENT, MAIL), (SERVER, TAKEN)])
        record = session.records_of("smtp")[-1]
        self.assertEqual(record["rcpt_to"], ["<bob@b.example>"])
        self.assertEqual(record["discarded"], ["<trap@b.example>"])
        session = talk([*ENVELOPE[:-2], trap, (CLIENT, b"DATA\r\n" + MAIL), (SERVER, OK)], settings)
        record = self.check(session, "recipients")
        self.assertEqual(record["rcpt_to"], ["<trap@b.example>"])
        self.assertNotIn(b"DATA", session.sent[SERVER])

    def test_refused_all_the_same(self) -> None:
        """What is wrong with the content is told."""
        settings = SMTPSettings(senders=(AddressRule(re.compile(".*"), action="discard"),))
        session = talk([*ENVELOPE, (CLIENT, b"DATA\r\na\nb\r\n.\r\n"), (SERVER, OK)], settings)
        self.assertIn(b"550 5.6.11", session.sent[CLIENT])

    def test_next(self) -> None:
        """It has no consequence for the next mail of the session."""
        settings = SMTPSettings(senders=(AddressRule(re.compile("alice@.*"), action="discard"),))
        steps = [*ENVELOPE, (CLIENT, b"DATA\r\n" + MAIL), (SERVER, OK)]
        next_ = [
            (CLIENT, b"MAIL FROM:<c@d>\r\n"),
            (SERVER, OK),
            (CLIENT, b"RCPT TO:<e@f>\r\n"),
            (SERVER, OK),
            (CLIENT, b"DATA\r\n"),
            (SERVER, b"354 Go\r\n"),
            (CLIENT, MAIL),
            (SERVER, TAKEN),
        ]
        session = talk([*steps, *next_], settings)
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\n" + MAIL))
        self.assertTrue(session.sent[CLIENT].endswith(TAKEN))
        self.assertEqual(session.records_of("smtp")[-1]["verdict"], "passed")


class PatienceTests(SynchronousTestCase):
    """How many mistakes are too many."""

    later = AddressRule(re.compile("x.*"), "450 4.7.1 Later")

    def test_temporary(self) -> None:
        """What is refused for now counts as well."""
        settings = SMTPSettings(errors=3, recipients=(self.later,))
        steps = [*HELLO, (CLIENT, b"MAIL FROM:<a@b>\r\n"), (SERVER, OK)]
        session = talk([*steps, (CLIENT, b"RCPT TO:<x@b>\r\n" * 3)], settings)
        self.assertTrue(
            session.sent[CLIENT].endswith(b"450 4.7.1 Later\r\n421 4.7.0 Too many errors\r\n")
        )
        self.assertEqual(len(session.records_of("smtp")), 4)  # and that of the mail

    def test_forgiven(self) -> None:
        """After a message that was taken, they count from the beginning (as with Postfix)."""
        wrong = [(CLIENT, b"FOO\r\n" * 2)]
        mail = [*DATA[3:], (CLIENT, b"x\r\n.\r\n"), (SERVER, TAKEN)]
        session = talk([*HELLO, *wrong, *mail, *wrong], SMTPSettings(errors=3))
        self.assertIsNone(session.verdict)
        refused = [*DATA[3:], (CLIENT, b"x\r\n.\r\n"), (SERVER, b"550 5.7.1 No\r\n")]
        session = talk([*HELLO, *wrong, *refused, *wrong], SMTPSettings(errors=3))
        self.assertIsNotNone(session.verdict)

    def test_too_many_recipients(self) -> None:
        """A mail to more than there may be goes to those, and the others are tried again later."""
        settings = SMTPSettings(recipients_per_message=1, recipients_overshoot=50, errors=3)
        session = talk([*ENVELOPE, (CLIENT, b"RCPT TO:<c@d>\r\n" * 50)], settings)
        self.assertEqual(session.sent[CLIENT].count(b"452 4.5.3 "), 50)
        said(session, [(CLIENT, b"DATA\r\n"), (SERVER, b"354 Go\r\n"), (CLIENT, b"x\r\n.\r\n")])
        said(session, [(SERVER, TAKEN)])
        first, last = session.records_of("smtp")
        self.assertEqual(first["denied_by"], "recipients_per_message")
        self.assertEqual((last["verdict"], last["overshot"]), ("passed", 50))

    def test_far_too_many_recipients(self) -> None:
        """There is an end to that."""
        settings = SMTPSettings(recipients_per_message=1, recipients_overshoot=5)
        session = talk([*ENVELOPE, (CLIENT, b"RCPT TO:<c@d>\r\n" * 6)], settings)
        self.assertTrue(
            session.sent[CLIENT].endswith(b"421 4.7.0 So many recipients are too many\r\n")
        )
        self.assertIn("recipients_overshoot", session.verdict.reason)
