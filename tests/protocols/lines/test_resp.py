"""Commands and replies as Redis puts them, under a policy that is about lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.lines import resp
from protocols.lines.inspector import LinesInspector
from protocols.lines.settings import LinesSettings
from tests.protocols.lines.test_inspector import command

REDIS = LinesSettings(
    (
        command("(?i:GET|LRANGE) [!-~]{1,250}( -?[0-9]+){0,2}"),
        command("(?i:SET) [!-~]+ .*", record="word"),
        command("(?i:FLUSHALL)", allow=False, written="services/redis.toml:12:1"),
    ),
    form="resp",
    refusal="-ERR not allowed here",
    line_bytes=200,
    reply_bytes=200,
)

GET = resp.framed([b"GET", b"a"])
REFUSAL = b"-ERR not allowed here\r\n"


class RespSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = LinesInspector
    memory = 4 * 65536
    conversations = (
        Conversation(
            "redis",
            [
                (CLIENT, resp.framed([b"set", b"a", b"x \0\r\n"]) + GET),
                (SERVER, b"+OK\r\n"),
                (SERVER, b"$5\r\nx \0\r\n\r\n"),
                (CLIENT, resp.framed([b"LRANGE", b"l", b"0", b"-1"])),
                (SERVER, b"*3\r\n:1\r\n*2\r\n$-1\r\n$0\r\n\r\n-ERR in it\r\n"),
                (CLIENT, GET),
                (SERVER, b"*-1\r\n"),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=REDIS,
        ),
        Conversation(
            "refused",
            [(CLIENT, resp.framed([b"FLUSHALL"])), (CLIENT, END), (SERVER, END)],
            settings=REDIS,
        ),
        Conversation(
            "no RESP",
            [(CLIENT, b"GET a\r\n")],
            outcome=Outcome.DENIED,
            settings=REDIS,
        ),
    )


class RespTests(SynchronousTestCase):
    """What passes, and what does not."""

    def begin(self, said: bytes) -> FakeSession:
        session = FakeSession(LinesInspector, REDIS).start()
        session.says(CLIENT, said)
        return session

    def test_refused(self) -> None:
        """What no command of the policy matches is answered in its place; the next one passes."""
        session = self.begin(resp.framed([b"FLUSHALL"]) + resp.framed([b"CONFIG", b"GET"]) + GET)
        self.assertEqual(session.sent[CLIENT], REFUSAL * 2)
        self.assertEqual(session.sent[SERVER], GET)
        by = [each.get("denied_by") for each in session.records_of("line")]
        self.assertEqual(by, ["services/redis.toml:12", "command"])

    def test_one_string(self) -> None:
        """A blank in a string makes no two strings of it: what is matched tells them apart."""
        session = self.begin(resp.framed([b"LRANGE", b"l 0", b"-1"]))
        self.assertEqual(session.sent[CLIENT], b"")
        self.assertEqual(session.sent[SERVER], resp.framed([b"LRANGE", b"l 0", b"-1"]))
        self.assertEqual(self.begin(resp.framed([b"GET a"])).sent[CLIENT], REFUSAL)

    def test_amiss(self) -> None:
        """What is no command, or longer than it says or may be, ends the session."""
        for said in (
            b"*0\r\n",
            b"*01\r\n$3\r\nGET\r\n",
            b"*1\r\n+GET\r\n",
            b"*1\r\n$03\r\nGET\r\n",
            b"*1\r\n$2\r\nGET\r\n",
            b"*1\r\n$-1\r\n",
            b"*2\r\n$3\r\nGET\r\n$900\r\n",
            b"*100\r\n" + b"$0\r\n\r\n" * 50,
        ):
            session = self.begin(said)
            assert session.verdict is not None, said
            self.assertIs(session.verdict.outcome, Outcome.DENIED, said)
            self.assertEqual(session.sent[SERVER], b"")

    def test_server_amiss(self) -> None:
        """So does what is no value: version 3 of the protocol, or something nobody asked for."""
        for said in (
            b"%1\r\n",
            b"$01\r\nx\r\n",
            b"*01\r\n:1\r\n",
            b"_\r\n",
            b"$3\r\nabcd\r\n",
            b"$99999999\r\n",
            b":1\r\n:2\r\n",
        ):
            session = self.begin(GET)
            session.says(SERVER, said)
            assert session.verdict is not None, said
            self.assertIs(session.verdict.outcome, Outcome.DENIED, said)

    def test_long_reply(self) -> None:
        """A reply is bounded, however many values it promises."""
        session = self.begin(GET)
        session.says(SERVER, b"*999999999\r\n" + b":1\r\n" * 200)
        assert session.verdict is not None
        self.assertIn("reply_bytes", session.verdict.reason)

    @given(st.lists(st.binary(max_size=8), min_size=1, max_size=4))
    def test_lines(self, strings: list[bytes]) -> None:
        """No two commands are the same line."""
        line = resp.line_of(strings)
        words = [
            word[1:-1].encode().decode("unicode_escape").encode("latin-1")
            if word.startswith('"')
            else word.encode()
            for word in line.split(" ")
        ]
        self.assertEqual(words, strings)

    def test_settings(self) -> None:
        """What says where a reply of lines ends means nothing here."""
        with self.assertRaisesRegex(ValueError, '"form"'):
            LinesSettings((command("GET", until="END"),), form="resp")
        with self.assertRaisesRegex(ValueError, '"line_end"'):
            LinesSettings(form="resp", line_end="lf")
