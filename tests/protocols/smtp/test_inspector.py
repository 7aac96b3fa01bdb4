"""The dialogue: what a mail client may say, when, and who answers."""

from __future__ import annotations

import re
from base64 import b64encode

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.rules import AttachmentRule
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import (
    BYE,
    DATA,
    ENVELOPE,
    GO_AHEAD,
    GREETING,
    HELLO,
    OFFER,
    OK,
    TAKEN,
    answer,
    said,
    talk,
)

LONG = (
    b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
    + b"QUJD" * 1000
    + b"\r\nAA==\r\n.\r\n"
)

BARE = b"a\nb\r\n.\r\n"

OPEN = SMTPSettings(
    commands=SMTPSettings().commands | {"VRFY", "EXPN", "ETRN"},
    extensions=SMTPSettings().extensions | {"ETRN"},
    auth="always",
    starttls="pass",
    rerouting=True,
    bare_newline="repair",
)

JUDGED = SMTPSettings(
    attachments=(
        AttachmentRule(detected=re.compile("application/x-executable"), action="drop"),
        AttachmentRule(archived=frozenset({"exe"}), action="mark"),
        AttachmentRule(extensions=frozenset({"vbs"})),
    ),
    received_by="gw.example",
)

ARCHIVE = b"PK\3\4\x14\0" + bytes(20) + b"\5\0\0\0a.exe"

PARTS = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHi\r\n--x\r\n"
    b"Content-Type: a/b; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQ\r\n--x\r\n"
    b"Content-Type: a/b; name=b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + b64encode(ARCHIVE)
    + b"\r\n--x--\r\n.\r\n"
)

VBS = b"DATA\r\nA: b\r\nContent-Type: a/b; name=a.vbs\r\n\r\nx\r\n.\r\nNOOP\r\n"

CHUNKED = [
    *ENVELOPE,
    (CLIENT, b"BDAT 5\r\na\r\n.\r"),
    (CLIENT, b"BDAT 8 LAST\r\n\nSecond\r"),
    (SERVER, TAKEN),
]


class SMTPSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = SMTPInspector
    memory = 6 * 65536
    conversations = (
        Conversation(
            "a message",
            [*DATA, (CLIENT, b"Subject: x\r\n\r\n..\r\nb\r\n.\r\n"), (SERVER, TAKEN), *BYE],
        ),
        Conversation(
            "pipelined",
            [
                (SERVER, GREETING),
                (CLIENT, b"EHLO [192.0.2.1]\r\n"),
                (SERVER, OFFER),
                (
                    CLIENT,
                    b"MAIL FROM:<> SIZE=5 BODY=8BITMIME\r\nRCPT TO:<Postmaster>\r\n"
                    b"RCPT TO:<b@b> NOTIFY=NEVER\r\nDATA\r\n",
                ),
                *((SERVER, reply) for reply in (OK, b"450 4.2.0 Later\r\n", OK, GO_AHEAD)),
                (CLIENT, b".\r\nRSET\r\nNOOP a\r\nHELP\r\nQUIT\r\n"),
                *((SERVER, reply) for reply in (TAKEN, OK, OK, b"214 Help\r\n", b"221 Bye\r\n")),
                (SERVER, END),
                (CLIENT, END),
            ],
        ),
        Conversation("chunks", [*CHUNKED, *BYE], settings=OPEN, replays=False),
        Conversation(
            "everything else",
            [
                (SERVER, b"220-mail\r\n220 example\r\n"),
                (CLIENT, b"helo x_y\r\n"),
                (SERVER, b"250-a\r\n250 b\r\n"),
                (CLIENT, b"ehlo x\r\n"),
                (SERVER, OFFER),
                (CLIENT, b"AUTH LOGIN\r\n"),
                (SERVER, b"334 VXNlcm5hbWU6\r\n"),
                (CLIENT, b"dXNlcg==\r\n"),
                (SERVER, b"334 UGFzc3dvcmQ6\r\n"),
                (CLIENT, b"*\r\n"),
                (SERVER, b"501 5.0.0 Cancelled\r\n"),
                (CLIENT, b"vrfy bob\r\nexpn list\r\netrn @b.example\r\n"),
                *((SERVER, reply) for reply in (b"252 maybe\r\n", b"550 no\r\n", b"251 ok\r\n")),
                (CLIENT, b"MAIL FROM:<@a,@b:c@d> SMTPUTF8\r\n"),
                (SERVER, OK),
                (CLIENT, "rcpt to: <\u00fc@\u00fc.example>\r\n".encode()),
                (SERVER, b"550 5.1.1 no\r\n"),
                *BYE,
            ],
            settings=OPEN,
        ),
        Conversation(
            "TLS, unseen",
            [
                *HELLO,
                (CLIENT, b"STARTTLS\r\n"),
                (SERVER, b"220 Go\r\n"),
                (CLIENT, b"\x16\x03\x01\x00\x05hello"),
                (SERVER, b"\x16\x03\x03\x00\x05world"),
                (SERVER, END),
                (CLIENT, END),
            ],
            settings=OPEN,
        ),
        Conversation(
            "answered by the gateway",
            [
                (SERVER, GREETING),
                (CLIENT, b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nSTARTTLS\r\nFOO\r\n\r\n"),
                (CLIENT, b"VRFY x\r\n"),
                *BYE,
            ],
        ),
        Conversation(
            "judged, and changed",
            [
                *ENVELOPE,
                (CLIENT, b"DATA\r\n" + PARTS),
                (SERVER, GO_AHEAD),
                (SERVER, TAKEN),
                *BYE,
            ],
            settings=JUDGED,
            replays=False,
        ),
        Conversation(
            "judged, and refused",
            [
                *ENVELOPE,
                (
                    CLIENT,
                    b"DATA\r\nA: b\r\nContent-Type: a/b; name=a.vbs\r\n\r\nx\r\n.\r\nNOOP\r\n",
                ),
                (SERVER, OK),
                (SERVER, OK),
                *BYE,
            ],
            settings=JUDGED,
            replays=False,
        ),
        Conversation("nothing said", [(SERVER, GREETING), (CLIENT, END), (SERVER, END)]),
        Conversation(
            "no service",
            [(SERVER, b"554 No\r\n"), (CLIENT, b"EHLO x\r\n"), *BYE],
        ),
        Conversation(
            "the server had enough",
            [*HELLO, (SERVER, b"421 Timeout\r\n"), (SERVER, END)],
            outcome=Outcome.CLOSED,
        ),
        Conversation(
            "a client that speaks first",
            [(CLIENT, b"EHLO x\r\n"), (SERVER, b"220-a\r\n220 b\r\n"), (SERVER, OFFER), *BYE],
        ),
        Conversation(
            "half a greeting",
            [(CLIENT, b"EHLO x\r\n"), (SERVER, b"220-a\r\n"), (SERVER, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation(
            "too long, and folded",
            [
                *ENVELOPE,
                (CLIENT, b"DATA\r\n" + LONG),
                (SERVER, GO_AHEAD),
                (SERVER, TAKEN),
                (CLIENT, b"NOOP " + b"x" * 3000 + b"\r\n"),
                *BYE,
            ],
            settings=JUDGED,
            replays=False,
        ),
        Conversation("a lone LF", [*DATA, (CLIENT, BARE)], outcome=Outcome.DENIED),
        Conversation(
            "a lone LF behind a header",
            [*DATA, (CLIENT, b"Subject: x\r\n\r\ny\r\n" + BARE)],
            outcome=Outcome.DENIED,
        ),
        Conversation(
            "a dot and a CR", [*DATA, (CLIENT, b"a\r\n.\rb\r\n.\r\n")], outcome=Outcome.DENIED
        ),
        Conversation("cut off", [*DATA, (CLIENT, b"a\r\n"), (CLIENT, END)], outcome=Outcome.DENIED),
        Conversation("a server that is gone", [*DATA, (SERVER, END)], outcome=Outcome.FAILED),
        Conversation("not asked", [*HELLO, (SERVER, OK)], outcome=Outcome.DENIED),
        Conversation(
            "HTTP", [(SERVER, GREETING), (CLIENT, b"GET / HTTP/1.1\r\n")], outcome=Outcome.DENIED
        ),
    )


class JudgedTests(SynchronousTestCase):
    """All of it together."""

    def test_changed(self) -> None:
        """A trace, a mark, a part taken out; nothing of it before it was judged."""
        steps = [*ENVELOPE, (CLIENT, b"DATA\r\n" + PARTS), (SERVER, GO_AHEAD), (SERVER, TAKEN)]
        session = talk(steps, JUDGED)
        sent = session.sent[SERVER].partition(b"DATA\r\n")[2]
        self.assertTrue(
            sent.startswith(b"X-Attachment-Warning: not what it should be\r\nReceived: ")
        )
        self.assertEqual(sent.count(b"X-Attachment-Warning"), 2)
        self.assertIn(b"--x\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nAn attach", sent)
        self.assertNotIn(b"TVqQ", sent)
        self.assertTrue(sent.endswith(b64encode(ARCHIVE) + b"\r\n--x--\r\n.\r\n"))
        self.assertTrue(session.sent[CLIENT].endswith(TAKEN))


class OrderTests(SynchronousTestCase):
    """Commands out of sequence are answered by the gateway; the server does not hear of them."""

    def test_sequence(self) -> None:
        """RFC 5321, section 4.1.4: EHLO, sender, recipients, message, in this order."""
        mail = [*HELLO, (CLIENT, b"MAIL FROM:<a@b>\r\n"), (SERVER, OK)]
        first_chunk = [*ENVELOPE, (CLIENT, b"BDAT 1\r\na")]
        for before, command in (
            (HELLO[:1], b"MAIL FROM:<a@b>\r\n"),
            (HELLO, b"RCPT TO:<a@b>\r\n"),
            (HELLO, b"DATA\r\n"),
            (HELLO, b"BDAT 3 LAST\r\nabc"),
            (mail, b"MAIL FROM:<a@b>\r\n"),
            (mail, b"DATA\r\n"),
            (mail, b"BDAT 3\r\nabc"),
            (first_chunk, b"DATA\r\n"),
            (first_chunk, b"RCPT TO:<a@b>\r\n"),
            ([(SERVER, b"554 No\r\n")], b"EHLO a\r\n"),
        ):
            client, server = answer(before, command)
            self.assertEqual((client[:4], server), (b"503 ", b""), command)

    def test_begins_again(self) -> None:
        """EHLO and RSET end a mail that had begun (sections 4.1.4, 4.1.1.5)."""
        for steps in (HELLO[1:], [(CLIENT, b"RSET\r\n"), (SERVER, OK)]):
            session = talk([*ENVELOPE, *steps, (CLIENT, b"RCPT TO:<c@d>\r\n")])
            self.assertTrue(session.sent[CLIENT].endswith(b"503 5.5.1 Say MAIL first\r\n"))

    def test_chunks_are_no_commands(self) -> None:
        """What is in a chunk that was refused is not read as commands."""
        session = talk([*HELLO, (CLIENT, b"BDAT 6 LAST\r\nRSET\r\nNOOP\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"\r\nNOOP\r\n"))
        self.assertNotIn(b"RSET", session.sent[SERVER])
        self.assertIs(talk([*HELLO, (CLIENT, b"BDAT x\r\n")]).verdict.outcome, Outcome.DENIED)

    def test_one_at_a_time(self) -> None:
        """Pipelined commands reach the server one by one, each after the answer to the last."""
        session = talk([*HELLO, (CLIENT, b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"MAIL FROM:<a@b>\r\n"))
        said(session, [(SERVER, b"550 5.7.1 no\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"MAIL FROM:<a@b>\r\n"))
        self.assertIn(b"550 5.7.1 no\r\n503 5.5.1 Say MAIL first\r\n503 ", session.sent[CLIENT])

    def test_greeting_first(self) -> None:
        """What an impatient client says waits for the server's greeting."""
        session = talk([(CLIENT, b"EHLO a\r\n")])
        self.assertEqual(session.sent[SERVER], b"")
        said(session, [(SERVER, GREETING)])
        self.assertEqual(session.sent[SERVER], b"EHLO a\r\n")
        self.assertEqual(session.sent[CLIENT], GREETING)

    def test_errors(self) -> None:
        """A client that gets everything wrong is sent away."""
        session = talk([*HELLO, (CLIENT, b"FOO\r\n" * 3)], SMTPSettings(errors=3))
        self.assertTrue(session.sent[CLIENT].endswith(b"421 4.7.0 Too many errors\r\n"))

    def test_messages(self) -> None:
        """There is an end to the messages of a session."""
        once = [*DATA, (CLIENT, b".\r\n"), (SERVER, TAKEN)]
        client, server = answer(once, b"MAIL FROM:<a@b>\r\n", SMTPSettings(messages_per_session=1))
        self.assertEqual((client[:4], server), (b"421 ", b""))

    def test_beyond_ascii(self) -> None:
        """Nothing beyond ASCII reaches a server that has not offered it; to others it does."""
        settings = SMTPSettings(extensions=frozenset({"SIZE"}))
        line = b"NOOP \xc3\xbc\r\n"
        self.assertEqual(answer(HELLO, line, settings), (b"500 5.5.2 ASCII only\r\n", b""))
        self.assertEqual(answer(HELLO, line), (b"", line))

    def test_unknown(self) -> None:
        """What is no command, or one that is not allowed, is answered by the gateway."""
        for command, code in (
            (b"XCLIENT NAME=spoofed\r\n", b"500 "),
            (b"VRFY bob\r\n", b"502 "),
            (b"ETRN b.example\r\n", b"502 "),
            (b"STARTTLS\r\n", b"502 "),
            (b"AUTH PLAIN AHgAeQ==\r\n", b"502 "),
            (b"RSET now\r\n", b"501 "),
            (b"MAIL FROM:a b\r\n", b"555 "),
            (b"MAIL FROM:<a@b> XYZ=1\r\n", b"555 "),
            (b"MAIL FROM:<a@b> SIZE=-1\r\n", b"555 "),
            (b"MAIL FROM:<\xc3\xbc@b>\r\n", b"553 "),
            (b"NOOP \x00\r\n", b"500 "),
            (b"NOOP \xff\r\n", b"500 "),
        ):
            client, server = answer(HELLO, command)
            self.assertEqual((client[:4], server), (code, b""), command)


class OfferTests(SynchronousTestCase):
    """A client hears of what the gateway understands and the operator allows."""

    def offered(self, settings: SMTPSettings | None = None) -> list[bytes]:
        client = talk(HELLO, settings).sent[CLIENT][len(GREETING) :]
        return [line[4:] for line in client.splitlines()[1:]]

    def test_filtered(self) -> None:
        """XCLIENT and BINARYMIME are unknown; AUTH and STARTTLS are hidden by default."""
        expected = [b"PIPELINING", b"SIZE 1000000", b"CHUNKING", b"DSN", b"SMTPUTF8", b"8BITMIME"]
        self.assertEqual(self.offered(), expected)

    def test_allowed(self) -> None:
        """Mechanisms that would encrypt the session are left out."""
        self.assertIn(b"AUTH PLAIN LOGIN", self.offered(OPEN))
        self.assertIn(b"STARTTLS", self.offered(OPEN))

    def test_size(self) -> None:
        """The smaller limit is the one that is told."""
        self.assertIn(b"SIZE 2000", self.offered(SMTPSettings(message_bytes=2000)))

    def test_parameters_of_hidden_extensions(self) -> None:
        """What was not offered can't be used."""
        settings = SMTPSettings(extensions=frozenset({"SIZE"}))
        client, server = answer(HELLO, b"MAIL FROM:<a@b> BODY=8BITMIME\r\n", settings)
        self.assertEqual((client[:4], server), (b"555 ", b""))


class ServerTests(SynchronousTestCase):
    """What a server may say."""

    def test_answers_that_do_not_fit(self) -> None:
        """A server that makes no sense is not listened to any more, and the client is told 421."""
        for steps in (
            [(SERVER, b"350 hello\r\n")],
            [(SERVER, b"hello\r\n")],
            [(SERVER, b"2200 hello\r\n")],
            [(SERVER, b"220-a\r\n554 b\r\n")],
            [*HELLO[:2], (SERVER, b"354 go\r\n")],
            [*ENVELOPE, (CLIENT, b"DATA\r\n"), (SERVER, OK)],
            [*ENVELOPE, (CLIENT, b"NOOP\r\n"), (SERVER, b"334 go\r\n")],
            [*DATA, (SERVER, OK)],
            [*HELLO, (SERVER, OK)],
            [*HELLO, (CLIENT, b"NOOP\r\n"), (SERVER, OK + OK)],
            [*HELLO, (CLIENT, b"NOOP\r\n"), (SERVER, b"550-no\r\n250 yes\r\n")],
            [*HELLO, (CLIENT, b"NOOP\r\n"), (SERVER, b"250-x\r\n" * 1025)],
            [*HELLO, (CLIENT, b"NOOP\r\n"), (SERVER, b"250 a\nb\r\n")],
        ):
            session = talk(steps)
            self.assertIs(session.verdict.outcome, Outcome.DENIED, steps[-1])
            self.assertIn(b"421 4.5.0", session.sent[CLIENT], steps[-1])

    def test_first_digit(self) -> None:
        """The first digit of a reply counts (RFC 5321, section 4.2), wherever it is judged."""
        ok = b"299 2.0.0 Well\r\n"
        steps = [
            (SERVER, b"250 mail.example\r\n"),
            (CLIENT, b"EHLO c\r\n"),
            (SERVER, b"200-mail.example\r\n200 AUTH PLAIN\r\n"),
            (CLIENT, b"AUTH PLAIN\r\n"),
            (SERVER, b"300 \r\n"),
            (CLIENT, b"AGFAYgA=\r\n"),
            *((SERVER, ok), (CLIENT, b"MAIL FROM:<a@b>\r\n")),
            *((SERVER, ok), (CLIENT, b"RCPT TO:<a@b>\r\n")),
            *((SERVER, ok), (CLIENT, b"DATA\r\n"), (SERVER, b"355 Go\r\n")),
            *((CLIENT, b"x\r\n.\r\n"), (SERVER, ok)),
            *((CLIENT, b"QUIT\r\n"), (SERVER, b"200 Bye\r\n"), (SERVER, END), (CLIENT, END)),
        ]
        session = talk(steps, OPEN)
        self.assertIs(session.verdict.outcome, Outcome.PASSED)
        self.assertEqual(session.sent[CLIENT].count(ok), 4)
        self.assertIn(b"DATA\r\nx\r\n.\r\n", session.sent[SERVER])

    def test_odd_replies(self) -> None:
        """A reply is put right, not refused: the mail that it is about may have been taken."""
        long = b"250 " + b"x" * 5000
        for came, told in (
            (b"250", b"250 "),
            (b"250OK", b"250 OK"),
            (b"250\tOK", b"250 OK"),
            (b"250 a\x07b\rc", b"250 a b c"),
            (b"250-a\r\n251 b", b"251-a\r\n251 b"),
            (long, long[:4096]),
            (b"250-a\r\n" * 200 + b"250 b", b"250-a\r\n" * 127 + b"250 b"),
        ):
            for end in (b"\r\n", b"\n"):
                session = talk([*DATA, (CLIENT, b"x\r\n.\r\n"), (SERVER, came + end)])
                self.assertTrue(session.sent[CLIENT].endswith(b"\r\n" + told + b"\r\n"), came)
                self.assertIsNone(session.verdict)

    def test_senseless_about_a_mail(self) -> None:
        """A client that hears nothing of its mail hears no reset either: it would send it again."""
        for reply in (b"354 more\r\n", b"what?\r\n", b"250-a\r\n550 b\r\n"):
            session = talk([*DATA, (CLIENT, b"x\r\n.\r\n"), (SERVER, reply)])
            self.assertTrue(session.sent[CLIENT].endswith(GO_AHEAD))
            self.assertEqual(session.events[-2:-1], [f"close: {session.verdict.reason}"])
            self.assertIs(session.verdict.outcome, Outcome.FAILED)
            self.assertIn("may have taken the message", session.records_of("smtp")[-1]["reason"])

    def test_early_refusal(self) -> None:
        """What a server says within a message is its answer, and the client hears it at the end."""
        steps = [*DATA, (CLIENT, b"x\r\n"), (SERVER, b"552 5.3.4 Too big\r\n"), (SERVER, END)]
        session = talk([*steps, (CLIENT, b"y\r\nz\r\n")])
        self.assertIsNone(session.verdict)
        said(session, [(CLIENT, b".\r\n")])
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n552 5.3.4 Too big\r\n"))
        self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))

    def test_421(self) -> None:
        """A server may end a session at any time; the client hears its words, once."""
        for steps in (HELLO, ENVELOPE, DATA, [*HELLO, (CLIENT, b"NOOP\r\nNOOP\r\n")]):
            session = talk([*steps, (SERVER, b"421 4.3.2 Going down\r\n"), (SERVER, END)])
            self.assertTrue(session.sent[CLIENT].endswith(b"\r\n421 4.3.2 Going down\r\n"))
            self.assertEqual(session.sent[CLIENT].count(b"421"), 1)
            # The server has the half of a message, and so gets a reset.
            expected = Outcome.DENIED if steps is DATA else Outcome.CLOSED
            self.assertIs(session.verdict.outcome, expected)

    def test_died(self) -> None:
        """A client whose server dies before it has the dot, or after it has answered, hears 421."""
        dot = (CLIENT, b"x\r\n.\r\n")
        for steps in (DATA, [*DATA, (CLIENT, b"x\r\n")], ENVELOPE, [*DATA, dot, (SERVER, TAKEN)]):
            session = talk([*steps, (SERVER, END)])
            self.assertTrue(session.sent[CLIENT].endswith(b"try again later\r\n"), steps[-1])
            self.assertIn(b"\r\n421 4.4.2 ", session.sent[CLIENT])

    def test_in_doubt(self) -> None:
        """
        A server that dies with the dot and without an answer may have taken the
        mail. The client is told neither that it has nor that it has not.
        """
        dotted = [*DATA, (CLIENT, b"x\r\n.\r\n")]
        chunked = [*ENVELOPE, (CLIENT, b"BDAT 3 LAST\r\nx\r\n")]
        for steps in (dotted, chunked):
            before = talk(steps).sent[CLIENT]
            for last in (
                [(SERVER, END)],
                [(SERVER, b"250-Ok, queu"), (SERVER, END)],
                [(SERVER, b"hello\r\n")],
                [(SERVER, b"354 Go on\r\n")],
            ):
                session = talk([*steps, *last])
                self.assertEqual(session.sent[CLIENT], before, last)
                self.assertIsNotNone(session.verdict)
            self.assertIn(
                "may have taken", talk([*steps, (SERVER, END)]).records_of("smtp")[-1]["reason"]
            )

    def test_dot_that_did_not_leave(self) -> None:
        """A server that dies before the dot has left the gateway can't have taken the mail."""
        session = talk([*DATA, (CLIENT, b"x\r\n.\r\n"), (SERVER, END)], slow={SERVER})
        self.assertIn(b"\r\n421 4.4.2 ", session.sent[CLIENT])
        session = talk([*DATA, (CLIENT, b"x\r\n.\r\n"), (SERVER, TAKEN), *DATA[3:]])
        session.slow.add(SERVER)
        said(session, [(CLIENT, b"x\r\n.\r\n"), (SERVER, END)])
        self.assertIn(b"\r\n421 4.4.2 ", session.sent[CLIENT])

    def test_unreachable(self) -> None:
        """A client whose server can't be reached hears what the operator chose."""
        session = FakeSession(
            SMTPInspector,
            SMTPSettings(unreachable="451 4.4.1 Closed today"),
            reachable=False,
        ).start()
        self.assertEqual(session.sent[CLIENT], b"451 4.4.1 Closed today\r\n")


class ClientDiesTests(SynchronousTestCase):
    """A client that dies before the end of its message: the server must not take it."""

    def test_before_the_dot(self) -> None:
        """The server gets neither a dot nor an orderly end: the session is denied."""
        for said_last in (b"", b"a", b"a\r\n", b"a\r\n."):
            session = talk([*DATA, (CLIENT, said_last), (CLIENT, END)])
            self.assertIs(session.verdict.outcome, Outcome.DENIED)
            self.assertEqual(session.halves, set())
            self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))

    def test_before_the_last_chunk(self) -> None:
        """The same with chunks, within one or between two."""
        for said_last in (b"BDAT 3\r\na", b"BDAT 3\r\na\r\n"):
            session = talk([*ENVELOPE, (CLIENT, said_last), (CLIENT, END)])
            self.assertIs(session.verdict.outcome, Outcome.DENIED)
            self.assertEqual(session.halves, set())


class TLSTests(SynchronousTestCase):
    """STARTTLS, which the gateway does not decrypt."""

    def test_refuse(self) -> None:
        """The client is told that there is no TLS for now."""
        client, server = answer(HELLO, b"STARTTLS\r\n", SMTPSettings(starttls="refuse"))
        self.assertEqual((client[:4], server), (b"454 ", b""))

    def test_require(self) -> None:
        """Mail in plaintext is refused."""
        client, server = answer(HELLO, b"MAIL FROM:<a@b>\r\n", SMTPSettings(starttls="require"))
        self.assertEqual((client[:4], server), (b"530 ", b""))

    def test_injection(self) -> None:
        """Plaintext behind STARTTLS reaches nobody, from either side, at any time."""
        ask = (CLIENT, b"STARTTLS\r\n")
        for steps in (
            [(CLIENT, b"STARTTLS\r\nRSET\r\n"), (SERVER, b"220 Go\r\n")],
            [ask, (CLIENT, b"RSET\r\n"), (SERVER, b"220 Go\r\n")],
            [ask, (SERVER, b"220 Go\r\n"), (CLIENT, b"RSET\r\n")],
            [ask, (SERVER, b"220 Go\r\n250 Injected\r\n")],
            [ask, (SERVER, b"220 Go\r\n"), (SERVER, b"250 Injected\r\n")],
            [ask, (SERVER, b"220 Go\r\n250 Inj"), (CLIENT, b"\x16\x03\x01")],
        ):
            session = talk([*HELLO, *steps], OPEN)
            self.assertIs(session.verdict.outcome, Outcome.DENIED, steps)
            self.assertNotIn(b"RSET", session.sent[SERVER])
            self.assertNotIn(b"Inj", session.sent[CLIENT])
            self.assertFalse(session.released)

    def test_within_a_transaction(self) -> None:
        """Neither TLS nor AUTH begins within a mail."""
        for command in (b"STARTTLS\r\n", b"AUTH PLAIN AHgAeQ==\r\n"):
            client, server = answer(ENVELOPE, command, OPEN)
            self.assertEqual((client[:4], server), (b"503 ", b""), command)

    def test_refused_by_the_server(self) -> None:
        """If the server does not want TLS after all, the session goes on."""
        session = talk([*HELLO, (CLIENT, b"STARTTLS\r\n"), (SERVER, b"454 no\r\n")], OPEN)
        said(session, [(CLIENT, b"NOOP\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"NOOP\r\n"))


class AuthTests(SynchronousTestCase):
    """AUTH (RFC 4954), where it is allowed."""

    def test_continuation(self) -> None:
        """Each line of the exchange waits for the server's; then AUTH is over."""
        session = talk([*HELLO, (CLIENT, b"AUTH PLAIN\r\n"), (SERVER, b"334 \r\n")], OPEN)
        said(session, [(CLIENT, b"AHgAeQ==\r\n"), (SERVER, b"235 2.7.0 ok\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"AUTH PLAIN\r\nAHgAeQ==\r\n"))
        said(session, [(CLIENT, b"AUTH PLAIN\r\n")])
        self.assertTrue(session.sent[CLIENT].endswith(b"503 5.5.1 AUTH is out of place\r\n"))

    def test_secrets(self) -> None:
        """What a client logs in with is in no audit record."""
        session = talk(
            [*HELLO, (CLIENT, b"AUTH PLAIN AHgAeQ==\r\n"), (SERVER, b"235 ok\r\n")], OPEN
        )
        self.assertNotIn("AHgAeQ", repr(session.recorded))

    def test_other_lines(self) -> None:
        """What is not base64, or too long, is not passed on: the exchange is cancelled."""
        steps = [*HELLO, (CLIENT, b"AUTH PLAIN\r\n"), (SERVER, b"334 \r\n")]
        for line, code in ((b"QUIT!", b"501"), (b"QUFB" * 4000, b"500")):
            session = talk([*steps, (CLIENT, line + b"\r\n"), (SERVER, b"501 Cancelled\r\n")], OPEN)
            self.assertTrue(session.sent[SERVER].endswith(b"AUTH PLAIN\r\n*\r\n"))
            self.assertEqual(session.sent[CLIENT].splitlines()[-1][:3], code)
            said(session, [(CLIENT, b"NOOP\r\n")])
            self.assertTrue(session.sent[SERVER].endswith(b"NOOP\r\n"))

    def test_long(self) -> None:
        """The first line of AUTH may be as long as the others; no other command may."""
        settings = evolve(OPEN, command_bytes=512, auth_bytes=1000)
        line = b"AUTH PLAIN " + b"QUFB" * 200 + b"\r\n"
        self.assertEqual(answer(HELLO, line, settings), (b"", line))
        client, server = answer(HELLO, b"NOOP " + b"x" * 800 + b"\r\n", settings)
        self.assertEqual((client, server), (b"500 5.5.2 Line too long\r\n", b""))
        for line in (b"AUTH PLAIN " + b"QUFB" * 300, b"NOOP " + b"x" * 1000):
            client, server = answer(HELLO, line + b"\r\n", settings)
            self.assertEqual((client, server), (b"500 5.5.2 Line too long\r\n", b""))

    def test_other_mechanisms(self) -> None:
        """A mechanism that was not offered is refused."""
        client, server = answer(HELLO, b"AUTH GSSAPI\r\n", OPEN)
        self.assertEqual((client[:4], server), (b"504 ", b""))

    def test_required(self) -> None:
        """Mail of somebody who did not log in is refused."""
        client, server = answer(HELLO, b"MAIL FROM:<a@b>\r\n", SMTPSettings(auth_required=True))
        self.assertEqual((client[:4], server), (b"530 ", b""))


class ChunkTests(SynchronousTestCase):
    """BDAT (RFC 3030)."""

    def test_repacked(self) -> None:
        """Chunks are sent on in chunks of our own; small ones are acknowledged by the gateway."""
        session = talk(CHUNKED, OPEN)
        self.assertTrue(session.sent[SERVER].endswith(b"BDAT 14 LAST\r\na\r\n.\r\nSecond\r\n"))
        self.assertIn(b"250 2.0.0 5 octets received\r\n" + TAKEN, session.sent[CLIENT])

    def test_refused_on_the_way(self) -> None:
        """A server that refuses a chunk is reset; what follows of the message is answered 503."""
        big = b"a" * 998 + b"\r\n"
        steps = [
            *ENVELOPE,
            (CLIENT, b"BDAT 80000\r\n" + big * 80 + b"BDAT 2 LAST\r\n\r\nNOOP\r\n"),
            (SERVER, b"452 4.3.1 Full\r\n"),
            (SERVER, OK),
        ]
        session = talk(steps)
        self.assertIn(b"452 4.3.1 Full\r\n503 5.5.1 Say MAIL first\r\n", session.sent[CLIENT])
        self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\nNOOP\r\n"))

    def test_too_large(self) -> None:
        """A message that is refused leaves nothing at the server, and the session goes on."""
        steps = [*ENVELOPE, (CLIENT, b"BDAT 1500 LAST\r\n" + b"a\r\n" * 500), (SERVER, OK)]
        session = talk(steps, SMTPSettings(message_bytes=1024))
        self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\n"))
        self.assertTrue(session.sent[CLIENT].endswith(b"552 5.3.4 The message is too large\r\n"))
        self.assertIsNone(session.verdict)


class AuditTests(SynchronousTestCase):
    """The records of a transaction."""

    def test_taken(self) -> None:
        """Who to whom, how large, and what the server calls it."""
        session = talk([*DATA, (CLIENT, b"a: b\r\n\r\n..x\r\n.\r\n"), (SERVER, TAKEN)])
        (record,) = session.records_of("smtp")
        self.assertLessEqual(
            {
                "helo": "client.example",
                "mail_from": "<alice@a.example>",
                "rcpt_to": ["<bob@b.example>"],
                "size": 12,
                "answer": "250 2.0.0 Ok: queued as 4F7Rk32Xn5",
                "queue_id": "4F7Rk32Xn5",
            }.items(),
            record.items(),
        )

    def test_refused(self) -> None:
        """What the gateway refuses is there too, with the setting to blame."""
        session = talk([*HELLO, (CLIENT, b"VRFY root\r\n")])
        self.assertIn("setting 'commands'", session.records_of("smtp")[-1]["reason"])

    def test_queue(self) -> None:
        """What the server calls the message is in the last line of its answer."""
        taken = b"250-2.0.0 Ok: queued as AAAAAA\r\n250 2.0.0 Ok: queued as 4F7Rk32Xn5\r\n"
        session = talk([*DATA, (CLIENT, b".\r\n"), (SERVER, taken)])
        self.assertEqual(session.records_of("smtp")[0]["queue_id"], "4F7Rk32Xn5")

    def test_unfinished(self) -> None:
        """A mail that came to no end leaves a record, once, with the reason."""
        for steps in (
            [*ENVELOPE, (CLIENT, END)],
            [*DATA, (CLIENT, b"a\r\n"), (CLIENT, END)],
            [*DATA, (SERVER, END)],
            [*ENVELOPE, (CLIENT, b"BDAT 3\r\na\r\n"), (CLIENT, END)],
            ENVELOPE,
        ):
            session = talk(steps)
            session.over()
            records = [each for each in session.records_of("smtp") if "rcpt_to" in each]
            self.assertEqual(len(records), 1, steps[-2:])
            self.assertEqual(records[0]["mail_from"], "<alice@a.example>")
            self.assertEqual(records[0]["verdict"], "failed")
            self.assertTrue(records[0]["reason"])

    def test_once(self) -> None:
        """What was taken, refused or in doubt has its record already; so has what was reset."""
        for steps, word in (
            ([*DATA, (CLIENT, b".\r\n"), (SERVER, TAKEN), *BYE], "queue_id"),
            ([*DATA, (CLIENT, b".\r\n"), (SERVER, END)], "reason"),
            ([*DATA, (CLIENT, BARE)], "denied_by"),
        ):
            session = talk(steps)
            session.over()
            records = [each for each in session.records_of("smtp") if "rcpt_to" in each]
            self.assertEqual(len(records), 1, steps[-2:])
            self.assertIn(word, records[0])
        session = talk([*ENVELOPE, (CLIENT, b"RSET\r\n"), (SERVER, OK), *BYE])
        self.assertEqual(session.recorded, [])

    def test_second(self) -> None:
        """The next mail of a session has a record of its own."""
        session = talk([*DATA, (CLIENT, b".\r\n"), (SERVER, TAKEN), *ENVELOPE[3:], (CLIENT, END)])
        session.over()
        records = [each for each in session.records_of("smtp") if "rcpt_to" in each]
        self.assertEqual([each["verdict"] for each in records], ["passed", "failed"])

    def test_refused_message(self) -> None:
        """What was in a message that was refused is recorded too."""
        settings = SMTPSettings(message_bytes=1024)
        wire = b"Subject: big\r\nCc: c@d\r\n\r\n" + b"x" * 999 + b"\r\n.\r\n"
        session = talk(
            [*DATA, (CLIENT, b"Subject: big\r\nCc: c@d\r\n\r\n"), (CLIENT, wire)], settings
        )
        self.assertEqual(dict(session.recorded)["email"], {"subject": "big", "cc": ["c@d"]})
