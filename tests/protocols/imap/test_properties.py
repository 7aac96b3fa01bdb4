"""IMAP: whatever is said, the other side hears what is of the grammar, and lengths are true."""

from __future__ import annotations

import imaplib
import io
import re

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from protocols.imap.settings import ImapSettings
from protocols.mime.rules import AttachmentRule
from tests.protocols.imap.speak import Talk

EXAMPLES = settings(max_examples=250, deadline=None)

EXAMINED = ImapSettings(attachments=(AttachmentRule(extensions=frozenset({"exe"})),), hold_bytes=64)
ROOMY = evolve(EXAMINED, hold_bytes=4096, malformed="pass")

MESSAGES = st.lists(
    st.one_of(
        st.sampled_from(
            (b"a: b\r\n", b"\r\n", b"x\n", b"\r", b"\x00", b"{5}\r\n", b")\r\nb OK\r\n")
        ),
        st.binary(max_size=30),
    ),
    max_size=10,
).map(b"".join)

SAID = st.lists(
    st.one_of(
        st.sampled_from(
            (
                b"* 1 FETCH (BODY[] {10}\r\n",
                b"* 1 FETCH (UID 1 BODY[] {3}\r\nabc",
                b")\r\n",
                b"* OK [ALERT] {5}\r\n",
                b"b OK done\r\n",
                b"* 5 EXISTS\r\n",
                b'* LIST () "/" {3}\r\n',
                b"+ go on\r\n",
                b"0123456789",
                b"* BYE x\r\n",
                b"* SEARCH 1 2\r\n",
                b" FLAGS (\\Seen)",
            )
        ),
        st.binary(max_size=20),
    ),
    max_size=8,
)


class Client(imaplib.IMAP4):
    """CPython's client, that reads what another one has heard."""

    def __init__(self, heard: bytes) -> None:
        self.heard = io.BytesIO(heard)
        self.state = "SELECTED"
        self.debug = self._mode_ascii() or 0
        self.tagre = re.compile(rb"(?P<tag>b)\s+(?P<type>[A-Z]+)\s(?P<data>.*)", re.DOTALL)
        self.tagged_commands = {b"b": None}
        self.untagged_responses: dict[str, list[object]] = {}
        self.is_readonly = False
        self._cmd_log_len, self._cmd_log_idx = 10, 0
        self._cmd_log: dict[int, object] = {}
        self._idle_capture = False  # from Python 3.14 on

    def read(self, size: int) -> bytes:
        """A literal."""
        return self.heard.read(size)

    def readline(self) -> bytes:
        """A line."""
        return self.heard.readline()

    def responses(self) -> tuple[dict[str, list[object]], bytes]:
        """What it has understood, and what follows that."""
        while self.tagged_commands[b"b"] is None:
            self._get_response()
        return self.untagged_responses, self.heard.read()


class PropertyTests(SynchronousTestCase):
    """With CPython's imaplib as the reader."""

    @EXAMPLES
    @given(MESSAGES, st.sampled_from((None, ROOMY)), st.integers(0, 300))
    def test_message(self, message: bytes, how: ImapSettings | None, cut: int) -> None:
        """A message has its length, whatever is in it, and is the server's, with good lines."""
        one = Talk(how).selected()
        one.client(b"b FETCH 1 BODY[]\r\n")
        said = b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\nb OK done\r\n" % (len(message), message)
        heard = one.server(said[:cut]) + (one.server(said[cut:]) if said[cut:] else b"")
        responses, rest = Client(heard).responses()
        (head, content), tail = responses["FETCH"]  # type: ignore[misc]
        self.assertEqual((head, tail, rest), (b"1 (BODY[] {%d}" % len(content), b")", b""))
        if how is None:
            self.assertEqual(content, message)
        elif b"A message was refused" not in content:
            lines = re.sub(rb"\r(?!\n)|(?<!\r)\n", b"\r\n", message).replace(b"\0", b"")
            self.assertEqual(lines.rstrip(b"\r\n"), content.rstrip(b"\r\n"))

    @EXAMPLES
    @given(MESSAGES)
    def test_append(self, message: bytes) -> None:
        """The server gets as many bytes as it is told, and then the end of the command."""
        for how in (None, ROOMY, EXAMINED):
            one = Talk(how).logged_in(b"IMAP4rev1 LITERAL+")
            one.heard(SERVER)
            said = b"b APPEND x {%d+}\r\n%s\r\n" % (len(message), message)
            passed, _ = one.client(said)
            found = re.match(rb"b APPEND x \{(\d+)\+\}\r\n", passed)
            if found is None:
                self.assertEqual(passed, b"")
            elif one.session.verdict is None:
                self.assertEqual(passed[found.end() + int(found[1]) :], b"\r\n")
            if how is None:
                self.assertEqual(passed, said)

    @EXAMPLES
    @given(SAID, st.sampled_from((b"b FETCH 1 BODY[]", b'b LIST "" *', b"b IDLE", b"b SEARCH ALL")))
    def test_anything(self, said: list[bytes], command: bytes) -> None:
        """Whatever a server says, the client hears whole answers, but for one in a literal."""
        for how in (None, EXAMINED):
            one = Talk(how).selected()
            one.heard(CLIENT)
            one.client(command + b"\r\n")
            for each in said:
                if one.session.verdict is None:
                    one.server(each)
            heard = one.session.sent[CLIENT].partition(b"selected\r\n")[2]
            while heard:
                line, _, heard = heard.partition(b"\r\n")
                self.assertRegex(line, rb"\A(\* |\+ |b (OK|NO|BAD) |\)|[ )])")
                while literal := re.search(rb"\{(\d+)\}\Z", line):
                    if len(heard) <= int(literal[1]):
                        return
                    line, _, heard = heard[int(literal[1]) :].partition(b"\r\n")

    @EXAMPLES
    @given(st.lists(st.one_of(SAID.map(b"".join), st.binary(max_size=30)), max_size=4))
    def test_client(self, said: list[bytes]) -> None:
        """Whatever a client says, the server hears commands, one at a time."""
        one = Talk(ImapSettings(errors=0)).selected()
        one.heard(SERVER)
        for each in said:
            if one.session.verdict is None:
                one.client(each)
        heard = one.heard(SERVER)
        if one.session.verdict is None and heard:
            self.assertRegex(heard, rb"\A[^ ]+ [A-Z ]+")
