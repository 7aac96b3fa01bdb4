"""Messages on their way from and to an IMAP server: judged, cut into parts, refused."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from protocols.imap.settings import ImapSettings
from protocols.mime.rules import AttachmentRule, HeaderRule
from tests.protocols.imap.speak import Examined, Talk

MAIL = b"From: Alice <a@b.example>\r\nSubject: a word\r\n\r\nhello\r\nand more\r\n"
PROGRAM = b"""\
From: Alice <a@b.example>
Subject: \x1b[2Jsurprise
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x

a text
--x
Content-Type: application/octet-stream; name=a.exe
Content-Disposition: attachment; filename=a.exe

MZ
--x--
""".replace(b"\n", b"\r\n")
PARTS = b"""\
From: Alice <a@b.example>
Subject: parts
Content-Type: multipart/mixed; boundary=x

--x

one
--x
Content-Type: message/rfc822

Subject: inside
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain

plain
--y
Content-Type: text/html

<p>
--y--
--x--
""".replace(b"\n", b"\r\n")

EXE = frozenset({"exe"})
NO_PROGRAMS = ImapSettings(attachments=(AttachmentRule(extensions=EXE),))
DROPPED = ImapSettings(attachments=(AttachmentRule(extensions=EXE, action="drop"),))
SIZED = re.compile(rb"\* 1 FETCH \(([^ ]*(?:\[[^\]]*\])?(?:<\d+>)?) \{(\d+)\}\r\n")


def literal(data: bytes) -> bytes:
    """As it is sent."""
    return b"{%d}\r\n%s" % (len(data), data)


class MessageCase(SynchronousTestCase):
    """What both directions need."""

    def content(self, heard: bytes, name: bytes = b"BODY[]") -> bytes:
        """What a FETCH has brought, and that its length is true."""
        found = SIZED.match(heard)
        assert found is not None, heard
        self.assertEqual(found[1], name)
        content, rest = heard[found.end() :][: int(found[2])], heard[found.end() + int(found[2]) :]
        self.assertEqual(rest, b")\r\nb OK done\r\n")
        return content


class PassedTests(MessageCase):
    """Messages that may pass."""

    def test_as_it_is(self) -> None:
        """Without rules a message passes as it comes, whatever its lines end in."""
        for message in (MAIL, b"", b"x", b"a: b\n\nx\ry\n", b"a: b\r\n\r\n" + b"x" * 100000):
            one = Talk().selected()
            self.assertEqual(self.content(one.fetch(message)), message)
            self.assertEqual(one.last["size"], len(message))
        one = Talk().selected()
        one.fetch(MAIL)
        (email,) = one.session.records_of("email")
        self.assertEqual(email["subject"], "a word")

    def test_as_it_comes(self) -> None:
        """It is not kept."""
        one = Talk().selected()
        one.client(b"b FETCH 1 BODY[]\r\n")
        heard = one.server(b"* 1 FETCH (BODY[] {1000}\r\na: b")
        self.assertEqual(heard, b"* 1 FETCH (BODY[] {1000}\r\na: b")

    def test_unended(self) -> None:
        """A last line without an end stays so, where messages are examined too."""
        for settings in (NO_PROGRAMS, evolve(NO_PROGRAMS, hold_bytes=10)):
            for message in (MAIL, MAIL[:-2], b"a: b", b"", b"a: b\r\n\r\n"):
                one = Talk(settings).selected()
                self.assertEqual(self.content(one.fetch(message)), message)

    def test_true_size(self) -> None:
        """Where a message is changed, it has the length that it has in the end."""
        one = Talk(DROPPED).selected()
        content = self.content(one.fetch(PROGRAM))
        self.assertIn(b"An attachment was removed:", content)
        self.assertNotIn(b"MZ", content)
        one.ask(b"c NOOP", b"c OK")

    def test_headers(self) -> None:
        """Fields are set and removed, of a message and of its header."""
        rules = (HeaderRule("Subject", "remove"), HeaderRule("X-Seen", "add", value="yes"))
        one = Talk(ImapSettings(headers=rules)).selected()
        content = self.content(one.fetch(MAIL))
        self.assertIn(b"X-Seen: yes\r\n", content)
        self.assertNotIn(b"Subject", content)
        heard = one.fetch(MAIL, b"b FETCH 1 BODY.PEEK[HEADER]", b"(BODY.PEEK[])")
        content = self.content(heard, b"BODY[HEADER]")
        self.assertEqual(content, b"From: Alice <a@b.example>\r\nX-Seen: yes\r\n\r\n")

    def test_fields(self) -> None:
        """Some fields of a header are judged as if there were no others."""
        one = Talk(NO_PROGRAMS).selected()
        one.client(b"b FETCH 1 BODY.PEEK[HEADER.FIELDS (subject content-type)]\r\n")
        name = b"BODY[HEADER.FIELDS (SUBJECT CONTENT-TYPE)]"
        fields = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
        heard = one.server(b"* 1 FETCH (" + name + b" " + literal(fields) + b")\r\nb OK done\r\n")
        self.assertEqual(self.content(heard, name), fields)

    def test_repaired(self) -> None:
        """Where messages are examined, there is one way to read a line's end."""
        one = Talk(NO_PROGRAMS).selected()
        self.assertEqual(
            self.content(one.fetch(b"a: b\n\nx\ry\x00\r\n")), b"a: b\r\n\r\nx\r\ny\r\n"
        )

    def test_large(self) -> None:
        """One for which there is no room passes as it is announced, if it is not changed."""
        message = MAIL + b"x" * 60 + b"\r\n" + b"y" * 70
        for settings in (NO_PROGRAMS, DROPPED):
            one = Talk(evolve(settings, hold_bytes=80)).selected()
            self.assertEqual(self.content(one.fetch(message)), message)
        one = Talk(evolve(DROPPED, hold_bytes=80)).selected()
        heard = one.fetch(PROGRAM)
        self.assertNotIn(b"MZ", heard)
        self.assertIn("hold_bytes", one.reason)

    def test_small(self) -> None:
        """A message that comes as a string, or as nothing."""
        one = Talk(NO_PROGRAMS).selected()
        one.client(b"b FETCH 1 RFC822\r\n")
        heard = one.server(
            b'* 1 FETCH (BODY[] "a: b")\r\n* 2 FETCH (BODY[] NIL UID 2)\r\nb OK x\r\n'
        )
        wanted = b"* 1 FETCH (RFC822 {4}\r\na: b)\r\n* 2 FETCH (RFC822 NIL UID 2)\r\nb OK x\r\n"
        self.assertEqual(heard, wanted)


class PartsTests(MessageCase):
    """Parts of messages, where those are examined."""

    def test_cut(self) -> None:
        """The server is asked for all of it, and what was asked for is cut out of that."""
        one = Talk(NO_PROGRAMS).selected()
        asked = b"b FETCH 1 (UID BODY.PEEK[1] BODY.PEEK[2.HEADER] BODY.PEEK[2.1.MIME]"
        asked += b" BODY.PEEK[2.2] BODY.PEEK[]<5.6> BODY.PEEK[3] BODY.PEEK[]<9999.5>)\r\n"
        passed, _ = one.client(asked)
        self.assertEqual(passed, b"b FETCH 1 (UID BODY.PEEK[])\r\n")
        heard = one.server(b"* 1 FETCH (UID 7 BODY[] " + literal(PARTS) + b")\r\nb OK done\r\n")
        inside = b"Subject: inside\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
        wanted = b"* 1 FETCH (UID 7 BODY[1] {3}\r\none BODY[2.HEADER] " + literal(inside)
        wanted += b" BODY[2.1.MIME] " + literal(b"Content-Type: text/plain\r\n\r\n")
        wanted += b" BODY[2.2] {3}\r\n<p> BODY[]<5> {6}\r\n Alice BODY[3] NIL BODY[]<9999> {0}\r\n)"
        self.assertEqual(heard, wanted + b"\r\nb OK done\r\n")

    def test_seen(self) -> None:
        """What counts as reading counts as reading."""
        one = Talk(NO_PROGRAMS).selected()
        passed, _ = one.client(b"b FETCH 1 (BODY.PEEK[1] BODY[2])\r\n")
        self.assertEqual(passed, b"b FETCH 1 (BODY[])\r\n")

    def test_of_refused(self) -> None:
        """A part of a refused message is one of that which says so."""
        one = Talk(NO_PROGRAMS).selected()
        heard = one.fetch(PROGRAM, b"b FETCH 1 BODY[2]")
        self.assertEqual(heard, b"* 1 FETCH (BODY[2] NIL)\r\nb OK done\r\n")
        content = self.content(one.fetch(PROGRAM, b"b FETCH 1 BODY[TEXT]"), b"BODY[TEXT]")
        self.assertIn(b"was not let through", content)
        content = self.content(one.fetch(PROGRAM, b"b FETCH 1 BODY[1]<0.9>"), b"BODY[1]<0>")
        self.assertEqual(content, b"A message")

    def test_too_large(self) -> None:
        """Nobody gets a part of what can't be examined as a whole."""
        one = Talk(evolve(NO_PROGRAMS, hold_bytes=20)).selected()
        content = self.content(one.fetch(MAIL, b"b FETCH 1 BODY[TEXT]"), b"BODY[TEXT]")
        self.assertIn(b"too large to be examined in parts", content)
        heard = one.fetch(MAIL, b"b FETCH 1 BODY[HEADER]")
        self.assertEqual(self.content(heard, b"BODY[HEADER]"), MAIL.partition(b"hello")[0])

    def test_binary(self) -> None:
        """No way around it."""
        one = Talk(NO_PROGRAMS).selected()
        for said in (b"BINARY[1]", b"BINARY.PEEK[]", b"PREVIEW (LAZY)"):
            self.assertIn(b"a BAD", one.refused(b"a FETCH 1 " + said))
        passed, _ = one.client(b"a FETCH 1 BINARY.SIZE[1]\r\n")
        self.assertEqual(passed, b"a FETCH 1 (BINARY.SIZE[1])\r\n")
        self.assertEqual(
            one.server(b"* 1 FETCH (BINARY.SIZE[1] 5)\r\na OK\r\n")[:32],
            b"* 1 FETCH (BINARY.SIZE[1] 5)\r\na ",
        )

    def test_slow_client(self) -> None:
        """Many parts of a large message: no more wait for the client than it takes."""
        one = Talk(NO_PROGRAMS).selected()
        one.client(b"b FETCH 1 (" + b" ".join([b"BODY[1]"] * 50) + b")\r\n")
        one.session.slow.add(CLIENT)
        message = b"a: b\r\n\r\n" + b"x" * 998 + 99 * (b"\r\n" + b"x" * 998)
        heard = one.server(b"* 1 FETCH (BODY[] " + literal(message) + b")\r\nb OK done\r\n")
        part = literal(message[8:])
        self.assertEqual(heard, b"* 1 FETCH (BODY[1] " + part)
        for _ in range(49):
            one.session.flush(CLIENT)
            self.assertEqual(one.heard(CLIENT), b" BODY[1] " + part)
        one.session.flush(CLIENT)
        self.assertEqual(one.heard(CLIENT), b")\r\nb OK done\r\n")

    def test_too_many(self) -> None:
        """A hundred sections at once, and no more."""
        one = Talk(NO_PROGRAMS).selected()
        said = b" ".join(b"BODY[%d]" % number for number in range(1, 102))
        self.assertIn(b"a BAD Too much", one.refused(b"a FETCH 1 (" + said + b")"))
        self.assertIn(b"a BAD", one.refused(b"a FETCH 1 BODY[" + b"1." * 20 + b"1]"))

    def test_without_rules(self) -> None:
        """Where nothing is examined, the server cuts."""
        one = Talk().selected()
        one.client(b"b FETCH 1 (BODY[1.MIME]<0.5> BINARY[2])\r\n")
        said = b"* 1 FETCH (BODY[1.MIME]<0> {2}\r\nab BINARY[2] ~{2}\r\n\0c)\r\nb OK done\r\n"
        self.assertEqual(one.server(said), said)


class RefusedTests(MessageCase):
    """Messages that may not pass."""

    def test_message(self) -> None:
        """What comes in its place is a message that says so, and what is known of it."""
        one = Talk(NO_PROGRAMS).selected()
        content = self.content(one.fetch(PROGRAM))
        self.assertIn(b"Subject: A message was refused\r\n", content)
        self.assertIn(b"From: Alice <a@b.example>\r\n", content.partition(b"\r\n\r\n")[2])
        self.assertNotIn(b"\x1b", content)
        self.assertNotIn(b"MZ", content)
        denied, passed = one.session.records_of("imap")[-2:]
        self.assertEqual((denied["verdict"], denied["denied_by"]), ("denied", "attachments"))
        self.assertTrue(denied["reason"].endswith("(setting 'attachments')"), denied["reason"])
        self.assertEqual((passed["verdict"], passed["refused"]), ("passed", 1))
        one.ask(b"c NOOP", b"c OK")

    def test_error(self) -> None:
        """Or nothing, and an error; other messages come."""
        one = Talk(evolve(NO_PROGRAMS, refused="error")).selected()
        one.client(b"b FETCH 1:2 (UID BODY[])\r\n")
        heard = one.server(
            b"* 1 FETCH (UID 1 BODY[] " + literal(PROGRAM) + b")\r\n"
            b"* 2 FETCH (BODY[] " + literal(MAIL) + b" UID 2)\r\nb OK done\r\n"
        )
        wanted = b"* 1 FETCH (UID 1)\r\n* 2 FETCH (BODY[] " + literal(MAIL) + b" UID 2)\r\n"
        self.assertEqual(
            heard, wanted + b"b NO [CANNOT] It has something that is not allowed here\r\n"
        )
        self.assertEqual(one.fetch(PROGRAM)[:4], b"b NO")

    def test_too_late(self) -> None:
        """Of which the client has a part: it gets no end, and so no message."""
        one = Talk(evolve(NO_PROGRAMS, hold_bytes=100)).selected()
        heard = one.fetch(PROGRAM)
        self.assertNotIn(b"MZ", heard)
        self.assertNotIn(b"BYE", heard)
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(one.last["verdict"], "denied")

    def test_limits(self) -> None:
        """Too large, too long a line, a lone line end."""
        for settings, line, by in (
            (ImapSettings(message_bytes=100), b"x" * 101, "message_bytes"),
            (evolve(NO_PROGRAMS, line_bytes=1000), b"x" * 1001, "line_bytes"),
            (evolve(NO_PROGRAMS, bare_newline="deny"), b"x\ny", "bare_newline"),
        ):
            one = Talk(settings).selected()
            content = self.content(one.fetch(b"a: b\r\n\r\n" + line + b"\r\n"))
            self.assertIn(b"was refused", content)
            self.assertEqual(one.session.records_of("imap")[-2]["denied_by"], by)

    def test_header(self) -> None:
        """A header is that of the message that comes, also if it is fetched by itself."""
        one = Talk(NO_PROGRAMS).selected()
        heard = one.fetch(PROGRAM, b"b FETCH 1 RFC822.HEADER", b"(BODY.PEEK[])")
        content = self.content(heard, b"RFC822.HEADER")
        self.assertIn(b"Subject: A message was refused\r\n", content)
        self.assertTrue(content.endswith(b"\r\n\r\n"))

    def test_fields(self) -> None:
        """Fields that are refused."""
        one = Talk(ImapSettings(headers=(HeaderRule("X-Bad", "reject"),))).selected()
        one.client(b"b FETCH 1 BODY[HEADER.FIELDS (SUBJECT X-BAD)]\r\n")
        name, fields = b"BODY[HEADER.FIELDS (SUBJECT X-BAD)]", b"X-Bad: yes\r\nSubject: x\r\n\r\n"
        heard = one.server(b"* 1 FETCH (" + name + b" " + literal(fields) + b")\r\nb OK done\r\n")
        self.assertEqual(self.content(heard, name), b"Subject: A message was refused\r\n\r\n")
        reason = one.session.records_of("imap")[-2]["reason"]
        self.assertTrue(reason.endswith("(setting 'headers')"), reason)

    def test_fields_error(self) -> None:
        """Or an error, as for all of a message."""
        rules = (HeaderRule("X-Bad", "reject"),)
        one = Talk(ImapSettings(headers=rules, refused="error")).selected()
        one.client(b"b FETCH 1 BODY[HEADER.FIELDS (X-BAD)]\r\n")
        fields = literal(b"X-Bad: yes\r\n\r\n")
        heard = one.server(b"* 1 FETCH (BODY[HEADER.FIELDS (X-BAD)] " + fields + b")\r\nb OK x\r\n")
        self.assertEqual(heard, b"b NO [CANNOT] It has something that is not allowed here\r\n")


class StackedTests(MessageCase):
    """Messages that another inspector has to pass."""

    settings = ImapSettings(stack="scanner", hold_bytes=20)

    def fetching(self, settings: ImapSettings = settings) -> tuple[Talk, Any]:
        """A message has come, and is being examined; it is larger than what may be held."""
        one = Examined(settings).selected()
        self.assertEqual(one.fetch(MAIL), b"")
        (body,) = one.session.bodies
        self.assertEqual(body.data, MAIL)
        self.assertEqual((body.envelope.protocol, body.envelope.user), ("imap", "joe"))
        self.assertEqual(body.envelope.direction, "download")
        return one, body

    def test_passed(self) -> None:
        """One that does: a scanner has room for large ones."""
        one, body = self.fetching()
        body.sink.received(MAIL)
        body.sink.ended()
        self.assertEqual(self.content(one.heard(CLIENT)), MAIL)
        self.assertEqual(one.last["stacked"], {"service": "scanner", "verdict": "passed"})
        one.ask(b"c NOOP", b"c OK")

    def test_changed(self) -> None:
        """One that is changed, which needs room here."""
        one, body = self.fetching(ImapSettings(stack="scanner"))
        body.sink.received(b"a: b\r\n\r\nother\r\n")
        body.sink.ended()
        self.assertEqual(self.content(one.heard(CLIENT)), b"a: b\r\n\r\nother\r\n")

    def test_refused(self) -> None:
        """One that doesn't."""
        one, body = self.fetching()
        body.sink.denied("EICAR", b"", Outcome.DENIED)
        self.assertIn(b"It was refused by an examination", self.content(one.heard(CLIENT)))
        self.assertEqual(one.session.records_of("imap")[-2]["denied_by"], "stack")
        one.ask(b"c NOOP", b"c OK")

    def test_time(self) -> None:
        """It may take longer than a server may be silent."""
        one, body = self.fetching()
        one.session.advance(310)
        body.sink.received(MAIL)
        body.sink.ended()
        self.assertEqual(self.content(one.heard(CLIENT)), MAIL)

    def test_silence(self) -> None:
        """But a server may not be silent within a message, nor behind it."""
        for said in (b"{4}\r\na:", b"{4}\r\na: b", b"{4}\r\na: b)\r\n", b'"a: b")\r\n'):
            for settings in (ImapSettings(), NO_PROGRAMS):
                one = Talk(settings).selected()
                one.client(b"b FETCH 1 BODY[]\r\n")
                one.server(b"* 1 FETCH (BODY[] " + said)
                one.session.advance(310)
                self.assertIn("reply_seconds", one.reason, said)

    def test_not_now(self) -> None:
        """One that nobody can examine now is an error, whatever is wanted of bad ones."""
        one, body = self.fetching()
        body.sink.denied("the scanner is away", b"", Outcome.FAILED)
        self.assertTrue(one.heard(CLIENT).startswith(b"b NO [UNAVAILABLE] The message can't be"))
        one.ask(b"c NOOP", b"c OK")

    def test_bad_line(self) -> None:
        """A line that may not be is the message's fault, also if nobody can examine it now."""
        one = Examined(ImapSettings(stack="scanner", bare_newline="deny")).selected()
        one.client(b"b FETCH 1 BODY[]\r\n")
        one.server(b"* 1 FETCH (BODY[] {13}\r\na: b\r\n\r\n")
        (body,) = one.session.bodies
        body.sink.denied("the scanner is away", b"", Outcome.FAILED)
        heard = one.server(b"x\ny\r\n)\r\nb OK done\r\n")
        self.assertIn(b"It has lines that are not allowed here", self.content(heard))
        denied, passed = one.session.records_of("imap")[-2:]
        self.assertEqual((denied["verdict"], denied["denied_by"]), ("denied", "bare_newline"))
        self.assertEqual(passed["stacked"], {"service": "scanner", "verdict": "failed"})


class AppendTests(MessageCase):
    """Messages that clients put into mailboxes."""

    def test_asked(self) -> None:
        """Where nothing is examined, the server says whether it may come."""
        one = Talk().logged_in()
        self.assertEqual(
            one.client(b"a APPEND x {%d}\r\n" % len(MAIL)),
            (b"a APPEND x {%d}\r\n" % len(MAIL), b""),
        )
        self.assertEqual(one.server(b"+ yes\r\n"), b"+ yes\r\n")
        self.assertEqual(one.client(MAIL)[0], MAIL)
        self.assertEqual(one.client(b"\r\n")[0], b"\r\n")
        self.assertEqual(one.server(b"a OK done\r\n"), b"a OK done\r\n")
        self.assertEqual(one.client(b"b APPEND y {10}\r\n")[0], b"b APPEND y {10}\r\n")
        self.assertEqual(one.server(b"b NO [TRYCREATE] none\r\n"), b"b NO [TRYCREATE] none\r\n")
        one.ask(b"c NOOP", b"c OK")

    def test_at_once(self) -> None:
        """What comes at once goes on at once, if the server can; else it waits."""
        one = Talk().logged_in(b"IMAP4rev1 LITERAL+")
        said = b"a APPEND x {5+}\r\nhello\r\n"
        self.assertEqual(one.client(said), (said, b""))
        one.server(b"a OK\r\n")
        one = Talk().logged_in()
        self.assertEqual(one.client(said)[0], b"a APPEND x {5}\r\n")
        self.assertEqual(one.server(b"+\r\n"), b"")
        self.assertEqual(one.heard(SERVER), b"hello\r\n")
        one.server(b"a OK\r\n")
        one.client(b"b APPEND y {5+}\r\nhello\r\n")
        self.assertEqual(one.server(b"b NO full\r\n"), b"b NO full\r\n")
        one.ask(b"c NOOP", b"c OK")

    def test_early_answer(self) -> None:
        """A server that answers before it has all gets the rest, and nothing more."""
        one = Talk().logged_in(b"IMAP4rev1 LITERAL+")
        one.client(b"a APPEND x {5+}\r\nhe")
        self.assertEqual(one.server(b"a NO full\r\n"), b"a NO full\r\n")
        one.heard(SERVER)
        self.assertEqual(one.client(b"llo\r\n")[0], b"llo\r\n")
        one.ask(b"c NOOP", b"c OK")

    def test_utf8(self) -> None:
        """RFC 6855's wrapping."""
        one = Talk().logged_in(b"IMAP4rev1 LITERAL+")
        said = b"a APPEND x (\\Seen) UTF8 (~{5+}\r\nhello)\r\n"
        self.assertEqual(one.client(said)[0], said)
        one.server(b"a OK\r\n")
        for bad in (
            b"UTF8 {5+}\r\nhello",
            b"(UTF8 (~{5+}\r\nhello))",
            b"CATENATE (TEXT {5+}\r\nhello)",
        ):
            self.assertIn(b"b BAD", one.refused(b"b APPEND x " + bad))

    def test_more_behind(self) -> None:
        """One message at a time: a server that takes several would take the next for one."""
        one = Talk().logged_in(b"IMAP4rev1 LITERAL+")
        one.client(b"a APPEND x {5+}\r\nhello {5+}\r\nthere\r\n")
        self.assertIn("more than one message", one.reason)
        self.assertNotIn(b"there", one.session.sent[SERVER])

    def test_examined(self) -> None:
        """One that is examined comes first, and then the server is asked."""
        one = Talk(NO_PROGRAMS).logged_in()
        self.assertEqual(one.client(b"a APPEND x {%d}\r\n" % len(MAIL)), (b"", b"+ Go on\r\n"))
        self.assertEqual(one.client(MAIL + b"\r\n"), (b"a APPEND x {%d}\r\n" % len(MAIL), b""))
        self.assertEqual(one.server(b"+ yes\r\n"), b"")
        self.assertEqual(one.heard(SERVER), MAIL + b"\r\n")
        self.assertEqual(one.server(b"a OK done\r\n"), b"a OK done\r\n")

    def test_refused(self) -> None:
        """One that is refused never comes to the server."""
        for said in (b"{%d+}\r\n" % len(PROGRAM), b"{%d}\r\n" % len(PROGRAM)):
            one = Talk(NO_PROGRAMS).logged_in()
            one.client(b"a APPEND x " + said)
            one.heard(CLIENT)
            passed, heard = one.client(PROGRAM + b"\r\n")
            self.assertEqual(passed, b"")
            self.assertEqual(heard, b"a NO [CANNOT] It has something that is not allowed here\r\n")
            self.assertEqual(one.last["denied_by"], "attachments")
            one.ask(b"c NOOP", b"c OK")

    def test_changed(self) -> None:
        """One that is changed has its new length."""
        one = Talk(DROPPED).logged_in(b"IMAP4rev1 LITERAL+")
        passed, _ = one.client(b"a APPEND x {%d+}\r\n" % len(PROGRAM) + PROGRAM + b"\r\n")
        found = re.match(rb"a APPEND x \{(\d+)\+\}\r\n", passed)
        assert found is not None, passed
        self.assertEqual(len(passed), found.end() + int(found[1]) + 2)
        self.assertIn(b"An attachment was removed", passed)

    def test_full(self) -> None:
        """A server that does not want it, after it was examined."""
        one = Talk(NO_PROGRAMS).logged_in()
        one.client(b"a APPEND x {%d}\r\n" % len(MAIL))
        one.client(MAIL + b"\r\n")
        one.heard(CLIENT)
        self.assertEqual(one.server(b"a NO [OVERQUOTA] full\r\n"), b"a NO [OVERQUOTA] full\r\n")
        one.ask(b"c NOOP", b"c OK")

    def test_too_late(self) -> None:
        """One of which the server has a part: it never gets the end."""
        one = Talk(evolve(NO_PROGRAMS, hold_bytes=100)).logged_in(b"IMAP4rev1 LITERAL+")
        passed, heard = one.client(b"a APPEND x {%d+}\r\n" % len(PROGRAM) + PROGRAM + b"\r\n")
        self.assertNotIn(b"MZ", passed)
        self.assertEqual(heard, b"* BYE The message was refused\r\n")
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)

    def test_limits(self) -> None:
        """One that is too large does not come."""
        one = Talk(ImapSettings(message_bytes=100)).logged_in()
        self.assertEqual(
            one.refused(b"a APPEND x {101}"), b"a NO [TOOBIG] The message is too large\r\n"
        )
        heard = one.refused(b"a APPEND x {101+}\r\n" + b"x" * 101)
        self.assertEqual(heard, b"a NO [TOOBIG] The message is too large\r\n")
        self.assertIn(b"UNKNOWN-CTE", Talk(NO_PROGRAMS).logged_in().refused(b"a APPEND x ~{5}"))

    def test_stacked(self) -> None:
        """What another inspector is told of it."""
        one = Examined(ImapSettings(stack="scanner")).logged_in()
        one.client(b"a APPEND x {%d+}\r\n" % len(MAIL) + MAIL + b"\r\n")
        (body,) = one.session.bodies
        self.assertEqual((body.data, body.envelope.direction), (MAIL, "upload"))
        body.sink.denied("EICAR", b"", Outcome.DENIED)
        self.assertEqual(one.heard(CLIENT), b"a NO [CANNOT] It was refused by an examination\r\n")
        self.assertEqual(one.last["stacked"], {"service": "scanner", "verdict": "denied"})
