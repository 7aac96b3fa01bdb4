"""Hosts on which other programs have rules of their own, as most have."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.netns.case import (
    CLIENT,
    CLIENT6,
    RELAY,
    RELAY_UDP,
    SERVER,
    SERVER6,
    SceneCase,
    hear,
    reset,
)
from tests.netns.examined import examined
from tests.netns.test_kernel import random_sequence

RULES = Path(__file__).parent / "hosts"
PORT = 4001
TUNNEL = 51820
ACCEPT = "-m mark --mark 0x1/0x1 -j ACCEPT"


class HostCase(SceneCase):
    """
    A gateway beside somebody else's rules.

    @cvar later: they come when the gateway is there already.
    """

    services = {
        "relay": f"{RELAY}ports = [{PORT}]\n",
        "datagrams": f"{RELAY_UDP}ports = [{PORT}]\n",
    }
    later = False
    gateway = ""

    def prepare(self) -> None:
        if not self.later:
            self.install()

    def begin(self) -> None:
        super().begin()
        if self.later:
            self.install()
            self.wait(self.is_first, "the gateway's policy routing rules are not in front")

    def is_first(self) -> bool:
        """
        Whether the keeper has seen what somebody put in front of its rules: behind the kernel's
        own come the one for errors that return, and three for what is diverted.
        """
        options = ("-4", "-6")
        rules = [self.router.run("ip", option, "rule").splitlines() for option in options]
        return all("fwmark 0x1/0x1" in line for lines in rules for line in lines[2:5])

    def install(self) -> None:
        """What the other program does, and what its operator has to open for the gateway."""

    def nft(self, rules: str) -> None:
        self.router.run("nft", "-f", "-", input=rules)

    def load(self, name: str) -> None:
        """Load one of the files beside."""
        text = (RULES / name).read_text()
        if name.endswith(".nft"):
            self.nft(text)
        else:
            tool = "ip6tables-restore" if name.endswith("6.rules") else "iptables-restore"
            self.router.run(tool, "--noflush", input=text)

    def conversations(self, client: str, server: str) -> int:
        """How many of eight sessions work."""
        listener = self.listen(PORT, server)
        listener.settimeout(1)
        worked = 0
        for _ in range(8):
            with contextlib.suppress(OSError):
                ours = self.dial((server, PORT), (client, 0), prepare=random_sequence, seconds=1)
                theirs, peer = self.accept(listener)
                self.assertEqual(peer[0], client)
                for one, other in ((ours, theirs), (theirs, ours)):
                    one.sendall(b"x" * 20_000)
                    worked += len(hear(other, 20_000)) == 20_000 and one is theirs
                reset(ours)
        return worked


class HostTests:
    """What works on each of them. (No test case of its own.)"""

    def test_ipv4(self: HostCase) -> None:
        """Every session is intercepted and works."""
        self.assertEqual(self.conversations(CLIENT, SERVER), 8)

    def test_ipv6(self: HostCase) -> None:
        """The same over IPv6."""
        self.assertEqual(self.conversations(CLIENT6, SERVER6), 8)

    def test_datagrams(self: HostCase) -> None:
        """UDP as well."""
        theirs, ours = (
            self.datagrams(self.server, SERVER, PORT),
            self.datagrams(self.client, CLIENT),
        )
        for _ in range(2):
            ours.sendto(b"question", theirs.getsockname())
            _, peer = theirs.recvfrom(100)
            self.assertEqual(peer, ours.getsockname())
            theirs.sendto(b"answer", peer)
            self.assertEqual(ours.recvfrom(100), (b"answer", theirs.getsockname()))

    def test_doctor(self: HostCase) -> None:
        """So the doctor, who tries it out, has nothing to say about the way to the gateway."""
        (found,) = examined(self.router, self.scene.config)
        self.assertIn("the kernel brought 4 first packets", found.text)


class FirewalldTests(HostTests, HostCase):
    """
    firewalld rejects what no zone allows, at the end of a chain whose policy is accept, and
    drops IPv6 whose way back, with its mark, is missing.
    """

    def install(self) -> None:
        """The port is opened in the zone of the clients' interface: --add-port=4001/tcp, /udp."""
        self.load("firewalld.nft")
        allow = "add rule inet firewalld filter_IN_public_allow"
        self.nft(f"{allow} tcp dport {PORT} accept\n{allow} udp dport {PORT} accept\n")


class UfwTests(HostTests, HostCase):
    """ufw drops what is for no address of this host before it asks its own rules."""

    def install(self) -> None:
        """A line at the top of before.rules and before6.rules."""
        self.load("ufw.rules")
        self.load("ufw6.rules")
        for tool, chain in (("iptables", "ufw-before-input"), ("ip6tables", "ufw6-before-input")):
            self.router.run(tool, "-I", chain, *ACCEPT.split())


class DockerTests(HostTests, HostCase):
    """Docker forwards nothing but its own."""

    def install(self) -> None:
        self.load("docker.rules")


class NixosTests(HostTests, HostCase):
    """NixOS drops whatever has no way back by its interface with its mark, in both families."""

    def install(self) -> None:
        self.load("nixos.nft")
        self.nft("insert rule inet nixos-fw input meta mark & 0x1 == 0x1 accept\n")


class NixosIptablesTests(HostTests, HostCase):
    """The same by iptables."""

    def install(self) -> None:
        self.load("nixos4.rules")
        self.load("nixos6.rules")
        for tool in ("iptables", "ip6tables"):
            self.router.run(tool, "-I", "nixos-fw", *ACCEPT.split())


class WgQuickTests(HostTests, HostCase):
    """
    wg-quick has the way back looked up with marks, and leads everything into its tunnel, by
    rules without a priority.
    """

    def install(self) -> None:
        for option in ("", "-6 "):
            via = f"via {SERVER6 if option else SERVER} dev wan0"
            self.router.run(*f"ip {option}route add default {via} table {TUNNEL}".split())
            self.router.run(*f"ip {option}rule add not fwmark {TUNNEL} table {TUNNEL}".split())
            rule = f"ip {option}rule add table main suppress_prefixlength 0"
            self.router.run(*rule.split())
        self.load("wg-quick.nft")
        self.router.sysctl("net.ipv4.conf.all.src_valid_mark=1")


class StrictWgQuickTests(WgQuickTests):
    """The same with a strict reverse path filter."""

    def install(self) -> None:
        super().install()
        self.router.sysctl("net.ipv4.conf.all.rp_filter=1")


class RestoredMarkTests(HostTests, HostCase):
    """A host that gives every packet the mark of its connection, as those with two uplinks do."""

    def install(self) -> None:
        self.nft(
            "table inet uplinks {\nchain first {\ntype filter hook prerouting priority mangle\n"
            "meta mark set ct mark\n}\nchain second {\ntype filter hook prerouting priority 0\n"
            "meta mark set ct mark\n}\n}\n"
        )


class RestoredConnmarkTests(HostTests, HostCase):
    """The same by iptables, in front of whatever was there."""

    def install(self) -> None:
        for tool in ("iptables", "ip6tables"):
            restore = "-t mangle -I PREROUTING -j CONNMARK --restore-mark"
            self.router.run(tool, *restore.split())


class ManyTablesTests(HostTests, HostCase):
    """A host whose clients' network is in a table of its own, with strict filtering by marks."""

    def install(self) -> None:
        for option, net, via in (
            ("", "10.1.2.0/24", "dev lan0"),
            ("-6 ", "fd00:1:0:0:0:0:2:0/112", "dev lan0"),
        ):
            self.router.run(*f"ip {option}route add {net} {via} table 77".split())
            self.router.run(*f"ip {option}route add unreachable {net}".split())
            self.router.run(*f"ip {option}rule add priority 1000 lookup 77".split())
        self.router.sysctl("net.ipv4.conf.all.src_valid_mark=1", "net.ipv4.conf.all.rp_filter=1")
        self.nft(
            "table inet back {\nchain first {\ntype filter hook prerouting priority 10\n"
            "fib saddr . mark . iif oif missing drop\n}\n}\n"
        )


BEYOND_IPTABLES = (WgQuickTests, RestoredMarkTests)
"""Chains of nft that write marks after mangle: iptables has no later place. See the guide."""


def _variants() -> None:
    """Each of them: with rules of iptables, and coming later than the gateway."""
    for host in [one for name, one in list(globals().items()) if name.endswith("Tests")]:
        if issubclass(host, HostCase):
            _vary(host, "Later", later=True)
            if not issubclass(host, BEYOND_IPTABLES):
                _vary(host, "Iptables", gateway='backend = "iptables"\n')


def _vary(host: type, prefix: str, **changed: object) -> None:
    name = f"{prefix}{host.__name__}"
    body = {"__doc__": host.__doc__, "__module__": __name__, **changed}
    globals()[name] = type(name, (host,), body)


_variants()
