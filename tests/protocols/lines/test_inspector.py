"""A protocol of lines is what its service file says, and nothing else passes."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.lines.inspector import LinesInspector
from protocols.lines.settings import Command, LinesSettings


def command(match: str, **more: Any) -> Command:
    for key in ("more", "until", "block_after", "upload_after"):
        if key in more:
            more[key] = re.compile(more[key])
    return Command(re.compile(match), **more)


MEMCACHED = LinesSettings(
    (
        command("get [!-~]{1,250}", until="END"),
        command("set [!-~]{1,250} [0-9]+ [0-9]+ (?P<bytes>[0-9]{1,7})"),
        command("delete .*", allow=False, written="services/cache.toml:12:1"),
        command("quit", reply="none", last=True),
    ),
    line=re.compile(r"(?:VALUE [!-~]+ [0-9]+ (?P<bytes>[0-9]+)|[ -~]*)"),
    refusal="CLIENT_ERROR not allowed here",
)

MAIL = LinesSettings(
    (
        command("USER [a-z]+"),
        command("PASS .*", record="word"),
        command("LIST|UIDL", block_after=r"\+OK.*"),
        command("RETR [0-9]+", block_after=r"\+OK.*"),
        command("POST", upload_after="340 .*"),
        command("HELP", reply="block"),
        command("QUIT", last=True),
    ),
    server_first=True,
    greeting=re.compile(r"\+OK .*"),
    refusal="-ERR not allowed here",
    goodbye="-ERR goodbye",
    errors=3,
)

PUSH = LinesSettings(
    (command("JOIN #[a-z]+", more="3[0-9]{2} .*"),),
    unasked=re.compile("(PING|MSG) .*"),
    line_end="lf",
)


class LinesSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = LinesInspector
    memory = 2 * 1048576 + 4 * 65536
    conversations = (
        Conversation(
            "memcached",
            [
                (CLIENT, b"set a 0 0 5\r\nhe\r\no\r\n"),
                (SERVER, b"STORED\r\n"),
                (CLIENT, b"get a\r\nget b\r\n"),
                (SERVER, b"VALUE a 0 5\r\nhe\r\no\r\nEND\r\n"),
                (SERVER, b"END\r\n"),
                (CLIENT, b"quit\r\n"),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=MEMCACHED,
        ),
        Conversation(
            "mail",
            [
                (SERVER, b"+OK ready\r\n"),
                (CLIENT, b"USER joe\r\n"),
                (SERVER, b"+OK\r\n"),
                (CLIENT, b"PASS secret\r\nLIST\r\n"),
                (SERVER, b"+OK\r\n"),
                (SERVER, b"+OK 2\r\n1 10\r\n..\r\n.\r\n"),
                (CLIENT, b"RETR 9\r\n"),
                (SERVER, b"-ERR none\r\n"),
                (CLIENT, b"POST\r\n"),
                (SERVER, b"340 go on\r\n"),
                (CLIENT, b"text\r\n..\r\n.\r\n"),
                (SERVER, b"240 posted\r\n"),
                (CLIENT, b"QUIT\r\n"),
                (SERVER, b"+OK bye\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
            settings=MAIL,
        ),
        Conversation(
            "a server that speaks unasked",
            [
                (CLIENT, b"JOIN #a\n"),
                (SERVER, b"353 a b\n366 end\nJOINED\n"),
                (SERVER, b"MSG hello\n"),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=PUSH,
        ),
        Conversation("refused", [(CLIENT, b"anything\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "nobody asked",
            [(SERVER, b"hello\r\n")],
            settings=MEMCACHED,
            outcome=Outcome.DENIED,
        ),
        Conversation("greeting", [(SERVER, b"-ERR\r\n")], settings=MAIL, outcome=Outcome.DENIED),
    )


def begun(settings: LinesSettings) -> FakeSession:
    return FakeSession(LinesInspector, settings).start()


def reason_of(session: FakeSession) -> str:
    assert session.verdict is not None
    return session.verdict.reason


class PassedTests(SynchronousTestCase):
    """What the file describes works as without the gateway."""

    def test_one_after_the_other(self) -> None:
        """Commands that come at once reach the server one by one, each after its reply."""
        session = begun(MEMCACHED)
        session.says(CLIENT, b"get a\r\nget b\r\n")
        self.assertEqual(session.sent[SERVER], b"get a\r\n")
        session.says(SERVER, b"END\r\n")
        self.assertEqual(session.sent[SERVER], b"get a\r\nget b\r\n")

    def test_bytes_are_no_lines(self) -> None:
        """What follows a line by its count is not looked at, whatever it looks like."""
        session = begun(MEMCACHED)
        session.says(CLIENT, b"set a 0 0 10\r\ndelete x\r\n\r\n")
        self.assertEqual(session.sent[SERVER], b"set a 0 0 10\r\ndelete x\r\n\r\n")

    def test_records(self) -> None:
        """Each command has a record; of a secret only the word before it."""
        session = begun(MAIL)
        session.says(SERVER, b"+OK ready\r\n")
        session.says(CLIENT, b"USER joe\r\nPASS secret\r\n")
        session.says(SERVER, b"+OK\r\n")
        session.says(SERVER, b"+OK\r\n")
        found = [(each["line"], each["verdict"]) for each in session.records_of("line")]
        self.assertEqual(found, [("USER joe", "passed"), ("PASS", "passed")])

    def test_record_without_reply(self) -> None:
        """A command that reached the server has one even if the session ends before the reply."""
        for ends, verdict in (
            (lambda session: session.resets(SERVER), "failed"),
            (lambda session: session.says(SERVER, b"+OK \x1b[2J\r\n"), "denied"),
            (lambda session: session.advance(61), "failed"),
            (lambda session: session.over(), "failed"),
        ):
            session = begun(MAIL)
            session.says(SERVER, b"+OK ready\r\n")
            session.says(CLIENT, b"PASS secret\r\n")
            ends(session)
            (record,) = session.records_of("line")
            self.assertEqual((record["line"], record["verdict"]), ("PASS", verdict))
            self.assertEqual(record["reason"], reason_of(session))


class DeniedTests(SynchronousTestCase):
    """What the file does not describe goes nowhere, and the client reads it."""

    def test_refused_in_its_place(self) -> None:
        """The gateway's own answer comes where the server's would have."""
        session = begun(MEMCACHED)
        session.says(CLIENT, b"get a\r\ndelete a\r\nflush_all\r\n")
        self.assertEqual(session.sent[CLIENT], b"")
        session.says(SERVER, b"END\r\n")
        refusal = b"CLIENT_ERROR not allowed here\r\n"
        self.assertEqual(session.sent[CLIENT], b"END\r\n" + refusal * 2)
        self.assertEqual(session.sent[SERVER], b"get a\r\n")
        by = [each.get("denied_by") for each in session.records_of("line")]
        self.assertEqual(by, [None, "services/cache.toml:12", "command"])

    def test_too_many_refusals(self) -> None:
        """Who tries too often is told goodbye."""
        session = begun(MAIL)
        session.says(SERVER, b"+OK ready\r\n")
        session.says(CLIENT, b"a\r\nb\r\nc\r\n")
        self.assertIn("setting 'errors'", reason_of(session))
        self.assertTrue(session.sent[CLIENT].endswith(b"-ERR not allowed here\r\n-ERR goodbye\r\n"))

    def test_before_the_greeting(self) -> None:
        """A client that speaks first waits for the server."""
        session = begun(MAIL)
        session.says(CLIENT, b"USER joe\r\n")
        self.assertEqual(session.sent[SERVER], b"")
        session.says(SERVER, b"+OK ready\r\n")
        self.assertEqual(session.sent[SERVER], b"USER joe\r\n")

    def test_server_lines(self) -> None:
        """A server can't send what the client's terminal would obey."""
        session = begun(MAIL)
        session.says(SERVER, b"+OK ready\r\n")
        session.says(CLIENT, b"USER joe\r\n")
        session.says(SERVER, b"+OK \x1b[2J\r\n")
        self.assertIn("setting 'line'", reason_of(session))

    def test_counts(self) -> None:
        """Counts that are too large, or not kept."""
        session = begun(MEMCACHED)
        session.says(CLIENT, b"set a 0 0 9999999\r\n")
        self.assertIn("setting 'block_bytes'", reason_of(session))
        long = LinesSettings((command("set (?P<bytes>[0-9]+)"),), line_bytes=8192)
        session = begun(long)
        session.says(CLIENT, b"set " + b"9" * 5000 + b"\r\n")
        self.assertIn("setting 'block_bytes'", reason_of(session))
        session = begun(MEMCACHED)
        session.says(CLIENT, b"set a 0 0 2\r\nabc\r\n")
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED)

    def test_limits(self) -> None:
        """Lines, blocks and replies are bounded."""
        session = begun(MEMCACHED)
        session.says(CLIENT, b"get " + b"a" * 1100)
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED)
        session = begun(LinesSettings((command("all", until="END"),), reply_bytes=10))
        session.says(CLIENT, b"all\r\n")
        session.says(SERVER, b"12345\r\n67890\r\n1\r\n")
        self.assertIn("setting 'reply_bytes'", reason_of(session))

    def test_time(self) -> None:
        """A server that is silent is not the client's fault; the client is told goodbye."""
        session = begun(MAIL)
        session.says(SERVER, b"+OK ready\r\n")
        session.says(CLIENT, b"USER joe\r\n")
        session.advance(61)
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.FAILED)
        self.assertTrue(session.sent[CLIENT].endswith(b"-ERR goodbye\r\n"))

    def test_time_of_bytes(self) -> None:
        """A server that sends what it has announced, however slowly, is not silent."""
        session = begun(MEMCACHED)
        session.says(CLIENT, b"get a\r\n")
        session.says(SERVER, b"VALUE a 0 4\r\n")
        for byte in (b"1", b"2", b"3"):
            session.advance(40)
            session.says(SERVER, byte)
        self.assertIsNone(session.verdict)
        session.advance(61)
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.FAILED)

    def test_line_ends(self) -> None:
        """One kind of line end: what two programs take for different lines passes neither."""
        for settings, data in ((PUSH, b"JOIN #a\r\n"), (MEMCACHED, b"get a\n")):
            session = begun(settings)
            session.says(CLIENT, data)
            self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED)
