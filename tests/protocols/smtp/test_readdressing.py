"""A message that a filter gives another envelope: what the server hears of it, and when."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import Addressed, Readdressed
from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Outcome
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import GO_AHEAD, HELLO, OK, TAKEN, said
from tests.protocols.smtp.test_stack import StackingSession

MAIL = b"MAIL FROM:<alice@a.example> SIZE=1000 RET=HDRS"
BOB = b"RCPT TO:<bob@b.example> NOTIFY=NEVER"
EVE = b"RCPT TO:<eve@b.example>"
TEXT = b"a: b\r\n\r\nHello\r\n"


class Readdresser(StreamInspector):
    """Has all of a message, and gives it another envelope."""

    to: Readdressed

    async def from_client(self, read: Reader) -> None:
        body = b""
        while await read.more():
            body += await read.some()
        self.session.readdress(type(self).to)
        self.session.send(SERVER, body)


class ReaddressingTests(SynchronousTestCase):
    """One message for two recipients."""

    def session(self, to: Readdressed, hold: int = 100, begun: Any = ()) -> StackingSession:
        """As far as the dot, or C{begun} in place of DATA and the message."""
        Readdresser.to = to
        settings = SMTPSettings(stack="readdress", hold_bytes=hold)
        session = StackingSession(SMTPInspector, settings)
        session.inspectors = {"readdress": Readdresser}
        session.start()
        said(session, HELLO)
        for command in (MAIL, BOB, EVE):
            said(session, [(CLIENT, command + b"\r\n"), (SERVER, OK)])
        session.sent[SERVER] = session.sent[CLIENT] = b""
        said(session, begun or [(CLIENT, b"DATA\r\n"), (CLIENT, TEXT + b".\r\n")])
        return session

    def answered(self, session: StackingSession, *answers: bytes) -> list[bytes]:
        """What the server is told after that, as it gives these answers."""
        told = []
        for answer in answers:
            told.append(session.sent[SERVER])
            session.sent[SERVER] = b""
            session.says(SERVER, answer)
        return [*told, session.sent[SERVER]]

    def test_added(self) -> None:
        """One more recipient is said before DATA, with what the server knows of its parameters."""
        session = self.session(Readdressed(added=(Addressed("x@c.example", "NOTIFY=NEVER"),)))
        rcpt = b"RCPT TO:<x@c.example> NOTIFY=NEVER\r\n"
        told = self.answered(session, OK, GO_AHEAD, TAKEN)
        self.assertEqual(told, [rcpt, b"DATA\r\n", TEXT + b".\r\n", b""])
        self.assertTrue(session.sent[CLIENT].endswith(TAKEN))
        record = session.records_of("smtp")[-1]
        self.assertEqual(record["readdressed"], {"added": ["<x@c.example>"]})
        self.assertEqual(record["rcpt_to"], ["<bob@b.example>", "<eve@b.example>"])

    def test_anew(self) -> None:
        """Without one, and with another sender: the transaction begins anew."""
        session = self.session(Readdressed(Addressed("list@a.example"), (), ("eve@b.example",)))
        told = self.answered(session, OK, OK, OK, GO_AHEAD, TAKEN)
        mail = b"MAIL FROM:<list@a.example> SIZE=1000\r\n"
        self.assertEqual(
            told, [b"RSET\r\n", mail, BOB + b"\r\n", b"DATA\r\n", TEXT + b".\r\n", b""]
        )
        changed = {"mail_from": "<list@a.example>", "removed": ["<eve@b.example>"]}
        self.assertEqual(session.records_of("smtp")[-1]["readdressed"], changed)

    def test_chunks(self) -> None:
        """In chunks, too."""
        chunk = [(CLIENT, b"BDAT %d LAST\r\n%b" % (len(TEXT), TEXT))]
        session = self.session(Readdressed(removed=("bob@b.example",)), begun=chunk)
        told = self.answered(session, OK, OK, OK, TAKEN)
        self.assertEqual(told[:3], [b"RSET\r\n", MAIL + b"\r\n", EVE + b"\r\n"])
        self.assertEqual(told[3], b"BDAT %d LAST\r\n%b" % (len(TEXT), TEXT))

    def test_large(self) -> None:
        """However large it is: nothing of it was sent."""
        large = [(CLIENT, b"DATA\r\n"), (CLIENT, TEXT * 1000 + b".\r\n")]
        session = self.session(Readdressed(added=(Addressed("x@c.example"),)), begun=large)
        self.assertEqual(session.sent[SERVER], b"RCPT TO:<x@c.example>\r\n")
        told = self.answered(session, OK, GO_AHEAD)
        self.assertEqual(told[2], TEXT * 1000 + b".\r\n")

    def test_disagreed(self) -> None:
        """What the server does not agree to is refused, or comes again; nothing of it is left."""
        for answer, reply in ((b"550 5.1.1 Who?\r\n", b"550 5.7.1"), (b"450 No\r\n", b"451 4.7.1")):
            session = self.session(Readdressed(added=(Addressed("x@c.example"),)))
            told = self.answered(session, answer, OK)
            self.assertEqual(told[1:], [b"RSET\r\n", b""])
            self.assertTrue(session.sent[CLIENT].splitlines()[-1].startswith(reply))
            self.assertIn("<x@c.example>", session.records_of("smtp")[-1]["reason"])
            self.assertIsNone(session.verdict)

    def test_over(self) -> None:
        """A server that ends the session meanwhile says so to the client."""
        session = self.session(Readdressed(removed=("bob@b.example",)))
        self.answered(session, b"421 4.3.2 Bye\r\n")
        self.assertTrue(session.sent[CLIENT].endswith(b"421 4.3.2 Bye\r\n"))
        self.assertEqual(session.records_of("smtp")[-1]["verdict"], "denied")

    def test_too_late(self) -> None:
        """Where the server has agreed to DATA, the envelope stays; so nothing passes."""
        begun = [(CLIENT, b"DATA\r\n"), (SERVER, GO_AHEAD), (CLIENT, TEXT + b".\r\n")]
        session = self.session(Readdressed(added=(Addressed("x@c.example"),)), 0, begun)
        self.assertNotIn(b"Hello", session.sent[SERVER])
        self.assertIn(b"\r\n451 4.7.1", session.sent[CLIENT])
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
