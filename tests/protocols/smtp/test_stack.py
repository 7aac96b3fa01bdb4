"""A message on its way: through another service's inspector, and held until it is judged."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import NO_ENVELOPE, SmtpEnvelope
from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Denied, Outcome, Unreachable
from gateway.observe.identity import Identity
from gateway.policy.connection import Protocol
from gateway.policy.policy import Policy
from gateway.session.records import Records
from gateway.session.stack import stack
from gateway.testing import FakeSession, every_split
from gateway.testing.world.world import World
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import DATA, ENVELOPE, GO_AHEAD, OK, TAKEN, said
from tests.session.scene import service


class Refuser(StreamInspector):
    """Refuses bodies that have C{EVIL} in them; the little that a scanner has to do."""

    async def from_client(self, read: Reader) -> None:
        last = b""
        while await read.more():
            piece = await read.some()
            if b"EVIL" in last + piece:
                raise Denied("evil", b"554 5.7.1 No evil here\r\n")
            last = piece[-3:]
            self.session.send(SERVER, piece)


class Rewriter(StreamInspector):
    """Writes every line anew, in capitals, with its own idea of what ends a line."""

    async def from_client(self, read: Reader) -> None:
        while await read.more():
            self.session.send(SERVER, (await read.line(1000)).upper() + b"\n")
        self.session.send(SERVER, b".\n.\nQUIT")


class Patient(StreamInspector):
    """Decides when somebody says so."""

    decision: Deferred[bool]

    async def from_client(self, read: Reader) -> None:
        body = b""
        while await read.more():
            body += await read.some()
        if not await type(self).decision:
            raise Denied("no")
        self.session.send(SERVER, body)


class Unsure(StreamInspector):
    """Can't say now; or refuses, in words of its own."""

    why: Exception

    async def from_client(self, read: Reader) -> None:
        while await read.more():
            await read.some()
        raise type(self).why


class StackingSession(FakeSession):
    """A session with the gateway's own stack below it."""

    inspectors = {"refuse": Refuser, "rewrite": Rewriter, "wait": Patient, "unsure": Unsure}
    told: Any = None
    equipment: Any = None
    identity: Any = None
    records: Any = None

    def stack(self, name: str, sink: Any, envelope: Any = NO_ENVELOPE) -> Any:
        chosen = service(self.inspectors[name], name)
        policy = Policy(services={name: chosen})
        self.told = envelope
        self.equipment = World([chosen]).equipment
        self.identity = Identity(7, self.client, self.server, Protocol.TCP, self.service)
        self.records = Records(self.equipment, self.identity)
        return stack(self, policy, name, sink, envelope)  # type: ignore[arg-type]

    def forget(self, stacked: Any) -> None:
        self.events.append("forgotten")


def stacking(name: str, steps: Any, hold: int = 0) -> StackingSession:
    """A session in which this was said, with an inspector for the whole message."""
    session = StackingSession(SMTPInspector, SMTPSettings(stack=name, hold_bytes=hold))
    session.start()
    said(session, steps)
    return session


class StackTests(SynchronousTestCase):
    """A message through another service's inspector."""

    def test_passed(self) -> None:
        """What the stacked inspector lets through arrives as it was."""
        wire = b"a: b\r\n\r\nEVI\r\n..L\r\n.\r\n"
        session = stacking("refuse", [*DATA, (CLIENT, wire), (SERVER, TAKEN)])
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\n" + wire))
        self.assertTrue(session.sent[CLIENT].endswith(TAKEN))
        self.assertEqual(session.events.count("forgotten"), 1)
        verdict = session.records_of("smtp")[-1]["stacked"]
        self.assertEqual(verdict, {"service": "refuse", "verdict": "passed"})

    def test_refused(self) -> None:
        """What it refuses has no end for the server, and its words for the client."""
        session = stacking("refuse", [*DATA, (CLIENT, b"a: b\r\n\r\nEV"), (CLIENT, b"IL\r\nx")])
        self.assertTrue(session.sent[CLIENT].endswith(b"354 Go ahead\r\n"))
        said(session, [(CLIENT, b"y\r\n.\r\n")])
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n554 5.7.1 No evil here\r\n"))
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertNotIn(b"EVIL", session.sent[SERVER])
        self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))
        record = session.records_of("smtp")[-1]
        self.assertEqual(record["reason"], "refuse: evil")
        self.assertEqual(record["stacked"], {"service": "refuse", "verdict": "denied"})

    def test_words(self) -> None:
        """Who can't say is answered 451: mail comes again. Words that are no reply become one."""
        wire = (CLIENT, b"a: b\r\n\r\n.\r\n")
        for why, reply in (
            (Unreachable("asleep"), b"451 4.7.1 The message can't be examined; try again later"),
            (Denied("a virus", "Ein Wür\nm".encode()), b"550 5.7.1 Ein W r m"),
            (Denied("a virus", b"554 5.7.1 No\r\n"), b"554 5.7.1 No"),
            (Denied("a virus", b"250 2.0.0 Fine\r\n"), b"550 5.7.1 250 2.0.0 Fine"),
            (Denied("a virus"), b"550 5.7.1 The message was refused"),
            (Denied("kept", b"250 2.0.0 Set aside as x-1"), b"250 2.0.0 Set aside as x-1"),
        ):
            Unsure.why = why
            session = stacking("unsure", [*DATA, wire])
            self.assertTrue(session.sent[CLIENT].endswith(b"\r\n" + reply + b"\r\n"), why)
            self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))

    def test_envelope(self) -> None:
        """The stacked inspector is told whose message it is, and for whom."""
        session = stacking("refuse", [*DATA, (CLIENT, b"a: b\r\n\r\n.\r\n")])
        told = session.told
        self.assertEqual((told.protocol, told.direction), ("smtp", "upload"))
        self.assertEqual(
            told.smtp, SmtpEnvelope("client.example", "alice@a.example", ("bob@b.example",))
        )

    def test_refused_in_chunks(self) -> None:
        """In chunks, the session outlives it."""
        steps = [*ENVELOPE, (CLIENT, b"BDAT 12 LAST\r\na: b\r\n\r\nEVIL"), (SERVER, OK)]
        session = stacking("refuse", steps)
        self.assertTrue(session.sent[SERVER].endswith(b"RCPT TO:<bob@b.example>\r\nRSET\r\n"))
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n554 5.7.1 No evil here\r\n"))
        self.assertIsNone(session.verdict)

    def test_rewritten(self) -> None:
        """What it writes goes on as one message, even if its lines end as they should not."""
        session = stacking(
            "rewrite", [*DATA, (CLIENT, b"a: b\r\n\r\n.x\r\n.\r\n"), (SERVER, TAKEN)]
        )
        passed = session.sent[SERVER].partition(b"DATA\r\n")[2]
        self.assertEqual(passed, b"A: B\r\n\r\nX\r\n..\r\n..\r\nQUIT\r\n.\r\n")
        verdict = session.records_of("smtp")[-1]["stacked"]
        self.assertEqual(verdict, {"service": "rewrite", "verdict": "changed"})

    def test_awaited(self) -> None:
        """A decision may take its time: neither the dot nor an answer comes before it."""
        for answer, reply in ((True, TAKEN), (False, b"550 5.7.1 The message was refused\r\n")):
            decision: Deferred[bool] = Deferred()
            Patient.decision = decision
            session = stacking("wait", [*DATA, (CLIENT, b"a: b\r\n\r\n.\r\n")])
            self.assertTrue(session.sent[CLIENT].endswith(b"354 Go ahead\r\n"))
            self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))
            session.advance(10000)  # the client does not wait for itself
            decision.callback(answer)
            said(session, [(SERVER, TAKEN)] if answer else [])
            self.assertTrue(session.sent[CLIENT].endswith(reply))

    def test_awaited_in_chunks(self) -> None:
        """The same with chunks."""
        decision: Deferred[bool] = Deferred()
        Patient.decision = decision
        session = stacking("wait", [*ENVELOPE, (CLIENT, b"BDAT 8 LAST\r\na: b\r\n\r\n")])
        session.advance(10000)
        decision.callback(True)
        self.assertTrue(session.sent[SERVER].endswith(b"BDAT 8 LAST\r\na: b\r\n\r\n"))

    def test_given_up(self) -> None:
        """If the client dies meanwhile, the stacked inspector is told, and nothing is sent."""
        session = stacking("refuse", [*DATA, (CLIENT, b"a: b\r\n\r\n"), (CLIENT, None)])
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))
        self.assertIn("forgotten", session.events)


class HoldTests(SynchronousTestCase):
    """Messages that wait here until they are judged."""

    def test_order(self) -> None:
        """The gateway agrees to DATA, and the server hears of it when the message was judged."""
        session = stacking("refuse", [*ENVELOPE, (CLIENT, b"DATA\r\n")], hold=99)
        self.assertTrue(
            session.sent[CLIENT].endswith(b"\r\n354 End the message with <CR><LF>.<CR><LF>\r\n")
        )
        said(session, [(CLIENT, b"a: b\r\n\r\n..\r\n")])
        self.assertNotIn(b"DATA", session.sent[SERVER])
        said(session, [(CLIENT, b".\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"\r\nDATA\r\n"))
        said(session, [(SERVER, GO_AHEAD), (SERVER, TAKEN)])
        self.assertTrue(session.sent[SERVER].endswith(b"\r\nDATA\r\na: b\r\n\r\n..\r\n.\r\n"))
        self.assertTrue(session.sent[CLIENT].endswith(TAKEN))

    def test_refused(self) -> None:
        """A refusal costs the message only: the server hears RSET, and the next mail may come."""
        wire = b"DATA\r\na: b\r\n\r\nEVIL\r\nmore\r\n.\r\nNOOP\r\n"
        session = stacking("refuse", [*ENVELOPE, (CLIENT, wire)], hold=99)
        self.assertTrue(session.sent[SERVER].endswith(b"<bob@b.example>\r\nRSET\r\n"))
        said(session, [(SERVER, OK)])
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n554 5.7.1 No evil here\r\n"))
        self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\nNOOP\r\n"))
        said(session, [(SERVER, OK), *ENVELOPE[3:]])
        self.assertIsNone(session.verdict)
        self.assertTrue(session.sent[SERVER].endswith(b"RCPT TO:<bob@b.example>\r\n"))

    def test_malformed(self) -> None:
        """The same for what is no message: read to its end, it costs nothing else."""
        for wrong, code in ((b"a\nb\r\n", b"550 5.6.11 "), (b"x" * 2049 + b"\r\n", b"554 5.6.0 ")):
            wire = b"DATA\r\na: b\r\n\r\n" + wrong + b"\r\n.\r\nNOOP\r\n"
            session = stacking("refuse", [*ENVELOPE, (CLIENT, wire), (SERVER, OK)], hold=99)
            self.assertIn(b"\r\n" + code, session.sent[CLIENT])
            self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\nNOOP\r\n"))

    def test_another_end(self) -> None:
        """A client that ends its message with LF dot LF is answered, and not listened to again."""
        for wire in (b"a: b\n\nx\n.\n", b"a: b\n\nx\n.\nMAIL FROM:<a@b>\r\n"):
            for cut in every_split(b"DATA\r\n" + wire):
                steps = [*ENVELOPE, *((CLIENT, piece) for piece in cut)]
                session = stacking("refuse", steps, hold=99)
                self.assertTrue(session.sent[CLIENT].endswith(b"has a lone CR or LF, or a NUL\r\n"))
                self.assertIs(session.verdict.outcome, Outcome.DENIED)
                self.assertEqual(session.sent[SERVER].count(b"MAIL"), 1)

    def test_just_fits(self) -> None:
        """What may be held is held; one byte more is not."""
        wire = b"DATA\r\na: b\r\n\r\n" + b"x" * 89 + b"\r\n"
        session = stacking("refuse", [*ENVELOPE, (CLIENT, wire)], hold=99)
        self.assertNotIn(b"DATA", session.sent[SERVER])
        session = stacking("refuse", [*ENVELOPE, (CLIENT, wire)], hold=98)
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\n"))

    def test_too_large_to_hold(self) -> None:
        """What does not fit goes on; what is refused then costs the session."""
        wire = [(CLIENT, b"DATA\r\na: b\r\n\r\n" + b"x" * 100 + b"\r\n"), (SERVER, GO_AHEAD)]
        session = stacking("refuse", [*ENVELOPE, *wire], hold=99)
        self.assertTrue(session.sent[SERVER].endswith(b"x\r\n"))
        self.assertEqual(session.sent[CLIENT].count(b"354"), 1)
        said(session, [(CLIENT, b".\r\n"), (SERVER, TAKEN)])
        self.assertTrue(session.sent[CLIENT].endswith(TAKEN))
        session = stacking("refuse", [*ENVELOPE, *wire, (CLIENT, b"EVIL\r\n.\r\n")], hold=99)
        self.assertTrue(session.sent[CLIENT].endswith(b"554 5.7.1 No evil here\r\n"))
        self.assertIs(session.verdict.outcome, Outcome.DENIED)

    def test_server_refuses(self) -> None:
        """A server that does not want DATA after all is the one who answers to the message."""
        steps = [
            *ENVELOPE,
            (CLIENT, b"DATA\r\na: b\r\n\r\n.\r\n"),
            (SERVER, b"451 4.3.0 Not now\r\n"),
        ]
        session = stacking("refuse", [*steps, (SERVER, OK)], hold=99)
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n451 4.3.0 Not now\r\n"))
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\nRSET\r\n"))
        self.assertIsNone(session.verdict)

    def test_the_server_has_enough(self) -> None:
        """A server that says 421 to RSET, or to DATA, ends the session: the client hears all."""
        wire = b"DATA\r\na: b\r\n\r\nEVIL\r\n.\r\n"
        session = stacking("refuse", [*ENVELOPE, (CLIENT, wire), (SERVER, b"421 Bye\r\n")], hold=99)
        self.assertTrue(session.sent[CLIENT].endswith(b"554 5.7.1 No evil here\r\n421 Bye\r\n"))
        wire = b"DATA\r\na: b\r\n\r\n.\r\n"
        session = stacking("refuse", [*ENVELOPE, (CLIENT, wire), (SERVER, b"421 Bye\r\n")], hold=99)
        self.assertTrue(session.sent[CLIENT].endswith(b"<CR><LF>.<CR><LF>\r\n421 Bye\r\n"))
        self.assertIsNotNone(session.verdict)
