"""POP3: whatever is said, answers are lines of the grammar, and messages end where they end."""

from __future__ import annotations

import io
import poplib
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from protocols.mime.rules import AttachmentRule
from protocols.pop3.command import COMMANDS, Command
from protocols.pop3.settings import Pop3Settings
from tests.protocols.pop3.speak import Talk

EXAMPLES = settings(max_examples=300, deadline=None)

ONE_LINE = st.binary(max_size=60).map(lambda text: re.sub(rb"[\r\n]", b"", text))
LINES = st.lists(
    st.one_of(
        st.sampled_from((b"", b".", b"..", b"a: b", b"From: x", b"\x00", b"x\ny", b"x\r.\ry")),
        st.binary(max_size=20).map(lambda text: text.replace(b"\r\n", b"\r")),
    ),
    max_size=12,
)
RULES = Pop3Settings(attachments=(AttachmentRule(extensions=frozenset({"exe"})),))


class Reader(poplib.POP3):
    """CPython's reader of answers, on what a client has heard."""

    def __init__(self, heard: bytes) -> None:
        self.file = io.BytesIO(heard)
        self._debugging = 0

    def message(self) -> tuple[list[bytes], bytes]:
        """The lines of a message, and what follows it."""
        _, lines, _ = self._getlongresp()
        return lines, self.file.read()


def stuffed(lines: list[bytes]) -> bytes:
    """As a server sends them."""
    return b"".join((b"." if line[:1] == b"." else b"") + line + b"\r\n" for line in lines)


def repaired(lines: list[bytes]) -> list[bytes]:
    """As they should arrive: every CR and LF ends a line, and there are no NULs."""
    whole = b"\r\n".join([*lines, b""]).replace(b"\0", b"")
    return re.sub(rb"\r\n|\r|\n", b"\n", whole).split(b"\n")[:-1] if lines else []


class MessageTests(SynchronousTestCase):
    """Messages on their way."""

    @EXAMPLES
    @given(LINES, st.integers(0, 400))
    def test_poplib(self, lines: list[bytes], cut: int) -> None:
        """A message is for CPython's reader what the server meant, with repaired lines."""
        one = Talk().logged_in()
        one.client(b"RETR 1\r\n")
        said = b"+OK 9 octets\r\n" + stuffed(lines) + b".\r\n"
        heard = one.server(said[:cut]) + (one.server(said[cut:]) if said[cut:] else b"")
        self.assertIsNone(one.session.verdict)
        self.assertEqual(Reader(heard).message(), (repaired(lines), b""))

    @EXAMPLES
    @given(st.binary(max_size=300), st.booleans())
    def test_anything(self, said: bytes, judged: bool) -> None:
        """Whatever comes, the client hears one message, a part of one, or that there is none."""
        one = Talk(RULES if judged else None).logged_in()
        one.client(b"RETR 1\r\n")
        one.server(b"+OK\r\n" + said + b"\r\n.\r\n")
        one.heard(CLIENT)
        heard = one.session.sent[CLIENT].partition(b"in\r\n")[2]
        lines = heard.split(b"\r\n")
        self.assertTrue(heard == b"" or lines[0].startswith((b"+OK", b"-ERR")), heard)
        dots = [at for at, line in enumerate(lines) if line == b"."]
        for line in lines[dots[0] + 1 : -1] if dots else ():
            self.assertTrue(line.startswith(b"-ERR"), heard)


class CommandTests(SynchronousTestCase):
    """Commands, and answers to them."""

    @EXAMPLES
    @given(ONE_LINE)
    def test_commands(self, line: bytes) -> None:
        """What is a command is written so that it is read as the same."""
        try:
            command = Command.parse(line)
        except Exception as error:
            self.assertIn("control character", str(error))
            return
        if command is not None:
            self.assertEqual(Command.parse(command.line()[:-2]), command)

    @EXAMPLES
    @given(st.lists(st.tuples(st.sampled_from(sorted(COMMANDS)), ONE_LINE), max_size=5))
    def test_anything(self, said: list[tuple[str, bytes]]) -> None:
        """Whatever a client says, the server hears commands of the grammar, one at a time."""
        one = Talk(Pop3Settings(errors=0)).logged_in()
        one.heard(SERVER)
        for keyword, rest in said:
            if one.session.verdict is None:
                one.client(keyword.encode("ascii") + b" " + rest + b"\r\n")
        heard = one.session.sent[SERVER].partition(b"PASS sesame\r\n")[2]
        self.assertLessEqual(heard.count(b"\n"), 1)
        if heard:
            command = Command.parse(heard[:-2])
            assert command is not None and command.kind is not None
            self.assertTrue(command.kind.fits(command.argument))

    @EXAMPLES
    @given(st.lists(ONE_LINE, max_size=5), st.sampled_from((b"LIST", b"UIDL", b"CAPA")))
    def test_lists(self, lines: list[bytes], command: bytes) -> None:
        """Whatever is in a list, the client hears lines of one, or the end."""
        one = Talk().logged_in()
        one.client(command + b"\r\n")
        heard = one.server(b"+OK\r\n" + stuffed(lines) + b".\r\n")
        grammar = {
            b"LIST": rb"[0-9]{1,10} [0-9]{1,19}",
            b"UIDL": rb"[0-9]{1,10} [!-~]{1,255}",
            b"CAPA": rb"[^\x00-\x08\x0a-\x1f\x7f]+",
        }
        for line in heard.split(b"\r\n")[1:-1]:
            if line != b"." and not line.startswith(b"-ERR"):
                self.assertIsNotNone(re.fullmatch(grammar[command], line), line)
