"""Messages on their way from a POP3 server: judged, written anew, refused."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from protocols.mime.rules import AttachmentRule, HeaderRule
from protocols.pop3.settings import Pop3Settings
from tests.protocols.mailbox.speak import HoldingSession
from tests.protocols.pop3.speak import Talk

MAIL = (b"From: Alice <a@b.example>", b"Subject: a word", b"", b"hello", b"..dot")
SEEN = b"From: Alice <a@b.example>\r\nSubject: a word\r\n\r\nhello\r\n..dot\r\n.\r\n"
PROGRAM = (
    b"From: Alice <a@b.example>",
    b"Subject: \x1b[2Jsurprise",
    b"MIME-Version: 1.0",
    b"Content-Type: multipart/mixed; boundary=x",
    b"",
    b"--x",
    b"",
    b"a text",
    b"--x",
    b"Content-Type: application/octet-stream; name=a.exe",
    b"Content-Disposition: attachment; filename=a.exe",
    b"",
    b"MZ",
    b"--x--",
)
NO_PROGRAMS = Pop3Settings(attachments=(AttachmentRule(extensions=frozenset({"exe"})),))
DROPPED = Pop3Settings(attachments=(AttachmentRule(extensions=frozenset({"exe"}), action="drop"),))


class PassedTests(SynchronousTestCase):
    """Messages that may pass."""

    def test_as_it_is(self) -> None:
        """Without rules a message passes as it comes, with the server's own words."""
        one = Talk().logged_in()
        self.assertEqual(one.fetch(*MAIL), b"+OK 999 octets\r\n" + SEEN)
        self.assertEqual((one.last["size"], one.last["verdict"]), (len(SEEN) - 4, "passed"))
        (email,) = one.session.records_of("email")
        self.assertEqual(email["subject"], "a word")

    def test_as_it_comes(self) -> None:
        """It is not kept."""
        one = Talk().logged_in()
        one.client(b"RETR 1\r\n")
        self.assertEqual(
            one.server(b"+OK\r\n" + b"a: b\r\n" * 9 + b"\r\nc"),
            b"+OK\r\n" + b"a: b\r\n" * 9 + b"\r\n",
        )

    def test_no_message(self) -> None:
        """One that there is not."""
        one = Talk().logged_in()
        self.assertEqual(one.ask(b"RETR 9", b"-ERR none"), b"-ERR none\r\n")
        one.ask(b"NOOP", b"+OK")

    def test_dots(self) -> None:
        """An empty message, one of dots, one without a body."""
        for lines in ((), (b"..",), (b"a: b",), (b"", b"..."), (b"...", b"..", b"x")):
            one = Talk().logged_in()
            wanted = b"".join(line + b"\r\n" for line in lines)
            self.assertEqual(one.fetch(*lines), b"+OK 999 octets\r\n" + wanted + b".\r\n")
            one.ask(b"NOOP", b"+OK")

    def test_true_size(self) -> None:
        """Where a message may be changed, its answer has the size that it has in the end."""
        one = Talk(DROPPED).logged_in()
        status, _, rest = one.fetch(*PROGRAM).partition(b"\r\n")
        content = rest.removesuffix(b".\r\n")
        self.assertEqual(status, b"+OK %d octets" % len(content))
        self.assertIn(b"An attachment was removed:", content)
        self.assertNotIn(b"MZ", content)
        self.assertEqual(one.last["sent"], len(content))
        one.ask(b"NOOP", b"+OK")

    def test_headers(self) -> None:
        """Fields are set and removed."""
        rules = (HeaderRule("Subject", "remove"), HeaderRule("X-Seen", "add", value="yes"))
        heard = Talk(Pop3Settings(headers=rules)).logged_in().fetch(*MAIL)
        self.assertIn(b"X-Seen: yes\r\n", heard)
        self.assertNotIn(b"Subject", heard)

    def test_top(self) -> None:
        """The beginning of a message is one that ends early; fetchmail gets all of them so."""
        for settings in (NO_PROGRAMS, DROPPED):
            one = Talk(settings).logged_in()
            heard = one.fetch(*PROGRAM[:7], command=b"TOP 1 2")
            self.assertIn(b"--x\r\n", heard)
        heard = Talk(NO_PROGRAMS).logged_in().fetch(*PROGRAM, command=b"TOP 1 99999999")
        self.assertNotIn(b"MZ", heard)

    def test_large(self) -> None:
        """One for which there is no room is passed on, and its size not told."""
        one = Talk(evolve(NO_PROGRAMS, hold_bytes=100)).logged_in()
        heard = one.fetch(*MAIL, *[b"x" * 60] * 5)
        self.assertTrue(heard.startswith(b"+OK Message follows\r\nFrom:"))
        self.assertTrue(heard.endswith(b"\r\n.\r\n"))

    def test_repaired(self) -> None:
        """A line end that some see and others do not ends no message, and is one for all."""
        one = Talk().logged_in()
        heard = one.ask(b"RETR 1", b"+OK", b"a: b", b"", b"x\n.\ny\rz\x00", b".")
        self.assertEqual(heard, b"+OK\r\na: b\r\n\r\nx\r\n..\r\ny\r\nz\r\n.\r\n")
        one.ask(b"NOOP", b"+OK")


class RefusedTests(SynchronousTestCase):
    """Messages that may not."""

    def test_message(self) -> None:
        """What comes in its place is a message that says so, and what is known of it."""
        one = Talk(NO_PROGRAMS).logged_in()
        status, _, rest = one.fetch(*PROGRAM).partition(b"\r\n")
        content = rest.removesuffix(b".\r\n")
        self.assertEqual(status, b"+OK %d octets" % len(content))
        self.assertIn(b"Subject: A message was refused\r\n", content)
        self.assertIn(b"From: Alice <a@b.example>\r\n", content.partition(b"\r\n\r\n")[2])
        self.assertNotIn(b"\x1b", content)
        self.assertNotIn(b"MZ", content)
        self.assertIn(b"unless your mail program deletes what it has fetched", content)
        self.assertEqual((one.last["verdict"], one.last["denied_by"]), ("denied", "attachments"))
        one.ask(b"NOOP", b"+OK")

    def test_top(self) -> None:
        """As much of it as is asked for."""
        heard = Talk(NO_PROGRAMS).logged_in().fetch(*PROGRAM, command=b"TOP 1 1")
        header, _, lines = heard.partition(b"\r\n\r\n")
        self.assertIn(b"Subject: A message was refused", header)
        self.assertEqual(lines, b"A message in your mailbox was not let through:\r\n.\r\n")

    def test_error(self) -> None:
        """Or an error."""
        one = Talk(evolve(NO_PROGRAMS, refused="error")).logged_in()
        self.assertEqual(one.fetch(*PROGRAM), b"-ERR It has something that is not allowed here\r\n")
        self.assertEqual(one.last["answer"], "It has something that is not allowed here")
        one.ask(b"NOOP", b"+OK")

    def test_too_late(self) -> None:
        """Of which the client has a part: it gets no dot, and so no message."""
        one = Talk(evolve(NO_PROGRAMS, hold_bytes=100)).logged_in()
        heard = one.fetch(*PROGRAM)
        self.assertFalse(heard.endswith(b"\r\n.\r\n"))
        self.assertNotIn(b"MZ", heard)
        self.assertNotIn(b"-ERR", heard)
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(one.last["verdict"], "denied")

    def test_limits(self) -> None:
        """Too large, too long a line, a lone line end."""
        for settings, line, by in (
            (
                Pop3Settings(message_bytes=100, hold_bytes=200, stack=""),
                b"x" * 101,
                "message_bytes",
            ),
            (Pop3Settings(line_bytes=1000), b"x" * 1001, "line_bytes"),
            (Pop3Settings(bare_newline="deny"), b"x\ny", "bare_newline"),
        ):
            one = Talk(settings).logged_in()
            one.fetch(b"a: b", b"", line)
            self.assertEqual(one.last["denied_by"], by)

    def test_other_dots(self) -> None:
        """
        What other readers take for the end costs a refused message no session: a server says
        nothing unasked, and whoever has sent the mail could keep all behind it from the client.
        """
        for settings in (Pop3Settings(bare_newline="deny"), NO_PROGRAMS):
            one = Talk(settings).logged_in()
            heard = one.fetch(b"x: y", *PROGRAM, b"x\n.\ny\r.\rz")
            self.assertIn(b"A message was refused", heard)
            self.assertTrue(heard.endswith(b"\r\n.\r\n"))
            one.ask(b"NOOP", b"+OK")


class Examined(Talk):
    """The other inspector takes its time."""

    kind = HoldingSession


class CutTests(SynchronousTestCase):
    """What becomes of a refused message does not depend on how it is cut."""

    def test_other_dots(self) -> None:
        """Something that other readers take for its end is among it, in each place."""
        for place in range(len(PROGRAM)):
            lines = (*PROGRAM[:place], b".\rLANG", *PROGRAM[place:])
            message = b"+OK\r\n" + b"\r\n".join((*lines, b".", b""))
            whole, cut = self.heard(message, len(message)), self.heard(message, 1)
            self.assertEqual(whole, cut, place)

    def heard(self, message: bytes, step: int) -> tuple[bytes, object]:
        """What the client hears of it, and the verdict."""
        one = Talk(NO_PROGRAMS).logged_in()
        one.client(b"RETR 1\r\n")
        heard = [
            one.server(message[at : at + step])
            for at in range(0, len(message), step)
            if one.session.verdict is None
        ]
        return b"".join(heard), one.session.verdict


class StackedTests(SynchronousTestCase):
    """Messages that another inspector has to pass."""

    settings = Pop3Settings(stack="scanner")

    def fetching(self) -> tuple[Talk, Any]:
        """A message has come, and is being examined."""
        one = Examined(self.settings).logged_in()
        self.assertEqual(one.fetch(*MAIL), b"")
        (body,) = one.session.bodies
        self.assertEqual(body.data, SEEN.replace(b"..dot", b".dot").removesuffix(b".\r\n"))
        self.assertEqual((body.envelope.protocol, body.envelope.user), ("pop3", "joe"))
        return one, body

    def test_passed(self) -> None:
        """One that does, perhaps changed."""
        one, body = self.fetching()
        body.sink.received(b"a: b\r\n\r\nother\r\n")
        body.sink.ended()
        self.assertEqual(one.heard(CLIENT), b"+OK 15 octets\r\na: b\r\n\r\nother\r\n.\r\n")
        self.assertEqual(one.last["stacked"], {"service": "scanner", "verdict": "changed"})
        one.ask(b"NOOP", b"+OK")

    def test_user(self) -> None:
        """Whose it is: who has logged in, not who was named before and did not."""
        one = Examined(self.settings).greeted()
        one.ask(b"USER joe", b"+OK")
        one.ask(b"PASS wrong", b"-ERR no")
        one.ask(b"AUTH PLAIN am9l", b"+OK in")
        one.fetch(*MAIL)
        self.assertEqual(one.session.bodies[0].envelope.user, "")

    def test_refused(self) -> None:
        """One that doesn't."""
        one, body = self.fetching()
        body.sink.denied("EICAR", b"", Outcome.DENIED)
        self.assertIn(b"It was refused by an examination", one.heard(CLIENT))
        self.assertEqual((one.last["verdict"], one.last["denied_by"]), ("denied", "stack"))
        one.ask(b"NOOP", b"+OK")

    def test_not_now(self) -> None:
        """One that nobody can examine now is an error, whatever is wanted of bad ones."""
        one, body = self.fetching()
        body.sink.denied("the scanner is away", b"", Outcome.FAILED)
        self.assertTrue(one.heard(CLIENT).startswith(b"-ERR The message can't be examined now"))
        one.ask(b"NOOP", b"+OK")

    def test_bad_line(self) -> None:
        """A line that may not be is the message's fault, also if nobody can examine it now."""
        one = Examined(evolve(self.settings, bare_newline="deny")).logged_in()
        one.client(b"RETR 1\r\n")
        one.server(b"+OK\r\na: b\r\n\r\n")
        (body,) = one.session.bodies
        body.sink.denied("the scanner is away", b"", Outcome.FAILED)
        self.assertIn(b"It has lines that are not allowed here", one.server(b"x\ny\r\n.\r\n"))
        self.assertEqual(one.session.sent[CLIENT].count(b"-ERR"), 0)
        self.assertEqual((one.last["verdict"], one.last["denied_by"]), ("denied", "bare_newline"))
        self.assertEqual(one.last["stacked"], {"service": "scanner", "verdict": "failed"})

    def test_server_breaks_off(self) -> None:
        """A message that does not come to its end is none."""
        one = Talk(self.settings).logged_in()
        one.client(b"RETR 1\r\n")
        one.server(b"+OK\r\na: b\r\n\r\nhel")
        one.session.hangs_up(SERVER)
        self.assertEqual(one.heard(CLIENT), b"-ERR The server closed the connection\r\n")
        self.assertIs(one.session.verdict.outcome, Outcome.FAILED)
        self.assertEqual(one.last["verdict"], "failed")
