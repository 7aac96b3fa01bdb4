"""Commands, replies and addresses: read strictly, written in one form."""

from __future__ import annotations

import ftplib
import io

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import StreamInspector
from gateway.inspector.reader import Reader
from gateway.interfaces import CLIENT, SERVER, Address, Denied
from gateway.testing import FakeSession
from protocols.ftp import address as notation
from protocols.ftp.address import WrongAddress
from protocols.ftp.command import Command
from protocols.ftp.path import absolute, path_of, quoted
from protocols.ftp.reply import Reply


class CommandTests(SynchronousTestCase):
    """One line, one command."""

    def test_forms(self) -> None:
        """A command reaches the server in one form, its argument as it was."""
        for line, sent in (
            (b"pasv", b"PASV\r\n"),
            (b"Retr  two  spaces ", b"RETR  two  spaces \r\n"),
            (b"PASV ", b"PASV\r\n"),
            ("STOR Zo\u00eb".encode(), "STOR Zo\u00eb\r\n".encode()),
            (b"\xff\xf4\xff\xf2ABOR", b"ABOR\r\n"),
            (b"\xff\xf2ABOR", b"ABOR\r\n"),
            (b"RETR Ha\xff\xffe", b"RETR Ha\xff\xffe\r\n"),
            (b"RETR \xff\xff\xff\xff", b"RETR \xff\xff\xff\xff\r\n"),
        ):
            command = Command.parse(line)
            assert command is not None
            self.assertEqual(command.line(), sent)

    def test_doubled(self) -> None:
        """Telnet's IAC, doubled, is one byte of a name (RFC 854)."""
        command = Command.parse(b"RETR Ha\xff\xffe")
        assert command is not None
        self.assertEqual(command.argument, b"Ha\xffe")

    def test_none(self) -> None:
        """What has no verb is no command."""
        for line in (b"", b" ", b"AB", b"ABCDE", b"RETR\xe9", b"R3TR x", b"-RETR x", b" NOOP"):
            self.assertIsNone(Command.parse(line), line)

    def test_smuggling(self) -> None:
        """NUL, CR, LF, other control characters and Telnet's IAC end the session."""
        for line in (
            b"RETR a\x00b",
            b"RETR a\rDELE b",
            b"RETR a\nDELE b",
            b"RETR a\x1b[2J",
            b"RETR a\x7f",
            b"RETR a\xff\xf4b",
            b"RETR \xff\xff\xff",
            b"RETR \xff\xffa\xff",
            b"RETR \xffa\xff\xff",
            b"\xff\xfd\x06NOOP",
            b"\xff\xf4\xff",
            b"\xff\xfbNOOP",
        ):
            self.assertRaises(Denied, Command.parse, line)

    @given(st.binary(max_size=40))
    def test_round_trip(self, line: bytes) -> None:
        """What the server hears is understood exactly as it was here."""
        try:
            command = Command.parse(line)
        except Denied:
            return
        if command is not None:
            sent = command.line()
            self.assertEqual((sent.count(b"\r"), sent.count(b"\n")), (1, 1))
            self.assertEqual(Command.parse(sent[:-2]), command)


class Replies(StreamInspector):
    """Reads replies, and writes them anew."""

    async def from_server(self, read: Reader) -> None:
        while await read.more():
            reply = await Reply.read(read, 200, 1000)
            self.session.record("reply", code=reply.code)
            self.session.send(CLIENT, reply.written())


def rewritten(data: bytes) -> tuple[list[int], bytes]:
    """What a client hears, and how many replies that is."""
    session = FakeSession(Replies).start()
    session.says(SERVER, data)
    if session.verdict is not None:
        raise Denied(session.verdict.reason)
    return [fields["code"] for _, fields in session.recorded], session.sent[CLIENT]


def as_ftplib(data: bytes) -> list[int]:
    """What CPython takes for replies."""
    client = ftplib.FTP()
    client.file = io.StringIO(data.decode("latin-1"), newline="\r\n")
    codes = []
    while True:
        try:
            codes.append(int(client.getmultiline()[:3]))
        except EOFError:
            return codes


LINES = st.lists(
    st.tuples(
        st.sampled_from(["220", "227", "220-", "220 ", "227 ", "2201", "", " ", "220-x", "-"]),
        st.sampled_from(["", "x", " 220 y", "(1,2,3,4,5,6)"]),
    ).map("".join),
    max_size=6,
)


class ReplyTests(SynchronousTestCase):
    """One reply, on as many lines as it wants."""

    def test_forms(self) -> None:
        """A reply reaches the client so that nothing in it can be taken for another one."""
        for said, heard in (
            (b"220 hello", b"220 hello"),
            (b"220", b"220 "),
            (b"220 ", b"220 "),
            (b"220-a\r\n220-b\r\n220 c", b"220-a\r\n220-b\r\n220 c"),
            (b"211-a\r\n MDTM\r\n211 end", b"211-a\r\n MDTM\r\n211 end"),
            (b"220-\r\n\r\n220", b"220-\r\n\r\n220 "),
            (b"220-a\r\n227 (1,2,3,4,5,6)\r\n220 c", b"220-a\r\n 227 (1,2,3,4,5,6)\r\n220 c"),
            (b"220-a\r\n2201\r\n220 c", b"220-a\r\n 2201\r\n220 c"),
            (b"220-a\r\n530-b\r\n530 c\r\n220 d", b"220-a\r\n 530-b\r\n 530 c\r\n220 d"),
            (b"220 \x1b[2J\x00\x7f\xff\ttab", b"220 ?[2J???\ttab"),
            (b"220-\x1b\r\n\x1b\r\n220 x", b"220-?\r\n?\r\n220 x"),
            (b'257 "/Ha\xff\xffe"', b'257 "/Ha\xff\xffe"'),
            (b"220 \xff\xff\xff\xf4", b"220 \xff\xff??"[:-1] + b"\xf4"),
        ):
            self.assertEqual(rewritten(said + b"\r\n")[1], heard + b"\r\n")

    def test_none(self) -> None:
        """What is no reply ends the session."""
        for said in (
            b"hello",
            b"",
            b"22",
            b"220hello",
            b"620 protected",
            b"290 x",
            b"020 x",
            b" 220 x",
            b"220\thello",
            b"220 a\rb",
            b"220 a\nb",
            b"220 " + b"a" * 300,
            b"220-a\r\n" + b"b\r\n" * 1000,
        ):
            self.assertRaises(Denied, rewritten, said + b"\r\n")

    @given(LINES)
    def test_as_others_read_it(self, lines: list[str]) -> None:
        """CPython's ftplib takes what it hears for the same replies as we do."""
        try:
            codes, heard = rewritten("".join(f"{line}\r\n" for line in lines).encode())
        except Denied:
            return
        self.assertEqual(as_ftplib(heard), codes)
        self.assertEqual(rewritten(heard), (codes, heard))

    def test_kinds(self) -> None:
        """What the first digit says."""
        for code, preliminary, completed, intermediate in (
            (100, True, False, False),
            (199, True, False, False),
            (200, False, True, False),
            (299, False, True, False),
            (300, False, False, True),
            (399, False, False, True),
            (400, False, False, False),
            (500, False, False, False),
        ):
            reply = Reply(code, b"")
            self.assertEqual(
                (reply.preliminary, reply.completed, reply.intermediate),
                (preliminary, completed, intermediate),
            )


class AddressTests(SynchronousTestCase):
    """Addresses, in three notations."""

    def test_round_trip(self) -> None:
        """What is written is read as it was."""
        four, six = Address("192.0.2.1", 40001), Address("2001:db8::1", 40001)
        self.assertEqual(notation.read_port(notation.port(four)), four)
        self.assertEqual(notation.read_eprt(notation.eprt(four)), four)
        self.assertEqual(notation.read_eprt(notation.eprt(six)), six)

    def test_forms(self) -> None:
        """As servers and clients write them."""
        address = Address("192.0.2.1", 1025)
        for text in (
            b"Entering Passive Mode (192,0,2,1,4,1).",
            b"=192,0,2,1,4,1",
            b"192,0,2,1,4,1",
            b"Entering Passive Mode (192, 0, 2, 1, 4, 1)",
            b"Entering passive mode [192 ,0\t,2,1 , 4,1]; 2 of 5, go on",
            b"Mode 2 192,0,2,1,4,1.",
        ):
            self.assertEqual(notation.read_passive(text), address)
        self.assertEqual(notation.read_extended(b"Entering (|||1025|) now"), 1025)
        self.assertEqual(notation.read_extended(b"(!!!1025!)"), 1025)
        full = Address("2001:db8::1", 1025)
        self.assertEqual(notation.read_eprt(b"|2|2001:0DB8:0:0::1|1025|"), full)

    def test_wrong(self) -> None:
        """Everything else is no address."""
        for read, texts in (
            (
                notation.read_port,
                [b"1,2,3,4,5", b"1,2,3,4,5,6,7", b"256,2,3,4,5,6", b"1,2,3,4,0,0"],
            ),
            (
                notation.read_port,
                [b"1,2,3,4,5,256", b" 1,2,3,4,5,6", b"1,2,3,4,-5,6", b"a,2,3,4,5,6"],
            ),
            (notation.read_passive, [b"", b"1,2,3,4,5", b"(1,2,3,4,5,6) or (1, 2,3,4,5,7)"]),
            (
                notation.read_passive,
                [b"(1,2, 3,4,5,6,7)", b"7, 1,2,3,4,5,6", b"1000,2,3,4,5,6", b"(1,2,3,4,256,6)"],
            ),
            (notation.read_extended, [b"", b"(|||0|)", b"(|||65536|)", b"(||1.2.3.4|80|)"]),
            (notation.read_extended, [b"(|||80!)", b"(|||80|) (|||81|)", b"|||8000|", b"(|||x|)"]),
            (notation.read_eprt, [b"|1|2001:db8::1|80|", b"|2|192.0.2.1|80|", b"|3|192.0.2.1|80|"]),
            (notation.read_eprt, [b"|1|192.0.2.1|80", b"|1|192.0.2.256|80|", b"|1|192.0.2.1|0|"]),
            (notation.read_eprt, [b"|1|192.0.2.1|65536|", b"", b"||||", b"|2|fe80::1%lo|80|"]),
        ):
            for text in texts:
                self.assertRaises(WrongAddress, read, text)


class PathTests(SynchronousTestCase):
    """Where a path leads."""

    def test_absolute(self) -> None:
        """As the server would find it, without links."""
        for path, directory, found in (
            (b"a", b"/pub", b"/pub/a"),
            (b"", b"/pub", b"/pub"),
            (b"../../../etc/passwd", b"/pub", b"/etc/passwd"),
            (b"/a//b/./c/../d/", None, b"/a/b/d"),
            (b"/..", None, b"/"),
            (b"a", None, None),
            (b"~root/x", b"/pub", None),
        ):
            self.assertEqual(absolute(path, directory), found)

    def test_argument(self) -> None:
        """Options and times are no part of a path."""
        for verb, argument, path in (
            ("LIST", b"-la /pub", b"/pub"),
            ("LIST", b"-la", b""),
            ("LIST", None, b""),
            ("NLST", b"-a -l -x", b""),
            ("RETR", b"-la /pub", b"-la /pub"),
            ("MFMT", b"20200101000000 x y", b"x y"),
            ("MDTM", b"x", b"x"),
            ("MDTM", b"20200101000000 x", b"x"),
            ("MDTM", b"a/20200101000000 x", b"a/20200101000000 x"),
            ("LIST", b"/a -la /b", b"/a -la /b"),
            ("RETR", b"20200101000000 x", b"20200101000000 x"),
            ("SIZE", b"-la x", b"-la x"),
        ):
            self.assertEqual(path_of(Command(verb, argument)), path)

    def test_quoted(self) -> None:
        """
        The working directory, as a 257 shows it; but none with a quote in it, of which servers
        don't agree how to write it.
        """
        for text in (b'"/a b" is here', b'"/a b"'):
            self.assertEqual(quoted(text), b"/a b")
        self.assertEqual(quoted(b'"/"'), b"/")
        amiss = (b"/a", b'"a"', b'""', b'"/a', b'"/a"is', b'"/a ""b""" is here', b'"/a"b" is here')
        for text in (*amiss, b'"/a" b" is here', b'"/a"" is here'):
            self.assertIsNone(quoted(text), text)
