"""FTP end to end: what somebody tries, for real. The server is the test's own, and hostile."""

from __future__ import annotations

import socket

from gateway.lab.network import BANK, CLIENT, CLIENT6, GATEWAY_LAN, GATEWAY_WAN, MIRROR, PRINTER
from tests.netns.case import SERVER, SERVER6, hear
from tests.netns.ftp_played import PlayedCase, hear_all

WRONG = b"421 The server sent what is no FTP; goodbye.\r\n"


class BounceTests(PlayedCase):
    """A client that has the server connect to somebody else."""

    def test_others(self) -> None:
        """
        To a third host, to the gateway, to the server itself, to loopback, to
        ports below 1024: refused, nobody listens, the server hears nothing of it.
        """
        control = self.log_in()
        for host in (PRINTER, GATEWAY_LAN, GATEWAY_WAN, BANK, SERVER, "127.0.0.1", "0.0.0.0"):
            numbers = host.replace(".", ",").encode()
            control.refused(b"PORT %s,200,1" % numbers, b"501")
            control.refused(b"EPRT |1|%s|51201|" % host.encode(), b"501")
        own = CLIENT.replace(".", ",").encode()
        for port in (0, 20, 21, 25, 1023):
            control.refused(b"PORT %s,%d,%d" % (own, port >> 8, port & 255), b"501")
            control.refused(b"EPRT |1|%s|%d|" % (CLIENT.encode(), port), b"501")
        control.refused(b"EPRT |2|::ffff:%s|51201|" % CLIENT.encode(), b"522")
        self.assertEqual(self.listening(), set())

    def test_others_ipv6(self) -> None:
        """The same over IPv6."""
        control = self.log_in(SERVER6)
        for host in (b"fd00:1::1", SERVER6.encode(), b"::1", b"fd00:1::9"):
            control.refused(b"EPRT |2|%s|51201|" % host, b"501")
        control.refused(b"EPRT |2|%s|1023|" % CLIENT6.encode(), b"501")
        control.refused(b"PORT 10,1,2,3,200,1", b"522")
        self.assertEqual(self.listening(), set())


class AnnouncementTests(PlayedCase):
    """A server that has the client connect to somebody else, or opens what nobody asked for."""

    def test_somebody_else(self) -> None:
        """
        A 227 with the address of a third host, of the gateway, of the client, of
        loopback, or a low port: the client never reads it, and nobody listens.
        """
        for host, port in (
            (MIRROR, 40001),
            (GATEWAY_LAN, 40001),
            (GATEWAY_WAN, 40001),
            (CLIENT, 40001),
            ("127.0.0.1", 40001),
            (BANK, 1023),
            (BANK, 22),
        ):
            control = self.log_in()
            control.passes(b"PASV")
            numbers = f"{host}.{port >> 8}.{port & 255}".replace(".", ",").encode()
            control.theirs.sendall(b"227 Entering Passive Mode (%s).\r\n" % numbers)
            self.assertEqual(hear_all(control.ours)[:4], b"421 ")
            self.assertOver(control, "announced")

    def test_low_port(self) -> None:
        """A 229 with a port below 1024."""
        control = self.log_in()
        control.passes(b"EPSV")
        control.theirs.sendall(b"229 (|||80|)\r\n")
        self.assertEqual(hear_all(control.ours)[:4], b"421 ")
        self.assertOver(control, "port 80")

    def test_unasked(self) -> None:
        """An announcement that nobody asked for, or that answers something else (VU#328867)."""
        for command in (b"", b"NOOP", b"STAT x", b"PORT 10,1,2,3,200,1"):
            for announcement in (b"227 (203,0,113,9,156,65)", b"229 (|||40001|)"):
                control = self.log_in()
                if command:
                    control.ours.sendall(command + b"\r\n")
                    self.assertTrue(hear(control.theirs, 1))
                control.theirs.sendall(announcement + b"\r\n")
                self.assertEqual(hear_all(control.ours), WRONG)
                self.assertOver(control, "the server sent 22")

    def test_echo(self) -> None:
        """
        A server that echoes what a client gave it: within a reply, on a line of
        its own in one, or where a segment begins, a 227 announces nothing.
        """
        control = self.log_in()
        listener = self.listen(40001, BANK)
        control.asks(b"STAT x", b"500 x: 227 Entering Passive Mode (203,0,113,9,156,65).")
        control.passes(b"STAT x")
        control.theirs.sendall(b"500 what is ")
        control.theirs.sendall(b"227 Entering Passive Mode (203,0,113,9,156,65)\r\n")
        control.hears(b"500 what is 227 Entering Passive Mode (203,0,113,9,156,65)")
        for line in (b"227 Entering (203,0,113,9,156,65)", b"229 (|||40001|)"):
            control.asks(
                b"STAT x",
                b"213-Files:\r\n%s\r\n213 End" % line,
                b"213-Files:\r\n %s\r\n213 End" % line,
            )
        self.assertEqual(self.listening(), set())
        self.dial((BANK, 40001)).sendall(b"past it")  # as far as the rules for that port allow
        self.assertEqual(self.accept(listener)[1][0], CLIENT)
        control.asks(b"NOOP", b"200 fine")

    def test_split(self) -> None:
        """A 227 in segments of one byte is what it is when it is whole, and not before."""
        control = self.log_in()
        listener = self.listen(40001, BANK)
        control.passes(b"PASV")
        announcement = b"227 Entering Passive Mode (203,0,113,9,156,65).\r\n"
        for at in range(len(announcement) - 1):
            control.theirs.sendall(announcement[at : at + 1])
        self.assertEqual(self.listening(), set())
        control.theirs.sendall(b"\n")
        control.hears(announcement[:-2])
        self.dial((BANK, 40001))
        self.accept(listener)

    def test_two(self) -> None:
        """A reply with two addresses: which one would the client take?"""
        control = self.log_in()
        control.passes(b"PASV")
        control.theirs.sendall(b"227 (203,0,113,9,156,65) (203,0,113,9,0,22)\r\n")
        self.assertEqual(hear_all(control.ours)[:4], b"421 ")
        self.assertOver(control, "addresses")


class TheftTests(PlayedCase):
    """Somebody else at the data connection."""

    def test_passive(self) -> None:
        """A third host that races to the passive port gets nothing, and disturbs nobody."""
        control = self.log_in()
        listener = self.listen(40001, BANK)
        control.asks(b"EPSV", b"229 (|||40001|)", b"229 Entering Extended Passive Mode (|||40001|)")
        self.assertRefused((BANK, 40001), PRINTER)
        self.assertQuiet(listener)
        ours = self.dial((BANK, 40001))
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        control.asks(b"RETR a", b"150 here")
        theirs.sendall(b"hello")
        theirs.close()
        self.assertEqual(hear(ours), b"hello")

    def test_active(self) -> None:
        """A third host that connects to the client's port in the server's place, too."""
        control = self.log_in()
        waiting = self.listen(50002, CLIENT, self.client)
        control.asks(b"PORT 10,1,2,3,195,82", b"200 fine")
        with self.server.socket() as thief:
            thief.settimeout(5)
            thief.bind((MIRROR, 20))
            try:
                thief.connect((CLIENT, 50002))
                self.assertReset(thief)
            except ConnectionResetError:
                pass
        self.assertQuiet(waiting)
        theirs = self.dial((CLIENT, 50002), (BANK, 20), self.server)
        ours, peer = self.accept(waiting)
        self.assertEqual(peer, (BANK, 20))
        control.asks(b"RETR a", b"150 here")
        theirs.sendall(b"hello")
        theirs.close()
        self.assertEqual(hear(ours), b"hello")

    def test_twice(self) -> None:
        """One announcement is one connection: the port is not open for a second one."""
        control = self.log_in()
        self.data(control)
        self.assertEqual(self.listening(), set())
        control.asks(b"NOOP", b"200 fine")

    def test_announced_again(self) -> None:
        """A new announcement closes the one before."""
        control = self.log_in()
        for port in (40001, 40002):
            control.asks(
                b"EPSV",
                b"229 (|||%d|)" % port,
                b"229 Entering Extended Passive Mode (|||%d|)" % port,
            )
        self.assertEqual(self.listening(), {f"{BANK}:40002"})
        control.ours.close()
        control.theirs.close()
        self.wait(lambda: not self.listening(), "the gateway still listens")

    def test_before_the_command(self) -> None:
        """What flows before a transfer is asked for waits: no tunnel beside the inspection."""
        control = self.log_in()
        ours, theirs = self.data(control)
        theirs.sendall(b"hello")
        ours.settimeout(0.7)
        self.assertRaises(TimeoutError, ours.recv, 1)
        ours.settimeout(5)
        control.asks(b"RETR a", b"150 here")
        self.assertEqual(hear(ours, 5), b"hello")

    def test_against_the_direction(self) -> None:
        """A client can't use a download to send."""
        control = self.log_in()
        ours, theirs = self.data(control)
        control.asks(b"RETR a", b"150 here")
        ours.sendall(b"hello")
        self.assertEqual(hear_all(theirs), b"")
        control.answered(b"226 done", b"451 The transfer was denied.")


class InjectionTests(PlayedCase):
    """Two commands in one, and other languages."""

    def test_bytes(self) -> None:
        """CR, LF, NUL and Telnet within a command: the session ends, the server hears nothing."""
        for said in (
            b"CWD a\nDELE b\r\n",
            b"CWD a\rDELE b\r\n",
            b"CWD a\r\r\nDELE b\r\n",
            b"CWD a\x00DELE b\r\n",
            b"CWD a\x1b[2Jb\r\n",
            b"CWD a\xff\xf2DELE b\r\n",
            b"CWD a\xff\xfb\x01\r\n",
            b"\xff\xfd\x0aDELE b\r\n",
        ):
            control = self.log_in()
            control.ours.sendall(said)
            self.assertIn(hear_all(control.ours)[:4], (b"501 ", b""), said)
            self.assertOver(control, "")

    def test_slipstreaming(self) -> None:
        """A web page's request to port 21, with a PORT in it, opens nothing (NAT slipstreaming)."""
        for said in (
            b"POST / HTTP/1.1\r\nHost: x\r\n\r\nPORT 10,1,2,3,200,1\r\n",
            b"GET /PORT%2010,1,2,3,200,1 HTTP/1.0\r\n\r\n",
            b"\r\n\r\nPORTS 10,1,2,3,200,1\r\n",
            b"INVITE sip:a@b SIP/2.0\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n",
        ):
            control = self.meet()
            control.ours.sendall(said)
            self.assertIn(hear_all(control.ours)[:4], (b"501 ", b"500 ", b""), said)
            self.assertOver(control, "")

    def test_ahead(self) -> None:
        """What a client sends ahead waits for its turn; the server never has two at once."""
        control = self.log_in()
        control.ours.sendall(b"CWD a\r\nDELE b\r\nNOOP\r\n")
        for command in (b"CWD a", b"DELE b", b"NOOP"):
            control.arrives(command)
            control.theirs.settimeout(0.3)
            self.assertRaises(TimeoutError, control.theirs.recv, 1)
            control.theirs.settimeout(5)
            control.answered(b"200 fine")

    def test_behind_auth(self) -> None:
        """AUTH is answered by the gateway; what follows it at once is plaintext, and inspected."""
        control = self.log_in()
        control.ours.sendall(b"AUTH TLS\r\nNOOP\r\n")
        control.hears(b"534 Encryption is not allowed here.")
        control.arrives(b"NOOP")
        control.ours.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n")
        self.assertOver(control, "0x16")

    def test_replies(self) -> None:
        """A server's lone LF does not make two replies of one."""
        control = self.log_in()
        control.passes(b"CWD a")
        control.theirs.sendall(b"250 fine\n227 (203,0,113,9,156,65)\r\n")
        self.assertEqual(hear_all(control.ours), WRONG)
        self.assertOver(control, "lone LF")


class OversizeTests(PlayedCase):
    """Too much of anything."""

    def test_command(self) -> None:
        """A command without end; the server has nothing of it."""
        control = self.log_in()
        try:
            for _ in range(100):
                control.ours.sendall(b"CWD " + b"a" * 65536)
        except OSError:
            pass
        self.assertOver(control, "more than 4096 bytes")

    def test_reply(self) -> None:
        """A reply's line without end, and a reply of lines without end."""
        for piece, why in (
            (b"a" * 65536, "a line of more"),
            (b" a\r\n" * 10000, "a reply of more"),
        ):
            control = self.log_in()
            control.passes(b"STAT")
            try:
                control.theirs.sendall(b"211-")
                for _ in range(100):
                    control.theirs.sendall(piece)
            except OSError:
                pass
            self.assertEqual(hear_all(control.ours), WRONG)
            self.assertOver(control, why)

    def test_offset(self) -> None:
        """An offset that overflows is refused; the largest one passes."""
        control = self.log_in()
        for offset in (2**63, 2**64, 2**64 + 1, 10**300):
            control.refused(b"REST %d" % offset, b"501")
        for offset in (b"-1", b"0x10", b"1 ", b"1e3", b"+1"):
            control.refused(b"REST " + offset, b"501")
        control.asks(b"REST %d" % (2**63 - 1), b"350 go on")


class OrderTests(PlayedCase):
    """Replies don't overtake data, nor do commands."""

    def test_reply_waits(self) -> None:
        """A server that says 226 before it has sent: the client hears it after the last byte."""
        control = self.log_in()
        ours, theirs = self.data(control)
        control.asks(b"RETR a", b"150 here")
        control.theirs.sendall(b"226 done\r\n")
        theirs.sendall(b"hello")
        self.assertEqual(hear(ours, 5), b"hello")
        control.ours.settimeout(0.7)
        self.assertRaises(TimeoutError, control.ours.recv, 1)
        control.ours.settimeout(5)
        theirs.close()
        self.assertEqual(hear(ours), b"")
        control.hears(b"226 done")

    def test_upload_waits(self) -> None:
        """
        A server that says 226 before it has read the file: the client hears it,
        and its next command passes, when everything has left for the server.
        """
        control = self.log_in()
        ours, theirs = self.data(control)
        control.asks(b"STOR a", b"150 here")
        ours.settimeout(0.5)
        piece, size = bytes(65536), 0
        try:
            while True:
                size += ours.send(piece)
        except TimeoutError:
            pass
        ours.shutdown(socket.SHUT_WR)
        control.theirs.sendall(b"226 done\r\n")
        control.ours.sendall(b"DELE a\r\n")
        for sock in (control.ours, control.theirs):
            sock.settimeout(0.7)
            self.assertRaises(TimeoutError, sock.recv, 1)
            sock.settimeout(5)
        self.assertEqual(len(hear(theirs)), size)
        control.hears(b"226 done")
        control.arrives(b"DELE a")
