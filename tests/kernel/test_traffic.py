"""Real connections through what was installed: client, gateway and server in three namespaces."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.namespaces import Namespace, Route, route

HOSTS = ("10.77.2.2", "fd77:2::2")

FIREWALL = """
table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state invalid counter drop
        ct state established,related accept
        meta mark & 0x1 == 0x1 accept
        meta l4proto icmpv6 accept
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state invalid counter drop
        ct state established,related accept
        iifname lan0 accept
        meta l4proto icmpv6 accept
    }
    chain output {
        type filter hook output priority 0; policy drop;
        ct state invalid counter drop
        ct state established,related,new accept
        meta l4proto icmpv6 accept
    }
}
"""

MASQUERADE = """
table inet translation {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname wan0 masquerade
    }
}
"""

INSTALL = """
import json, sys
from gateway.policy.divert import Backend, WhenDown
from gateway.kernel.divert import KernelDivert
from gateway.kernel.netfilter import IptablesFilter, NftablesFilter
from tests.kernel.policies import SAMPLE, policy
backend, variant, down, interfaces = json.loads(sys.argv[1])
KernelDivert({
    Backend.NFTABLES: NftablesFilter, Backend.IPTABLES: lambda: IptablesFilter(variant)
}).install(policy(
    SAMPLE, backend=Backend(backend), when_down=WhenDown(down), interfaces=tuple(interfaces)
))
"""

DATAGRAM = """
import socket, sys
host, port = sys.argv[1:]
with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(3)
    s.connect((host, int(port)))
    try:
        s.send(b"?")
        print(s.recv(100).decode())
    except OSError as error:
        print(type(error).__name__)
"""

AGAIN = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
for _ in range(3):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::" if ":" in host else "0.0.0.0", 45678))
        s.settimeout(5)
        s.connect((host, port))
        # the server ends first, so that TIME_WAIT is on the gateway
        s.sendall(b"!")
        while data := s.recv(65536):
            pass
    print("done")
"""

OLDER = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:
    s.recv(100)
    print("connected", flush=True)
    sys.stdin.read()
    try:
        s.sendall(b"!")
        print("went on" if s.recv(100) else "ended")
    except ConnectionResetError:
        print("reset")
"""


class TrafficCase(SynchronousTestCase):
    """The three namespaces with servers; a test installs and relays."""

    backend: ClassVar[tuple[str, str]] = ("nftables", "")

    def setUp(self) -> None:
        self.take_route(narrow=False)

    def take_route(self, narrow: bool) -> None:
        """Make namespaces with servers."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.route: Route = stack.enter_context(route(narrow))
        self.daemon(self.route.server, "tests.kernel.serve", "80", "81", "82", "83", "84", "85")

    def daemon(self, where: Namespace, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a module's main program, and wait until it says that it is ready."""
        started = where.start_python(
            "import runpy, sys; sys.argv = sys.argv[1:];"
            "runpy.run_module(sys.argv[0], run_name='__main__')",
            module,
            *arguments,
        )
        self.addCleanup(started.communicate)
        self.addCleanup(started.kill)
        assert started.stdout is not None
        self.assertEqual(started.stdout.readline(), "ready\n")
        return started

    def install(self, down: str = "block", interfaces: tuple[str, ...] = ("lan0",)) -> None:
        """Install the sample policy in the gateway."""
        self.route.gateway.python(INSTALL, json.dumps([*self.backend, down, interfaces]))

    def relay(self) -> subprocess.Popen[str]:
        """Start a relay on the gateway."""
        return self.daemon(self.route.gateway, "tests.kernel.relay", "50080", "4", "2")

    def visit(self, host: str, port: int, count: int = 10) -> str:
        """What a client gets that connects and sends."""
        return self.route.client.python(
            "import sys; from tests.kernel.visit import visit;"
            "print(visit(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))",
            host,
            str(port),
            str(count),
        ).strip()

    def assertServed(self, said: str, source: str = "kept", count: int = 10) -> None:
        """The server took everything and answered."""
        self.assertRegex(said, rf"got {count} back 1000000 {source}$")

    def diverted(self) -> int:
        """How many connections were brought to the gateway, by conntrack's zones."""
        tool = "conntrack -L -p tcp -f {} --zone 1"
        listed = [self.route.gateway.run(tool.format(f)) for f in ("ipv4", "ipv6")]
        return "".join(listed).count("zone=1 ")


class NftablesTrafficTests(TrafficCase):
    """With the nftables backend."""

    def test_every_verdict(self) -> None:
        """Inspected, refused in each way, forwarded: what the policy says, in both families."""
        self.install()
        self.relay()
        for host in HOSTS:
            self.assertServed(self.visit(host, 80))
            self.assertIn("ConnectionRefused", self.visit(host, 81))
            self.assertIn("No route to host", self.visit(host, 82))
            self.assertServed(self.visit(host, 84))
            self.assertServed(self.visit(host, 85))
            said = self.route.client.python(DATAGRAM, host, "80").strip()
            self.assertEqual(said, f"diverted {host} 80")
            said = self.route.client.python(DATAGRAM, host, "81").strip()
            self.assertEqual(said, "ConnectionRefusedError")
        self.assertIn("timed out", self.visit(HOSTS[0], 83))
        self.assertEqual(self.diverted(), 2)

    def _guarded(self, source: str, **how: tuple[str, ...]) -> None:
        """Big transfers by a stateful firewall that drops what it does not understand."""
        self.route.gateway.run("nft -f -", FIREWALL)
        self.install(**how)  # type: ignore[arg-type]
        self.relay()
        for host in HOSTS:
            self.assertServed(self.visit(host, 80, 3000000), source, 3000000)
            self.assertServed(self.visit(host, 84, 3000000), source, 3000000)
            self.assertIn("ConnectionRefused", self.visit(host, 81))
        dropped = self.route.gateway.run("nft list table inet firewall")
        self.assertEqual(dropped.count("invalid counter packets 0 "), 3, dropped)

    def test_firewall(self) -> None:
        """The two legs of a connection are two connections to a stateful firewall (row 2)."""
        self._guarded("kept")
        self.assertEqual(self.diverted(), 2)

    def test_masquerade(self) -> None:
        """The same with masquerading, whose replies are addressed to the gateway itself."""
        self.route.gateway.run("nft -f -", MASQUERADE)
        self._guarded("changed")

    def test_masquerade_any_interface(self) -> None:
        """And without naming interfaces."""
        self.route.gateway.run("nft -f -", MASQUERADE)
        self._guarded("changed", interfaces=())

    def test_down(self) -> None:
        """No gateway, or killed: inspected connections are blocked, others not (row 1)."""
        self.install()
        self.assertIn("timed out", self.visit(HOSTS[0], 80))
        self.assertServed(self.visit(HOSTS[0], 84))
        relay = self.relay()
        self.assertServed(self.visit(HOSTS[1], 80))
        relay.kill()
        relay.wait()
        self.assertIn("timed out", self.visit(HOSTS[1], 80))
        self.assertServed(self.visit(HOSTS[1], 85))

    def test_small_hop(self) -> None:
        """A narrow hop behind the gateway says so to the spoofed sockets (row 3)."""
        self.take_route(narrow=True)
        self.install()
        self.relay()
        for host in HOSTS:
            self.assertServed(self.visit(host, 80, 3000000), count=3000000)

    def test_port_again(self) -> None:
        """A client that uses its port again meets a TIME_WAIT socket, and gets through."""
        self.install()
        self.relay()
        for host in HOSTS:
            self.assertEqual(self.route.client.python(AGAIN, host, "80").split(), ["done"] * 3)
        # at once, not after the TIME_WAIT socket was reset and the SYN sent again
        again = self.route.client.run("nstat -az TcpExtTCPSynRetrans").split()
        self.assertEqual(float(again[again.index("TcpExtTCPSynRetrans") + 1]), 0)

    def test_cookies(self) -> None:
        """Connections work where every SYN is answered by a cookie (row 25)."""
        self.install()
        self.relay()
        self.route.gateway.sysctl("net.ipv4.tcp_syncookies", 2)
        for host in HOSTS:
            self.assertServed(self.visit(host, 80))

    def test_older(self) -> None:
        """A connection that is older than the rules is reset, for inspected and denied services."""
        older = [self.older(host, port) for host in HOSTS for port in (80, 81, 84)]
        self.install()
        self.relay()
        said = [self.route.client.finish(one).strip() for one in older]
        self.assertEqual(said, ["reset", "reset", "went on"] * len(HOSTS))

    def older(self, host: str, port: int) -> subprocess.Popen[str]:
        """A client that is connected, and goes on when it is told."""
        client = self.route.client.start_python(OLDER, host, str(port))
        assert client.stdout is not None
        self.assertEqual(client.stdout.readline(), "connected\n")
        return client


class NftablesPassTests(TrafficCase):
    """With when_down = "pass"."""

    def test_down(self) -> None:
        """While no gateway runs, connections pass uninspected; with one, they are inspected."""
        self.install(down="pass")
        for host in HOSTS:
            self.assertServed(self.visit(host, 80))
        self.assertEqual(self.diverted(), 0)
        self.relay()
        for host in HOSTS:
            self.assertServed(self.visit(host, 80))
        self.assertEqual(self.diverted(), 2)


class IptablesNftTrafficTests(NftablesTrafficTests):
    """The same with iptables-nft."""

    backend = ("iptables", "-nft")


class IptablesLegacyTrafficTests(NftablesTrafficTests):
    """The same with iptables-legacy."""

    backend = ("iptables", "-legacy")
