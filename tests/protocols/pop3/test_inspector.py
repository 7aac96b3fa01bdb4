"""POP3: what passes, what is answered here, what ends the session."""

from __future__ import annotations

import re
from binascii import b2a_base64

from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Flaw, Invalid
from gateway.inspector import pattern
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, InspectorSuite
from protocols.mime.rules import AttachmentRule, HeaderRule
from protocols.pop3.command import COMMANDS
from protocols.pop3.inspector import Pop3Inspector
from protocols.pop3.settings import Pop3Settings, commands
from protocols.tls.encryption import Encryption
from tests.protocols.mailbox.encryption import AGREED, AGREES, HELLO, NAME, EncryptionCase
from tests.protocols.pop3.speak import Talk

INSPECT = Pop3Settings(stls="inspect")
REQUIRE = Pop3Settings(stls="require")
IMPLICIT = Pop3Settings(implicit=True)
NO_PROGRAMS = Pop3Settings(
    attachments=(AttachmentRule(extensions=frozenset({"exe"})),),
    headers=(HeaderRule("X-Bad", "reject"),),
)

LOGIN = [
    (SERVER, b"+OK ready <1.2@pop.example>\r\n"),
    (CLIENT, b"user joe\r\n"),
    (SERVER, b"+OK\r\n"),
    (CLIENT, b"PASS open sesame\r\n"),
    (SERVER, b"+OK in\r\n"),
]
QUIT = [(CLIENT, b"QUIT\r\n"), (SERVER, b"+OK bye\r\n"), (SERVER, END), (CLIENT, END)]
MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"
PROGRAM = (
    b"From: a@b.example\r\nContent-Type: application/x; name=a.exe\r\n"
    b"Content-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n.\r\n"
)


def talk(*steps: tuple[bytes, bytes]) -> list[tuple[object, bytes]]:
    """Commands and their answers."""
    return [
        (side, said + b"\r\n")
        for command, answer in steps
        for side, said in ((CLIENT, command), (SERVER, answer))
    ]


class Pop3Suite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = Pop3Inspector
    memory = 2 * 131072 + 4 * 65536
    conversations = (
        Conversation(
            "a mailbox",
            [
                *LOGIN,
                *talk((b"LIST", b"+OK\r\n1 120\r\n2 200\r\n."), (b"UIDL 1", b"+OK 1 abc")),
                (CLIENT, b"RETR 1\r\n"),
                (SERVER, b"+OK 120 octets\r\n" + MAIL),
                *QUIT,
            ],
        ),
        Conversation(
            "much at once",
            [
                *LOGIN,
                (
                    CLIENT,
                    b"STAT\r\nLIST 1\r\nUIDL\r\nLAST\r\nDELE 1\r\nRSET\r\nNOOP\r\nLIST 9\r\n"
                    b"TOP 1 0\r\n",
                ),
                (
                    SERVER,
                    b"+OK 2 320\r\n+OK 1 120\r\n+OK\r\n1 abc\r\n2 def\r\n.\r\n+OK 0\r\n+OK\r\n"
                    b"+OK\r\n+OK\r\n-ERR no such message\r\n+OK\r\nFrom: a@b.example\r\n\r\n.\r\n",
                ),
                *QUIT,
            ],
            replays=False,  # what waits for its turn was read, and looks like nobody's
        ),
        Conversation(
            "capabilities, languages, another way in",
            [
                (SERVER, b"+OK ready <1.2@pop.example>\r\n"),
                (CLIENT, b"CAPA\r\nLANG\r\nLANG en\r\nUTF8\r\nAUTH\r\nAUTH PLAIN\r\n"),
                (
                    SERVER,
                    b"+OK\r\nTOP\r\nSASL PLAIN GSSAPI\r\nSTLS\r\nX-OWN\r\n.\r\n"
                    b"+OK\r\nen English\r\n.\r\n+OK en fine\r\n+OK\r\n"
                    b"+OK\r\nPLAIN\r\nGSSAPI\r\n.\r\n+ \r\n",
                ),
                *talk(
                    (b"*", b"-ERR cancelled"),
                    (b"AUTH CRAM-MD5", b"+ PDEyMzQ+"),
                    (b"am9l", b"+OK in"),
                ),
                *QUIT,
            ],
            replays=False,
        ),
        Conversation(
            "APOP",
            [
                (SERVER, b"+OK ready <1.2@pop.example>\r\n"),
                *talk((b"APOP joe " + b"0" * 32, b"+OK")),
                *QUIT,
            ],
        ),
        Conversation(
            "refused messages, and another one",
            [
                *LOGIN,
                (CLIENT, b"RETR 1\r\nTOP 2 3\r\nRETR 3\r\n"),
                (
                    SERVER,
                    b"+OK\r\n" + PROGRAM + b"+OK\r\nX-Bad: yes\r\n\r\n.\r\n" + b"+OK\r\n" + MAIL,
                ),
                *QUIT,
            ],
            settings=NO_PROGRAMS,
            replays=False,
        ),
        Conversation(
            "refused by us",
            [
                *LOGIN,
                (CLIENT, b"STLS\r\nXTND a\r\nUSER b\r\nRETR\r\nRETR 0\r\nTOP 1\r\nLIST x\r\n"),
                *QUIT,
            ],
        ),
        Conversation(
            "the client hangs up",
            [*LOGIN, (CLIENT, END), (SERVER, END)],
        ),
        Conversation(
            "the server says why it ends",
            [*LOGIN, (SERVER, b"-ERR shutting down\r\n"), (SERVER, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation(
            "nobody is let in",
            [(SERVER, b"-ERR full\r\n"), (SERVER, END)],
            outcome=Outcome.FAILED,
        ),
        Conversation(
            "not POP3",
            [(SERVER, b"+OK\r\n"), (CLIENT, b"GET / HTTP/1.1\r\n")],
            outcome=Outcome.DENIED,
        ),
        Conversation("unasked", [*LOGIN, (SERVER, b"+OK fine\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "plaintext behind STLS",
            [(SERVER, b"+OK\r\n"), (CLIENT, b"STLS\r\nCAPA\r\n"), (SERVER, b"+OK\r\n")],
            outcome=Outcome.DENIED,
            settings=INSPECT,
        ),
    )


class EncryptedSuite(InspectorSuite, SynchronousTestCase):
    """With TLS; where that begins, a fake session can't tell what is plaintext."""

    inspector = Pop3Inspector
    memory = Pop3Suite.memory
    conversations = (
        Conversation(
            "STLS",
            [
                (SERVER, b"+OK ready\r\n"),
                (CLIENT, b"STLS\r\n"),
                (SERVER, b"+OK go on\r\n"),
                (CLIENT, HELLO),
                *talk((b"CAPA", b"+OK\r\nTOP\r\nSTLS\r\n."), (b"USER a", b"+OK")),
                *QUIT,
            ],
            settings=REQUIRE,
            replays=False,
            turns=(3,),
        ),
        Conversation(
            "from the first byte on",
            [(CLIENT, HELLO), *LOGIN, *QUIT],
            settings=IMPLICIT,
            replays=False,
            turns=(0,),
        ),
    )


class OrderTests(SynchronousTestCase):
    """Commands in their order, and each answer to its command."""

    def test_states(self) -> None:
        """Before the login the server hears only what belongs there, and after it."""
        examples = {"USER": b"USER a", "PASS": b"PASS b", "APOP": b"APOP a " + b"0" * 32}
        before, after = Talk(Pop3Settings(errors=0)).greeted(), Talk().logged_in()
        for keyword, kind in COMMANDS.items():
            said = examples.get(keyword, keyword.encode()) + b"\r\n"
            for one in (before, after):
                state = next(iter(kind.states))
                if len(kind.states) == 1 and (state.value == "transaction") is (one is before):
                    self.assertEqual(one.client(said), (b"", b"-ERR Not now\r\n"), keyword)

    def test_greeting_first(self) -> None:
        """A client that is early waits, also for a server that takes its time."""
        one = Talk()
        self.assertEqual(one.client(b"CAPA\r\n"), (b"", b""))
        one.session.advance(100)
        self.assertEqual(one.server(b"+OK ready\r\n"), b"+OK ready\r\n")
        self.assertEqual(one.heard(SERVER), b"CAPA\r\n")

    def test_one_at_a_time(self) -> None:
        """What is sent ahead is passed on when it is its turn; the client hears all, in order."""
        one = Talk().greeted()
        one.heard(CLIENT)
        self.assertEqual(one.client(b"USER a\r\nXTND\r\nPASS b\r\n")[0], b"USER a\r\n")
        heard = one.server(b"+OK 1\r\n")
        self.assertEqual(
            (heard, one.heard(SERVER)), (b"+OK 1\r\n-ERR Unknown command\r\n", b"PASS b\r\n")
        )

    def test_injected_answers(self) -> None:
        """A second answer is not taken for that of the next command."""
        one = Talk().logged_in()
        one.client(b"NOOP\r\n")
        one.server(b"+OK\r\n+OK 5 500\r\n")
        self.assertIn("answers no command", one.reason)

    def test_no_answers(self) -> None:
        """What is none ends the session, and the client reads why."""
        for said in (
            b"OK\r\n",
            b"+ok\r\n",
            b"+OKAY\r\n",
            b"+ cGxhaW4=\r\n",
            b"\r\n",
            b"250 fine\r\n",
        ):
            one = Talk().logged_in()
            one.client(b"NOOP\r\n")
            heard = one.server(said)
            self.assertEqual(heard, b"-ERR The server sent what is no POP3; goodbye\r\n", said)

    def test_odd_lists(self) -> None:
        """Lists are written anew, or refused within."""
        one = Talk().logged_in()
        heard = one.ask(b"LIST", b"+OK", b"1  120 extra", b".")
        self.assertEqual(heard, b"+OK\r\n1 120\r\n.\r\n")
        for command, line in ((b"LIST", b"1"), (b"LIST", b"+OK"), (b"UIDL", b"1 a\x01")):
            one = Talk().logged_in()
            heard = one.ask(command, b"+OK", line)
            self.assertEqual((heard, one.session.verdict.outcome), (b"+OK\r\n", Outcome.DENIED))

    def test_capabilities(self) -> None:
        """CAPA tells of nothing that can't be had."""
        said = (
            b"+OK",
            b"TOP",
            b"USER",
            b"SASL PLAIN GSSAPI",
            b"STLS",
            b"X-OWN",
            b"EXPIRE 60",
            b".",
        )
        settings = Pop3Settings(commands={"TOP": "refuse"})
        heard = Talk(settings).greeted().ask(b"CAPA", *said)
        self.assertEqual(heard, b"+OK\r\nUSER\r\nSASL PLAIN\r\nEXPIRE 60\r\n.\r\n")
        heard = Talk(REQUIRE).greeted().ask(b"CAPA", *said)
        self.assertEqual(heard, b"+OK\r\nTOP\r\nSTLS\r\nEXPIRE 60\r\n.\r\n")
        heard = Talk().greeted().ask(b"AUTH", b"+OK", b"PLAIN", b"GSSAPI", b".")
        self.assertEqual(heard, b"+OK\r\nPLAIN\r\n.\r\n")
        self.assertEqual(Talk().greeted().ask(b"CAPA", b"-ERR what?"), b"-ERR what?\r\n")
        heard = Talk().greeted().ask(b"CAPA", b"+OK", b"IMPLEMENTATION \x1b[2J", b".")
        self.assertEqual(heard, b"+OK\r\nIMPLEMENTATION ?[2J\r\n.\r\n")

    def test_timestamp(self) -> None:
        """The greeting is the operator's, or the server's; APOP's timestamp if it is of use."""
        no_apop = {"APOP": "refuse"}
        for settings, heard in (
            (Pop3Settings(), b"+OK ready <1.2@pop>\r\n"),
            (Pop3Settings(banner="hello"), b"+OK hello <1.2@pop>\r\n"),
            (Pop3Settings(commands=commands(no_apop)), b"+OK ready\r\n"),
            (Pop3Settings(banner="hello", commands=commands(no_apop)), b"+OK hello\r\n"),
            (REQUIRE, b"+OK ready\r\n"),
        ):
            self.assertEqual(Talk(settings).server(b"+OK ready <1.2@pop>\r\n"), heard)

    def test_users_by_mechanism(self) -> None:
        """However they log in, only some may; who does not say it, does not get in."""
        settings = Pop3Settings(users=re.compile("joe"))
        for mechanism, response, passes in (
            (b"PLAIN", b"\0joe\0secret", True),
            (b"PLAIN", b"joe\0ann\0secret", False),
            (b"LOGIN", b"ann", False),
            (b"CRAM-MD5", b"joe 0123", True),
            (b"ANONYMOUS", b"joe", False),
        ):
            said = b2a_base64(response, newline=False)
            one = Talk(settings).greeted()
            passed, heard = one.client(b"AUTH " + mechanism + b" " + said + b"\r\n")
            self.assertEqual((passed != b"", b"may not log in" in heard), (passes, not passes))
            one = Talk(settings).greeted()
            one.ask(b"AUTH " + mechanism, b"+")
            passed, _ = one.client(said + b"\r\n")
            self.assertEqual(passed, (said if passes else b"*") + b"\r\n", (mechanism, response))
            self.assertEqual(one.last.get("denied_by"), None if passes else "users")

    def test_anybody(self) -> None:
        """Where all users may log in, a line end in a name does not matter, said or left out."""
        response = b2a_base64(b"\0j\noe\0secret", newline=False)
        for settings in (Pop3Settings(), Pop3Settings(users=pattern(".*"))):
            Talk(settings).greeted().ask(b"AUTH PLAIN " + response, b"+OK in")

    def test_authentication(self) -> None:
        """Challenges and responses pass as long as they are that, and not for ever."""
        one = Talk().greeted()
        self.assertEqual(one.ask(b"AUTH PLAIN", b"+"), b"+ \r\n")
        self.assertEqual(one.client(b"am9l\r\n")[0], b"am9l\r\n")
        self.assertEqual(one.server(b"+OK in\r\n"), b"+OK in\r\n")
        self.assertEqual(one.last["request"], {"command": "AUTH", "args": []})
        one.ask(b"NOOP", b"+OK")
        one = Talk().greeted()
        self.assertEqual(one.client(b"AUTH GSSAPI\r\n")[1][:4], b"-ERR")
        one.ask(b"AUTH PLAIN", b"+ ")
        one.client(b"QUIT now\r\n")
        self.assertIn("not base64", one.reason)
        one = Talk(Pop3Settings(auth_lines=2)).greeted()
        one.ask(b"AUTH PLAIN", b"+ ")
        for _ in range(2):
            one.client(b"am9l\r\n")
            one.server(b"+ \r\n")
        self.assertIn("more than 2 lines", one.reason)

    def test_challenge_twice(self) -> None:
        """A server that asks twice at once is answered by nobody."""
        one = Talk().greeted()
        one.ask(b"AUTH PLAIN", b"+ ", b"+ ")
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)

    def test_ends(self) -> None:
        """A server that ends tells why; one that hangs up at QUIT has done what was asked for."""
        one = Talk().logged_in()
        self.assertEqual(one.server(b"-ERR [SYS/TEMP] down\r\n"), b"-ERR [SYS/TEMP] down\r\n")
        one = Talk().logged_in()
        one.client(b"QUIT\r\n")
        one.session.hangs_up(SERVER)
        self.assertEqual(
            (one.heard(CLIENT), one.session.verdict.outcome), (b"+OK Goodbye\r\n", Outcome.PASSED)
        )
        one = Talk().logged_in()
        one.client(b"STAT\r\n")
        one.session.resets(SERVER)
        self.assertEqual(one.heard(CLIENT), b"-ERR The server is lost\r\n")
        one = Talk(reachable=False)
        self.assertEqual(one.heard(CLIENT), b"-ERR The server can't be reached\r\n")


class PolicyTests(SynchronousTestCase):
    """What the operator allows."""

    def test_commands(self) -> None:
        """A mailbox from which nothing can be deleted."""
        one = Talk(Pop3Settings(commands={"DELE": "refuse", "RSET": "deny"})).logged_in()
        passed, heard = one.client(b"DELE 1\r\n")
        self.assertEqual((passed, heard), (b"", b"-ERR That command is not allowed here\r\n"))
        self.assertEqual(one.last["denied_by"], "commands")
        one.client(b"RSET\r\n")
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        self.assertRaises(ValueError, commands, {"XTND": "pass"})

    def test_users(self) -> None:
        """Who may log in, whichever way."""
        settings = Pop3Settings(users=re.compile("j.*"), user_bytes=8)
        for said in (b"USER bob", b"APOP bob " + b"0" * 32, b"USER " + b"j" * 9):
            passed, heard = Talk(settings).greeted().client(said + b"\r\n")
            self.assertEqual((passed, heard[:4]), (b"", b"-ERR"), said)
        Talk(settings).greeted().ask(b"USER joe", b"+OK")

    def test_secrets(self) -> None:
        """No password is in a record, nor what may repeat it."""
        one = Talk().greeted()
        one.ask(b"USER joe", b"+OK")
        one.ask(b"PASS sesame", b"-ERR sesame is wrong")
        one.client(b"PASS " + b"sesame" * 100 + b"\r\n")
        one.ask(b"APOP joe " + b"5" * 32, b"+OK")
        self.assertEqual(one.last["request"]["args"], [b"joe"])
        for secret in ("sesame", "555"):
            self.assertNotIn(secret, str(one.session.recorded))

    def test_limits(self) -> None:
        """Commands and answers have an end, and so has patience."""
        for said in (b"USER " + b"a" * 2000, b"AUTH PLAIN " + b"a" * 20000, b"CAPA\x00"):
            one = Talk().greeted()
            one.client(said + b"\r\n")
            self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        one = Talk().greeted()
        one.server(b"-ERR " + b"a" * 2000)
        self.assertIs(one.session.verdict.outcome, Outcome.DENIED)
        one = Talk(Pop3Settings(errors=3)).greeted()
        one.client(b"NOOP\r\n" * 3)
        self.assertIn("3 commands in a row", one.reason)

    def test_time(self) -> None:
        """To log in, to say something, to answer."""
        one = Talk().greeted()
        one.session.advance(181)
        self.assertIn("login_seconds", one.reason)
        one = Talk().logged_in()
        one.session.advance(601)
        self.assertIn("command_seconds", one.reason)
        one = Talk().logged_in()
        one.client(b"STAT\r\n")
        one.session.advance(301)
        self.assertIn("reply_seconds", one.reason)
        self.assertEqual(one.heard(CLIENT), b"-ERR The server does not answer; goodbye\r\n")


class EncryptionTests(EncryptionCase, SynchronousTestCase):
    """STLS, and TLS from the first byte on."""

    talk = Talk
    inspect = INSPECT
    implicit = IMPLICIT
    careful = Pop3Settings(stls="inspect", tls=Encryption(invalid="deny"))
    greeting = b"+OK ready"
    start, go_on, declined = b"STLS", b"+OK go on", b"-ERR no"
    spoken = b"-ERR TLS is spoken already"
    login, taken = b"USER a", b"+OK"
    bye = b"-ERR "

    def test_both(self) -> None:
        """The server is told the client's name for it; then all is as before."""
        one = self.encrypted()
        self.assertEqual([side for side, _ in one.session.secured], [SERVER, CLIENT])
        self.assertEqual(one.session.asked_for[SERVER]["name"], NAME)
        self.assertFalse(one.session.asked_for[SERVER]["terms"].hybrid)  # as in the hello
        self.assertEqual(one.ask(b"CAPA", b"+OK", b"STLS", b"TOP", b"."), b"+OK\r\nTOP\r\n.\r\n")
        self.assertEqual(one.client(b"STLS\r\n")[1], b"-ERR TLS is spoken already\r\n")
        self.assertEqual(one.session.records_of("tls")[0]["tls"]["rule"], "stls")

    def test_refused(self) -> None:
        """By default there is none, and nobody is told."""
        self.assertEqual(
            Talk().greeted().client(b"STLS\r\n"), (b"", b"-ERR TLS is not available\r\n")
        )

    def test_required(self) -> None:
        """Nobody logs in without."""
        for said in (b"USER a", b"APOP a " + b"0" * 32, b"AUTH PLAIN AGEAYg=="):
            passed, heard = Talk(REQUIRE).greeted().client(said + b"\r\n")
            self.assertEqual((passed, heard[:16]), (b"", b"-ERR Please say "))
        self.encrypted(REQUIRE).ask(b"USER a", b"+OK")

    def test_strange_name(self) -> None:
        """What a certificate says is no answer of its own."""
        strange = AGREED._replace(flaws=(Flaw(Invalid.NAME, "it is for a\r\n+OK b"),))
        one = self.encrypted(self.careful, agrees={**AGREES, SERVER: strange})
        self.assertTrue(one.session.sent[CLIENT].endswith(b": name: it is for a  +OK b\r\n"))
