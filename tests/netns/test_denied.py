"""What is denied is denied: whatever the protocol, and only in the direction that is denied."""

from __future__ import annotations

import contextlib
import re
import socket

from gateway.lab.namespace import CommandFailed
from tests.netns.case import CLIENT, CLIENT6, RELAY, SERVER, SERVER6, SceneCase, hear
from tests.netns.firewall import FIREWALL

GRE = 47
OPEN, SECURE = 4004, 4005
PAIRS = ((CLIENT, SERVER), (CLIENT6, SERVER6))
COUNT = """
table inet count {
    chain arrive {
        type filter hook prerouting priority -300; policy accept;
        iifname "eth0" meta l4proto { udp, gre } counter
        iifname "eth0" icmp type echo-request counter
        iifname "eth0" icmpv6 type echo-request counter
    }
}
"""


class DenyTests(SceneCase):
    """A network to which nothing goes, but for one port."""

    services = {
        "relay": RELAY,
        "closed": 'action = "deny"\n[[rule]]\nfrom = ["10.1.2.0/24", "fd00:1::/64"]\n',
        "open": f'action = "forward"\n[[rule]]\nports = [{OPEN}]\nfrom = ["10.1.2.0/24", '
        '"fd00:1::/64"]\n',
    }
    gateway = ""

    def prepare(self) -> None:
        self.server.run("nft", "-f", "-", input=COUNT)

    def arrived(self) -> int:
        rules = self.server.run("nft", "list", "table", "inet", "count")
        return sum(map(int, re.findall(r"counter packets (\d+)", rules)))

    def test_everything(self) -> None:
        """TCP, UDP, ping and GRE: the server sees nothing, though TCP is inspected for others."""
        before = self.arrived()
        for source, server in PAIRS:
            listener = self.listen(host=server)
            with self.assertRaises(OSError):
                self.dial(listener.getsockname()[:2], (source, 0))
            self.datagrams(self.client, source).sendto(b"x", (server, SECURE))
            with self.client.entered():
                family = socket.AF_INET6 if ":" in server else socket.AF_INET
                gre = socket.socket(family, socket.SOCK_RAW, GRE)
            self.addCleanup(gre.close)
            gre.sendto(b"\0\0\x08\0" + b"x" * 20, (server, 0))
            self.assertRaises(CommandFailed, self.ping, source, server)
        self.assertEqual(self.arrived(), before)

    def ping(self, source: str, server: str) -> None:
        self.client.run("ping", "-c", "1", "-W", "1", "-I", source, server)

    def test_other_direction(self) -> None:
        """The server may ping, ask and connect: answers are no connections of the client's."""
        for source, server in PAIRS:
            self.server.run("ping", "-c", "1", "-W", "2", "-I", server, source)
            theirs, ours = self.datagrams(self.server, server), self.datagrams(self.client, source)
            theirs.sendto(b"question", ours.getsockname()[:2])
            _, peer = ours.recvfrom(100)
            ours.sendto(b"answer", peer[:2])
            self.assertEqual(theirs.recv(100), b"answer")

    def test_narrower(self) -> None:
        """What is narrower in TCP passes, and the errors that belong to it do."""
        for source, server in PAIRS:
            listener = self.listen(OPEN, server)
            ours = self.dial((server, OPEN), (source, 0))
            theirs, _ = self.accept(listener)
            theirs.sendall(b"x")
            self.assertEqual(hear(ours, 1), b"x")

    def test_errors(self) -> None:
        """A client's ICMP error about a datagram of the server reaches the server."""
        theirs = self.datagrams(self.server, SERVER)
        theirs.connect((CLIENT, 9))
        theirs.send(b"x")
        with contextlib.suppress(TimeoutError):
            self.assertRaises(ConnectionRefusedError, theirs.recv, 10)
            return
        self.fail("the error did not arrive")


class IptablesDenyTests(DenyTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class FirewallDenyTests(DenyTests):
    """The same beside a stateful firewall."""

    def prepare(self) -> None:
        super().prepare()
        self.router.run("nft", "-f", "-", input=FIREWALL.replace('iifname "lan0" ct', "ct"))
