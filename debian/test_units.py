"""
The units that are for some hosts only, the carrier's, the usher's and the signer's, under a real
systemd.

Run by C{make deb-test}, as L{test_package}.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from threading import Thread
from typing import Any

from test_life import LifeCase

from gateway.lab import network
from tests.tls.pki import Authority

RELEASED, THROUGH, CLOSED, SECURE = 8100, 8200, 8201, 8443

RELAY = f"""
inspector = "relay"
[[rule]]
to = ["{network.SERVER}"]
ports = [{RELEASED}]
"""
SHAKES = f"""
inspector = "relay"
handshake = "through"
[[rule]]
to = ["{network.SERVER}", "{network.SERVER6}"]
ports = [{THROUGH}, {CLOSED}]
"""
INSPECTED = f"""
inspector = "tls"
[[rule]]
to = ["{network.SERVER}"]
ports = [{SECURE}]
[tls]
inside = "plain"
"""
PLAIN = 'inspector = "relay"\n'
ROOT = "/etc/tproxygw/root.pem"
NAME = "www.example.org"


class UnitCase(LifeCase):
    """Connections of a service that needs such a unit."""

    port: int

    def pair(self, host: str = network.SERVER) -> tuple[socket.socket, socket.socket]:
        """A connection: the client's socket and the server's."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with self.between.server.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, self.port))
            listener.listen()
            listener.settimeout(20)
            ours = self.between.client.socket(family)
            self.addCleanup(ours.close)
            ours.settimeout(20)
            ours.connect((host, self.port))
            theirs, _ = listener.accept()
            self.addCleanup(theirs.close)
            theirs.settimeout(20)
            return ours, theirs

    def talk(self, *ends: socket.socket) -> None:
        """A thousand bytes each way."""
        for here, there in (ends, ends[::-1]):
            here.sendall(bytes(1000))
            left = 1000
            while left:
                left -= len(there.recv(left))

    def is_active(self, unit: str) -> bool:
        state = self.container.try_to("systemctl", "is-active", unit)
        return state.stdout.strip() == "active"

    def again(self, how: str, unit: str) -> None:
        """After C{systemctl HOW UNIT} it is there again, as another process."""
        before = self.main(unit)
        self.container.run("systemctl", *how.split(), unit)
        self.until(lambda: self.main(unit) not in ("0", before))
        self.until(lambda: self.is_active(unit))

    def flows(self) -> list[dict[str, Any]]:
        """The records of all that came to the port."""
        lines = self.container.path("/var/log/tproxygw/eve.json").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [one for one in records if one.get("dest_port") == self.port]


AGAIN = ("restart", "kill --signal=KILL --kill-whom=main")
"""How a process becomes another one."""


class CarrierUnitTests(UnitCase):
    """C{tproxygw-carrier.service}."""

    port = RELEASED

    def setUp(self) -> None:
        super().setUp()
        (self.services / "released.toml").write_text(RELAY)

    def begin(self) -> None:
        """The kernel is to have what is released."""
        self.configure("[release]\nkernel = true\nafter_seconds = 0\n")
        self.container.run("systemctl", "enable", "--now", "tproxygw-carrier")
        self.container.run("systemctl", "restart", "tproxygw")

    def test_outlives(self) -> None:
        """Released sessions outlive restarts of both units, and crashes; then they have records."""
        self.begin()
        ours, theirs = self.pair()
        self.talk(ours, theirs)
        self.until(lambda: not self.sockets())
        for how in AGAIN:
            for unit in ("tproxygw-carrier", "tproxygw"):
                self.again(how, unit)
                self.talk(ours, theirs)
        self.assertInspected()
        ours.close()
        theirs.close()
        self.until(self.flows)
        (flow,) = self.flows()
        self.assertEqual(flow["gateway"]["released_in"], "kernel")
        self.assertEqual(flow["flow"]["bytes_toserver"], 5 * 1000)
        self.assertNoGap()

    def test_not_needed(self) -> None:
        """Enabled without need it does nothing, and nobody complains."""
        self.container.run("systemctl", "enable", "--now", "tproxygw-carrier")
        self.until(lambda: not self.is_active("tproxygw-carrier"))
        self.assertEqual(self.container.run("systemctl", "--failed", "--quiet"), "")
        show = ("journalctl", "--no-pager", "-o", "cat", "-u", "tproxygw-carrier", "-p")
        self.assertEqual(self.container.run(*show, "warning").strip(), "")
        self.assertIn("not needed", self.container.run(*show, "info"))

    def test_failed_start(self) -> None:
        """What can't start says so to who starts it, and is there as soon as it can."""
        self.configure("[release]\nkernal = true\n")
        started = self.container.try_to("systemctl", "start", "tproxygw-carrier")
        self.assertNotEqual(started.returncode, 0)
        said = self.container.run("journalctl", "--no-pager", "-u", "tproxygw-carrier", "-p", "err")
        self.assertIn("did you mean", said)
        gateway = self.container.path("/etc/tproxygw/gateway.toml")
        gateway.write_text(gateway.read_text().replace("kernal", "kernel"))
        self.until(lambda: self.is_active("tproxygw-carrier"))

    def sockets(self) -> str:
        """The gateway's connections with that server's port."""
        command = ("ss", "-tnH", "state", "established", f"sport = :{RELEASED}")
        return self.between.gateway.run(*command).strip()


class UsherUnitTests(UnitCase):
    """C{tproxygw-usher.service}."""

    port = THROUGH

    def begin(self) -> None:
        """A service shakes hands through."""
        (self.services / "through.toml").write_text(SHAKES)
        self.container.run("systemctl", "enable", "--now", "tproxygw-usher")
        self.container.run("systemctl", "restart", "tproxygw")

    def test_comes_back(self) -> None:
        """Restarted or killed, as the gateway is, it takes over who comes; sessions go on."""
        self.begin()
        for host in (network.SERVER, network.SERVER6):
            self.talk(*self.pair(host))
        self.assertRaises(ConnectionRefusedError, self.connect, CLOSED)
        for how in AGAIN:
            running = self.pair()
            self.again(how, "tproxygw-usher")
            self.talk(*running)
            self.talk(*self.pair())
            self.again(how, "tproxygw")
            self.assertInspected()
            self.talk(*self.pair())
        self.until(lambda: len(self.flows()) > 2)
        ways = {one["gateway"].get("handshake") for one in self.flows()}
        self.assertEqual(ways, {"through"})
        self.assertNoGap()

    def test_stopped(self) -> None:
        """Without it nobody is connected and no server hears of it; once it is there, they are."""
        self.begin()
        self.talk(*self.pair())
        self.container.run("systemctl", "stop", "tproxygw-usher")
        with self.between.server.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((network.SERVER, THROUGH))
            listener.listen()
            listener.setblocking(False)
            self.assertRaises(TimeoutError, self.connect, THROUGH)
            self.assertRaises(BlockingIOError, listener.accept)
        self.container.run("systemctl", "start", "tproxygw-usher")
        self.talk(*self.pair())
        self.assertNoGap()

    def test_privileges(self) -> None:
        """It has three capabilities, can't get more, and may not call everything."""
        self.begin()
        self.talk(*self.pair())
        found = self.container.run("pgrep", "-f", "gateway.kernel.handshake").split()
        self.assertEqual(len(found), 2)
        for process in found:
            status = self.container.run("cat", f"/proc/{process}/status")
            told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            # CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW
            self.assertEqual(int(told["CapEff"], 16), 1 << 10 | 1 << 12 | 1 << 13)
            self.assertEqual(int(told["CapPrm"], 16), int(told["CapEff"], 16))
            self.assertEqual((told["NoNewPrivs"], told["Seccomp"]), ("1", "2"))

    def test_not_needed(self) -> None:
        """Enabled without need it does nothing, and nobody complains."""
        self.container.run("systemctl", "enable", "--now", "tproxygw-usher")
        self.until(lambda: not self.is_active("tproxygw-usher"))
        self.assertEqual(self.container.run("systemctl", "--failed", "--quiet"), "")
        show = ("journalctl", "--no-pager", "-o", "cat", "-u", "tproxygw-usher", "-p")
        self.assertEqual(self.container.run(*show, "warning").strip(), "")
        self.assertIn("not needed", self.container.run(*show, "info"))

    def test_failed_start(self) -> None:
        """What can't start says so to who starts it, and is there as soon as it can."""
        (self.services / "through.toml").write_text(SHAKES.replace("through", "thru"))
        started = self.container.try_to("systemctl", "start", "tproxygw-usher")
        self.assertNotEqual(started.returncode, 0)
        said = self.container.run("journalctl", "--no-pager", "-u", "tproxygw-usher", "-p", "err")
        self.assertIn("through.toml:3:1", said)
        (self.services / "through.toml").write_text(SHAKES)
        self.until(lambda: self.is_active("tproxygw-usher"))

    def connect(self, port: int) -> None:
        """A client does, for three seconds."""
        with self.between.client.socket() as ours:
            ours.settimeout(3)
            ours.connect((network.SERVER, port))


class SignerUnitTests(LifeCase):
    """C{tproxygw-signer.service}."""

    def test_start(self) -> None:
        """
        A root that can't be used is a failed start. Once it is mended the signer is there by
        itself, and clients get its certificates.
        """
        container = self.container
        container.run("tproxygw", "tls", "root", ROOT)
        container.run("chmod", "640", ROOT)
        (self.services / "secure.toml").write_text(INSPECTED)
        (self.services / "plain.toml").write_text(PLAIN)
        self.serve()
        self.configure('[tls]\nroot = "root.pem"\ntrust = ["public.pem"]\n')
        started = container.try_to("systemctl", "enable", "--now", "tproxygw-signer")
        self.assertNotEqual(started.returncode, 0)
        said = container.run("journalctl", "--no-pager", "-u", "tproxygw-signer", "-p", "err")
        self.assertIn("chmod 600", said)
        container.run("chmod", "600", ROOT)
        self.until(self.signs)
        container.run("systemctl", "restart", "tproxygw")
        self.assertInspected()
        before = self.main("tproxygw-signer")
        user = container.run("ps", "-o", "user=", "-p", before).strip()
        self.assertEqual(user, "nobody")
        self.assertAnswered()
        container.run("systemctl", "restart", "tproxygw-signer", "tproxygw")
        self.assertNotEqual(self.main("tproxygw-signer"), before)
        self.assertAnswered()
        self.assertNoGap()

    def signs(self) -> bool:
        state = self.container.try_to("systemctl", "is-active", "tproxygw-signer")
        return state.stdout.strip() == "active"

    def serve(self) -> None:
        """A server with a certificate of an authority that the gateway believes."""
        public = Authority.root("Public Root")
        self.container.path("/etc/tproxygw/public.pem").write_bytes(public.issued.certificate_pem)
        file = self.folder / "server.pem"
        file.write_bytes(public.issue(NAME).pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(file)
        listener = self.between.server.socket()
        self.addCleanup(listener.close)
        listener.bind((network.SERVER, SECURE))
        listener.listen()
        Thread(target=self._answer, args=(listener,), daemon=True).start()

    def _answer(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                with (
                    contextlib.suppress(OSError),
                    self.context.wrap_socket(accepted, True) as theirs,
                ):
                    theirs.sendall(b"hello")

    def assertAnswered(self) -> None:
        """A client that believes the gateway's root only hears the server."""
        root = self.container.path(ROOT).with_suffix(".crt")
        believing = ssl.create_default_context(cafile=str(root))
        with self.between.client.socket() as ours:
            ours.settimeout(20)
            ours.connect((network.SERVER, SECURE))
            try:
                with believing.wrap_socket(ours, server_hostname=NAME) as secured:
                    self.assertEqual(secured.recv(5), b"hello")
            except OSError as error:
                audit = self.container.path("/var/log/tproxygw/eve.json").read_text()
                self.fail(f"{error}: {audit[-2000:]}")
