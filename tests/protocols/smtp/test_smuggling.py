"""
The published techniques of smuggling and injection, as conversations.

Cases: SEC Consult, December 2023 (CVE-2023-51764, -51765, -51766); CVE-2024-27305; several CRs in
front of an LF, January 2024; NO STARTTLS, 2021 (CVE-2011-0411, CVE-2021-38371 and others).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession, every_split
from protocols.mime.lines import END, stuffed
from protocols.smtp.grammar.command import parse_command
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import DATA, ENVELOPE, HELLO, OK, TAKEN, said, talk
from tests.protocols.smtp.receiver import LenientReceiver

DENY, REPAIR = SMTPSettings(bare_newline="deny"), SMTPSettings(bare_newline="repair")

ENDS = (
    *(b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\n.\n", b"\r\n.\r"),
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\0.\n", b"\r\n\0.\r", b"\n\0.\0\n", b"\r\0\n.\r\0\n"),
    *(b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n\n.\r\n", b"\r\r.\r\r"),
)
"""What was taken for an end of data, and is none."""

SMUGGLED = b"MAIL FROM:<ceo@b>\r\nRCPT TO:<c@b>\r\nDATA\r\npay\r\n"
CONTENT = [b"Subject: x\r\n\r\nx" + end + SMUGGLED for end in ENDS]

REPLIES = {b".": TAKEN, b"DATA": b"354 Go\r\n", b"QUIT": b"221 Bye\r\n"}


def _answer(session: FakeSession, at: int) -> int:
    """The server agrees to what was sent from there on. Gives back where the next one begins."""
    data = session.sent[SERVER][at:]
    line, newline, _ = data.partition(b"\r\n")
    chunk = re.fullmatch(rb"BDAT (\d+)(?: LAST)?", line)
    end = len(line) + 2 + (int(chunk[1]) if chunk else 0)
    if newline and len(data) >= end:
        session.says(SERVER, REPLIES.get(line, OK))
    return at + end


def arrived(session: FakeSession) -> list[bytes]:
    """What a server that keeps to the letter takes for messages, without added dots."""
    stream, messages = session.sent[SERVER], []
    while match := re.search(rb"\ADATA\r\n|\r\nDATA\r\n", stream):
        found, end, stream = (b"\r\n" + stream[match.end() :]).partition(b"\r\n.\r\n")
        if not end:
            break
        messages.append(found[2:].replace(b"\r\n.", b"\r\n") + b"\r\n")
    return messages


class EndOfDataTests(SynchronousTestCase):
    """One message in, one message out, at the most."""

    def test_every_split(self) -> None:
        """Wherever the network cuts it, the outcome is the same, and it is not two messages."""
        for content, mode in product(CONTENT, (DENY, REPAIR)):
            outcomes = set()
            for pieces in every_split(content + END):
                session = talk([*DATA, *((CLIENT, piece) for piece in pieces)], mode)
                verdict = session.verdict and session.verdict.outcome
                outcomes.add((session.sent[SERVER], verdict, session.sent[CLIENT]))
            self.assertEqual(
                len({(sent if mode is REPAIR else b"", *rest) for sent, *rest in outcomes}),
                1,
                content,
            )
            for sent, *_ in outcomes:
                received = LenientReceiver().take(sent)
                self.assertEqual(received.commands.count(b"MAIL"), 1, content)
                self.assertEqual(len(received.messages), mode is REPAIR, content)

    def test_sent_on(self) -> None:
        """
        Outbound: the server may send on what it got as it got it, doubling dots
        behind CRLF only. That is one message to the next server, however lenient.
        """
        for content in CONTENT:
            session = talk([*DATA, (CLIENT, content + END), (SERVER, TAKEN)], REPAIR)
            (message,) = arrived(session)
            again = b"MAIL FROM:<a@b>\r\nDATA\r\n" + stuffed(message) + END
            self.assertEqual(len(LenientReceiver().take(again).messages), 1, content)
            self.assertIn(b"MAIL FROM:<ceo@b>", message)

    def test_chunks(self) -> None:
        """In chunks, cut at every byte: nothing but whole lines leaves, or nothing at all."""
        for content, mode in product(CONTENT, (DENY, REPAIR)):
            for cut in range(len(content) + 1):
                parts = (content[:cut], content[cut:])
                session = chunks(parts, mode)
                sent = b"".join(_chunks(session.sent[SERVER]))
                self.assertFalse(re.search(rb"\r(?!\n)|(?<!\r)\n|\0", sent), content)
                self.assertEqual(b" LAST" in session.sent[SERVER], mode is REPAIR, content)
                again = b"DATA\r\n" + stuffed(sent) + END
                self.assertEqual(len(LenientReceiver().take(again).messages), 1, content)

    def test_long_lines(self) -> None:
        """A server that breaks lines which are too long finds no dot behind the break."""
        standard = SMTPSettings(line_bytes=998)
        for length in range(990, 1010):
            content = b"x" * length + b".\r\n" + SMUGGLED
            session = talk([*DATA, (CLIENT, content + END)], standard)
            sent = session.sent[SERVER].partition(b"DATA\r\n")[2]
            for limit in (998, 1000):
                pieces = [
                    line[at : at + limit]
                    for line in sent.split(b"\r\n")[:-2]
                    for at in range(0, len(line), limit)
                ]
                self.assertNotIn(b".", pieces)


def chunks(parts: tuple[bytes, ...], mode: SMTPSettings) -> FakeSession:
    """A message in chunks, at a server that agrees."""
    session = talk(ENVELOPE, mode)
    before = len(session.sent[SERVER])
    for part in parts:
        last = b" LAST" if part is parts[-1] else b""
        session.says(CLIENT, b"BDAT %d%b\r\n%b" % (len(part), last, part))
    at = before
    while session.verdict is None and len(session.sent[SERVER]) > at:
        at = _answer(session, at)
    return session


def _chunks(stream: bytes) -> Iterator[bytes]:
    while found := re.search(rb"BDAT (\d+)(?: LAST)?\r\n", stream):
        end = found.end() + int(found[1])
        yield stream[found.end() : end]
        stream = stream[end:]


class InjectionTests(SynchronousTestCase):
    """Commands and replies within commands and replies."""

    def test_commands(self) -> None:
        """No command has another one in it, whatever is thought to end a line."""
        injected = b"RCPT TO:<eve@c>"
        for command, end in product(
            (
                b"MAIL FROM:<a@b>%b",
                b"MAIL FROM:<a%b@b>",
                b'MAIL FROM:<"a%b"@b>',
                b"MAIL FROM:<a@b> SIZE=1%b",
                b"MAIL FROM:<a@b> ENVID=x%b",
                b"MAIL FROM:<a@b> AUTH=x%b",
                b"NOOP %b",
                b"VRFY x%b",
                b"EHLO x%b",
                b"RSET%b",
            ),
            (
                b"\r",
                b"\n",
                b"\r\r\n",
                b"\n\r",
                b"\0",
                b"\x0b",
                b"\x0c",
                b"\x85",
                b"\xc2\x85",
                b"\r\0\n",
            ),
        ):
            for data in (command % (end + injected), command % end):
                session = talk([*HELLO, (CLIENT, data + b"\r\n")], REPAIR)
                sent = session.sent[SERVER].partition(b"EHLO client.example\r\n")[2]
                self.assertNotIn(b"eve", sent, data)
                self.assertFalse(re.search(rb"[^ -~]", sent.replace(b"\r\n", b"")), data)

    def test_encoded(self) -> None:
        """What is encoded in a parameter, and is written into a report some day, is no control."""
        for parameter in (
            b"MAIL FROM:<a@b> ENVID=x+0D+0AX:+20y",
            b"MAIL FROM:<a@b> ENVID=x+00",
            b"MAIL FROM:<a@b> AUTH=x+0Ay",
            b"RCPT TO:<a@b> ORCPT=rfc822;x+0D+0AX:y",
            b"RCPT TO:<a@b> ORCPT=utf-8;x\\x{A}y",
            b"RCPT TO:<a@b> ORCPT=utf-8;x\\x{00d}y",
            b"RCPT TO:<a@b> ORCPT=utf-8;x+0Ay",
        ):
            session = talk([*ENVELOPE[:5], (CLIENT, parameter + b"\r\n")])
            if parameter[:4] == b"MAIL":
                session = talk([*HELLO, (CLIENT, parameter + b"\r\n")])
            self.assertTrue(session.sent[CLIENT].splitlines()[-1].startswith(b"555 "), parameter)
            self.assertNotIn(parameter, session.sent[SERVER])
        for parameter in (
            b"ENVID=x+20y+2B",
            b"ORCPT=utf-8;\\x{FC}@\\x{10FFFF}.b",
            b"ORCPT=rfc822;a+40b",
        ):
            command = (
                b"RCPT TO:<c@d> " if parameter[:1] == b"O" else b"MAIL FROM:<a@b> "
            ) + parameter
            parse_command(command)

    def test_replies(self) -> None:
        """No reply has another one in it, wherever it is cut."""
        for end in (b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\0\r\n", b"\r\0\n"):
            reply = b"250 a" + end + b"250 injected\r\n"
            for pieces in every_split(reply):
                session = talk(
                    [*HELLO, (CLIENT, b"NOOP\r\n"), *((SERVER, piece) for piece in pieces)]
                )
                heard = session.sent[CLIENT].replace(b"\r", b"\n")
                self.assertNotIn(b"\n250 injected", heard)
                self.assertNotIn(b"\0", heard)

    def test_next_reply(self) -> None:
        """An answer to a command that has not been sent is not believed."""
        for early in (b"250 ok\r\n250 for the next one\r\n", b"250 ok\r\n354 go\r\n"):
            session = talk([*HELLO, (CLIENT, b"NOOP\r\n"), (SERVER, early)])
            self.assertIs(session.verdict.outcome, Outcome.DENIED)
            self.assertNotIn(b"next", session.sent[CLIENT])


class StartTLSTests(SynchronousTestCase):
    """What is sent in plaintext behind STARTTLS would be taken for protected."""

    def test_pipelined(self) -> None:
        """It reaches nobody, whether in the same piece or before the server has answered."""
        for mode, behind in product(
            ("pass", "require"), (b"MAIL FROM:<eve@c>\r\n", b"R", b"\n", b"\x16")
        ):
            for late in (False, True):
                session = talk(HELLO, SMTPSettings(starttls=mode))  # type: ignore[arg-type]
                first = [(CLIENT, b"STARTTLS\r\n"), (CLIENT, behind)]
                said(session, first if late else [(CLIENT, b"STARTTLS\r\n" + behind)])
                said(session, [(SERVER, b"220 go\r\n")])
                sent = session.sent[SERVER].partition(b"EHLO client.example\r\n")[2]
                self.assertEqual(sent, b"STARTTLS\r\n", behind)
                self.assertFalse(session.released)

    def test_reply_behind(self) -> None:
        """What a server says behind its agreement never gets to the client."""
        for behind in (b"250 injected\r\n", b"250 inj", b"\r"):
            session = talk(HELLO, SMTPSettings(starttls="pass"))
            said(session, [(CLIENT, b"STARTTLS\r\n"), (SERVER, b"220 go\r\n" + behind)])
            said(session, [(CLIENT, b"\x16\x03\x01")])
            self.assertNotIn(b"250 inj", session.sent[CLIENT].partition(b"220 go")[2])
            self.assertFalse(session.released)

    def test_hidden(self) -> None:
        """Where it is hidden, it is a command like others, and the next one is in plaintext."""
        session = talk([*HELLO, (CLIENT, b"STARTTLS\r\nNOOP\r\n")])
        self.assertTrue(session.sent[SERVER].endswith(b"EHLO client.example\r\nNOOP\r\n"))
        self.assertIn(b"\r\n502 ", session.sent[CLIENT])
