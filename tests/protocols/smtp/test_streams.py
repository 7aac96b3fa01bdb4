"""Whole sessions of any bytes: as many messages come out as went in, to the same recipients."""

from __future__ import annotations

import re

from attrs import define, field
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from gateway.testing import FakeSession
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.settings import HeaderRule, SMTPSettings
from tests.protocols.smtp.conversations import GREETING

OFFER = b"250-m\r\n250-PIPELINING\r\n250 CHUNKING\r\n"

pieces = st.sampled_from(
    [
        *(b".\r\n", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n"),
        *(b"abc", b"abc\r\n", b"a: b\r\n\r\n", b"X-Never: 1\r\n", b"\r\n", b"..\r\n", b"RSET\r\n"),
        *(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", b"\0"),
    ]
)
commands = st.sampled_from(
    [
        *(b"EHLO c\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n", b"RSET\r\n"),
        *(b"BDAT 3\r\n", b"BDAT 3 LAST\r\n", b"BDAT 0 LAST\r\n", b"NOOP\r\n", b"abc", b".\r\n"),
    ]
)
contents = st.lists(pieces, max_size=5).map(b"".join)
envelopes = st.integers(1, 3).map(lambda x: b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<c@d>\r\n" * x)


def _chunked(contents: list[bytes]) -> bytes:
    chunks = (b"BDAT %d\r\n%b" % (len(each), each) for each in contents)
    return b"".join(chunks) + b"BDAT 0 LAST\r\n"


mails = st.one_of(
    st.builds(lambda x, y: x + b"DATA\r\n" + y + b"\r\n.\r\n", envelopes, contents),
    st.builds(lambda x, y: x + _chunked(y), envelopes, st.lists(contents, max_size=3)),
)
streams = st.lists(st.one_of(mails, mails, commands), max_size=5).map(b"".join)


@define
class Receiver:
    """
    A server that agrees to all that it understands.

    @ivar lenient: what looks like an end of a line or of a message, is one.
    @ivar taken: the numbers of recipients of the messages that it took.
    """

    lenient: bool
    taken: list[int] = field(factory=list)
    replies: list[bytes] = field(factory=list)
    _buffer: bytes = b""
    _greeted: bool = False
    _recipients: int | None = None
    _content: bool = False
    _chunked: bool = False

    def feed(self, data: bytes) -> None:
        """Some more."""
        self._buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if self._content:
            if line == b".":
                self._take()
            return True
        chunk = re.fullmatch(rb"BDAT (\d+)( LAST)?", line)
        if chunk is None:
            self.replies.append(self._command(line))
            return True
        size = int(chunk[1])
        if len(self._buffer) < size:
            self._buffer = line + b"\r\n" + self._buffer
            return False
        self._buffer = self._buffer[size:]
        if not self._recipients:
            self.replies.append(b"503 no\r\n")
        elif chunk[2]:
            self._take()
        else:
            self._chunked = True
            self.replies.append(b"250 ok\r\n")
        return True

    def _line(self) -> bytes | None:
        """The next line, if it is complete."""
        buffer = (
            self._buffer.replace(b"\0", b"") if self.lenient and self._content else self._buffer
        )
        found = re.search(rb"\r\n|\r|\n" if self.lenient else rb"\r\n", buffer)
        if found is None or (found[0] == b"\r" and found.end() == len(buffer)):
            return None
        line, self._buffer = buffer[: found.start()], buffer[found.end() :]
        return line

    def _take(self) -> None:
        self.taken.append(self._recipients or 0)
        self._recipients, self._content, self._chunked = None, False, False
        self.replies.append(b"250 taken\r\n")

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._greeted, self._recipients, self._chunked = True, None, False
            return OFFER
        if verb == b"RSET":
            self._recipients, self._chunked = None, False
            return b"250 ok\r\n"
        if verb == b"NOOP":
            return b"250 ok\r\n"
        if verb == b"MAIL" and self._greeted and self._recipients is None:
            self._recipients = 0
            return b"250 ok\r\n"
        if verb == b"RCPT" and self._recipients is not None and not self._chunked:
            self._recipients += 1
            return b"250 ok\r\n"
        if verb == b"DATA" and self._recipients and not self._chunked:
            self._content = True
            return b"354 go\r\n"
        return b"503 no\r\n"


def through(stream: bytes, mode: SMTPSettings, step: int) -> tuple[FakeSession, Receiver]:
    """What a lenient server behind the inspector gets of it."""
    server = Receiver(lenient=True)
    session = FakeSession(SMTPInspector, mode).start()
    session.says(SERVER, GREETING)
    for at in range(0, len(stream), step):
        session.says(CLIENT, stream[at : at + step])
    heard = 0
    while session.verdict is None and len(session.sent[SERVER]) > heard:
        data = session.sent[SERVER][heard:]
        heard += len(data)
        server.feed(data)
        while server.replies and session.verdict is None:
            session.says(SERVER, server.replies.pop(0))
    return session, server


_MAIL = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
_TO_TWO = _MAIL.replace(b"DATA", b"RCPT TO:<c@d>\r\nDATA")


class StreamTests(SynchronousTestCase):
    """Against a receiver by the letter that gets the stream itself."""

    modes = tuple(
        SMTPSettings(bare_newline=newline, errors=1000, headers=headers, hold_bytes=hold)
        for newline in ("repair", "deny")
        for headers, hold in (((), 0), ((HeaderRule("X-Never", "reject"),), 100))
    )

    @settings(max_examples=400, deadline=None)
    @given(streams, st.integers(0, 3), st.sampled_from([1, 7, 10_000]))
    @example(_MAIL + b"x\r\n.\n" + _MAIL + b"y\r\n.\r\n", 0, 1)
    @example(_MAIL + b"x\n.\r\n" + _TO_TWO + b"a: b\r\n.\r\n", 3, 1)
    def test_any(self, stream: bytes, mode: int, step: int) -> None:
        """The same messages, but for those that the client was told are refused."""
        strict = Receiver(lenient=False)
        strict.feed(b"EHLO c\r\n" + stream)
        session, server = through(b"EHLO c\r\n" + stream, self.modes[mode], step)
        rest = iter(strict.taken)
        self.assertTrue(all(each in rest for each in server.taken), (server.taken, strict.taken))
        self.assertEqual(session.sent[CLIENT].count(b"250 taken\r\n"), len(server.taken))
        if session.verdict is None:
            refused = session.sent[CLIENT].count(b"\r\n550 ")
            self.assertGreaterEqual(len(server.taken) + refused, len(strict.taken))
