"""Attacks, exactly: every byte, every port, every split, every limit to the byte."""

from __future__ import annotations

from itertools import chain

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Outcome
from gateway.testing import every_split
from tests.protocols.ftp.speak import FTP, FTP6, HOST, HOST6, PATIENT, READ_WRITE, STRICT, Control

LOW = range(1024)
"""Ports at which servers listen that matter."""

CONTROL = bytes(chain(range(32), (0x7F, 0xFF)))
"""Bytes that no command may have."""


class AddressTests(SynchronousTestCase):
    """Who may be connected to."""

    def test_every_low_port(self) -> None:
        """No port below 1024 is reached, however it is announced; the next one is."""
        control = Control(PATIENT).log_in()
        six = Control(PATIENT, client=HOST6, server=FTP6).log_in()
        for port in LOW:
            for one, command in (
                (control, b"PORT 192,0,2,1,%d,%d" % (port >> 8, port & 255)),
                (control, b"EPRT |1|192.0.2.1|%d|" % port),
                (six, b"EPRT |2|2001:db8:1::1|%d|" % port),
            ):
                passed, heard = one.client(command + b"\r\n")
                self.assertEqual((passed, heard[:3]), (b"", b"501"), command)
                self.assertEqual(one.session.expected, [])
        control.active(1024)
        six.ask(b"EPRT |2|2001:db8:1::1|1024|", b"200 fine")

    def test_every_low_port_of_the_server(self) -> None:
        """The same for what a server announces."""
        for port in (0, 1, 20, 21, 22, 25, 255, 256, 1023):
            for command, reply in (
                (b"PASV", b"227 (198,51,100,2,%d,%d)" % (port >> 8, port & 255)),
                (b"EPSV", b"229 (|||%d|)" % port),
            ):
                control = Control().log_in()
                self.assertEqual(control.ask(command, reply)[:4], b"421 ", reply)
                self.assertIs(control.session.verdict.outcome, Outcome.DENIED)
                self.assertEqual(control.session.expected, [])
        Control().log_in().passive(1024)

    def test_neighbours(self) -> None:
        """An address that differs in one bit is another one."""
        ours, theirs = HOST.host.split("."), FTP.host.split(".")
        for at in range(4):
            for bit in range(8):
                wrong = ",".join(_flipped(ours, at, bit)).encode()
                control = Control().log_in()
                passed, heard = control.client(b"PORT %s,200,1\r\n" % wrong)
                self.assertEqual((passed, heard[:3]), (b"", b"501"), wrong)
                wrong = ",".join(_flipped(theirs, at, bit)).encode()
                control = Control(STRICT).log_in()
                self.assertEqual(control.ask(b"PASV", b"227 (%s,200,1)" % wrong)[:4], b"421 ")
                self.assertEqual(control.session.expected, [])

    def test_forms(self) -> None:
        """Addresses in other forms than the RFCs' are none: who would read them how?"""
        for command in (
            b"PORT 192.0.2.1,200,1",
            b"PORT 192,0,2,1,200",
            b"PORT 192,0,2,1,200,1,1",
            b"PORT 192,0,2,1,200,256",
            b"PORT 192,0,2,257,200,1",
            b"PORT 192,0,2,-1,200,1",
            b"PORT 192,0,2,0x1,200,1",
            b"PORT 192,0,2,1,200,1 ",
            b"PORT (192,0,2,1,200,1)",
            b"EPRT 192.0.2.1|50000",
            b"EPRT |1|192.0.2.1|65536|",
            b"EPRT |1|192.0.2.1|050000000|",
            b"EPRT |1|192.0.2.01|50000|",
            b"EPRT |1|3221225985|50000|",
            b"EPRT |1|192.0.2|50000|",
            b"EPRT |1|192.0.2.1|50000",
            b"EPRT |1|192.0.2.1|50000||",
            b"EPRT |1/192.0.2.1|50000|",
            b"EPRT |1|localhost|50000|",
            b"EPRT |1|192.0.2.1%lo|50000|",
        ):
            control = Control().log_in()
            passed, heard = control.client(command + b"\r\n")
            self.assertEqual((passed, heard[:1]), (b"", b"5"), command)
            self.assertEqual(control.session.expected, [])


class AnnouncementTests(SynchronousTestCase):
    """What is an announcement, and what only looks like one."""

    def test_every_split(self) -> None:
        """A 227, however it is cut, is heard once it is whole, and as what it is."""
        reply = b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n"
        for pieces in every_split(reply):
            control = Control().log_in()
            control.client(b"PASV\r\n")
            heard = [control.server(piece) for piece in pieces]
            self.assertEqual(heard, [*[b""] * (len(pieces) - 1), reply])
            self.assertEqual(len(control.session.expected), 1)

    def test_hidden(self) -> None:
        """Within a reply of several lines, nothing announces anything, nor ends the reply."""
        for line in (
            b"227 Entering Passive Mode (198,51,100,2,156,64).",
            b"229 (|||40000|)",
            b"227-(198,51,100,2,156,64)",
            b"226 done",
            b"220 ready",
            b"213",
            b"213x",
            b"2130 end",
        ):
            for code in (b"211", b"213", b"250"):
                if line[:4] in (code + b" ", code):
                    continue
                control = Control().log_in()
                heard = control.ask(b"STAT x", b"%s-x\r\n%s\r\n%s end" % (code, line, code))
                first, middle, last = heard.splitlines()
                self.assertEqual((first, last), (code + b"-x", code + b" end"))
                self.assertEqual(middle, b" " + line, (code, line))
                self.assertEqual(control.session.expected, [])
                self.assertIsNone(control.session.verdict)

    def test_in_another_one(self) -> None:
        """The line before the last is no announcement, whatever it says; the last one counts."""
        control = Control().log_in()
        control.client(b"PASV\r\n")
        said = b"227-(203,0,113,9,156,64)\r\n227 (198,51,100,2,156,65)\r\n"
        heard = control.server(said)
        self.assertNotIn(b"203", heard)
        (expected,) = control.session.expected
        self.assertEqual(expected.address, Address(FTP.host, 40001))


class InjectionTests(SynchronousTestCase):
    """Two commands in one."""

    def test_every_byte(self) -> None:
        """No control byte passes, wherever it stands in a command."""
        for byte in CONTROL:
            for command in (b"CWD %sab", b"CWD a%sb", b"CWD ab%s", b"%sCWD ab", b"CW%sD ab"):
                said = command % bytes((byte,)) + b"\r\n"
                if said.startswith((b"\xff", b"\r\n")) or byte in b"\r\n":
                    continue  # Telnet, or a line of its own: tests of their own
                control = Control().log_in()
                before = control.session.sent[SERVER]
                control.client(said)
                self.assertEqual(control.session.sent[SERVER], before, said)

    def test_lines(self) -> None:
        """A lone CR or LF is no end of a line, and no part of one."""
        for said in (b"CWD a\nDELE b\r\n", b"CWD a\rDELE b\r\n", b"CWD a\r\r\n", b"CWD a\n\r\n"):
            for pieces in every_split(said):
                control = Control().log_in()
                before = control.session.sent[SERVER]
                for piece in pieces:
                    control.session.says(CLIENT, piece)
                self.assertEqual(control.session.sent[SERVER], before, pieces)
                self.assertIs(control.session.verdict.outcome, Outcome.DENIED)


class LimitTests(SynchronousTestCase):
    """To the byte."""

    def test_command(self) -> None:
        """A command as long as it may be, and one byte more."""
        settings = evolve(READ_WRITE, command_bytes=100)
        for extra, outcome in ((0, None), (1, Outcome.DENIED)):
            control = Control(settings).log_in()
            control.client(b"CWD " + b"a" * (96 + extra) + b"\r\n")
            verdict = control.session.verdict
            self.assertEqual(verdict and verdict.outcome, outcome)

    def test_argument(self) -> None:
        """A path as long as it may be, and one byte more: refused, and the session goes on."""
        control = Control(evolve(READ_WRITE, path_bytes=100)).log_in()
        control.ask(b"CWD " + b"a" * 100, b"250 fine")
        passed, heard = control.client(b"CWD " + b"a" * 101 + b"\r\n")
        self.assertEqual((passed, heard[:3]), (b"", b"501"))
        control.ask(b"NOOP", b"200 fine")

    def test_reply(self) -> None:
        """A reply's line, and a reply, as long as they may be, and one byte more."""
        settings = evolve(READ_WRITE, reply_line_bytes=100, reply_bytes=300)
        for extra, outcome in ((0, None), (1, Outcome.DENIED)):
            control = Control(settings).log_in()
            control.client(b"NOOP\r\n")
            control.server(b"200 " + b"a" * (96 + extra) + b"\r\n")
            verdict = control.session.verdict
            self.assertEqual(verdict and verdict.outcome, outcome)
        lines = b"211-a\r\n" + b" a\r\n" * 1000
        for end in range(len(lines)):
            control = Control(settings).log_in()
            control.client(b"STAT\r\n")
            control.server(lines[: 16 * end])
            if control.session.verdict is not None:
                break
        self.assertLessEqual(16 * end, 500)
        self.assertIn("more than 300 bytes", control.reason)

    def test_offset(self) -> None:
        """The largest offset that there is, and the next one."""
        control = Control().log_in()
        for offset in (2**63, 2**64 - 1, 2**64, 2**128, 10**1000):
            passed, heard = control.client(b"REST %d\r\n" % offset)
            self.assertEqual((passed, heard[:3]), (b"", b"501"), offset)
        control.ask(b"REST %d" % (2**63 - 1), b"350 fine")


def _flipped(numbers: list[str], at: int, bit: int) -> list[str]:
    """An address with one other bit."""
    return [*numbers[:at], str(int(numbers[at]) ^ 1 << bit), *numbers[at + 1 :]]
