"""Data connections: who may announce what, and what may flow there."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import FtpEnvelope
from gateway.interfaces import CLIENT, SERVER, Address, Outcome, Unreachable
from gateway.testing import FakeSession
from protocols.ftp.settings import FtpSettings
from tests.protocols.ftp.speak import FTP, FTP6, HOST, HOST6, READ_WRITE, STRICT, Control

DATA = Address(HOST.host, 50100)


class AnnouncementTests(SynchronousTestCase):
    """Who listens where."""

    def test_passive(self) -> None:
        """The client reaches the server's own address, and the server sees the client's."""
        control = Control().log_in()
        expected = control.passive(40000)
        self.assertEqual((expected.side, expected.address), (CLIENT, Address(FTP.host, 40000)))
        data = expected.comes(DATA)
        self.assertEqual(data.connected, [Address(FTP.host, 40000)])

    def test_active(self) -> None:
        """The server reaches the client's own address."""
        control = Control().log_in()
        expected = control.active(50002)
        self.assertEqual((expected.side, expected.address), (SERVER, Address(HOST.host, 50002)))
        data = expected.comes(Address(FTP.host, 20))
        self.assertEqual(data.connected, [Address(HOST.host, 50002)])

    def test_ipv6(self) -> None:
        """The same over IPv6, where PASV and PORT can't be."""
        control = Control(client=HOST6, server=FTP6).log_in()
        self.assertEqual(control.client(b"PASV\r\n")[1][:3], b"425")
        heard = control.client(b"PORT 192,0,2,1,200,1\r\n")[1]
        self.assertEqual(heard, b"522 Network protocol not supported, use (2)\r\n")
        self.assertEqual(control.client(b"EPSV 1\r\n")[1][:3], b"522")
        heard = control.ask(b"EPSV 2", b"229 Here (|||40000|)")
        self.assertEqual(heard, b"229 Entering Extended Passive Mode (|||40000|)\r\n")
        self.assertEqual(control.session.expected[-1].address, Address(FTP6.host, 40000))
        control.ask(b"EPRT |2|2001:db8:1::1|50002|", b"200 fine")
        self.assertEqual(control.session.expected[-1].address, Address(HOST6.host, 50002))

    def test_another_server(self) -> None:
        """A service with a fixed server: both hear only of addresses that they know."""
        reached = Address("10.9.9.9", 2121)
        control = Control(source=Address("10.8.8.8", 50001), reachable=None)
        control.session.connected[0] = reached
        control.session.reach()
        control.log_in()
        heard = control.ask(b"PASV", b"227 (10,9,9,9,156,64)")
        self.assertEqual(heard, b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n")
        data = control.session.expected[-1].comes(DATA)
        self.assertEqual(data.connected, [Address("10.9.9.9", 40000)])
        passed, _ = control.client(b"PORT 192,0,2,1,195,82\r\n")
        self.assertEqual(passed, b"PORT 10,8,8,8,195,82\r\n")

    def test_port_taken(self) -> None:
        """If the very port can't be had, another one is announced."""
        control = Control().log_in()
        real = control.session.expect

        def expect(side: object, address: Address, service: object) -> Deferred[object]:
            if address.port:
                return fail(Unreachable("taken"))
            return real(side, address, service)

        control.session.expect = expect  # type: ignore[method-assign]
        heard = control.ask(b"PASV", b"227 (198,51,100,2,156,65)")
        self.assertEqual(heard, b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n")
        data = control.session.expected[-1].comes(DATA)
        self.assertEqual(data.connected, [Address(FTP.host, 40001)])
        control.session.expect = lambda *_: fail(Unreachable("none"))  # type: ignore
        self.assertEqual(control.ask(b"PASV", b"227 (198,51,100,2,156,65)")[:3], b"425")
        self.assertEqual(control.client(b"PORT 192,0,2,1,195,82\r\n")[1][:3], b"425")

    def test_bounce(self) -> None:
        """A client can't have the server connect to anybody else, nor to a low port (RFC 2577)."""
        for address in (
            b"PORT 203,0,113,9,200,1",
            b"PORT 127,0,0,1,200,1",
            b"PORT 198,51,100,2,200,1",
            b"PORT 192,0,2,1,3,255",
            b"PORT 192,0,2,1,0,25",
            b"EPRT |1|203.0.113.9|51201|",
            b"EPRT |2|2001:db8::9|51201|",
            b"EPRT |1|192.0.2.1|1023|",
            b"EPRT |2|::ffff:192.0.2.1|50000|",
            b"PORT 256,0,2,1,200,1",
            b"EPRT |1|192.0.2.1|0|",
        ):
            control = Control().log_in()
            passed, heard = control.client(address + b"\r\n")
            self.assertIn((passed, heard[:3]), [(b"", b"501"), (b"", b"522")], address)
            self.assertEqual(control.session.expected, [])

    def test_theft(self) -> None:
        """A server can't have the client connect to anybody else, nor to a low port."""
        for command, reply in (
            (b"PASV", b"227 (203,0,113,9,156,64)"),
            (b"PASV", b"227 (127,0,0,1,156,64)"),
            (b"PASV", b"227 (192,0,2,1,156,64)"),
            (b"PASV", b"227 (198,51,100,2,0,80)"),
            (b"PASV", b"227 (198,51,100,2,156,64) (198,51,100,2,156,65)"),
            (b"PASV", b"227 none"),
            (b"EPSV", b"229 (|||80|)"),
            (b"EPSV", b"229 (|1|203.0.113.9|40000|)"),
            (b"EPSV", b"229 none"),
        ):
            control = Control(STRICT).log_in()
            self.assertEqual(control.ask(command, reply)[:3], b"421", reply)
            self.assertIs(control.session.verdict.outcome, Outcome.DENIED)
            self.assertEqual(control.session.expected, [])

    def test_least_port(self) -> None:
        """The lowest port that either may announce is 1024."""
        control = Control().log_in()
        control.passive(1024)
        control.active(1024)
        control = Control().log_in()
        control.ask(b"EPSV", b"229 (|||1023|)")
        self.assertIn("port 1023", control.reason)

    def test_only_epsv(self) -> None:
        """After EPSV ALL, nothing else is agreed on (RFC 2428, section 4)."""
        control = Control().log_in()
        control.ask(b"EPSV ALL", b"200 fine")
        for command in (b"PASV", b"PORT 192,0,2,1,200,1", b"EPRT |1|192.0.2.1|50000|"):
            self.assertEqual(control.client(command + b"\r\n")[1][:3], b"501")
        control.ask(b"EPSV", b"229 (|||40000|)")

    def test_once(self) -> None:
        """A transfer needs a data connection of its own."""
        control = Control().log_in()
        self.assertEqual(control.client(b"RETR a\r\n")[1][:3], b"425")
        control.passive()
        control.ask(b"RETR a", b"550 none")
        self.assertEqual(control.client(b"RETR a\r\n")[1][:3], b"425")

    def test_announced_again(self) -> None:
        """A new announcement takes the one before back."""
        control = Control().log_in()
        first = control.passive()
        second = control.active()
        data = second.comes(Address(FTP.host, 20))
        control.passive(40001)
        self.assertTrue(first.cancelled)
        self.assertEqual(data.verdict.outcome, Outcome.CLOSED)

    def test_active_refused(self) -> None:
        """If the server doesn't want it, the gateway doesn't listen any more."""
        control = Control().log_in()
        control.ask(b"PORT 192,0,2,1,195,82", b"500 no")
        self.assertTrue(control.session.expected[-1].cancelled)


class TransferTests(SynchronousTestCase):
    """What flows."""

    def begun(
        self, command: bytes, settings: FtpSettings = READ_WRITE
    ) -> tuple[Control, FakeSession]:
        """A transfer over a passive data connection, before its first byte."""
        control = Control(settings).log_in()
        data = control.passive().comes(DATA)
        self.assertEqual(control.ask(command, b"150 here"), b"150 here\r\n")
        return control, data

    def test_download(self) -> None:
        """A file reaches the client, then the end, and then the reply."""
        control, data = self.begun(b"RETR a")
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        data.says(SERVER, b"hello")
        self.assertEqual((data.sent[CLIENT], data.halves), (b"hello", set()))
        self.assertEqual(control.server(b""), b"")
        data.hangs_up(SERVER)
        self.assertEqual(data.halves, {CLIENT})
        self.assertTrue(control.session.sent[CLIENT].endswith(b"150 here\r\n226 done\r\n"))
        (record,) = control.transfers
        self.assertEqual((record["command"], record["filename"]), ("RETR", b"a"))
        self.assertEqual((record["size"], record["verdict"]), (5, "passed"))
        self.assertEqual((record["direction"], record["mode"]), ("download", "passive"))
        self.assertNotIn("server_mode", record)
        self.assertEqual(record["data_flow_id"], data.id)
        self.assertEqual(control.session.inspector._dialogue.transfers, set())  # nothing is kept

    def test_offset(self) -> None:
        """The record tells where in the file a transfer began; the next one begins at the start."""
        control = Control().log_in()
        for rest, offset in ((b"REST 5", 5), (b"NOOP", 0), (b"REST 7", 7), (b"REST 0", 0)):
            data = control.passive().comes(DATA)
            control.ask(rest, b"350 fine" if rest.startswith(b"REST") else b"200 fine")
            control.ask(b"RETR a", b"150 here")
            data.hangs_up(SERVER)
            control.server(b"226 done\r\n")
            self.assertEqual(control.transfers[-1]["offset"], offset)
        control.ask(b"REST 9", b"350 fine")
        control.passive()
        control.ask(b"RETR a", b"150 here", b"226 done")
        self.assertEqual(control.transfers[-1]["offset"], 9)
        control.passive()
        control.ask(b"REST 5", b"501 no")
        control.ask(b"RETR a", b"150 here", b"226 done")
        self.assertEqual(control.transfers[-1]["offset"], 0)

    def test_slow_client(self) -> None:
        """The reply waits until the last byte has left for the client, not only been read."""
        control = Control().log_in()
        data = control.passive().comes(DATA, slow={CLIENT})
        control.ask(b"RETR a", b"150 here")
        data.says(SERVER, b"hello")
        data.hangs_up(SERVER)
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        data.flush(CLIENT)
        self.assertTrue(control.session.sent[CLIENT].endswith(b"226 done\r\n"))

    def test_upload(self) -> None:
        """A file reaches the server; the next command doesn't overtake it."""
        control, data = self.begun(b"STOR a")
        data.says(CLIENT, b"hello")
        control.client(b"NOOP\r\n")
        data.hangs_up(CLIENT)
        self.assertEqual((data.sent[SERVER], data.halves), (b"hello", {SERVER}))
        self.assertNotIn(b"NOOP", control.session.sent[SERVER])
        self.assertEqual(control.server(b"226 done\r\n"), b"226 done\r\n")
        self.assertTrue(control.session.sent[SERVER].endswith(b"NOOP\r\n"))
        data.hangs_up(SERVER)
        self.assertIs(data.verdict.outcome, Outcome.PASSED)

    def test_active(self) -> None:
        """The same where the server connects, even if its 226 comes before its connection."""
        control = Control().log_in()
        expected = control.active()
        control.ask(b"RETR a", b"150 here")
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        data = expected.comes(Address(FTP.host, 20))
        data.says(CLIENT, b"hello")
        self.assertEqual((data.sent[SERVER], control.server(b"")), (b"hello", b""))
        data.hangs_up(CLIENT)
        self.assertTrue(control.session.sent[CLIENT].endswith(b"226 done\r\n"))
        self.assertEqual(control.transfers[0]["mode"], "active")

    def test_never_comes(self) -> None:
        """A data connection that was never made doesn't hold the reply up for ever."""
        control = Control().log_in()
        expected = control.active()
        control.ask(b"LIST", b"150 here")
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        expected.cancel()
        self.assertEqual(control.server(b""), b"226 done\r\n")
        expected = control.passive()
        control.ask(b"LIST", b"150 here", b"226 done")
        self.assertTrue(expected.cancelled)

    def test_held(self) -> None:
        """Nothing flows before it is known what: no tunnel beside the inspection."""
        control = Control().log_in()
        data = control.passive().comes(DATA)
        data.says(CLIENT, b"hello")
        data.hangs_up(CLIENT)
        self.assertEqual((data.sent[SERVER], data.halves), (b"", set()))
        control.client(b"STOR a\r\n")
        self.assertEqual((data.sent[SERVER], data.halves), (b"hello", {SERVER}))

    def test_against_the_direction(self) -> None:
        """What flows the other way ends the data connection, and the client hears of it."""
        for command, side in ((b"RETR a", CLIENT), (b"LIST", CLIENT), (b"STOR a", SERVER)):
            control, data = self.begun(command)
            data.says(side, b"x")
            self.assertIs(data.verdict.outcome, Outcome.DENIED)
            self.assertEqual(control.server(b"226 done\r\n"), b"451 The transfer was denied.\r\n")
            self.assertEqual(control.transfers[0]["verdict"], "denied")

    def test_sizes(self) -> None:
        """Files over the limit don't pass whole, whatever the server says about it."""
        settings = evolve(READ_WRITE, download_bytes=5, upload_bytes=3)
        for command, side, most in ((b"RETR a", SERVER, 5), (b"STOR a", CLIENT, 3)):
            control, data = self.begun(command, settings)
            data.says(side, b"x" * most)
            self.assertIsNone(data.verdict)
            data.says(side, b"x")
            self.assertIn("_bytes", data.verdict.reason)
            self.assertEqual(control.server(b"226 done\r\n")[:3], b"451")
            self.assertIn("_bytes", control.transfers[0]["reason"])

    def test_sizes_in_any_pieces(self) -> None:
        """What may pass does, however it comes; and which limit it was does not depend on that."""
        settings = evolve(READ_WRITE, download_bytes=5, session_bytes=7)
        for pieces in ([b"x" * 20], [b"x"] * 6, [b"xxx", b"xxx"]):
            control, data = self.begun(b"RETR a", settings)
            for piece in pieces:
                data.says(SERVER, piece)
            self.assertEqual(data.sent[CLIENT], b"xxxxx")
            self.assertEqual(data.verdict.reason, "more than 5 bytes (setting 'download_bytes')")
            control.server(b"226 done\r\n")
            (record,) = control.transfers
            self.assertEqual((record["size"], record["denied_by"]), (5, "download_bytes"))

    def test_session_size(self) -> None:
        """Nor more than so much in one session."""
        settings = evolve(READ_WRITE, session_bytes=8)
        control, data = self.begun(b"RETR a", settings)
        data.says(SERVER, b"x" * 5)
        data.hangs_up(SERVER)
        control.server(b"226 done\r\n")
        data = control.passive().comes(DATA)
        control.ask(b"STOR a", b"150 here")
        data.says(CLIENT, b"x" * 3)
        self.assertIsNone(data.verdict)
        data.says(CLIENT, b"x")
        self.assertIn("session_bytes", data.verdict.reason)

    def test_count(self) -> None:
        """Only so many transfers in one session."""
        control = Control(evolve(READ_WRITE, transfers=2)).log_in()
        for _ in range(2):
            control.passive()
            control.ask(b"RETR a", b"550 none")
        control.passive()
        self.assertEqual(control.client(b"RETR a\r\n")[1][:3], b"552")

    def test_stacked(self) -> None:
        """A file passes another service's inspector; a listing does not."""
        settings = evolve(READ_WRITE, stack_download="scan")
        control, data = self.begun(b"RETR a", settings)
        data.says(SERVER, b"hello")
        data.hangs_up(SERVER)
        self.assertEqual([(body.service, body.data) for body in data.bodies], [("scan", b"hello")])
        self.assertTrue(data.bodies[0].ended)
        self.assertEqual((data.sent[CLIENT], data.halves), (b"hello", {CLIENT}))
        self.assertEqual(control.server(b"226 done\r\n"), b"226 done\r\n")
        _, data = self.begun(b"LIST", settings)
        self.assertEqual(data.bodies, [])

    def test_stacked_whole(self) -> None:
        """Nobody can judge a file by a part of it: so none is asked for, or put to another one."""
        down, up = {"stack_download": "scan"}, {"stack_upload": "scan"}
        lets = {"commands": {"REST": "pass", "APPE": "pass"}}
        for stack, refused in (({}, ()), (down, (b"REST 5",)), (up, (b"REST 5", b"APPE a"))):
            control = Control(evolve(READ_WRITE, **stack)).log_in()
            control.passive()
            for command in (b"REST 5", b"APPE a"):
                passed, answer = control.client(command + b"\r\n")
                said = b"502 Only whole files pass here.\r\n" if command in refused else b""
                self.assertEqual((passed == b"", answer), (command in refused, said), command)
                if command not in refused:
                    control.server(b"350 fine\r\n" if command[:1] == b"R" else b"550 no\r\n")
        control = Control(evolve(READ_WRITE, **down, **up, **lets)).log_in()
        self.assertEqual(control.client(b"REST 5\r\n")[0], b"REST 5\r\n")

    def test_stacked_late(self) -> None:
        """The same if the data connection is made after the command."""
        control = Control(evolve(READ_WRITE, stack_download="scan")).log_in()
        expected = control.passive()
        control.ask(b"RETR a", b"150 here")
        data = expected.comes(DATA)
        data.says(SERVER, b"hello")
        self.assertEqual([body.data for body in data.bodies], [b"hello"])

    def test_stacked_denies(self) -> None:
        """A file that the other inspector denies is cut off, and the client hears of it."""
        control, data = self.begun(b"STOR a", evolve(READ_WRITE, stack_upload="scan"))
        data.bodies[0].sink.denied("a virus", b"", Outcome.DENIED)
        self.assertEqual(data.verdict.reason, "a virus")
        self.assertEqual(control.server(b"426 broken\r\n"), b"451 The transfer was denied.\r\n")
        self.assertEqual(control.transfers[0]["reason"], "a virus")

    def test_stacked_words(self) -> None:
        """The client reads the other inspector's words; 426 if part of the file is with it."""
        settings = evolve(READ_WRITE, stack_download="scan")
        for before, code in ((b"", b"451"), (b"some", b"426")):
            control, data = self.begun(b"RETR a", settings)
            data.says(SERVER, before or b"\0")
            if not before:
                data.sent[CLIENT] = b""
            body = data.bodies[0]
            data.inspector._transfer.passed = len(before)
            body.sink.denied("a virus", "No \r\n ü".encode(), Outcome.DENIED)
            heard = control.server(b"426 broken\r\n")
            self.assertEqual(heard, code + " No ü\r\n".encode())

    def test_envelope(self) -> None:
        """The other inspector is told which file it is, and what is done with it."""
        settings = evolve(READ_WRITE, stack_download="scan", stack_upload="scan")
        _, data = self.begun(b"RETR a/b.c", settings)
        _, other = self.begun(b"STOR d", settings)
        (down,), (up,) = data.bodies, other.bodies
        self.assertEqual(
            (down.envelope.protocol, down.envelope.direction, down.envelope.filename),
            ("ftp", "download", "b.c"),
        )
        self.assertEqual(down.envelope.ftp, FtpEnvelope("RETR", "a/b.c", 0))
        self.assertEqual((up.envelope.direction, up.envelope.filename), ("upload", "d"))

    def test_abort(self) -> None:
        """ABOR passes in the middle of a transfer, and nobody waits for its data any more."""
        control, data = self.begun(b"RETR a")
        data.says(SERVER, b"hello")
        self.assertEqual(control.client(b"ABOR\r\n"), (b"ABOR\r\n", b""))
        self.assertEqual(control.session.urged, [])
        heard = control.server(b"426 aborted\r\n226 fine\r\n")
        self.assertEqual(heard, b"426 aborted\r\n226 fine\r\n")
        control.ask(b"NOOP", b"200 fine")

    def aborted(self, replies: bytes) -> Control:
        """A transfer that was aborted, and what the server said to that. PWD is not allowed."""
        settings = evolve(READ_WRITE, replies={"PWD 257": "deny"})
        control, data = self.begun(b"RETR a", settings)
        data.says(SERVER, b"hello")
        control.client(b"ABOR\r\n")
        self.assertEqual(control.server(replies), replies)
        return control

    def logged(self, control: Control) -> list[tuple[str, list[str]]]:
        """The commands that were logged last, and the replies."""
        said = control.session.records_of("ftp")[-3:]
        return [(fields["command"], fields.get("completion_code", [])) for fields in said]

    def test_abort_answered_once(self) -> None:
        """
        A server that says one thing to both, transfer and ABOR, keeps nobody waiting: an
        answer that can't be to ABOR settles it, and then the next command passes.
        """
        for reply in (b"426 aborted\r\n", b"226 fine\r\n"):
            control = self.aborted(reply)
            self.assertEqual(control.client(b"NOOP\r\n"), (b"PWD\r\n", b""))
            self.assertEqual(control.server(b'257 "/"\r\n'), b"")
            self.assertTrue(control.session.sent[SERVER].endswith(b"PWD\r\nNOOP\r\n"))
            self.assertEqual(control.server(b"200 fine\r\n"), b"200 fine\r\n")
            code = reply[:3].decode()
            self.assertEqual(
                self.logged(control), [("RETR", ["150", code]), ("ABOR", []), ("NOOP", ["200"])]
            )

    def test_abort_answered_late(self) -> None:
        """A second reply that comes after all is ABOR's, and not the next command's."""
        control = self.aborted(b"426 aborted\r\n")
        self.assertEqual(control.client(b"NOOP\r\nPWD\r\n")[0], b"PWD\r\n")
        self.assertEqual(control.server(b"226 fine\r\n"), b"226 fine\r\n")
        self.assertTrue(control.session.sent[SERVER].endswith(b"ABOR\r\nPWD\r\n"))
        self.assertEqual(control.server(b'257 "/"\r\n'), b"")
        self.assertTrue(control.session.sent[SERVER].endswith(b"PWD\r\nNOOP\r\n"))
        self.assertEqual(control.server(b"200 fine\r\n"), b"200 fine\r\n")
        control.server(b'257 "/"\r\n')
        self.assertIn("(setting 'replies')", control.reason)

    def test_abort_answered_twice(self) -> None:
        """Nothing is asked where nothing is in doubt."""
        control = self.aborted(b"426 aborted\r\n226 fine\r\n")
        self.assertEqual(control.client(b"NOOP\r\n")[0], b"NOOP\r\n")
        control = Control().log_in()
        control.client(b"ABOR\r\n")
        self.assertEqual(control.client(b"NOOP\r\n")[0], b"")

    def test_abort_and_quit(self) -> None:
        """Its answer can't be to ABOR either: nothing else has to be asked."""
        for late in (b"", b"226 fine\r\n"):
            control = self.aborted(b"426 aborted\r\n")
            self.assertEqual(control.client(b"QUIT\r\n")[0], b"QUIT\r\n")
            self.assertEqual(control.server(late + b"221 bye\r\n"), late + b"221 bye\r\n")
            code = [] if not late else ["226"]
            self.assertEqual(self.logged(control)[1:], [("ABOR", code), ("QUIT", ["221"])])
        control, _ = self.begun(b"RETR a")
        control.client(b"ABOR\r\n")
        self.assertEqual(control.client(b"QUIT\r\n")[0], b"")

    def test_abort_and_status(self) -> None:
        """As long as STAT is to be answered, nothing is asked."""
        control, _ = self.begun(b"RETR a")
        control.ask(b"STAT")
        control.ask(b"ABOR")
        control.server(b"426 aborted\r\n")
        self.assertEqual(control.client(b"NOOP\r\n")[0], b"")
        control.server(b"211 idle\r\n")
        self.assertTrue(control.session.sent[SERVER].endswith(b"ABOR\r\nPWD\r\n"))

    def test_abort_and_nothing(self) -> None:
        """A server that does not answer to that either has its time."""
        control, _ = self.begun(b"RETR a", evolve(READ_WRITE, reply_seconds=60))
        control.client(b"ABOR\r\n")
        control.server(b"426 aborted\r\n")
        control.session.advance(50)
        control.client(b"NOOP\r\n")
        control.session.advance(50)
        self.assertIsNone(control.session.verdict)
        control.session.advance(11)
        self.assertEqual(control.reason, "time limit: reply_seconds = 60")

    def test_urgent(self) -> None:
        """What a client sends with Telnet's signals, the server gets with them, as urgent."""
        for verb in (b"ABOR", b"STAT"):
            for signals in (b"\xff\xf4\xff\xf2", b"\xff\xf2"):
                control, _ = self.begun(b"RETR a")
                passed, _ = control.client(signals + verb + b"\r\n")
                self.assertEqual(passed, b"\xff\xf4\xff\xf2" + verb + b"\r\n")
                self.assertEqual(control.session.urged, [(SERVER, b"\xff\xf4\xff\xf2")])
        control = Control().log_in()
        control.client(b"\xff\xf2NOOP\r\n")
        self.assertEqual(control.session.urged, [])

    def test_status(self) -> None:
        """STAT in the middle of a transfer: its answer may come before the transfer's, or after."""
        for answers in (
            (b"213-half\r\n of it\r\n213 end", b"226 done"),
            (b"226 done", b"211 nothing"),
        ):
            control, data = self.begun(b"RETR a")
            data.says(SERVER, b"hello")
            control.ask(b"STAT")
            self.assertEqual(control.client(b"NOOP\r\n")[0], b"")
            data.hangs_up(SERVER)
            heard = b"".join(control.server(answer + b"\r\n") for answer in answers)
            self.assertEqual(heard, b"".join(answer + b"\r\n" for answer in answers))
            self.assertTrue(control.session.sent[SERVER].endswith(b"NOOP\r\n"))
            self.assertEqual(control.transfers[0]["completion_code"], 226)
            said = [fields["command"] for event, fields in control.records if event == "ftp"]
            self.assertEqual(sorted(said[-2:]), ["RETR", "STAT"])

    def test_status_is_no_end(self) -> None:
        """After STAT, too, a reply does not overtake the data."""
        control, data = self.begun(b"RETR a")
        control.ask(b"STAT", b"213 half")
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        data.hangs_up(SERVER)
        self.assertEqual(control.server(b""), b"226 done\r\n")

    def test_abort_before_it_comes(self) -> None:
        """ABOR while a connection of the server's is waited for, that it says it has had."""
        control = Control().log_in()
        expected = control.active()
        control.ask(b"RETR a", b"150 here")
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        control.client(b"ABOR\r\n")
        self.assertTrue(control.session.sent[CLIENT].endswith(b"226 done\r\n"))
        self.assertTrue(expected.cancelled)

    def test_status_again(self) -> None:
        """Again and again, one at a time; and then ABOR."""
        control, data = self.begun(b"RETR a")
        for _ in range(3):
            self.assertEqual(control.ask(b"STAT", b"213 half"), b"213 half\r\n")
        control.ask(b"STAT")
        self.assertEqual(control.client(b"STAT\r\n")[0], b"")
        self.assertEqual(control.server(b"213 more\r\n"), b"213 more\r\n")
        self.assertTrue(control.session.sent[SERVER].endswith(b"STAT\r\nSTAT\r\n"))
        control.server(b"213 more\r\n")
        control.client(b"")
        control.ask(b"STAT")
        control.ask(b"ABOR")
        self.assertEqual(control.client(b"ABOR\r\n")[0], b"")
        data.over()
        control.server(b"426 broken\r\n226 fine\r\n213 idle\r\n")
        control.server(b'257 "/"\r\n')
        self.assertTrue(control.session.sent[SERVER].endswith(b"STAT\r\nABOR\r\nPWD\r\nABOR\r\n"))

    def test_status_of_file(self) -> None:
        """STAT of a file is a listing, and waits."""
        control, _ = self.begun(b"RETR a")
        self.assertEqual(control.client(b"STAT x\r\n")[0], b"")

    def test_status_before(self) -> None:
        """And so does either before the transfer has begun, or of something else."""
        control = Control().log_in()
        control.passive()
        control.client(b"RETR a\r\n")
        self.assertEqual(control.client(b"STAT\r\n")[0], b"")
        control = Control().log_in()
        control.client(b"NOOP\r\n")
        self.assertEqual(control.client(b"ABOR\r\n")[0], b"")

    def test_abort_too_late(self) -> None:
        """The same if the server was done already."""
        control, data = self.begun(b"RETR a")
        data.says(SERVER, b"hello")
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        control.client(b"ABOR\r\n")
        control.server(b"225 nothing to abort\r\n")
        self.assertTrue(
            control.session.sent[CLIENT].endswith(b"226 done\r\n225 nothing to abort\r\n")
        )

    def test_abort_without_beginning(self) -> None:
        """ABOR passes too while the data of a transfer flow that the server never began aloud."""
        control = Control().log_in()
        control.passive().comes(DATA)
        control.ask(b"RETR a")
        self.assertEqual(control.client(b"ABOR\r\n")[0], b"")
        control.server(b"226 done\r\n")
        self.assertTrue(control.session.sent[SERVER].endswith(b"ABOR\r\n"))

    def test_second_preliminary(self) -> None:
        """A transfer begins once."""
        control, _ = self.begun(b"RETR a")
        control.server(b"150 again\r\n")
        self.assertIs(control.session.verdict.outcome, Outcome.DENIED)

    def test_refused_by_server(self) -> None:
        """A transfer that the server doesn't want leaves nothing open."""
        control = Control().log_in()
        data = control.passive().comes(DATA)
        control.ask(b"RETR a", b"550 none")
        self.assertIs(data.verdict.outcome, Outcome.CLOSED)
        self.assertEqual(control.transfers[0]["completion_code"], 550)

    def test_broken_by_server(self) -> None:
        """What the server has sent of a transfer that it breaks off reaches the client."""
        control, data = self.begun(b"RETR a")
        self.assertEqual(control.server(b"426 broken\r\n"), b"426 broken\r\n")
        self.assertIsNone(data.verdict)
        data.says(SERVER, b"hello")
        data.hangs_up(SERVER)
        self.assertEqual((data.sent[CLIENT], data.halves), (b"hello", {CLIENT}))

    def test_control_lost(self) -> None:
        """A transfer whose control connection is lost is cut off, not ended, and is recorded."""
        control, data = self.begun(b"RETR a")
        data.says(SERVER, b"hello")
        control.session.over()
        self.assertIs(data.verdict.outcome, Outcome.DENIED)
        (record,) = control.transfers
        self.assertEqual((record["verdict"], record["reason"]), ("failed", "the test is over"))
        self.assertEqual((record["size"], record["completion_code"]), (5, None))

    def test_control_lost_before(self) -> None:
        """The same before its data connection has come: it is let in no more."""
        control = Control().log_in()
        expected = control.passive()
        control.ask(b"RETR a", b"150 here")
        control.session.over()
        self.assertTrue(expected.cancelled)
        self.assertEqual([one["verdict"] for one in control.transfers], ["failed"])

    def test_too_late(self) -> None:
        """What comes in the moment in which it is given up is not let in."""
        control = Control().log_in()
        expected = control.passive()
        control.ask(b"RETR a", b"550 none")
        data = FakeSession(expected.service, client=DATA, server=expected.address).start()
        self.assertIs(data.verdict.outcome, Outcome.DENIED)
        self.assertIn("refused the transfer", data.verdict.reason)

    def test_control_ended(self) -> None:
        """One whose server hangs up is cut off too: nobody knows whether it is complete."""
        control, data = self.begun(b"RETR a")
        control.session.hangs_up(SERVER)
        self.assertEqual(control.server_silent(), b"421 The server closed the connection.\r\n")
        self.assertIs(control.session.verdict.outcome, Outcome.FAILED)
        self.assertIs(data.verdict.outcome, Outcome.DENIED)
        self.assertEqual([one["verdict"] for one in control.transfers], ["failed"])

    def test_client_gone(self) -> None:
        """One whose client has gone comes to its end, as long as data flow; then all is over."""
        control, data = self.begun(b"RETR a")
        control.session.hangs_up(CLIENT)
        control.session.advance(100)
        self.assertIsNone(control.session.verdict)
        data.says(SERVER, b"hello")
        data.hangs_up(SERVER)
        control.server(b"226 done\r\n")
        self.assertIs(control.session.verdict.outcome, Outcome.PASSED)
        self.assertEqual([one["verdict"] for one in control.transfers], ["passed"])

    def test_left(self) -> None:
        """A data connection that was used for nothing goes with its control connection."""
        control = Control().log_in()
        data = control.passive().comes(DATA)
        control.ask(b"QUIT", b"221 bye")
        control.session.hangs_up(SERVER)
        control.session.hangs_up(CLIENT)
        self.assertIs(control.session.verdict.outcome, Outcome.PASSED)
        self.assertIs(data.verdict.outcome, Outcome.CLOSED)
