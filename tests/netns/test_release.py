"""Sessions of which nothing is left to inspect are the kernel's, and everything holds for them."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from typing import Any

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until
from tests.kernel.namespaces import ROOT
from tests.kernel.release.peers import HEAD
from tests.netns.case import (
    CLIENT,
    CLIENT6,
    RELAY,
    RELOADED,
    SERVER,
    SERVER6,
    Address,
    SceneCase,
    hear,
)
from tests.netns.commands import command

IDLE, TOTAL, FEW, ANY_PORT, DENIED, SPLICED, WEB = 9001, 9002, 9003, 9004, 9005, 9006, 9007

GATEWAY = """
[release]
kernel = true
after_seconds = 0
"""

SESSIONS = 100

LASTING = 10
"""Sessions besides, which talk until the kernel has half of them."""

PATIENCE = 120
"""Seconds for all that the kernel does: on a busy machine loss makes that slow."""

LOSS = """
table inet loss {
  chain in {
    type filter hook input priority -400; policy accept;
    tcp flags & syn == 0 numgen random mod 1000 < 20 drop
  }
  chain out {
    type filter hook output priority -400; policy accept;
    tcp flags & syn == 0 numgen random mod 1000 < 20 drop
  }
}
"""

MASQUERADE = """
table ip translation {
  chain leave {
    type nat hook postrouting priority srcnat; policy accept;
    oifname wan0 ip daddr 203.0.113.9 masquerade
  }
}
"""

SPLICE = f"""
inspector = "tls"
[[rule]]
from = ["office"]
ports = [{SPLICED}]
[tls]
inside = "relay"
mode = "splice"
"""

TUNNELS = f"""
inspector = "http"
[[rule]]
from = ["office"]
ports = [{WEB}]
[http]
upgrades = ["chat"]
connect = true
"""

UPGRADE = b"GET / HTTP/1.1\r\nHost: there\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
UPGRADED = b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"

CONNECT = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
CONNECTED = b"HTTP/1.1 200 Yes\r\n\r\n"

Pair = tuple[socket.socket, socket.socket, Address]


def peers(host: Namespace, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """One of the two ends of many sessions."""
    command = (sys.executable, "-m", "tests.kernel.release.peers", *arguments)
    return host.start(*command, cwd=ROOT, stdout=subprocess.PIPE, **options)


def client_hello(name: str) -> bytes:
    """What a TLS client says first."""
    said, heard = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(heard, said, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


def service(port: int, more: str) -> str:
    """A relay for connections to one port."""
    return f'inspector = "relay"\n{more}\n[[rule]]\nfrom = ["office"]\nports = [{port}]\n'


class ReleaseCase(SceneCase):
    """Connections, and how they leave the gateway."""

    gateway = GATEWAY

    def between(self, host: str = CLIENT, server: str = SERVER, port: int = 0) -> Pair:
        """A connection: the client's socket, the server's, and who the client is."""
        listener = self.listen(port, server)
        ours = self.dial(listener.getsockname()[:2], (host, 0))
        theirs, _ = self.accept(listener)
        listener.close()
        return ours, theirs, ours.getsockname()[:2]

    def until_released(self) -> None:
        """The kernel has all sessions: the gateway has no socket of any."""
        self.wait(lambda: not self.sockets(), "some sessions still have sockets", PATIENCE)

    def sockets(self) -> str:
        """The gateway's TCP connections with its clients and servers."""
        states = ("state", "connected", "exclude", "time-wait")
        return self.router.run("ss", "-tnH", *states).strip()

    def talk(self, one: socket.socket, other: socket.socket, count: int = 1000) -> None:
        """Some bytes each way."""
        for here, there in ((one, other), (other, one)):
            here.sendall(bytes(count))
            self.assertEqual(len(hear(there, count)), count)

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that asks the gateway."""
        return command(self.router, *arguments, "--control", str(self.scene.daemon.control))

    def finish(self, ours: socket.socket, theirs: socket.socket, peer: Address) -> dict[str, Any]:
        """End it from both sides, and get its record."""
        for here, there in ((ours, theirs), (theirs, ours)):
            here.shutdown(socket.SHUT_WR)
            self.assertEqual(hear(there), b"")
        return self.flow(peer)

    def assertCarried(self, record: dict[str, Any], to_server: int, to_client: int) -> None:
        """The kernel had it, and every byte is counted once."""
        self.assertEqual(record["gateway"].get("released_in"), "kernel", record)
        flow = record["flow"]
        counted = flow["bytes_toserver"], flow["bytes_toclient"]
        self.assertEqual(counted, (to_server, to_client))

    def assertStayed(self, record: dict[str, Any], why: str) -> None:
        """The gateway had it to its end."""
        gateway = record["gateway"]
        self.assertEqual((gateway.get("released_in"), gateway.get("why")), ("user space", why))


class OperatorTests(ReleaseCase):
    """Sessions that the kernel has are an operator's, too."""

    def test_listed_and_killed(self) -> None:
        """They are listed, with what the kernel has carried, and can be ended, as others are."""
        ours, theirs, peer = self.between()
        self.talk(ours, theirs)
        self.until_released()
        self.talk(ours, theirs, 2000)
        (row,) = json.loads(self.control("sessions", "--json").stdout)["sessions"]
        self.assertEqual((row["state"], row["client"]["port"]), ("kernel", peer[1]))
        self.assertEqual(row["bytes"], {"to_server": 3000, "to_client": 3000})
        told = self.control("show", str(row["id"])).stdout
        self.assertIn("passes in kernel", told)
        self.assertEqual(self.control("kill", str(row["id"])).stdout, "1 session ended.\n")
        for end in (ours, theirs):
            self.assertRaises(ConnectionResetError, end.recv, 1)
        record = self.flow(peer)
        self.assertCarried(record, 3000, 3000)
        self.assertEqual(record["gateway"]["reason"], "killed by root (uid 0)")


class ReleaseTests(ReleaseCase):
    """A gateway with a carrier of its own."""

    services = {
        "relay": RELAY,
        "idle": service(IDLE, "[limits]\nidle_seconds = 1"),
        "total": service(TOTAL, "[limits]\ntotal_seconds = 1"),
        "few": service(FEW, "[limits]\nsessions_per_client = 1"),
        "any-port": service(ANY_PORT, 'source = "client-address"'),
        "spliced": SPLICE,
        "web": TUNNELS,
    }

    def test_bytes(self) -> None:
        """Over both families there are no sockets, and one record, with every byte."""
        pairs = [self.between(), self.between(CLIENT6, SERVER6)]
        for ours, theirs, _ in pairs:
            self.talk(ours, theirs, 100)
        self.until_released()
        for ours, theirs, peer in pairs:
            self.talk(ours, theirs, 5000)
            record = self.finish(ours, theirs, peer)
            self.assertCarried(record, 5100, 5100)
            self.assertEqual(record["gateway"]["verdict"], "passed")
        # nothing stays of a session but a while of the last packets' memory
        self.assertNotIn(f"sport={pairs[0][2][1]} ", self.tracked())

    def tracked(self) -> str:
        return self.router.run("conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED")

    def test_many(self) -> None:
        """
        All kinds of sessions, while every fiftieth packet is lost: the kernel takes over in the
        midst of data, of those that don't end before it does as well. Both sides compare every
        byte, and each is in the record, once.
        """
        for host in (self.client, self.server):
            host.run("nft", "-f", "-", input=LOSS)
            self.addCleanup(host.run, "nft", "delete", "table", "inet", "loss")
        server = peers(self.server, "server", stdin=subprocess.PIPE)
        assert server.stdout is not None
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        server.stdout.readline()
        before = len(self.all_flows())
        numbers = map(str, (SESSIONS, 40, 2_000_000, 7, LASTING))
        hosts = f"{SERVER},{SERVER6}"
        client = peers(self.client, "client", hosts, *numbers, "plain", stdin=subprocess.PIPE)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        assert client.stdout is not None
        client.stdout.readline()
        self.wait(self.has_half, "the kernel has too few", PATIENCE)
        told = json.loads(client.communicate(timeout=PATIENCE)[0])
        self.assertEqual([one for one in told if one["fault"]], [])
        count = SESSIONS + LASTING
        self.wait(lambda: len(self.all_flows()) == before + count, "some have no record", PATIENCE)
        flows = self.all_flows()[before:]
        self.assertEqual({one["gateway"]["verdict"] for one in flows}, {"passed"})
        counted = [(one["flow"]["bytes_toserver"], one["flow"]["bytes_toclient"]) for one in flows]
        passed = [(HEAD.size + one["up"], one["down"]) for one in told]
        self.assertEqual(sorted(counted), sorted(passed))
        released = [one for one in flows if one["gateway"]["released_in"] == "kernel"]
        self.assertGreaterEqual(len(released), LASTING / 2)

    def has_half(self) -> bool:
        """Whether the kernel has half of those that last: of each other one are two sockets."""
        return len(self.sockets().splitlines()) <= LASTING

    def all_flows(self) -> list[dict[str, Any]]:
        return [one for one in self.scene.records() if one["event_type"] == "flow"]

    def test_spliced(self) -> None:
        """TLS that is not looked into is the kernel's once the hello was read."""
        listener = self.listen(SPLICED)
        ours = self.dial((SERVER, SPLICED))
        hello = client_hello("bank.example")
        ours.sendall(hello)
        theirs, _ = self.accept(listener)
        self.assertEqual(hear(theirs, len(hello)), hello)
        self.until_released()
        self.talk(ours, theirs)
        record = self.finish(ours, theirs, ours.getsockname())
        self.assertCarried(record, len(hello) + 1000, 1000)

    def hear_until(self, last: bytes, ours: socket.socket) -> bytes:
        """Read what ends so."""
        heard = b""
        while not heard.endswith(last):
            data = ours.recv(1000)
            self.assertTrue(data, f"only {heard!r}")
            heard += data
        return heard

    def test_tunnels(self) -> None:
        """What follows an upgrade or CONNECT in HTTP is the kernel's, if no service inspects it."""
        for asked, answered in ((UPGRADE, UPGRADED), (CONNECT, CONNECTED)):
            listener = self.listen(WEB)
            ours = self.dial((SERVER, WEB))
            ours.sendall(asked)
            theirs, _ = self.accept(listener)
            listener.close()
            heard = self.hear_until(b"\r\n\r\n", theirs)
            theirs.sendall(answered + b"hello")
            answer = self.hear_until(b"hello", ours)
            self.until_released()
            self.talk(ours, theirs)
            record = self.finish(ours, theirs, ours.getsockname())
            self.assertCarried(record, len(heard) + 1000, len(answer) + 1000)

    def test_limits(self) -> None:
        """What a service allows, it allows for these sessions."""
        idle, total, few = (self.between(port=port) for port in (IDLE, TOTAL, FEW))
        self.until_released()
        self.assertRefused((SERVER, FEW))
        for (ours, theirs, peer), name in ((total, "total_seconds"), (idle, "idle_seconds")):
            self.assertReset(ours)
            self.assertReset(theirs)
            self.assertEqual(self.flow(peer)["gateway"]["reason"], f"time limit: {name} = 1")
        self.assertCarried(self.finish(*few), 0, 0)

    def test_reset(self) -> None:
        """A reset of one side is one for the other, and the record says whose it was."""
        ours, theirs, peer = self.between()
        self.until_released()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()
        self.assertReset(ours)
        self.assertEqual(self.flow(peer)["gateway"]["reason"], "reset by the server")

    def test_ports(self) -> None:
        """A port that a released session has is nobody else's, though no socket has it."""
        self.router.sysctl("net.ipv4.ip_local_port_range=40000 40003")
        self.addCleanup(self.router.sysctl, "net.ipv4.ip_local_port_range=32768 60999")
        listener = self.listen(ANY_PORT)
        pairs = []
        for _ in range(6):
            ours = self.dial((SERVER, ANY_PORT), (CLIENT, 0))
            pairs.append((ours, *self.accept(listener)))
            self.until_released()
        for ours, theirs, _ in pairs:
            self.talk(ours, theirs)
        self.assertEqual(len({peer for *_, peer in pairs}), len(pairs))
        for ours, theirs, _ in pairs:
            self.finish(ours, theirs, ours.getsockname())

    def test_stays(self) -> None:
        """What the kernel can't forward as it is, the gateway relays to its end, and says why."""
        self.router.run("nft", "-f", "-", input=MASQUERADE)
        translated = self.between(server="203.0.113.9")
        self.server.sysctl("net.ipv4.tcp_timestamps=0")
        self.addCleanup(self.server.sysctl, "net.ipv4.tcp_timestamps=1")
        unlike = self.between()
        ended = self.between()
        ended[0].shutdown(socket.SHUT_WR)
        # asked for behind those: when it is gone, they are decided
        self.server.sysctl("net.ipv4.tcp_timestamps=1")
        last = self.between()
        self.wait(lambda: len(self.sockets().splitlines()) == 6, "the last one is there")
        self.finish(*last)
        for (ours, theirs, peer), why in (
            (translated, "the host translates addresses of the server's leg"),
            (unlike, "only one leg has timestamps"),
        ):
            self.talk(ours, theirs)
            self.assertStayed(self.finish(ours, theirs, peer), why)
        ended[1].close()
        self.assertStayed(self.flow(ended[2]), "one side has ended already")

    def test_ip_options(self) -> None:
        """Packets with them are not what the program reads: the session stays."""
        listener = self.listen()

        def with_options(ours: socket.socket) -> None:
            ours.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1, 1, 1, 0]))

        ours = self.dial(listener.getsockname()[:2], (CLIENT, 0), prepare=with_options)
        theirs, _ = self.accept(listener)
        self.talk(ours, theirs)
        last = self.between()
        self.wait(lambda: len(self.sockets().splitlines()) == 2, "the last one is there")
        self.finish(*last)
        self.talk(ours, theirs)
        record = self.finish(ours, theirs, ours.getsockname()[:2])
        why = "fragments, or packets with IP options or extension headers"
        self.assertStayed(record, why)

    def test_client_without_timestamps(self) -> None:
        """Windows' default: the server's leg is made like the client's, and can be forwarded."""
        self.client.sysctl("net.ipv4.tcp_timestamps=0")
        self.addCleanup(self.client.sysctl, "net.ipv4.tcp_timestamps=1")
        ours, theirs, peer = self.between()
        self.until_released()
        self.talk(ours, theirs)
        self.assertCarried(self.finish(ours, theirs, peer), 1000, 1000)

    def test_reload(self) -> None:
        """Who is denied by a new policy is so at once; others go on."""
        denied, other = self.between(port=DENIED), self.between()
        self.until_released()
        deny = f'action = "deny"\n[[rule]]\nfrom = ["office"]\nports = [{DENIED}]\n'
        self.scene.configure({**self.services, "denied": deny}, self.gateway)
        self.addCleanup(self.scene.reload, RELOADED)
        self.addCleanup(self.scene.configure, self.services, self.gateway)
        self.scene.reload(RELOADED)
        for side in denied[:2]:
            self.assertReset(side)
        gateway = self.flow(denied[2])["gateway"]
        self.assertEqual(gateway["verdict"], "denied")
        self.assertEqual(gateway["reason"], "denied since a reload, by services/denied.toml:2")
        self.talk(*other[:2])
        self.finish(*other)

    def test_carrier_killed(self) -> None:
        """It is there again, and what the kernel had meanwhile is ended and counted as ever."""
        pairs = [self.between(), self.between()]
        self.until_released()
        for pid in self.carriers()[1:]:
            os.kill(pid, signal.SIGKILL)
        self.wait(lambda: "is started again" in self.scene.daemon.said, "nobody says so")
        for ours, theirs, peer in pairs:
            self.talk(ours, theirs)
            self.assertCarried(self.finish(ours, theirs, peer), 1000, 1000)
        ours, theirs, peer = self.between()
        self.until_released()
        self.assertCarried(self.finish(ours, theirs, peer), 0, 0)

    def carriers(self) -> list[int]:
        """The carrier's processes, the elder first."""
        found = self.router.run("pgrep", "-f", f"release --config {self.scene.config}")
        return [int(pid) for pid in found.split()]

    def test_stop(self) -> None:
        """A carrier of our own ends with us: both sides know, and so does the record."""
        ours, theirs, peer = self.between()
        self.until_released()
        self.talk(ours, theirs)
        self.addCleanup(self.scene.daemon.start)
        self.scene.daemon.stop()
        self.assertReset(ours)
        self.assertReset(theirs)
        record = self.flow(peer)
        self.assertCarried(record, 1000, 1000)
        self.assertEqual(record["gateway"]["reason"], "the gateway was stopped")


class KeptCase(ReleaseCase):
    """A carrier that is a service of its own."""

    def begin(self) -> None:
        """The carrier first."""
        self.scene.configure(self.services, f"{self.gateway}\n[limits]\nsessions_per_client = 2\n")
        pins = self.scene.folder / "bpf"
        pins.mkdir()
        subprocess.run(["mount", "-t", "bpf", "bpf", pins], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", pins], check=True)
        self.pins, self.listening = pins, self.scene.folder / "carrier.socket"
        self.start_carrier()
        self.scene.daemon.carrier = self.listening
        self.scene.daemon.start()

    def start_carrier(self) -> subprocess.Popen[bytes]:
        """What tproxygw-carrier.service does."""
        folders = ("--config", str(self.scene.config), "--runtime", str(self.scene.folder / "run"))
        with self.scene.daemon.log.open("ab") as log:
            carrier = self.router.start(
                *(sys.executable, "-m", "gateway.kernel.release", *folders),
                *("--listen", str(self.listening), "--pins", str(self.pins)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.addCleanup(carrier.wait)
        self.addCleanup(carrier.terminate)
        self.assertTrue(wait_until(self.listening.exists, 20))
        return carrier


class KeptTests(KeptCase):
    """The gateway comes and goes."""

    def test_restart(self) -> None:
        """Neither a stop nor a crash of the gateway breaks a session, and the next one knows it."""
        one, other = self.between(), self.between(CLIENT6, SERVER6)
        for ours, theirs, _ in (one, other):
            self.talk(ours, theirs, 10)
        self.until_released()
        for end in (self.scene.daemon.stop, self.scene.daemon.kill):
            end()
            self.talk(*one[:2])
            self.scene.daemon.start()
            self.wait(
                lambda: "has 2 sessions of a former gateway" in self.scene.daemon.said, "not found"
            )
        self.talk(*one[:2])
        self.assertCarried(self.finish(*one), 3010, 3010)
        self.scene.daemon.stop()
        # what ends while nobody looks has its record, too
        for here, there in (other[:2], other[1::-1]):
            here.shutdown(socket.SHUT_WR)
            self.assertEqual(hear(there), b"")
        self.scene.daemon.start()
        self.assertCarried(self.flow(other[2]), 10, 10)


class KeptOperatorTests(KeptCase):
    """Sessions of a former gateway are an operator's, too."""

    def test_killed(self) -> None:
        """The next gateway lists what it has found in the kernel, tells of it, and ends it."""
        ours, theirs, peer = self.between()
        self.talk(ours, theirs, 10)
        self.until_released()
        self.scene.daemon.stop()
        self.scene.daemon.start()
        self.wait(lambda: "sessions of a former gateway" in self.scene.daemon.said, "not found")
        self.talk(ours, theirs, 90)
        (row,) = json.loads(self.control("sessions", "--json").stdout)["sessions"]
        self.assertEqual((row["state"], row["client"]["port"]), ("kernel", peer[1]))
        self.assertEqual(row["bytes"], {"to_server": 100, "to_client": 100})
        told = self.control("show", str(row["id"])).stdout
        self.assertIn("nothing is left to inspect; passes in kernel", told)
        self.assertEqual(self.control("kill", "--client", CLIENT).stdout, "1 session ended.\n")
        for end in (ours, theirs):
            self.assertRaises(ConnectionResetError, end.recv, 1)
        record = self.flow(peer)
        self.assertCarried(record, 100, 100)
        self.assertEqual(record["gateway"]["reason"], "killed by root (uid 0)")
