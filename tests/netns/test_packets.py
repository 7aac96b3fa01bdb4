"""Packets that no honest client sends: nothing gets past the gateway by being odd."""

from __future__ import annotations

import re
import socket

from gateway.lab.network import GUEST
from tests.netns.case import CLIENT, SERVER, SERVER6, SceneCase, reset
from tests.netns.packets import FIN, PSH, RST, SYN, URG, fragment, raw, segment

PORT = 4444

COUNT = f"""
table inet count {{
    chain arrive {{
        type filter hook prerouting priority -300; policy accept;
        tcp dport {PORT} tcp flags & (syn | ack) == syn counter
    }}
    chain track {{
        type filter hook prerouting priority 0; policy accept;
        ct state new accept
    }}
}}
"""
"""To track connections is to put fragments together, so that they can be counted."""

IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59
PADDING = bytes((0, 0, 1, 4, 0, 0, 0, 0))
OPTIONS = (
    (SERVER, socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01" * 4),
    (SERVER6, socket.IPPROTO_IPV6, IPV6_HOPOPTS, PADDING),
    (SERVER6, socket.IPPROTO_IPV6, IPV6_DSTOPTS, PADDING),
)
"""No operations, which is what whoever wants to hide a header would send."""


class OddPacketTests(SceneCase):
    """First packets with all kinds of flags, whole and in fragments."""

    def prepare(self) -> None:
        self.server.run("nft", "-f", "-", input=COUNT)

    def arrived(self) -> int:
        """How many first packets of connections have reached the server so far."""
        rules = self.server.run("nft", "list", "table", "inet", "count")
        found = re.search(r"counter packets (\d+)", rules)
        assert found is not None
        return int(found[1])

    def raw(self, whole: bool = False) -> socket.socket:
        ours = raw(self.client, CLIENT, whole)
        self.addCleanup(ours.close)
        return ours

    def assertNoneArrives(self) -> None:
        """What was sent has been dealt with, and the server has seen none of it."""
        before = self.arrived()
        self.client.run("ping", "-c", "1", "-W", "2", SERVER)
        self.assertEqual(self.arrived(), before)

    def test_flags(self) -> None:
        """SYN with whatever else: the gateway's, or nobody's. The server gets none."""
        ours = self.raw()
        for others in (0, FIN, RST, PSH, URG, FIN | PSH | URG, RST | FIN, RST | URG, 0xC0):
            ours.sendto(
                segment((CLIENT, 40_000 + others), (SERVER, PORT), SYN | others), (SERVER, 0)
            )
        self.assertNoneArrives()

    def test_fragments(self) -> None:
        """A first packet whose flags come in a second fragment."""
        ours = self.raw(whole=True)
        whole = segment((CLIENT, 41_000), (SERVER, PORT), SYN)
        for order in ((0, 1), (1, 0)):
            parts = (
                fragment(CLIENT, SERVER, whole[:8], 0, True),
                fragment(CLIENT, SERVER, whole[8:], 8, False),
            )
            for number in order:
                ours.sendto(parts[number], (SERVER, 0))
        self.assertNoneArrives()

    def test_options(self) -> None:
        """Headers between IP and TCP hide nothing: such connections are intercepted, too."""
        for host, level, option, value in OPTIONS:
            listener = self.listen(host=host)

            def prepare(
                ours: socket.socket, level: int = level, option: int = option, value: bytes = value
            ) -> None:
                ours.setsockopt(level, option, value)

            ours = self.dial(listener.getsockname()[:2], prepare=prepare)
            _, peer = self.accept(listener)
            self.assertEqual(peer, ours.getsockname()[:2])
            reset(ours)
            self.assertEqual(self.flow(peer)["gateway"]["service"], "relay")

    def test_counted(self) -> None:
        """The proof that these tests see what arrives: a guest's packets are not intercepted."""
        before = self.arrived()
        whole = segment((GUEST, 42_000), (SERVER, PORT), SYN)
        ours = self.raw(whole=True)
        ours.sendto(fragment(GUEST, SERVER, whole[:8], 0, True), (SERVER, 0))
        ours.sendto(fragment(GUEST, SERVER, whole[8:], 8, False), (SERVER, 0))
        ours.sendto(
            fragment(GUEST, SERVER, segment((GUEST, 42_001), (SERVER, PORT), SYN | FIN), 0, False),
            (SERVER, 0),
        )
        self.wait(lambda: self.arrived() == before + 2, "the guest's packets did not arrive")


class IptablesOddPacketTests(OddPacketTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class UntrackedOddPacketTests(OddPacketTests):
    """The same on a host without connection tracking, which puts fragments together."""

    gateway = "conntrack_zone = 0\n"


class IptablesUntrackedOddPacketTests(OddPacketTests):
    """The same with both."""

    gateway = 'backend = "iptables"\nconntrack_zone = 0\n'
