"""C{data_mode}: the client's way to make data connections, and another one with the server."""

from __future__ import annotations

from itertools import product
from typing import Any

from attrs import evolve
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Denied, Outcome, Unreachable
from protocols.ftp.settings import FtpSettings
from tests.protocols.ftp.speak import FTP, FTP6, HOST, HOST6, READ_WRITE, Control

ACTIVE = evolve(READ_WRITE, data_mode="active")
PASSIVE = evolve(READ_WRITE, data_mode="passive")
DATA = Address(HOST.host, 50100)
PORT_20 = Address(FTP.host, 20)


class Translated(Control):
    """A control connection whose two sides make data connections in different ways."""

    def agree(self, asked: bytes, sent: bytes, reply: bytes) -> bytes:
        """What the client asks, what the server hears and answers: what the client hears."""
        self.assert_sent(asked, sent)
        return self.server(reply + b"\r\n")

    def assert_sent(self, asked: bytes, sent: bytes) -> None:
        heard = self.client(asked + b"\r\n")
        assert heard == (sent + b"\r\n", b""), heard

    def passive_to_active(self) -> Translated:
        """A passive client, an active server: 40000 is for the server, 40001 for the client."""
        heard = self.agree(b"PASV", b"PORT 192,0,2,1,156,64", b"200 fine")
        assert heard == b"227 Entering Passive Mode (198,51,100,2,156,65).\r\n", heard
        return self

    def active_to_passive(self) -> Translated:
        """An active client, a passive server."""
        heard = self.agree(b"PORT 192,0,2,1,195,82", b"PASV", b"227 (198,51,100,2,156,64)")
        assert heard == b"200 PORT command successful.\r\n", heard
        return self


def logged_in(settings: FtpSettings, **session: Any) -> Translated:
    control = Translated(settings, **session)
    control.log_in()
    return control


class AgreementTests(SynchronousTestCase):
    """Who hears what, and who listens where."""

    def test_passive_to_active(self) -> None:
        """The gateway listens for both: at the client's address, and at the server's."""
        control = logged_in(ACTIVE).passive_to_active()
        far, near = control.session.expected
        self.assertEqual((far.side, far.address), (SERVER, Address(HOST.host, 40000)))
        self.assertEqual((near.side, near.address), (CLIENT, Address(FTP.host, 40001)))
        self.assertIsNone(far.service)

    def test_active_to_passive(self) -> None:
        """The gateway listens for nobody."""
        control = logged_in(PASSIVE).active_to_passive()
        self.assertEqual(control.session.expected, [])
        self.assertEqual(control.session.dialed, [])

    def test_extended(self) -> None:
        """What begins in the form of RFC 2428 goes on in it."""
        heard = logged_in(ACTIVE).agree(b"EPSV", b"EPRT |1|192.0.2.1|40000|", b"200 fine")
        self.assertEqual(heard, b"229 Entering Extended Passive Mode (|||40001|)\r\n")
        control = logged_in(PASSIVE)
        heard = control.agree(b"EPRT |1|192.0.2.1|50002|", b"EPSV", b"229 (|||40000|)")
        self.assertEqual(heard, b"200 EPRT command successful.\r\n")

    def test_ipv6(self) -> None:
        """The same over IPv6."""
        six: dict[str, Any] = {"client": HOST6, "server": FTP6}
        control = logged_in(ACTIVE, **six)
        heard = control.agree(b"EPSV 2", b"EPRT |2|2001:db8:1::1|40000|", b"200 fine")
        self.assertEqual(heard, b"229 Entering Extended Passive Mode (|||40001|)\r\n")
        control = logged_in(PASSIVE, **six)
        control.agree(b"EPRT |2|2001:db8:1::1|50002|", b"EPSV", b"229 (|||40000|)")
        control.client(b"RETR a\r\n")
        self.assertEqual(control.session.dialed[0].address, Address(FTP6.host, 40000))

    def test_same(self) -> None:
        """Where the client does what is wanted anyway, nothing changes."""
        control = logged_in(PASSIVE)
        control.passive()
        control.ask(b"EPSV 1", b"229 (|||40000|)")
        control.ask(b"EPSV ALL", b"200 fine")
        logged_in(ACTIVE).active()

    def test_other_family(self) -> None:
        """A client of IPv4 with a server of IPv6, and the other way round."""
        control = logged_in_at(FTP6, source=Address("2001:db8:3::3", 1))
        heard = control.agree(b"PASV", b"EPSV", b"229 (|||40000|)")
        self.assertEqual(heard, b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n")
        data = control.session.expected[-1].comes(DATA)
        self.assertEqual(data.connected, [Address(FTP6.host, 40000)])
        control.assert_sent(b"PORT 192,0,2,1,195,82", b"EPRT |2|2001:db8:3::3|50002|")
        six: dict[str, Any] = {"client": HOST6, "server": FTP6, "source": Address("10.9.9.1", 1)}
        control = logged_in_at(Address("10.9.9.9", 21), **six)
        heard = control.agree(b"EPSV 2", b"EPSV", b"229 (|||40000|)")
        self.assertEqual(heard, b"229 Entering Extended Passive Mode (|||40000|)\r\n")
        control.assert_sent(b"EPRT |2|2001:db8:1::1|50002|", b"EPRT |1|10.9.9.1|50002|")

    def test_third_parties(self) -> None:
        """No mode takes anybody's announcement of anybody else's address, or of a low port."""
        for settings in (ACTIVE, PASSIVE):
            for said in (b"PORT 203,0,113,9,200,1", b"EPRT |1|192.0.2.1|1023|"):
                passed, heard = logged_in(settings).client(said + b"\r\n")
                self.assertEqual((passed, heard[:3]), (b"", b"501"))
        for said in (b"227 (203,0,113,9,156,64)", b"227 (198,51,100,2,0,80)", b"227 none"):
            control = logged_in(evolve(PASSIVE, pasv_address="deny"))
            heard = control.agree(b"PORT 192,0,2,1,195,82", b"PASV", said)
            self.assertEqual(heard[:3], b"421")
            self.assertIs(control.session.verdict.outcome, Outcome.DENIED)

    def test_own_address(self) -> None:
        """A server that announces a private address is connected to at its own, if so wanted."""
        control = logged_in(evolve(READ_WRITE, pasv_address="server"))
        heard = control.agree(b"PASV", b"PASV", b"227 (10,0,0,7,156,64)")
        self.assertEqual(heard, b"227 Entering Passive Mode (198,51,100,2,156,64).\r\n")
        data = control.session.expected[-1].comes(DATA)
        self.assertEqual(data.connected, [Address(FTP.host, 40000)])
        heard = control.agree(b"PASV", b"PASV", b"227 (10,0,0,7,0,80)")
        self.assertIn("port 80", control.reason)

    def test_server_refuses(self) -> None:
        """What the server doesn't want, the client hears of; nobody listens any more."""
        control = logged_in(ACTIVE)
        heard = control.agree(b"PASV", b"PORT 192,0,2,1,156,64", b"500 no")
        self.assertEqual(heard, b"500 no\r\n")
        self.assertTrue(control.session.expected[0].cancelled)
        self.assertEqual(control.client(b"RETR a\r\n")[1][:3], b"425")
        control = logged_in(PASSIVE)
        heard = control.agree(b"PORT 192,0,2,1,195,82", b"PASV", b"502 no")
        self.assertEqual(heard, b"502 no\r\n")
        self.assertEqual(control.client(b"RETR a\r\n")[1][:3], b"425")

    def test_no_listener(self) -> None:
        """If the gateway can't listen for the one, it doesn't listen for the other."""
        control = logged_in(ACTIVE)
        control.assert_sent(b"PASV", b"PORT 192,0,2,1,156,64")
        control.session.expect = lambda *_: fail(Unreachable("taken"))  # type: ignore
        self.assertEqual(control.server(b"200 fine\r\n")[:3], b"425")
        self.assertTrue(control.session.expected[0].cancelled)
        self.assertEqual(
            control.client(b"PASV\r\n"), (b"", b"425 Can't listen for the data connection.\r\n")
        )

    def test_only_epsv(self) -> None:
        """EPSV ALL can't be agreed on with a server that will hear of EPRT."""
        control = logged_in(ACTIVE)
        self.assertEqual(control.client(b"EPSV ALL\r\n")[1][:3], b"504")
        control = logged_in(PASSIVE)
        control.ask(b"EPSV ALL", b"200 fine")
        self.assertEqual(control.client(b"PORT 192,0,2,1,195,82\r\n")[1][:3], b"501")

    def test_record(self) -> None:
        """The record tells what the client asked for, and what the server was."""
        control = logged_in(ACTIVE).passive_to_active()
        fields = control.last
        self.assertEqual((fields["command"], fields["server_command"]), ("PASV", "PORT"))
        self.assertNotIn("command_data", fields)


def logged_in_at(reached: Address, **session: Any) -> Translated:
    """By way of a service that has a server of its own."""
    control = Translated(READ_WRITE, reachable=None, **session)
    control.session.connected[0] = reached
    control.session.reach()
    control.log_in()
    return control


class CombinationTests(SynchronousTestCase):
    """Every command, towards every kind of server: what is heard, and who connects where."""

    def test_all(self) -> None:
        """A file arrives in every combination of command, IP versions and setting."""
        count = 0
        for mode, near, far in product(("keep", "passive", "active"), (4, 6), (4, 6)):
            for asked in ("PASV", "EPSV", "PORT", "EPRT") if near == 4 else ("EPSV", "EPRT"):
                self.fetch(mode, near, far, asked)
                count += 1
        self.assertEqual(count, 36)

    def fetch(self, mode: str, near: int, far: int, asked: str) -> None:
        """One file, over one combination."""
        client, server = (HOST, FTP) if near == 4 else (HOST6, FTP6)
        reached, source = FAR[far]
        control = Translated(
            evolve(READ_WRITE, data_mode=mode),
            reachable=None,
            client=client,
            server=server,
            source=source,
        )
        control.session.connected[0] = reached
        control.session.reach()
        control.log_in()
        passive = asked in ("PASV", "EPSV")
        heard, _ = control.client(command(asked, client.host) + b"\r\n")
        wanted = passive if mode == "keep" else mode == "passive"
        extended = far == 6 or asked.startswith("E")
        verb = ("EPSV" if wanted else "EPRT") if extended else ("PASV" if wanted else "PORT")
        port = 50002 if passive == wanted else 40000
        if wanted:
            self.assertEqual(heard, verb.encode() + b"\r\n")
            reply = b"229 (|||41000|)" if extended else b"227 (203,0,113,7,160,40)"
        else:
            self.assertEqual(heard, command(verb, source.host, port) + b"\r\n")
            reply = b"200 fine"
        said = control.server(reply + b"\r\n")
        self.assertEqual(said[:3], {"PASV": b"227", "EPSV": b"229"}.get(asked, b"200"), said)
        control.ask(b"RETR a", b"150 here")
        data, side = self.data(control, passive, wanted, client, reached)
        data.says(side, b"hello")
        data.hangs_up(side)
        self.assertEqual(data.sent[side.other], b"hello")
        self.assertEqual(control.server(b"226 done\r\n"), b"226 done\r\n")

    def data(
        self, control: Translated, passive: bool, wanted: bool, client: Address, reached: Address
    ) -> tuple[Any, Any]:
        """The data connection, and which of its sides is the server."""
        session = control.session
        if passive:
            near = session.expected[-1]
            self.assertEqual((near.side, near.address.host), (CLIENT, session.server.host))
            data = near.comes(Address(client.host, 50100))
            if wanted:
                self.assertEqual(data.connected, [Address(reached.host, 41000)])
            else:
                session.expected[0].joins(Address(reached.host, 20))
            return data, SERVER
        if wanted:
            (dialed,) = session.dialed
            self.assertEqual(dialed.address, Address(reached.host, 41000))
            data = dialed.answers()
        else:
            (expected,) = session.expected
            self.assertEqual((expected.side, expected.address.host), (SERVER, session.source.host))
            data = expected.comes(Address(reached.host, 20))
        self.assertEqual(data.connected, [Address(client.host, 50002)])
        return data, CLIENT


FAR = {
    4: (Address("203.0.113.7", 21), Address("203.0.113.99", 50001)),
    6: (Address("2001:db8:7::7", 21), Address("2001:db8:7::99", 50001)),
}


def command(verb: str, host: str, port: int = 50002) -> bytes:
    """What asks for a data connection."""
    if verb == "PORT":
        return f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}".encode()
    if verb == "EPRT":
        return f"EPRT |{2 if ':' in host else 1}|{host}|{port}|".encode()
    return verb.encode()


class PassiveToActiveTests(SynchronousTestCase):
    """Both come to the gateway."""

    def begun(self, command: bytes = b"RETR a") -> tuple[Translated, Any, Any]:
        control = logged_in(ACTIVE).passive_to_active()
        far, near = control.session.expected
        control.ask(command, b"150 here")
        return control, far, near

    def test_download(self) -> None:
        """The client comes first, as it usually does."""
        control, far, near = self.begun()
        data = near.comes(DATA)
        self.assertFalse(data.opened)
        far.joins(PORT_20)
        data.says(SERVER, b"hello")
        self.assertEqual((data.sent[CLIENT], control.server(b"226 done\r\n")), (b"hello", b""))
        data.hangs_up(SERVER)
        self.assertEqual(control.server(b""), b"226 done\r\n")
        (record,) = control.transfers
        self.assertEqual((record["mode"], record["server_mode"]), ("passive", "active"))
        self.assertEqual((record["size"], record["verdict"]), (5, "passed"))

    def test_upload(self) -> None:
        """What the client sends before the server is there waits."""
        control, far, near = self.begun(b"STOR a")
        data = near.comes(DATA)
        data.says(CLIENT, b"hello")
        data.hangs_up(CLIENT)
        self.assertEqual(data.sent[SERVER], b"")
        far.joins(PORT_20)
        self.assertEqual((data.sent[SERVER], data.halves), (b"hello", {SERVER}))
        self.assertEqual(control.server(b"226 done\r\n"), b"226 done\r\n")

    def test_server_first(self) -> None:
        """A server that is done before the client has come: its reply waits."""
        control, far, near = self.begun()
        far.joins(PORT_20)
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        data = near.comes(DATA)
        self.assertTrue(data.opened)
        data.says(SERVER, b"hello")
        data.hangs_up(SERVER)
        self.assertEqual(control.server(b""), b"226 done\r\n")
        self.assertEqual(data.sent[CLIENT], b"hello")

    def test_client_never_comes(self) -> None:
        """A client that doesn't come doesn't hear that all went well."""
        control, far, near = self.begun()
        far.joins(PORT_20)
        control.server(b"226 done\r\n")
        near.cancel()
        self.assertEqual(control.server(b"")[:3], b"425")
        self.assertTrue(far.cancelled)

    def test_server_never_comes(self) -> None:
        """A server that does not come, and says that it did: the client hears that it didn't."""
        control, far, near = self.begun()
        data = near.comes(DATA)
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        far.cancel()
        self.assertIs(data.verdict.outcome, Outcome.FAILED)
        self.assertEqual(control.server(b"")[:3], b"426")
        self.assertEqual(control.transfers[0]["verdict"], "failed")

    def test_server_gives_up(self) -> None:
        """A server that couldn't connect: the client's connection ends, and it hears why."""
        control, far, near = self.begun()
        data = near.comes(DATA)
        self.assertEqual(control.server(b"425 no\r\n"), b"425 no\r\n")
        self.assertTrue(far.cancelled)
        self.assertIsNotNone(data.verdict)

    def test_refused(self) -> None:
        """A transfer that the server doesn't want leaves nobody waiting."""
        control = logged_in(ACTIVE).passive_to_active()
        control.ask(b"RETR a", b"550 none")
        self.assertEqual([one.cancelled for one in control.session.expected], [True, True])

    def test_again(self) -> None:
        """A new announcement takes both doors of the one before away."""
        control = logged_in(ACTIVE).passive_to_active()
        control.assert_sent(b"PASV", b"PORT 192,0,2,1,156,66")
        self.assertEqual([one.cancelled for one in control.session.expected[:2]], [True, True])

    def test_end(self) -> None:
        """And so does the end of the control connection."""
        control, far, near = self.begun()
        data = near.comes(DATA)
        control.session.over()
        self.assertTrue(far.cancelled)
        self.assertIsNotNone(data.verdict)


class PortTests(SynchronousTestCase):
    """C{active_ports}: where a server connects from."""

    def test_data(self) -> None:
        """From its port for data only, or not at all; the client hears that it failed."""
        strict = evolve(READ_WRITE, active_ports="data")
        for port, right in ((20, True), (2120, True), (2121, False), (40000, False)):
            control = Control(strict, server=Address(FTP.host, 2121)).log_in()
            expected = control.active()
            control.ask(b"RETR a", b"150 here")
            data = expected.comes(Address(FTP.host, port))
            self.assertEqual(data.verdict is None, right)
            if not right:
                self.assertIn("active_ports", data.verdict.reason)

    def test_joined(self) -> None:
        """The same if the client is passive."""
        for port, right in ((20, True), (40000, False)):
            control = logged_in(evolve(ACTIVE, active_ports="data")).passive_to_active()
            far, near = control.session.expected
            control.ask(b"RETR a", b"150 here")
            data = near.comes(DATA)
            far.joins(Address(FTP.host, port))
            self.assertEqual(data.verdict is None, right)
            self.assertEqual(control.server(b"226 done\r\n")[:3], b"" if right else b"451")

    def test_early(self) -> None:
        """And if the server came first."""
        control = logged_in(evolve(ACTIVE, active_ports="data")).passive_to_active()
        far, near = control.session.expected
        far.joins(Address(FTP.host, 40000))
        self.assertIs(near.comes(DATA).verdict.outcome, Outcome.DENIED)

    def test_any(self) -> None:
        """By default, from any port; and this says nothing of passive ones."""
        control = Control().log_in()
        self.assertIsNone(control.active().comes(Address(FTP.host, 40000)).verdict)
        control = Control(evolve(READ_WRITE, active_ports="data")).log_in()
        self.assertIsNone(control.passive().comes(DATA).verdict)


class ActiveToPassiveTests(SynchronousTestCase):
    """The gateway connects to both."""

    def begun(self, command: bytes = b"RETR a", **session: Any) -> tuple[Translated, Any]:
        control = logged_in(PASSIVE, **session).active_to_passive()
        control.ask(command, b"150 here")
        (dialed,) = control.session.dialed
        return control, dialed

    def test_download(self) -> None:
        """First to the server, then to the client, from the server's port for that."""
        control, dialed = self.begun()
        self.assertEqual((dialed.side, dialed.address), (SERVER, Address(FTP.host, 40000)))
        data = dialed.answers()
        self.assertEqual(data.connected, [Address(HOST.host, 50002)])
        self.assertEqual(data.ports, [20])
        data.says(CLIENT, b"hello")
        self.assertEqual((data.sent[SERVER], control.server(b"226 done\r\n")), (b"hello", b""))
        data.hangs_up(CLIENT)
        self.assertEqual(control.server(b""), b"226 done\r\n")
        (record,) = control.transfers
        self.assertEqual((record["mode"], record["server_mode"]), ("active", "passive"))

    def test_upload(self) -> None:
        """The client's bytes reach the server, however late the gateway does."""
        control, dialed = self.begun(b"STOR a")
        data = dialed.answers()
        data.says(SERVER, b"hello")
        data.hangs_up(SERVER)
        self.assertEqual((data.sent[CLIENT], data.halves), (b"hello", {CLIENT}))
        self.assertEqual(control.server(b"226 done\r\n"), b"226 done\r\n")

    def test_port(self) -> None:
        """The port for data is the one below the server's control port (RFC 959, section 5.2)."""
        control, dialed = self.begun(server=Address(FTP.host, 2121))
        self.assertEqual(dialed.answers().ports, [2120])
        del control

    def test_overtaken(self) -> None:
        """A reply that comes before the gateway has reached the server waits."""
        control, dialed = self.begun()
        self.assertEqual(control.server(b"226 done\r\n"), b"")
        data = dialed.answers()
        data.says(CLIENT, b"hello")
        self.assertEqual(control.server(b""), b"")
        data.hangs_up(CLIENT)
        self.assertEqual(control.server(b""), b"226 done\r\n")

    def test_server_unreachable(self) -> None:
        """If the server can't be reached, the client does not hear that all went well."""
        control, dialed = self.begun()
        control.server(b"226 done\r\n")
        dialed.refuses()
        self.assertEqual(control.server(b"")[:3], b"426")
        self.assertEqual(control.transfers[0]["reason"], "connection refused")

    def test_server_denied(self) -> None:
        """Nor if the gateway may not."""
        control, dialed = self.begun()
        control.server(b"226 done\r\n")
        dialed.reached.errback(Denied("too many"))
        self.assertEqual(control.server(b"")[:3], b"451")

    def test_client_unreachable(self) -> None:
        """Nor if the client can't be."""
        control, dialed = self.begun()
        data = dialed.answers(reachable=False)
        self.assertIs(data.verdict.outcome, Outcome.FAILED)
        self.assertEqual(control.server(b"226 done\r\n")[:3], b"426")

    def test_refused(self) -> None:
        """A transfer that the server doesn't want is not connected for any more."""
        control = logged_in(PASSIVE).active_to_passive()
        self.assertEqual(control.ask(b"RETR a", b"550 none"), b"550 none\r\n")
        self.assertEqual(control.transfers[0]["verdict"], "passed")
        self.assertTrue(control.session.dialed[0].cancelled)

    def test_abort(self) -> None:
        """ABOR while the gateway is still connecting: nobody waits for that."""
        control, _ = self.begun()
        self.assertEqual(control.client(b"ABOR\r\n")[0], b"ABOR\r\n")
        heard = control.server(b"426 aborted\r\n226 fine\r\n")
        self.assertEqual(heard, b"426 aborted\r\n226 fine\r\n")
        self.assertTrue(control.session.dialed[0].cancelled)
