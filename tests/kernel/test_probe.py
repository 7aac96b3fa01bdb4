"""What a probe sends, and what it makes of what the kernel tells; no kernel is asked here."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_interface, ip_network

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.kernel.netlink import attribute, word
from gateway.kernel.probe.links import Link
from gateway.kernel.probe.packets import frame
from gateway.kernel.probe.samples import MOST, Sample, samples
from gateway.kernel.probe.trace import Own, step
from gateway.policy.connection import Connection, Protocol
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action
from tests.kernel.policies import policies, policy
from tests.netns.packets import SYN, checksum

OWN = bytes.fromhex("020000000a01")
LAN = Link(2, "lan0", OWN, (ip_interface("10.0.0.1/24"), ip_interface("fd00::1/64")))
ENDS = (("10.0.0.2", "203.0.113.1"), ("fd00::2", "2001:db8::1"))
WAN = Link(3, "wan0", OWN, (ip_interface("192.0.2.7/24"),))


def connection(source: str, server: str, protocol: Protocol) -> Connection:
    return Connection(Address(source, 40_000), Address(server, 443), protocol, "lan0")


class PacketTests(SynchronousTestCase):
    """They are what they should be, and their sums are right."""

    def payload(self, source: str, server: str, protocol: Protocol) -> bytes:
        """What is behind the IP header, which is as it should be."""
        made = frame(OWN, connection(source, server, protocol), 0xDECAFBAD)
        number = socket.getprotobyname(protocol.value)
        self.assertEqual(made[:6], OWN)
        if ":" in source:
            kind, header, payload = 0x86DD, made[14:54], made[54:]
            first, length, carried, hops = struct.unpack("!IHBB", header[:8])
            self.assertEqual((first >> 28, length), (6, len(payload)))
            family, ends = socket.AF_INET6, header[8:]
        else:
            kind, header, payload = 0x0800, made[14:34], made[34:]
            first, length, hops, carried = struct.unpack("!BxH4xBB2x", header[:12])
            self.assertEqual((first, length, checksum(header)), (0x45, 20 + len(payload), 0))
            family, ends = socket.AF_INET, header[12:]
        self.assertEqual((made[12:14], carried, hops), (struct.pack("!H", kind), number, 1))
        self.assertEqual(ends, socket.inet_pton(family, source) + socket.inet_pton(family, server))
        self.assertEqual(checksum(ends + struct.pack("!HH", number, len(payload)) + payload), 0)
        return payload

    def test_segments(self) -> None:
        """A first segment, which no router forwards."""
        for ends in ENDS:
            source, port, number, _, offset, flags = struct.unpack(
                "!HHIIBB", self.payload(*ends, Protocol.TCP)[:14]
            )
            self.assertEqual((source, port, number), (40_000, 443, 0xDECAFBAD))
            self.assertEqual((offset >> 4, flags), (6, SYN))

    def test_datagrams(self) -> None:
        """A datagram that carries its number."""
        for ends in ENDS:
            payload = self.payload(*ends, Protocol.UDP)
            self.assertEqual(struct.unpack("!HHH", payload[:6]), (40_000, 443, 12))
            self.assertEqual(payload[8:], bytes.fromhex("decafbad"))


def nowhere(host: str) -> int:
    return 0


class SampleTests(SynchronousTestCase):
    """Which connections are tried."""

    def tried(self, *rules: Rule, **divert: object) -> set[str]:
        return {
            str(sample.connection)
            for sample in samples(policy(rules, **divert), (LAN, WAN), nowhere)
        }

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(policies())
    def test_inspected(self, made: Policy) -> None:
        """Only what the policy inspects, from others than this host to others than this host."""
        own = {str(network.ip) for link in (LAN, WAN) for network in link.networks}
        found = samples(made, (LAN, WAN), lambda host: 2)
        self.assertLessEqual(len(found), MOST)
        self.assertEqual(len({sample.mark for sample in found}), len(found))
        for sample in found:
            rule = made.decide(sample.connection)
            assert rule is not None
            self.assertIs(made.services[rule.service].action, Action.INSPECT)
            ends = sample.connection.source.host, sample.connection.destination.host
            self.assertFalse(own & set(ends))
            self.assertEqual(sample.connection.interface, sample.link.name)

    @given(
        st.sampled_from(["lan0", "wan0"]), st.integers(1, 65535), st.sampled_from(["tcp", "udp"])
    )
    def test_simple(self, interface: str, port: int, protocol: str) -> None:
        """A rule for anybody is tried from each interface that is diverted, in its families."""
        rule = Rule("inspect", ports=((port, port),), protocol=Protocol(protocol))
        found = samples(policy((rule,), interfaces=(interface,)), (LAN, WAN), nowhere)
        versions = {"lan0": [4, 6], "wan0": [4]}[interface]
        self.assertEqual([sample.version for sample in found], versions)
        self.assertEqual({sample.connection.destination.port for sample in found}, {port})

    def test_ranges(self) -> None:
        """One port of each range."""
        rule = Rule("inspect", ports=((80, 80), (100, 500), (8080, 8089)))
        found = samples(policy((rule,), interfaces=("wan0",)), (WAN,), nowhere)
        ports = [sample.connection.destination.port for sample in found]
        self.assertEqual(ports, [80, 443, 8080])

    def test_behind(self) -> None:
        """Clients behind another router, if the routing knows them there."""
        rule = Rule("inspect", sources=(ip_network("10.7.0.0/16"),), ports=((80, 80),))
        made = policy((rule,))

        def tried(index: int) -> list[Sample]:
            return samples(made, (LAN, WAN), lambda host: index)

        self.assertEqual([sample.connection.source.host for sample in tried(2)], ["10.7.0.1"])
        self.assertEqual([sample.link.name for sample in tried(3)], ["wan0"])
        self.assertEqual(tried(9), [])

    def test_won(self) -> None:
        """A rule that loses to another is tried where it wins."""
        wide = Rule("inspect", ports=((80, 80),))
        narrow = Rule("drop", destinations=(ip_network("203.0.113.0/24"),), ports=((80, 80),))
        found = self.tried(narrow, wide, interfaces=("wan0",))
        self.assertEqual(found, {"tcp 192.0.2.1:40000 -> 192.0.2.1:80 on wan0"})


class TraceTests(SynchronousTestCase):
    """What the kernel tells of a rule, byte by byte."""

    def traced(self, code: int, table: str = "guard", packet: int = 5, handle: int = 7) -> bytes:
        return b"".join(
            (
                b"\1\0\0\0",
                attribute(1, table.encode() + b"\0"),
                attribute(2, b"odd\0"),
                attribute(4, word(3)),
                attribute(6, word(packet)),
                attribute(3, struct.pack(">Q", handle)),
                attribute(0x8000 | 5, attribute(1, word(code))),
            )
        )

    def test_verdicts(self) -> None:
        """A drop, a queue, and what goes on."""
        dropped = step(self.traced(0))
        self.assertEqual(str(dropped), "rule 7 of the chain odd in the table inet guard")
        self.assertEqual((dropped.dropped, dropped.queued), (True, False))
        queued = step(self.traced(7 << 16 | 3))
        self.assertEqual((queued.dropped, queued.queued), (False, True))
        for code in (1, 0xFFFFFFFF, 0xFFFFFFFD):
            other = step(self.traced(code))
            self.assertFalse(other.dropped or other.queued)

    def test_policy(self) -> None:
        """A chain that drops what none of its rules decides."""
        told = b"\2\0\0\0" + b"".join(
            (
                attribute(1, b"filter\0"),
                attribute(2, b"INPUT\0"),
                attribute(4, word(1)),
                attribute(6, word(5)),
                attribute(16, word(0)),
            )
        )
        self.assertTrue(step(told).dropped)
        self.assertEqual(str(step(told)), "the policy of the chain INPUT in the table ip filter")

    def own(self, *told: bytes) -> list[str]:
        """The tables whose rules are said to have done something with the packets of probe 1."""
        return [each.table for each in Own("tproxygw_probe_1").of(map(step, told))]

    def test_others(self) -> None:
        """What an operator traces at the same moment is not the probe's."""
        told = (
            self.traced(0, "theirs", packet=6),
            self.traced(0xFFFFFFFF, "tproxygw_probe_1"),
            self.traced(0, "theirs", packet=6),
            self.traced(0, "guard"),
        )
        self.assertEqual(self.own(*told), ["inet guard"])

    def test_another_probe(self) -> None:
        """Another probe's packet may get the same number: it is the last one's who named it."""
        told = (
            self.traced(0xFFFFFFFF, "tproxygw_probe_1"),
            self.traced(1, "tproxygw_probe_2", handle=0),
            self.traced(0, "guard"),
            self.traced(0xFFFFFFFF, "tproxygw_probe_2"),
            self.traced(0, "theirs"),
            self.traced(0, "tproxygw_probe_2"),
        )
        self.assertEqual(self.own(*told), ["inet tproxygw_probe_2", "inet guard"])
