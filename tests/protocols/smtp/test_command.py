"""Commands, parameters, replies and offers: parsed, and written anew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.smtp.grammar.command import Command, parse_command
from protocols.smtp.grammar.extension import EXTENSIONS, Offer
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply, configured

GOOD = (
    b"helo x",
    b"EHLO [IPv6:::1]",
    b"MAIL FROM:<>",
    b"mail from:<a@b> size=10 body=8bitmime SMTPUTF8 RET=FULL ENVID=x+2By AUTH=<>",
    b"MAIL FROM:  <@a,@b:c@d>   AUTH=a+40b",
    b"RCPT TO:<Postmaster>",
    b'rcpt to:<"a b"@c> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c',
    b"DATA  ",
    b"BDAT 0 last",
    b"BDAT 99999",
    b"RSET",
    b"NOOP a  b",
    b"VRFY <a@b>",
    b"EXPN list",
    b"HELP",
    b"HELP me",
    b"ETRN #queue",
    b"AUTH plain =",
    b"AUTH PLAIN YQ==",
    b"STARTTLS",
    b"QUIT",
)

BAD = (
    *(b"", b" ", b"HELO", b"EHLO a\x00b", b"MAIL", b"MAIL TO:<a@b>", b"MAIL FROM:"),
    *(
        b"MAIL FROM:a@b",
        b"MAIL FROM: <a@b>SIZE=1",
        b"MAIL FROM:<a@b> SIZE",
        b"MAIL FROM:<Postmaster>",
    ),
    *(
        b"MAIL FROM:<a@b> SIZE=1 SIZE=2",
        b"MAIL FROM:<a@b> SIZE=1x",
        b"MAIL FROM:<a@b> BODY=BINARYMIME",
    ),
    *(b"MAIL FROM:<a@b> SMTPUTF8=1", b"MAIL FROM:<a@b> RET=", b"MAIL FROM:<a@b> ENVID=a=b"),
    *(
        b"MAIL FROM:<a@b> NOTIFY=NEVER",
        b"RCPT TO:<>",
        b"RCPT TO:<a@b> SIZE=1",
        b"RCPT TO:<a@b> NOTIFY",
    ),
    b"RCPT TO:<a@b> ORCPT=rfc822;" + b"a" * 494,
    *(b"RCPT TO:<a@b> NOTIFY=NEVER,DELAY", b"RCPT TO:<a@b> ORCPT=x;y", b"RCPT TO:<a@b> <c@d>"),
    *(b"DATA 1", b"BDAT", b"BDAT -1", b"BDAT 1 FIRST", b"BDAT 1 LAST 2", b"BDAT 0x1", b"RSET x"),
    *(b"ETRN", b"ETRN a b", b"AUTH", b"AUTH PLAIN *", b"AUTH PLAIN YQ", b"STARTTLS x", b"QUIT x"),
    *(b"VRFY", b"EXPN", b"MAIL\tFROM:<a@b>", b"NOOP \x1b[2J", b"NOOP \xff", "BDAT \u0661".encode()),
)


class CommandTests(SynchronousTestCase):
    """RFC 5321, section 4.1.1, and the extensions."""

    def test_good(self) -> None:
        """What is written is read again as the same command, and written the same."""
        for line in GOOD:
            command = parse_command(line)
            again = parse_command(command.line()[:-2])
            self.assertEqual(again.line(), command.line())
            self.assertEqual((again.verb, again.argument), (command.verb, command.argument))

    def test_written(self) -> None:
        """In one form, whichever was used."""
        for line, written in (
            (b"mail from: <@a:b@c>  size=1", b"MAIL FROM:<b@c> SIZE=1\r\n"),
            (b'rcpt to:<"a"@b>', b"RCPT TO:<a@b>\r\n"),
            (b"bdat 007 last", b"BDAT 7 LAST\r\n"),
            (b"quit  ", b"QUIT\r\n"),
        ):
            self.assertEqual(parse_command(line).line(), written)

    def test_bad(self) -> None:
        """What is none is refused, with a code of the RFC."""
        for line in BAD:
            with self.assertRaises(Refusal, msg=repr(line)) as caught:
                parse_command(line)
            self.assertIn(caught.exception.reply.code, (500, 501, 555), line)

    @settings(max_examples=500, deadline=None)
    @given(st.sampled_from(GOOD), st.binary(max_size=12), st.integers(0, 60))
    def test_any(self, line: bytes, noise: bytes, at: int) -> None:
        """Whatever it is: refused, or written as one line that means the same."""
        try:
            command = parse_command(line[:at] + noise + line[at:])
        except Refusal:
            return
        written = command.line()
        self.assertEqual((written.count(b"\r"), written.count(b"\n")), (1, 1))
        self.assertEqual(parse_command(written[:-2]).line(), written)

    def test_plain(self) -> None:
        """A command knows its parameters."""
        command = parse_command(b"MAIL FROM:<a@b> SMTPUTF8 SIZE=7")
        self.assertEqual(command.parameter("SMTPUTF8"), "")
        self.assertEqual(command.parameter("SIZE"), "7")
        self.assertIsNone(Command("DATA").parameter("SIZE"))


class ReplyTests(SynchronousTestCase):
    """RFC 5321, section 4.2."""

    def test_written(self) -> None:
        """Hyphens on all lines but the last."""
        self.assertEqual(Reply.of(250, "a", "b").data(), b"250-a\r\n250 b\r\n")
        self.assertEqual(Reply.of(354, "").data(), b"354 \r\n")

    def test_status(self) -> None:
        """The enhanced code counts if it is of the same class."""
        self.assertEqual(Reply.of(550, "5.7.1 no").status, "5.7.1")
        self.assertEqual(Reply.of(550, "4.7.1 no").status, "")

    def test_configured(self) -> None:
        """An operator's reply is a refusal, on one line."""
        self.assertEqual(configured("450 4.2.0 Later"), Reply.of(450, "4.2.0 Later"))
        for text in ("250 ok", "550", "550 a\r\nb", "599 x", "no"):
            self.assertRaises(ValueError, configured, text)


class OfferTests(SynchronousTestCase):
    """Answers to EHLO."""

    def test_odd_lines(self) -> None:
        """What is not in the form of an extension is left out."""
        lines = (
            "x",
            "SIZE abc",
            "PIPELINING now",
            "AUTH=LOGIN",
            "AUTH PLAIN",
            "",
            "  ",
            "8bitmime",
        )
        offer = Offer.parse(Reply(250, lines))
        self.assertEqual(offer.extensions, {"AUTH": "LOGIN PLAIN", "8BITMIME": ""})

    def test_size(self) -> None:
        """Zero, or nothing, is no limit of the server's (RFC 1870, section 4)."""
        for theirs, told in (("0", "500"), ("", "500"), ("400", "400"), ("600", "500")):
            offer = Offer("x", {"SIZE": theirs}).limited(500)
            self.assertEqual(offer.extensions["SIZE"], told)

    def test_known(self) -> None:
        """Nothing that would bring another framing is understood."""
        unknown = {"BINARYMIME", "XCLIENT", "XFORWARD", "BURL", "TURN", "XEXCH50"}
        self.assertEqual(unknown & set(EXTENSIONS), set())
