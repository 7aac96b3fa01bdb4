"""Segments that no SYN came before: cookies, strays, and connections older than the gateway."""

from __future__ import annotations

import contextlib
import re
import socket

from tests.netns.case import (
    CLIENT,
    CLIENT6,
    RELOADED,
    SERVER,
    SERVER6,
    SceneCase,
    hear,
    reset,
)
from tests.netns.firewall import FIREWALL, MASQUERADE
from tests.netns.packets import ACK, FIN, PSH, RST, SYN, URG, fragment, raw, segment
from tests.netns.test_kernel import random_sequence

INSPECTED, REFUSED, DROPPED, FORWARDED = 4001, 4002, 4003, 4004
CLOSED = (INSPECTED, REFUSED, DROPPED)
PAIRS = ((CLIENT, SERVER), (CLIENT6, SERVER6))

RULE = '[[rule]]\nfrom = ["office"]\nto = ["internet"]\nports = [{}]\n'
SERVICES = {
    "relay": 'inspector = "relay"\n' + RULE.format(INSPECTED),
    "refused": 'action = "deny"\n' + RULE.format(REFUSED),
    "dropped": 'action = "deny"\nreply = "drop"\n' + RULE.format(DROPPED),
    "forwarded": 'action = "forward"\n' + RULE.format(FORWARDED),
}

COUNT = """
table inet count {
    chain arrive {
        type filter hook prerouting priority -300; policy accept;
        tcp dport { 4001, 4002, 4003 } counter
        tcp dport 4004 counter
        meta l4proto tcp ip frag-off & 0x1fff != 0 counter
    }
}
"""

STRAYS = (
    ACK, ACK | PSH, 0, SYN | ACK, FIN, FIN | ACK, RST, RST | ACK, PSH, URG, FIN | PSH | URG,
    SYN | ACK | PSH, 0xFF,
)  # fmt: skip


class LateCase(SceneCase):
    """A service for each thing that can become of a connection, each with its port."""

    services = SERVICES
    gateway = ""

    def prepare(self) -> None:
        self.server.run("nft", "-f", "-", input=COUNT)

    def arrived(self) -> tuple[int, ...]:
        """How many segments the server has seen: to closed ports, to the open one, and parts."""
        rules = self.server.run("nft", "list", "table", "inet", "count")
        return tuple(map(int, re.findall(r"counter packets (\d+)", rules)))

    def settle(self) -> None:
        """All that was sent before has been dealt with."""
        for pair in PAIRS:
            self.client.run("ping", "-c", "1", "-W", "2", "-I", *pair)

    def raw(self, source: str, whole: bool = False) -> socket.socket:
        ours = raw(self.client, source, whole)
        self.addCleanup(ours.close)
        return ours


class StrayTests(LateCase):
    """Segments with data and any flags but those of a first packet."""

    def test_strays(self) -> None:
        """The server of an inspected or denied service sees none of them, whatever the flags."""
        before = self.arrived()
        for source, server in PAIRS:
            ours = self.raw(source)
            for number, flags in enumerate(STRAYS):
                for port in CLOSED:
                    whole = segment((source, 21_000 + number), (server, port), flags, b"hidden")
                    ours.sendto(whole, (server, 0))
        self.settle()
        self.assertEqual(self.arrived(), before)

    def test_forwarded(self) -> None:
        """The proof that these tests see what arrives, and that forwarding asks for no flags."""
        before = self.arrived()[1]
        for source, server in PAIRS:
            ours = self.raw(source)
            for number, flags in enumerate(STRAYS):
                whole = segment((source, 22_000 + number), (server, FORWARDED), flags, b"seen")
                ours.sendto(whole, (server, 0))
        self.settle()
        self.assertEqual(self.arrived()[1], before + len(PAIRS) * len(STRAYS))

    def test_fragments(self) -> None:
        """Nor does it see a SYN, or anything else, whose flags or ports hide in fragments."""
        before = self.arrived()
        ours = self.raw(CLIENT, whole=True)
        for number, flags in enumerate((SYN, ACK, 0)):
            for port in CLOSED:
                whole = segment((CLIENT, 23_000 + number), (SERVER, port), flags, b"eightfold" * 3)
                for offset in range(0, len(whole), 8):
                    more = offset + 8 < len(whole)
                    part = fragment(CLIENT, SERVER, whole[offset : offset + 8], offset, more)
                    ours.sendto(part, (SERVER, 0))
        self.settle()
        self.assertEqual(self.arrived(), before)


class IptablesStrayTests(StrayTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class UntrackedStrayTests(StrayTests):
    """The same on a host without connection tracking."""

    gateway = "conntrack_zone = 0\n"


class IptablesUntrackedStrayTests(StrayTests):
    """The same with both."""

    gateway = 'backend = "iptables"\nconntrack_zone = 0\n'


class DenyingStrayTests(StrayTests):
    """The same where nothing is tracked or inspected, so that nobody else wants whole packets."""

    gateway = "conntrack_zone = 0\n"
    services = {**SERVICES, "relay": 'action = "deny"\n' + RULE.format(INSPECTED)}


class AnyInterfaceStrayTests(StrayTests):
    """The same where every interface is diverted, and rules name some."""

    gateway = "interfaces = []\n"
    services = {
        name: text.replace("[[rule]]", '[[rule]]\ninterfaces = ["lan0"]')
        if name == "relay"
        else text
        for name, text in SERVICES.items()
    }


class OlderCase(LateCase):
    """Connections that are there."""

    def open(self, port: int, source: str, server: str) -> tuple[socket.socket, socket.socket]:
        """A connection, and a word each way over it."""
        listener = self.listen(port, server)
        ours = self.dial((server, port), (source, 0))
        theirs, _ = self.accept(listener)
        self.speak(ours, theirs)
        return ours, theirs

    def speak(self, ours: socket.socket, theirs: socket.socket) -> None:
        for one, other in ((ours, theirs), (theirs, ours)):
            one.sendall(b"word")
            self.assertEqual(hear(other, 4), b"word")

    def assertOver(self, ours: socket.socket, theirs: socket.socket) -> None:
        """The client is reset as soon as it says something, and the server hears none of it."""
        ours.settimeout(1)
        with contextlib.suppress(ConnectionError):
            ours.sendall(b"more")
        self.assertReset(ours)
        theirs.settimeout(0.3)
        self.assertRaises(TimeoutError, theirs.recv, 10)


class OlderTests(OlderCase):
    """Connections that were there before the gateway."""

    fresh = True
    started = False

    def test_older_than_the_gateway(self) -> None:
        """What should be inspected or denied is reset at once, what is forwarded goes on."""
        older = {
            (port, source): self.open(port, source, server)
            for port in (*CLOSED[:2], FORWARDED)
            for source, server in PAIRS
        }
        self.scene.daemon.start()
        for (port, _), pair in older.items():
            if port == FORWARDED:
                self.speak(*pair)
            else:
                self.assertOver(*pair)


class RunningTests(OlderCase):
    """Connections that are there while a gateway runs, the same one for all of these tests."""

    def restore(self) -> None:
        """The policy as it was."""
        self.scene.configure(self.services, self.gateway)
        self.scene.reload(RELOADED)

    def test_older_than_the_policy(self) -> None:
        """The same for what was forwarded until a reload."""
        older = [self.open(FORWARDED, source, server) for source, server in PAIRS]
        inspected = SERVICES["relay"].replace(str(INSPECTED), f"{INSPECTED}, {FORWARDED}")
        services = {**SERVICES, "relay": inspected}
        del services["forwarded"]
        self.addCleanup(self.restore)
        self.scene.configure(services, self.gateway)
        self.scene.reload(RELOADED)
        for pair in older:
            self.assertOver(*pair)

    def test_server_opened(self) -> None:
        """A connection that a server opened goes on, though rules match its client's answers."""
        for source, server in PAIRS:
            listener = self.listen(0, source, self.client)
            theirs = self.dial(listener.getsockname()[:2], (server, INSPECTED), self.server)
            ours, peer = self.accept(listener)
            self.assertEqual(peer, (server, INSPECTED))
            for _ in range(3):
                self.speak(ours, theirs)
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(hear(theirs), b"")
            theirs.sendall(b"afterwards")
            self.assertEqual(hear(ours, 10), b"afterwards")

    def test_running(self) -> None:
        """Sessions of the gateway are no strangers: they go on through a reload."""
        pairs = [self.open(INSPECTED, source, server) for source, server in PAIRS]
        self.scene.reload(RELOADED)
        for pair in pairs:
            self.speak(*pair)


class FirewallCase(OlderCase):
    """A stateful firewall: the reset is a part of the connection."""

    def prepare(self) -> None:
        self.router.run("nft", "-f", "-", input=FIREWALL.replace('iifname "lan0" ct', "ct"))
        super().prepare()


class FirewallOlderTests(FirewallCase, OlderTests):
    """The same on a stateful firewall."""


class FirewallRunningTests(FirewallCase, RunningTests):
    """The same on a stateful firewall."""


class IptablesOlderTests(OlderTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class IptablesRunningTests(RunningTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class IptablesFirewallOlderTests(FirewallOlderTests):
    """The same with rules of iptables on a stateful firewall."""

    gateway = 'backend = "iptables"\n'


class IptablesFirewallRunningTests(FirewallRunningTests):
    """The same with rules of iptables on a stateful firewall."""

    gateway = 'backend = "iptables"\n'


class CookieTests(LateCase):
    """A gateway that answers every SYN with a cookie, beside a stateful firewall."""

    rules = FIREWALL
    source: str | None = None

    def prepare(self) -> None:
        super().prepare()
        self.router.run("nft", "-f", "-", input=self.rules)
        self.router.sysctl("net.ipv4.tcp_syncookies=2")

    def passed(self, client: str, server: str) -> int:
        """How many of twenty connections work."""
        listener = self.listen(INSPECTED, server)
        worked = 0
        for _ in range(20):
            ours = self.dial((server, INSPECTED), (client, 0), prepare=random_sequence)
            theirs, peer = self.accept(listener)
            self.assertEqual(peer[0], self.source or client)
            theirs.sendall(b"greeting")
            self.assertEqual(hear(ours, 8), b"greeting")
            ours.sendall(b"question")
            self.assertEqual(hear(theirs, 8), b"question")
            reset(ours)
            worked += 1
        return worked

    def test_cookies(self) -> None:
        """Every connection works: the listener gets the ACK that answers its cookie."""
        self.assertEqual(self.passed(CLIENT, SERVER), 20)
        self.assertGreaterEqual(self.received_cookies(), 20)

    def test_ipv6(self) -> None:
        """The same over IPv6."""
        self.assertEqual(self.passed(CLIENT6, SERVER6), 20)

    def received_cookies(self) -> int:
        """The kernel's own count."""
        said = self.router.run("nstat", "-asz", "TcpExtSyncookiesRecv").split()
        return int(said[said.index("TcpExtSyncookiesRecv") + 1])


class MasqueradeCookieTests(CookieTests):
    """The same with masquerading: the server leg is translated as without cookies."""

    rules = FIREWALL + MASQUERADE
    source = "198.51.100.1"

    def test_ipv6(self) -> None:
        """There is no translation of IPv6 here."""
        self.source = None
        super().test_ipv6()


class StrictCookieTests(CookieTests):
    """The same where connection tracking picks up nothing in mid-stream."""

    def prepare(self) -> None:
        super().prepare()
        self.router.sysctl("net.netfilter.nf_conntrack_tcp_loose=0")


class PassingCookieTests(CookieTests):
    """The same with when_down = "pass"."""

    gateway = 'when_down = "pass"\n'


class UntrackedCookieTests(CookieTests):
    """The same without connection tracking."""

    rules = ""
    gateway = "conntrack_zone = 0\n"


class IptablesCookieTests(CookieTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class IptablesMasqueradeCookieTests(MasqueradeCookieTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class IptablesUntrackedCookieTests(UntrackedCookieTests):
    """The same with rules of iptables, without connection tracking."""

    gateway = 'backend = "iptables"\nconntrack_zone = 0\n'


class InterfaceCookieTests(CookieTests):
    """The same where an interface has a listener of its own."""

    services = {
        **SERVICES,
        "relay": 'inspector = "relay"\n' + RULE.format(INSPECTED) + 'interfaces = ["lan0"]\n',
    }
