"""Messages: what is in them, and what becomes of them."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Denied, Outcome
from gateway.policy.policy import Policy
from gateway.session.stack import stack
from gateway.testing import FakeSession, every_split, hostile
from protocols.smtp.fault import Fault
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.message import Message
from protocols.smtp.rules import AttachmentRule, HeaderRule
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import DATA, ENVELOPE, GO_AHEAD, OK, TAKEN, said
from tests.session.scene import service


def passed(
    data: bytes, settings: SMTPSettings | None = None, step: int = 7
) -> tuple[bytes, dict[str, Any]]:
    """What becomes of a message that comes in a few lines at a time, and its record."""
    message = Message(settings or SMTPSettings())
    lines = data.splitlines(keepends=True)
    blocks = [b"".join(lines[at : at + step]) for at in range(0, len(lines), step)]
    out = b"".join(message.feed(block) for block in blocks)
    return out + message.end(), message.record()


def mail(*attachments: str, **headers: str) -> EmailMessage:
    """A message as the standard library makes it."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "Alice <alice@a.example>"
    message["To"] = "bob@b.example"
    message["Subject"] = "Gr\u00fc\u00dfe"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    for name in attachments:
        message.add_attachment(b"\0\1\2" * 30, "application", "zip", filename=name)
    return message


class HeaderTests(SynchronousTestCase):
    """Rules for headers."""

    data = b"A: 1\r\nb:  x\r\n y\r\nA: =?utf-8?q?=C3=BC?=\r\nC:\r\n\r\nA: body\r\n"

    def judged(self, *rules: HeaderRule) -> bytes:
        return passed(self.data, SMTPSettings(headers=rules), 2)[0]

    def test_untouched(self) -> None:
        """Without a rule, a message passes byte for byte."""
        self.assertEqual(self.judged(), self.data)

    def test_remove(self) -> None:
        """Fields of that name and with that value are gone, decoded and unfolded or not."""
        gone = self.judged(HeaderRule("a", "remove", re.compile("\u00fc")))
        self.assertEqual(gone, self.data.replace(b"A: =?utf-8?q?=C3=BC?=\r\n", b""))
        gone = self.judged(HeaderRule("B", "remove", re.compile("x y")))
        self.assertEqual(gone, self.data.replace(b"b:  x\r\n y\r\n", b""))

    def test_set_and_add(self) -> None:
        """One in place of all, or one more."""
        self.assertEqual(
            self.judged(HeaderRule("a", "set", value="2"), HeaderRule("D", "add", value="3")),
            b"b:  x\r\n y\r\nC:\r\na: 2\r\nD: 3\r\n\r\nA: body\r\n",
        )

    def test_reject_and_require(self) -> None:
        """With the operator's words."""
        for rule in (
            HeaderRule("c", "reject", reply="554 5.0.0 No"),
            HeaderRule("a", "reject", re.compile("\u00fc"), reply="554 5.0.0 No"),
            HeaderRule("d", "require", reply="554 5.0.0 No"),
            HeaderRule("a", "require", re.compile("body"), reply="554 5.0.0 No"),
        ):
            with self.assertRaises(Fault) as caught:
                self.judged(rule)
            self.assertEqual(caught.exception.reply.text, "554 5.0.0 No")
        self.judged(HeaderRule("d", "reject"), HeaderRule("A", "require", re.compile("1")))

    def test_ambiguous(self) -> None:
        """Where programs disagree which lines are the header, rules could be walked around."""
        rule = HeaderRule("X-Other", "reject")
        for data in (
            b"A: 1\r\nno field\r\nX-Never: 1\r\n\r\n",
            b"A: 1\r\n \r\nX-Never: 1\r\n\r\n",
            b" A: 1\r\n\r\n",
            b"X-Never : 1\r\n\r\n",
            b"From me\r\nX-Never: 1\r\n\r\n",
            b"just text\r\n",
        ):
            with self.assertRaises(Fault, msg=data):
                passed(data, SMTPSettings(headers=(rule,)))
            self.assertEqual(passed(data)[0], data)

    def test_too_long_to_decode(self) -> None:
        """A value that takes too long to be decoded can't hide from a rule."""
        rule = HeaderRule("subject", "reject", re.compile("never"))
        for value in (b"=?utf-8?q?evil?=" + b" x" * 5000, b"=?utf-8?q?a?=\r\n " * 700 + b"x"):
            data = b"Subject: " + value + b"\r\n\r\n"
            self.assertRaises(Fault, passed, data, SMTPSettings(headers=(rule,)))
            self.assertEqual(passed(data)[0], data)
        plain = b"Subject: " + b"x" * 9000 + b"\r\n\r\n"
        self.assertEqual(passed(plain, SMTPSettings(headers=(rule,)))[0], plain)

    def test_limit(self) -> None:
        """A header has a largest size; text without a header is not a header."""
        limit = SMTPSettings(header_bytes=1024)
        self.assertRaises(Fault, passed, b"A: 1\r\n" * 200, limit)
        body = b"text\r\n" * 300
        self.assertEqual(passed(body, limit)[0], body)


class PartTests(SynchronousTestCase):
    """Rules for attachments."""

    def refused(self, data: bytes, **rule: Any) -> bool:
        try:
            passed(data, SMTPSettings(attachments=(AttachmentRule(**rule),)), 3)
        except Fault:
            return True
        return False

    def test_record(self) -> None:
        """The audit record has the essential headers and the names, decoded."""
        data = mail("a.exe", "\u00fcber.zip").as_bytes()
        out, record = passed(data)
        self.assertEqual(out, data)
        self.assertEqual(
            record,
            {
                "from": "Alice <alice@a.example>",
                "to": ["bob@b.example"],
                "subject": "Gr\u00fc\u00dfe",
                "attachment": ["a.exe", "\u00fcber.zip"],
            },
        )

    def test_names(self) -> None:
        """By the end of the name, as the client's computer sees it, or by all of it."""
        exe = {"extensions": frozenset({"exe"})}
        for name in ("a.exe", "A.EXE", "a.exe.", "a.exe . ", "\u00fc.exe", "a.txt.exe"):
            self.assertTrue(self.refused(mail(name).as_bytes(), **exe), name)
        for name in ("a.txt", "exe", "a.exe.txt", "a.exercise"):
            self.assertFalse(self.refused(mail(name).as_bytes(), **exe), name)
        self.assertTrue(
            self.refused(mail("Invoice 7.zip").as_bytes(), names=re.compile("invoice.*"))
        )
        self.assertTrue(self.refused(mail("a").as_bytes(), types=re.compile("application/zip")))

    def test_any_name(self) -> None:
        """Of a part with two names, none is safe."""
        data = (
            b"Content-Type: application/x; name=a.exe\r\n"
            b"Content-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"
        )
        self.assertTrue(self.refused(data, extensions=frozenset({"exe"})))

    def test_split_name(self) -> None:
        """Names in pieces, and encoded ones (RFC 2231, RFC 2047), are names."""
        for parameter in (
            b"filename*0=a.e; filename*1=xe",
            b"filename*=utf-8''a%2Eexe",
            b'filename="=?utf-8?b?YS5leGU=?="',
            b'\r\n filename="a.exe"',
        ):
            data = b"Content-Disposition: attachment; " + parameter + b"\r\n\r\n\r\n"
            self.assertTrue(self.refused(data, extensions=frozenset({"exe"})), parameter)

    def test_nested(self) -> None:
        """Also in a message in a message."""
        outer = mail()
        outer.add_attachment(mail("inner.exe"))
        self.assertTrue(self.refused(outer.as_bytes(), extensions=frozenset({"exe"})))
        self.assertEqual(passed(outer.as_bytes())[1]["attachment"][-1], "inner.exe")

    def test_order(self) -> None:
        """The first rule that matches counts."""
        rules = (
            AttachmentRule(names=re.compile("ok.zip"), action="accept"),
            AttachmentRule(extensions=frozenset({"zip"})),
        )
        for name, refused in (("ok.zip", False), ("other.zip", True)):
            try:
                passed(mail(name).as_bytes(), SMTPSettings(attachments=rules))
                self.assertFalse(refused)
            except Fault:
                self.assertTrue(refused)

    def test_counts(self) -> None:
        """Not too many, and not too deep."""
        two = mail("a", "b").as_bytes()
        passed(two, SMTPSettings(attachments_per_message=2))
        self.assertRaises(Fault, passed, two, SMTPSettings(attachments_per_message=1))
        deep = mail("a")
        for _ in range(3):
            outer = mail()
            outer.add_attachment(deep)
            deep = outer
        passed(deep.as_bytes(), SMTPSettings(nesting=8))
        self.assertRaises(Fault, passed, deep.as_bytes(), SMTPSettings(nesting=4))

    def test_siblings_are_not_deep(self) -> None:
        """Many parts beside each other are not parts in each other."""
        outer = mail()
        for _ in range(9):
            outer.add_attachment(mail("a"))
        passed(outer.as_bytes(), SMTPSettings(nesting=3))

    def test_ambiguous(self) -> None:
        """Structures that programs read differently are refused where it matters."""
        for header in (
            b"Content-Type: text/plain\r\nContent-Type: application/x; name=a.exe\r\n",
            b"Content-Type: multipart/mixed\r\n",
            b"Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: base64\r\n",
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n",
            b"Content-Type: text/plain; x=" + b"y" * 9000 + b"\r\n",
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nno field\r\n\r\n",
        ):
            self.assertTrue(self.refused(header + b"\r\n", extensions=frozenset({"exe"})), header)

    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            st.text("ab.\u00fc ", min_size=1, max_size=5),
            lambda x: st.lists(x, max_size=3),
            max_leaves=8,
        )
    )
    def test_independent(self, tree: Any) -> None:
        """The same attachments as the standard library finds, when it has all of the message."""
        data = nested([tree]).as_bytes()
        theirs = message_from_bytes(data, policy=policy.SMTP)
        names = [part.get_filename() for part in theirs.walk() if part.get_filename()]
        out, record = passed(data, step=1)
        self.assertEqual(out, data)
        found = [name for name in record.get("attachment", []) if name != "message/rfc822"]
        self.assertEqual(found, [name.strip() for name in names])

    def test_hostile(self) -> None:
        """Whatever it is: it passes as it is, or it is refused."""
        samples = [mail("a.exe", "\u00fc").as_bytes(), nested([["a"], "b", [["c"]]]).as_bytes()]
        strict = SMTPSettings(attachments=(AttachmentRule(extensions=frozenset({"exe"})),))
        for data in hostile(samples, count=60):
            data = data.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
            for mode in (SMTPSettings(), strict):
                try:
                    self.assertEqual(passed(data, mode)[0], data)
                except Fault:
                    continue


def nested(tree: list[Any]) -> EmailMessage:
    """A message with a file for each name, and a message for each list."""
    message = mail()
    for each in tree:
        if isinstance(each, str):
            message.add_attachment(b"x", "application", "octet-stream", filename=f"f{each}.x")
        else:
            message.add_attachment(nested(each))
    return message


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


class StackingSession(FakeSession):
    """A session with the gateway's own stack below it."""

    inspectors = {"refuse": Refuser, "rewrite": Rewriter, "wait": Patient}

    def stack(self, name: str, sink: Any) -> Any:
        policy = Policy(services={name: service(self.inspectors[name], name)})
        return stack(self, policy, name, sink)  # type: ignore[arg-type]

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
        verdict = dict(session.logged)["smtp"]["stacked"]
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
        record = session.logged[-1][1]
        self.assertEqual(record["refused"], "refuse: evil")
        self.assertEqual(record["stacked"], {"service": "refuse", "verdict": "denied"})

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
        verdict = dict(session.logged)["smtp"]["stacked"]
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
