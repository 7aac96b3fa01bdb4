"""IMAP: what passes, what is answered here, what ends the session."""

from __future__ import annotations

import re
from binascii import b2a_base64
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Flaw, Invalid
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.policy.judging import Asks
from gateway.testing import END, Conversation, InspectorSuite
from protocols.imap.access import MailboxRule
from protocols.imap.command import COMMANDS, NOT_HERE
from protocols.imap.inspector import ImapInspector
from protocols.imap.settings import ImapSettings, capabilities, commands
from protocols.mime.rules import AttachmentRule, HeaderRule
from protocols.tls.encryption import Encryption
from tests.protocols.imap.speak import Talk
from tests.protocols.mailbox.encryption import AGREED, AGREES, HELLO, NAME, EncryptionCase

INSPECT = ImapSettings(starttls="inspect")
REQUIRE = ImapSettings(starttls="require")
IMPLICIT = ImapSettings(implicit=True)
SMALL = {"command_bytes": 4096, "response_bytes": 65536, "hold_bytes": 4096}
EXAMINED = ImapSettings(
    attachments=(AttachmentRule(extensions=frozenset({"exe"})),),
    headers=(HeaderRule("X-Bad", "reject"),),
    hold_bytes=4096,
)
BOXES = ImapSettings(
    mailboxes=(
        MailboxRule(re.compile(r"Archive(/.*)?"), "read"),
        MailboxRule(re.compile("Secret.*|Geh\xe9im"), "none"),
    )
)

MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n.dot\r\n"
PROGRAM = (
    b"From: a@b.example\r\nContent-Type: application/x; name=a.exe\r\n"
    b"Content-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n"
)
PARTS = b"""\
--x

a
--x
Content-Disposition: attachment; filename=a.exe

MZ
""".replace(b"\n", b"\r\n")


def literal(data: bytes, plus: bytes = b"") -> bytes:
    """As it is sent."""
    return b"{%d%s}\r\n%s" % (len(data), plus, data)


def talk(*steps: tuple[bytes, bytes]) -> list[tuple[object, bytes]]:
    """Commands and their answers."""
    return [
        (side, said + b"\r\n")
        for command, answer in steps
        for side, said in ((CLIENT, command), (SERVER, answer))
    ]


LOGIN = [
    (SERVER, b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"),
    *talk((b'a1 login joe "open sesame"', b"a1 OK [CAPABILITY IMAP4rev1 IDLE XYZ] in")),
]
SELECT = talk(
    (
        b"a2 SELECT INBOX",
        b"* FLAGS (\\Answered \\Seen $Label)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n"
        b"* OK [PERMANENTFLAGS (\\Seen \\*)] limited\r\n* OK [UIDVALIDITY 12] valid\r\n"
        b"a2 OK [READ-WRITE] done",
    )
)
LOGOUT = [
    (CLIENT, b"z LOGOUT\r\n"),
    (SERVER, b"* BYE bye\r\nz OK done\r\n"),
    (SERVER, END),
    (CLIENT, END),
]


class ImapSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = ImapInspector
    memory = 2 * 1048576 + 4 * 65536
    conversations = (
        Conversation(
            "a mailbox",
            [
                *LOGIN,
                *SELECT,
                *talk(
                    (
                        b"a3 FETCH 1:2 (FLAGS ENVELOPE BODYSTRUCTURE)",
                        b'* 1 FETCH (FLAGS (\\Seen) ENVELOPE (NIL "a\\"b" ((NIL NIL "a" "b")'
                        b'(NIL NIL "c" "d")) NIL NIL NIL NIL NIL NIL ' + literal(b"<x>") + b")"
                        b' BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)'
                        b'("TEXT" "HTML" NIL NIL NIL "7BIT" 1 1) "MIXED"))\r\na3 OK done',
                    ),
                    (
                        b"a4 UID FETCH 1 (BODY.PEEK[] BODY[HEADER.FIELDS (FROM TO)])",
                        b"* 1 FETCH (UID 9 BODY[] " + literal(MAIL) + b" BODY[HEADER.FIELDS "
                        b"(FROM TO)] " + literal(b"From: a\r\n\r\n") + b")\r\n* 2 EXPUNGE\r\na4 OK",
                    ),
                    (b"a5 UID STORE 9 +FLAGS.SILENT (\\Deleted)", b"a5 OK [MODIFIED 9] done"),
                ),
                *LOGOUT,
            ],
        ),
        Conversation(
            "what is in it",
            [
                *LOGIN,
                *talk((b"a2 EXAMINE INBOX", b"* 3 EXISTS\r\na2 OK [READ-ONLY] done")),
                *talk(
                    (b"a6 UID SEARCH OR UNSEEN (FROM x)", b"* SEARCH 1 2 3\r\na6 OK done"),
                    (b"a7 EXPUNGE", b"* 1 EXPUNGE\r\na7 OK done"),
                    (
                        b'a8 LIST "" *',
                        b'* LIST (\\X) "/" "a b"\r\n* LIST () NIL '
                        + literal(b'c"d')
                        + b"\r\na8 OK done",
                    ),
                    (b"a9 STATUS INBOX (MESSAGES)", b"* STATUS INBOX (MESSAGES 3)\r\na9 OK done"),
                    (b'b1 ID ("name" "x" "v" NIL)', b'* ID ("name" "y")\r\nb1 OK done'),
                    (b"b2 NAMESPACE", b'* NAMESPACE (("" "/")) NIL NIL\r\nb2 OK done'),
                    (b"b3 THREAD REFERENCES UTF-8 ALL", b"* THREAD (2)(3 6 (4)(7 8))\r\nb3 OK x"),
                ),
                *LOGOUT,
            ],
        ),
        Conversation(
            "literals, at once and asked for",
            [
                (SERVER, b"* OK ready\r\n"),
                (CLIENT, b"a1 LOGIN {3}\r\n"),
                (CLIENT, b'joe {6+}\r\nse"ame\r\n'),
                (SERVER, b"a1 OK in\r\n"),
                (CLIENT, b"a2 APPEND {5}\r\n"),
                (CLIENT, b'INBOX (\\Seen) " 1-Jan-2020 10:00:00 +0000" ' + b"{%d}\r\n" % len(MAIL)),
                (SERVER, b"+ OK\r\n"),
                (CLIENT, MAIL + b"\r\n"),
                (SERVER, b"a2 OK [APPENDUID 1 2] done\r\n"),
                (CLIENT, b"a3 CREATE {2+}\r\n\xc3\xa9\r\n"),
                *LOGOUT,
            ],
            replays=False,
        ),
        Conversation(
            "much at once",
            [
                *LOGIN,
                (CLIENT, b'a NOOP\r\nb XYZ\r\nc CHECK\r\nd LIST "" {1+}\r\n*\r\ne NOOP\r\n'),
                (SERVER, b"a OK 1\r\nd OK 2\r\ne OK 3\r\n"),
                *LOGOUT,
            ],
            replays=False,
        ),
        Conversation(
            "idle",
            [
                *LOGIN,
                *SELECT,
                (CLIENT, b"i IDLE\r\n"),
                (SERVER, b"+ idling\r\n* 4 EXISTS\r\n* OK Still here\r\n"),
                (CLIENT, b"DONE\r\n"),
                (SERVER, b"i OK done\r\n"),
                *LOGOUT,
            ],
        ),
        Conversation(
            "another way in",
            [
                (SERVER, b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=GSSAPI] hi\r\n"),
                (CLIENT, b"a AUTHENTICATE PLAIN\r\n"),
                (SERVER, b"+ \r\n"),
                (CLIENT, b"*\r\n"),
                (SERVER, b"a NO cancelled\r\n"),
                *talk((b"b AUTHENTICATE PLAIN AGpvZQBzZXNhbWU=", b"b OK in")),
                *talk((b"c ENABLE CONDSTORE XYZ", b"* ENABLED CONDSTORE\r\nc OK done")),
                *talk((b"d SELECT a (CONDSTORE)", b"* 0 EXISTS\r\nd OK done")),
                *LOGOUT,
            ],
        ),
        Conversation(
            "messages examined",
            [
                *LOGIN,
                *SELECT,
                (CLIENT, b"a FETCH 1:3 (UID RFC822)\r\n"),
                (
                    SERVER,
                    b"* 1 FETCH (UID 1 BODY[] " + literal(MAIL) + b")\r\n"
                    b"* 2 FETCH (BODY[] " + literal(PROGRAM) + b" UID 2)\r\n"
                    b"* 3 FETCH (BODY[] NIL UID 3)\r\na OK done\r\n",
                ),
                (CLIENT, b"b FETCH 1 (BODY[1] BODY.PEEK[TEXT]<2.3>)\r\n"),
                (SERVER, b"* 1 FETCH (BODY[] " + literal(MAIL) + b")\r\nb OK done\r\n"),
                (CLIENT, b"c APPEND INBOX {%d}\r\n" % len(MAIL)),
                (CLIENT, MAIL + b"\r\n"),
                (SERVER, b"+ OK\r\n"),
                (SERVER, b"c OK done\r\n"),
                (CLIENT, b"d APPEND INBOX " + literal(PROGRAM, b"+") + b"\r\n"),
                *LOGOUT,
            ],
            settings=EXAMINED,
            replays=False,
        ),
        Conversation(
            "a message that is too large to be held",
            [
                *LOGIN,
                *SELECT,
                (CLIENT, b"a FETCH 1:2 BODY[]\r\n"),
                (
                    SERVER,
                    b"* 1 FETCH (BODY[] " + literal(MAIL) + b")\r\n* 2 FETCH (BODY[] "
                    b""
                    + literal(
                        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
                        + PARTS
                    )
                    + b")\r\n",
                ),
            ],
            settings=evolve(EXAMINED, hold_bytes=40),
            outcome=Outcome.DENIED,
        ),
        Conversation(
            "refused by us",
            [
                *LOGIN,
                (
                    CLIENT,
                    b"a STARTTLS\r\nb COMPRESS DEFLATE\r\nc FETCH 1 FLAGS\r\nd LOGIN a b\r\n"
                    b"e SELECT Secret\r\nf APPEND Archive {3+}\r\nabc\r\n)\r\ng STATUS x y\r\n",
                ),
                *LOGOUT,
            ],
            settings=BOXES,
        ),
        Conversation("the client hangs up", [*LOGIN, (CLIENT, END), (SERVER, END)]),
        Conversation(
            "the server says why it ends",
            [*LOGIN, (SERVER, b"* BYE shutting down\r\n"), (SERVER, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation(
            "nobody is let in",
            [(SERVER, b"* BYE full\r\n"), (SERVER, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation(
            "not IMAP",
            [(SERVER, b"* OK\r\n"), (CLIENT, b"GET / HTTP/1.1\r\n")],
            outcome=Outcome.DENIED,
        ),
        Conversation("unasked", [*LOGIN, (SERVER, b"a1 OK again\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "plaintext behind STARTTLS",
            [(SERVER, b"* OK\r\n"), (CLIENT, b"a STARTTLS\r\nb NOOP\r\n"), (SERVER, b"a OK\r\n")],
            outcome=Outcome.DENIED,
            settings=INSPECT,
        ),
    )


class EncryptedSuite(InspectorSuite, SynchronousTestCase):
    """With TLS; where that begins, a fake session can't tell what is plaintext."""

    inspector = ImapInspector
    memory = ImapSuite.memory
    conversations = (
        Conversation(
            "STARTTLS",
            [
                (SERVER, b"* OK ready\r\n"),
                (CLIENT, b"a STARTTLS\r\n"),
                (SERVER, b"a OK go on\r\n"),
                (CLIENT, HELLO),
                *talk(
                    (b"b CAPABILITY", b"* CAPABILITY IMAP4rev1 STARTTLS\r\nb OK done"),
                    (b"c LOGIN joe x", b"c OK in"),
                ),
                *LOGOUT,
            ],
            settings=REQUIRE,
            replays=False,
            turns=(3,),
        ),
        Conversation(
            "from the first byte on",
            [(CLIENT, HELLO), *LOGIN, *LOGOUT],
            settings=IMPLICIT,
            replays=False,
            turns=(0,),
        ),
    )


class OrderTests(SynchronousTestCase):
    """Commands in their order, and each answer to its command."""

    def test_states(self) -> None:
        """Before the login the server hears only what belongs there, and after it."""
        before, after = Talk(ImapSettings(errors=0)).greeted(), Talk(ImapSettings(errors=0))
        after.logged_in()
        for name, kind in COMMANDS.items():
            said = b"x " + name.encode("ascii")
            for one in (before, after):
                if one.session.inspector._dialogue.standing.state not in kind.states:
                    self.assertEqual(one.refused(said), b"x BAD Not now\r\n", name)

    def test_greeting_first(self) -> None:
        """A client that is early waits, also for a server that takes its time."""
        one = Talk()
        self.assertEqual(one.client(b"a CAPABILITY\r\n"), (b"", b""))
        one.session.advance(100)
        self.assertEqual(one.server(b"* OK ready\r\n"), b"* OK ready\r\n")
        self.assertEqual(one.heard(SERVER), b"a CAPABILITY\r\n")

    def test_one_at_a_time(self) -> None:
        """What is sent ahead is passed on when it is its turn; the client hears all, in order."""
        one = Talk().logged_in()
        passed, _ = one.client(b"a NOOP\r\nb XYZ\r\na NOOP\r\n")
        self.assertEqual(passed, b"a NOOP\r\n")
        heard = one.server(b"* OK x\r\na OK 1\r\n")
        self.assertEqual(heard, b"* OK x\r\na OK 1\r\nb BAD Unknown command\r\n")
        self.assertEqual(one.heard(SERVER), b"a NOOP\r\n")
        self.assertEqual(one.server(b"a OK 2\r\n"), b"a OK 2\r\n")

    def test_not_here(self) -> None:
        """What can't be looked into, or brings what nobody asked for, is answered NO."""
        one = Talk(ImapSettings(errors=0)).logged_in()
        for name in NOT_HERE:
            heard = one.refused(b"a " + name.encode("ascii") + b" x")
            self.assertEqual(heard, b"a NO [CANNOT] That is not available\r\n")

    def test_commands(self) -> None:
        """The policy refuses commands, or has them end the session; so with UID before them."""
        settings = ImapSettings(commands=commands({"MOVE": "refuse", "DELETE": "deny"}))
        one = Talk(settings).selected()
        self.assertIn(b"a NO [NOPERM]", one.refused(b"a UID MOVE 1 x"))
        self.assertEqual(one.last["denied_by"], "commands")
        self.assertIn(b"* BYE", one.refused(b"b DELETE x"))
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        for name in ("STARTTLS", "UID MOVE", "XYZ"):
            self.assertRaises(ValueError, commands, {name: "pass"})
        self.assertRaises(ValueError, capabilities, frozenset({"COMPRESS=DEFLATE"}))

    def test_users(self) -> None:
        """Only some users may log in, and the record says who it was, and never with what."""
        one = Talk(ImapSettings(users=re.compile("j.*"))).greeted()
        self.assertIn(b"a NO [AUTHORIZATIONFAILED]", one.refused(b"a LOGIN ann sesame"))
        one.ask(b"b LOGIN joe sesame", b"b NO sesame is wrong")
        self.assertNotIn("sesame", repr(one.session.recorded))
        self.assertEqual(one.last["request"]["args"], ["joe"])

    def test_users_by_mechanism(self) -> None:
        """However they log in, and whoever they act for; who does not say it, does not get in."""
        settings = ImapSettings(users=re.compile("joe"))
        for mechanism, response, passes in (
            (b"PLAIN", b"\0joe\0secret", True),
            (b"PLAIN", b"joe\0ann\0secret", False),
            (b"PLAIN", b"ann\0joe\0secret", False),
            (b"PLAIN", b"joe", False),
            (b"LOGIN", b"joe", True),
            (b"LOGIN", b"ann", False),
            (b"CRAM-MD5", b"joe 0123", True),
            (b"SCRAM-SHA-256", b"n,,n=joe,r=x", True),
            (b"SCRAM-SHA-256", b"n,a=ann,n=joe,r=x", False),
            (b"XOAUTH2", b"user=joe\1auth=Bearer x\1\1", True),
            (b"XOAUTH2", b"auth=Bearer x\1\1", False),
            (b"OAUTHBEARER", b"n,a=joe,\1auth=Bearer x\1\1", True),
            (b"EXTERNAL", b"", False),
            (b"ANONYMOUS", b"joe", False),
        ):
            said = b2a_base64(response, newline=False)
            one = Talk(settings).greeted()
            passed, heard = one.client(
                b"a AUTHENTICATE " + mechanism + b" " + (said or b"=") + b"\r\n"
            )
            self.assertEqual(passed != b"", passes, (mechanism, response))
            self.assertEqual(b"AUTHORIZATIONFAILED" in heard, not passes)
            one = Talk(settings).greeted()
            one.ask(b"a AUTHENTICATE " + mechanism, b"+")
            passed, _ = one.client(said + b"\r\n")
            self.assertEqual(passed, (said if passes else b"*") + b"\r\n", (mechanism, response))
            one.server(b"a OK in\r\n" if passes else b"a BAD cancelled\r\n")
            about = "authenticated, user joe" if passes else "not authenticated"
            self.assertEqual(one.session.inspector.about(), about)
            self.assertNotIn("secret", repr(one.session.recorded))
        one = Talk().greeted()
        one.ask(b"a AUTHENTICATE EXTERNAL =", b"a OK in")

    def test_literals(self) -> None:
        """What is needed to decide, the gateway asks for; the server gets it in quotes."""
        one = Talk().greeted()
        self.assertEqual(one.client(b"a LOGIN {3}\r\n"), (b"", b"+ Go on\r\n"))
        self.assertEqual(one.client(b"joe {4+}\r\n"), (b"", b""))
        self.assertEqual(one.client(b'a"\\b\r\n')[0], b'a LOGIN "joe" "a\\"\\\\b"\r\n')

    def test_literals_for_server(self) -> None:
        """What has no quotes waits for the server's word, or not, if the server has LITERAL+."""
        name = "\u00e9".encode()
        one = Talk().logged_in()
        self.assertEqual(one.client(b"a LOGIN x y\r\n")[0], b"")
        self.assertEqual(
            one.client(b"b SETACL INBOX {2+}\r\n" + name + b" rw\r\n")[0], b"b SETACL INBOX {2}\r\n"
        )
        self.assertEqual(one.server(b"+ go\r\n"), b"")
        self.assertEqual(one.heard(SERVER), name + b" rw\r\n")
        one = Talk().logged_in(b"IMAP4rev1 LITERAL+")
        self.assertEqual(
            one.client(b"b SETACL INBOX {2+}\r\n" + name + b" rw\r\n")[0],
            b"b SETACL INBOX {2+}\r\n" + name + b" rw\r\n",
        )

    def test_no_literal(self) -> None:
        """One that is too long does not come; nor is it taken for the next command."""
        one = Talk().logged_in()
        self.assertEqual(
            one.refused(b'a LIST "" {99999}'), b"a NO [TOOBIG] That literal is too long\r\n"
        )
        said = b"b NOOP\r\n" * 10000
        heard = one.refused(b'a LIST "" {80000+}\r\n' + said)
        self.assertEqual(heard, b"a NO [TOOBIG] That literal is too long\r\n")
        self.assertEqual(one.refused(b"a XYZ {6+}\r\nNOOP\r\n x"), b"a BAD Unknown command\r\n")
        one.ask(b"c NOOP", b"c OK")

    def test_before_login(self) -> None:
        """Before the login a command is short, as servers have it."""
        one = Talk().greeted()
        self.assertIn(b"TOOBIG", one.refused(b"a LOGIN x {2000}"))
        one.client(b"a LOGIN " + b"x" * 2000 + b" y\r\n")
        self.assertIn("login_bytes", one.reason)

    def test_idle(self) -> None:
        """The server tells what happens; a client that is told it is over may say DONE too late."""
        one = Talk().selected()
        self.assertEqual(
            one.ask(b"a IDLE", b"+ idling", b"* 4 EXISTS"), b"+ idling\r\n* 4 EXISTS\r\n"
        )
        self.assertEqual(
            one.server(b"* 1 EXPUNGE\r\na OK enough\r\n"), b"* 1 EXPUNGE\r\na OK enough\r\n"
        )
        self.assertEqual(one.client(b"DONE\r\n"), (b"", b""))
        one.ask(b"b IDLE", b"+ idling")
        one.client(b"c NOOP\r\n")
        self.assertIn("ended IDLE by something else", one.reason)

    def test_idle_again(self) -> None:
        """One that goes on with a command, as it was told in time, is heard."""
        one = Talk().selected()
        one.ask(b"a IDLE", b"+ idling", b"a OK enough")
        one.ask(b"b NOOP", b"b OK")
        one.ask(b"c IDLE", b"c NO not now")
        one.ask(b"d NOOP", b"d OK")

    def test_idle_and_gone(self) -> None:
        """Nothing is wrong with a client that goes away while it waits."""
        one = Talk().selected()
        one.ask(b"a IDLE", b"+ idling")
        one.session.hangs_up(CLIENT)
        one.session.hangs_up(SERVER)
        self.assertIs(one.session.verdict.outcome, Outcome.PASSED)
        self.assertEqual(one.last["verdict"], "passed")
        one = Talk().selected()
        one.ask(b"a IDLE", b"+ idling")
        one.session.hangs_up(SERVER)
        self.assertEqual(one.heard(CLIENT), b"* BYE The server closed the connection\r\n")
        self.assertEqual(one.last["verdict"], "failed")

    def test_time(self) -> None:
        """Nobody waits for ever; in IDLE the client is given its half an hour."""
        for settings, steps, seconds, word in (
            (ImapSettings(), (), 200, "login_seconds"),
            (ImapSettings(), (b"a NOOP\r\n",), 310, "reply_seconds"),
            (ImapSettings(), (b"a IDLE\r\n",), 310, "reply_seconds"),
            (ImapSettings(), (b"a IDLE\r\n", b""), 1900, "command_seconds"),
            (ImapSettings(), (b"a NO {1+}\r\nx",), 1900, "command_seconds"),
        ):
            one = Talk(settings).greeted() if not steps else Talk(settings).logged_in()
            for step in steps:
                if step:
                    one.client(step)
                else:
                    one.server(b"+ idling\r\n")
                    one.session.advance(1700)
                    self.assertIsNone(one.session.verdict)
            one.session.advance(seconds)
            self.assertIn(word, one.reason)
            self.assertIn(b"* BYE ", one.session.sent[CLIENT])

    def test_about(self) -> None:
        """An operator who looks sees who it is and where, and never a password."""
        one = Talk().greeted()
        one.client(b"a LOGIN joe sesame\r\n")
        about = one.session.inspector.about
        self.assertEqual(about(), "not authenticated; LOGIN is to be answered")
        one.server(b"a OK in\r\n")
        one.ask(b"b SELECT INBOX", b"* 1 EXISTS", b"b OK")
        one.ask(b"c IDLE", b"+ idling")
        self.assertEqual(about(), "selected, user joe; mailbox 'INBOX'; the client waits for news")
        one.client(b"DONE\r\n")
        one.server(b"c OK\r\n")
        one.ask(b"d CLOSE", b"d OK")
        self.assertEqual(about(), "authenticated, user joe")

    def test_errors(self) -> None:
        """Commands that are refused come to an end."""
        one = Talk(ImapSettings(errors=3)).logged_in()
        one.refused(b"a XYZ")
        one.ask(b"b NOOP", b"b OK")
        for _ in range(2):
            one.refused(b"a XYZ")
        self.assertIn(b"* BYE Too many", one.refused(b"a XYZ"))

    def test_limits(self) -> None:
        """Server's answers have limits too."""
        one = Talk(ImapSettings(response_bytes=2000)).logged_in()
        one.client(b'a LIST "" *\r\n')
        one.server(b'* LIST () "/" {3000}\r\n')
        self.assertIn("3000 bytes", one.reason)
        one = Talk(ImapSettings(values=1000)).selected()
        one.client(b'a LIST "" *\r\n')
        one.server(b"* LIST (" + b"a " * 1000 + b") NIL x\r\n")
        self.assertIn("more than 1000 values", one.reason)
        one = Talk(ImapSettings(depth=10)).selected()
        one.client(b"a THREAD REFS UTF-8 ALL\r\n")
        one.server(b"* THREAD " + b"(" * 12 + b"1" + b")" * 12 + b"\r\n")
        self.assertIn("in each other", one.reason)

    def test_authentication(self) -> None:
        """Challenges and responses pass as long as they are that, and not for ever."""
        one = Talk().greeted()
        self.assertEqual(one.ask(b"a AUTHENTICATE PLAIN", b"+"), b"+ \r\n")
        self.assertEqual(one.client(b"am9l\r\n")[0], b"am9l\r\n")
        self.assertEqual(one.server(b"a OK in\r\n"), b"a OK in\r\n")
        self.assertNotIn("am9l", repr(one.session.recorded))
        self.assertIn(b"NO [CANNOT]", Talk().greeted().refused(b"a AUTHENTICATE GSSAPI"))
        one = Talk().greeted()
        one.ask(b"a AUTHENTICATE PLAIN", b"+ not base64!")
        self.assertIn("challenge", one.reason)
        one = Talk(ImapSettings(auth_lines=2)).greeted()
        one.ask(b"a AUTHENTICATE LOGIN", b"+")
        for _ in range(2):
            one.client(b"am9l\r\n")
            one.server(b"+\r\n")
        self.assertIn("auth_lines", one.reason)


class ServerTests(SynchronousTestCase):
    """What a server says, and what of it is heard."""

    def heard(self, said: bytes, command: bytes = b"b NOOP", **settings: Any) -> tuple[bytes, str]:
        """What comes of an answer, in a mailbox that is selected."""
        one = Talk(ImapSettings(**settings)).selected()
        passed, _ = one.client(command + b"\r\n")
        assert passed, one.heard(CLIENT)
        heard = one.server(said + b"\r\n")
        return heard, one.session.verdict.reason if one.session.verdict else ""

    def test_unasked(self) -> None:
        """Nobody hears an answer that nobody has asked for, or one to a command that was none's."""
        for said, command in (
            (b"c OK fine", b"b NOOP"),
            (b"* SEARCH 1 2", b"b NOOP"),
            (b"* LIST () NIL x", b"b NOOP"),
            (b"* STATUS x (MESSAGES 1)", b'b LIST "" %'.replace(b"LIST", b"LSUB")),
            (b'* ESEARCH (TAG "c") UID ALL 1', b"b SEARCH ALL"),
            (b"* PREAUTH hello", b"b NOOP"),
            (b"+ more", b"b NOOP"),
            (b"* 1 FETCH (BODY[] {3}\r\nabc)", b"b NOOP"),
            (b'* 1 FETCH (RFC822 "abc")', b"b FETCH 1 (BODY[HEADER])"),
            (b"* 1 FETCH (ENVELOPE NIL)", b"b STORE 1 FLAGS ()"),
            (b"* 1 FETCH (BODY[1] NIL)", b"b FETCH 1 BODY[2]"),
            (b"* 1 FETCH (BODY[]<0> NIL)", b"b FETCH 1 BODY[]<1.2>"),
            (b"* 1 EXPUNGE", b"b FETCH 1 FLAGS"),
            (b"* 1 EXPUNGE", b"b SEARCH ALL"),
            (b"* VANISHED 1:3", b"b STORE 1 FLAGS ()"),
            (b"* 0 EXPUNGE", b"b NOOP"),
            (b"* XYZ 1", b"b NOOP"),
            (b"* ENABLED X", b"b NOOP"),
        ):
            heard, reason = self.heard(said, command)
            self.assertTrue(reason, said)
            self.assertEqual(heard, b"* BYE The server sent what is no IMAP\r\n", said)

    def test_no_mailbox(self) -> None:
        """Where none is selected there is nothing to tell of one."""
        for said in (b"* 3 EXISTS", b"* FLAGS ()", b"* 1 FETCH (FLAGS ())"):
            one = Talk().logged_in()
            one.client(b"a NOOP\r\n")
            one.server(said + b"\r\n")
            self.assertIn("no mailbox is selected", one.reason)

    def test_between_commands(self) -> None:
        """A server may tell of new messages at any time, and may not take one away."""
        one = Talk().selected()
        self.assertEqual(
            one.server(b"* 4 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"),
            b"* 4 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n",
        )
        one.server(b"* 1 EXPUNGE\r\n")
        self.assertIn("EXPUNGE when it must not", one.reason)

    def test_injected(self) -> None:
        """Text of a server's can't look like a literal, an end of line, or a screen's command."""
        heard, _ = self.heard(b"* OK see {100}")
        self.assertEqual(heard, b"* OK see (100)\r\n")
        heard, _ = self.heard(b"* OK [ALERT] \x1b[2J")
        self.assertEqual(heard, b"* OK [ALERT] ?[2J\r\n")
        heard, _ = self.heard(b"* NO [REFERRAL imap://evil.example/] try there")
        self.assertEqual(heard, b"* NO try there\r\n")
        _, reason = self.heard(b"b OK done\rb NO not done")
        self.assertIn("lone CR", reason)

    def test_two_answers(self) -> None:
        """A second answer is not taken for that of the next command with the same tag."""
        one = Talk().logged_in()
        one.client(b"a NOOP\r\n")
        one.server(b"a OK done\r\na OK again\r\n")
        self.assertIn("that nobody has given", one.reason)

    def test_malformed(self) -> None:
        """What is not of the grammar ends the session."""
        for said in (
            b"OK",
            b"* ",
            b"* 1",
            b"* 1 FETCH FLAGS",
            b"* 1 FETCH (FLAGS",
            b"* 1 FETCH (FLAGS) (FLAGS)",
            b"* 1 FETCH (FLAGS ()))",
            b'* 1 FETCH ("FLAGS" ())',
            b'* 1 FETCH (FLAGS "a""b")',
            b"* FLAGS (\x00)",
            b'* FLAGS (a "\\n")',
            b"b MAYBE",
            b"b PREAUTH x",
            b"\x80 OK",
        ):
            _, reason = self.heard(said)
            self.assertTrue(reason, said)

    def test_many(self) -> None:
        """A result may be very long; others have their turn meanwhile."""
        result = b"* SEARCH " + b" ".join(b"%d" % number for number in range(1, 100000))
        self.assertEqual(
            self.heard(result + b"\r\nb OK x", b"b SEARCH ALL")[0], result + b"\r\nb OK x\r\n"
        )
        threads = b"* THREAD " + b"(1 2 (3)(4))(5)" * 20000
        heard, reason = self.heard(threads + b"\r\nb OK x", b"b THREAD REFS UTF-8 ALL")
        self.assertEqual((heard, reason), (threads + b"\r\nb OK x\r\n", ""))
        for odd in (
            b"(1)(",
            b"(1))",
            b")1(",
            b"()",
            b"1 2",
            b"(1)2",
            b"(1 2",
            b"(" * 101 + b")" * 101,
        ):
            heard, reason = self.heard(b"* THREAD " + odd, b"b THREAD REFS UTF-8 ALL")
            self.assertEqual((b"THREAD" in heard, reason != ""), (False, True), odd)

    def test_blanks(self) -> None:
        """More blanks than there should be are made one."""
        heard, _ = self.heard(b"* SEARCH  1  2 \r\nb  OK  [UIDNEXT 3]  fine", b"b SEARCH ALL")
        self.assertEqual(heard, b"* SEARCH 1 2\r\nb OK [UIDNEXT 3] fine\r\n")

    def test_capabilities(self) -> None:
        """They tell of nothing that can't be had, wherever they are told."""
        said = b"IMAP4rev1 IMAP4rev2 STARTTLS AUTH=PLAIN AUTH=GSSAPI SASL-IR IDLE MOVE BINARY"
        said += b" COMPRESS=DEFLATE NOTIFY URLAUTH THREAD=REFS THREAD=X"
        for settings, left in (
            ({}, b"IMAP4rev1 IMAP4rev2 AUTH=PLAIN SASL-IR IDLE MOVE BINARY THREAD=REFS THREAD=X"),
            (
                {"commands": {"MOVE": "refuse"}},
                b"IMAP4rev1 AUTH=PLAIN SASL-IR IDLE BINARY THREAD=REFS THREAD=X",
            ),
            (
                {"starttls": "require"},
                b"IMAP4rev1 IMAP4rev2 STARTTLS IDLE MOVE BINARY THREAD=REFS THREAD=X LOGINDISABLED",
            ),
            ({"stack": "x"}, b"IMAP4rev1 AUTH=PLAIN SASL-IR IDLE MOVE THREAD=REFS THREAD=X"),
            ({"capabilities": frozenset({"IMAP4REV1", "THREAD=REFS"})}, b"IMAP4rev1 THREAD=REFS"),
        ):
            one = Talk(ImapSettings(**settings))
            heard = one.server(b"* OK [CAPABILITY " + said + b"] x\r\n")
            self.assertEqual(heard, b"* OK [CAPABILITY " + left + b"] x\r\n")
            heard = one.ask(b"a CAPABILITY", b"* CAPABILITY " + said, b"a OK x")
            self.assertEqual(heard, b"* CAPABILITY " + left + b"\r\na OK x\r\n")

    def test_enable(self) -> None:
        """Only what clients hear of is enabled."""
        one = Talk(ImapSettings(capabilities=capabilities(frozenset({"CONDSTORE"})))).logged_in()
        one.ask(
            b"a ENABLE CONDSTORE UTF8=ACCEPT",
            b"* ENABLED CONDSTORE",
            b"a OK",
            passed=b"a ENABLE CONDSTORE",
        )
        self.assertEqual(one.refused(b"a ENABLE X"), b"* ENABLED\r\na OK Nothing is enabled\r\n")

    def test_greetings(self) -> None:
        """A greeting is the operator's, or the server's; one that lets everybody in is none."""
        self.assertEqual(
            Talk(ImapSettings(banner="hi")).server(b"* OK [X] Dovecot 9\r\n"), b"* OK hi\r\n"
        )
        one = Talk()
        self.assertEqual(
            one.server(b"* PREAUTH in\r\n"), b"* BYE The server sent what is no IMAP\r\n"
        )
        self.assertIn("preauth", one.reason)
        one = Talk(ImapSettings(preauth=True, starttls="require"))
        one.server(b"* PREAUTH in\r\n")
        self.assertIn("starttls", one.reason)
        one = Talk(ImapSettings(preauth=True))
        one.server(b"* PREAUTH in\r\n")
        one.ask(b"a NAMESPACE", b"a OK")
        for said in (b"+OK ready", b"220 ready", b"OK ready", b"a OK ready", b"* NO"):
            one = Talk()
            one.server(said + b"\r\n")
            self.assertIs(one.session.verdict.outcome, Outcome.DENIED)

    def test_server_breaks_off(self) -> None:
        """The client reads why, unless it is in the middle of a literal."""
        one = Talk().selected()
        one.client(b"a NOOP\r\n")
        one.session.hangs_up(SERVER)
        self.assertEqual(one.heard(CLIENT), b"* BYE The server closed the connection\r\n")
        one = Talk().selected()
        one.client(b"a FETCH 1 BODY[]\r\n")
        one.server(b"* 1 FETCH (BODY[] {10}\r\nabc")
        one.session.hangs_up(SERVER)
        self.assertEqual(one.heard(CLIENT), b"")
        self.assertEqual(one.last["verdict"], "failed")
        self.assertEqual(one.session.verdict.outcome, Outcome.FAILED)

    def test_bye(self) -> None:
        """A server that says why it ends is heard, also in the middle of an APPEND."""
        one = Talk().selected()
        one.client(b"a APPEND INBOX {10}\r\n")
        one.server(b"+ OK\r\n")
        one.client(b"abc")
        self.assertEqual(one.server(b"* BYE Input buffer full\r\n"), b"* BYE Input buffer full\r\n")
        self.assertIn("Input buffer full", one.reason)


class MailboxTests(SynchronousTestCase):
    """Mailboxes by their names."""

    def test_hidden(self) -> None:
        """There is no such mailbox, for whatever command, however its name is written."""
        one = Talk(evolve(BOXES, errors=0)).selected()
        for said in (
            b"a SELECT Secret",
            b'a EXAMINE "Secret"',
            b"a STATUS Secret/x (MESSAGES)",
            b"a COPY 1 Secret",
            b"a UID MOVE 1 Secret",
            b"a RENAME x Secret",
            b"a RENAME Secret x",
            b"a SUBSCRIBE Secret",
            b"a GETQUOTAROOT Secret",
            b"a GETACL Secret",
            b"a GETMETADATA Secret /shared/comment",
            b"a SELECT Geh&AOk-im",
            b"a DELETE {6+}\r\nSecret",
        ):
            self.assertTrue(one.refused(said).startswith(b"a NO [NONEXISTENT] "), said)
        heard = one.refused(b"a APPEND Secret {10+}\r\n0123456789")
        self.assertTrue(heard.startswith(b"a NO [NONEXISTENT] "))
        self.assertTrue(one.refused(b"a APPEND Secret {10}").startswith(b"a NO [NONEXISTENT]"))

    def test_odd_names(self) -> None:
        """Names that a lenient server may take for others are none."""
        one = Talk(evolve(BOXES, errors=0)).selected()
        for name in (b"&AFM-ecret", b"Geh&AOk-&AGk-m", b"&", b"&AO-", b"a&AA0-", b"{1+}\r\n\xe9"):
            self.assertIn(b"BAD That is no name", one.refused(b"a SELECT " + name))

    def test_not_listed(self) -> None:
        """Nor is it told of."""
        one = Talk(BOXES).logged_in()
        lines = (b'* LIST () "/" INBOX', b'* LIST () "/" Secret', b'* LIST () "/" "Geh&AOk-im"')
        heard = one.ask(b'a LIST "" *', *lines, b'* LIST () "/" {6}\r\nSecret', b"a OK")
        self.assertEqual(heard, b'* LIST () "/" INBOX\r\na OK -\r\n')

    def test_read_only(self) -> None:
        """A mailbox to be read is examined, and not changed."""
        one = Talk(evolve(BOXES, errors=0)).logged_in()
        one.ask(
            b"a SELECT Archive/x",
            b"* 1 EXISTS",
            b"a OK [READ-ONLY] x",
            passed=b"a EXAMINE Archive/x",
        )
        for said in (
            b"b STORE 1 +FLAGS (\\Deleted)",
            b"b UID STORE 1 +FLAGS (\\Deleted)",
            b"b EXPUNGE",
            b"b UID EXPUNGE 1",
            b"b MOVE 1 INBOX",
            b"b COPY 1 Archive",
            b"b DELETE Archive/x",
            b"b CREATE Archive/y",
            b"b RENAME Archive z",
            b"b SETACL Archive joe rw",
            b"b APPEND Archive {5+}\r\n12345",
        ):
            self.assertTrue(one.refused(said).startswith(b"b NO [NOPERM] "), said)
        one.ask(b"c COPY 1 INBOX", b"c OK")
        one.ask(b"d SELECT INBOX", b"d OK")
        one.ask(b"e STORE 1 FLAGS (\\Seen)", b"e OK")
        one = Talk(evolve(BOXES, read_only="refuse")).logged_in()
        self.assertIn(b"NO [NOPERM]", one.refused(b"a SELECT Archive"))
        one.ask(b"b EXAMINE Archive", b"b OK")

    def test_inbox(self) -> None:
        """INBOX is one in any letters."""
        settings = ImapSettings(mailboxes=(MailboxRule(re.compile("INBOX(/.*)?"), "none"),))
        one = Talk(settings).logged_in()
        for name in (b"inbox", b"InBox/x", b"INBOX/"):
            self.assertIn(b"NONEXISTENT", one.refused(b"a SELECT " + name))
        one.ask(b"a SELECT Inboxes", b"a OK")

    def test_utf8(self) -> None:
        """Where names are in UTF-8, they are read so."""
        one = Talk(BOXES).logged_in(b"IMAP4rev1 UTF8=ACCEPT")
        one.ask(b"a ENABLE UTF8=ACCEPT", b"* ENABLED UTF8=ACCEPT", b"a OK")
        name = "Geh\u00e9im".encode()
        self.assertIn(b"NONEXISTENT", one.refused(b'b SELECT "' + name + b'"'))
        one.ask(b'c SELECT "&AOk-"', b"c OK")


class JudgingTests(SynchronousTestCase):
    """What C{tproxygw explain} says of commands."""

    def test_commands(self) -> None:
        """In their order: what one selects matters for the next."""
        settings = evolve(BOXES, commands=commands({"SETACL": "deny"}), stack="x")
        lines = {
            "COPY 1 INBOX": ("goes to the server", ""),
            "SELECT Archive": ("goes to the server as EXAMINE", "mailboxes"),
            "STORE 1 FLAGS ()": (
                "refused, NO [NOPERM]: STORE in a mailbox to be read (setting 'mailboxes')",
                "mailboxes",
            ),
            "SELECT Secret": (
                "refused, NO [NONEXISTENT]: SELECT of 'Secret' (setting 'mailboxes')",
                "mailboxes",
            ),
            "SETACL a b c": (
                "ends the session: the command SETACL ends the session (setting 'commands')",
                "commands",
            ),
            "FETCH 1 BINARY[]": (
                "refused, BAD: BINARY or PREVIEW, where messages are examined",
                "",
            ),
            "XYZ": ("refused, BAD: Unknown command", ""),
            "(": ("refused, BAD: That is no command", ""),
        }
        judged = ImapInspector.judge(settings, None, Asks(commands=tuple(lines)))
        self.assertEqual(judged, [(line, *told) for line, told in lines.items()])
        self.assertIsNone(ImapInspector.judge(settings, None, Asks()))


class EncryptionTests(EncryptionCase, SynchronousTestCase):
    """STARTTLS, and TLS from the first byte on."""

    talk = Talk
    inspect = INSPECT
    implicit = IMPLICIT
    careful = ImapSettings(starttls="inspect", tls=Encryption(invalid="deny"))
    greeting = b"* OK [CAPABILITY IMAP4rev1] ready"
    start, go_on, declined = b"a STARTTLS", b"a OK go on", b"a BAD no"
    spoken = b"a BAD TLS is spoken already"
    login, taken = b"b LOGIN a b", b"b OK in"
    bye = b"* BYE "

    def test_both(self) -> None:
        """The server is told the client's name for it; then all is as before."""
        one = self.encrypted()
        self.assertEqual([side for side, _ in one.session.secured], [SERVER, CLIENT])
        self.assertEqual(one.session.asked_for[SERVER]["name"], NAME)
        heard = one.ask(b"b CAPABILITY", b"* CAPABILITY IMAP4rev1 STARTTLS", b"b OK")
        self.assertEqual(heard, b"* CAPABILITY IMAP4rev1\r\nb OK -\r\n")
        heard = one.client(b"c STARTTLS\r\n")[1]
        self.assertEqual(heard, b"c BAD TLS is spoken already\r\n")
        self.assertEqual(one.session.records_of("tls")[0]["tls"]["rule"], "starttls")

    def test_refused(self) -> None:
        """By default there is none, and nobody is told."""
        self.assertEqual(Talk().greeted().refused(b"a STARTTLS"), b"a BAD TLS is not available\r\n")

    def test_required(self) -> None:
        """Nobody logs in without."""
        for said in (b"LOGIN a b", b"AUTHENTICATE PLAIN", b"AUTHENTICATE PLAIN AGEAYg=="):
            heard = Talk(REQUIRE).greeted().refused(b"a " + said)
            self.assertTrue(heard.startswith(b"a NO [PRIVACYREQUIRED] "), heard)
        self.encrypted(REQUIRE).ask(b"b LOGIN a b", b"b OK")

    def test_strange_name(self) -> None:
        """What a certificate says is no answer of its own."""
        strange = AGREED._replace(flaws=(Flaw(Invalid.NAME, "it is for a\r\nb OK in {9}"),))
        one = self.encrypted(self.careful, agrees={**AGREES, SERVER: strange})
        self.assertTrue(one.session.sent[CLIENT].endswith(b": it is for a  b OK in (9)\r\n"))
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
