"""What breaks transparent interception on Linux, and does not break it here."""

from __future__ import annotations

import contextlib
import secrets
import socket

from gateway.lab.network import give, link
from tests.netns.case import (
    CLIENT,
    CLIENT6,
    RELAY,
    RELAY_UDP,
    SECONDS,
    SERVER,
    SERVER6,
    Address,
    SceneCase,
    hear,
    reset,
)
from tests.netns.firewall import FIREWALL, MASQUERADE

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
SEND_QUEUE, REPAIR_OFF = 2, -1


def random_sequence(ours: socket.socket) -> None:
    """
    Make the connection start at a random sequence number.

    All namespaces of one machine compute them from one secret and the same
    addresses and ports, so that the two legs of a session start close together,
    and connection tracking takes one for the other without complaint.
    """
    ours.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    ours.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    number = secrets.randbits(31) - (1 << 30)
    ours.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, number)
    ours.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the end of repair took it away


class FirewallCase(SceneCase):
    """Sixteen sessions on a gateway that is a stateful firewall too."""

    rules = FIREWALL
    services = {"relay": RELAY, "datagrams": RELAY_UDP}

    def prepare(self) -> None:
        self.router.run("nft", "-f", "-", input=self.rules)

    def passed(self, host: str = SERVER) -> tuple[int, set[str]]:
        """How many of sixteen sessions work, and from which addresses the server saw them."""
        listener = self.listen(host=host)
        listener.settimeout(1)
        seen: set[str] = set()
        worked = 0
        for _ in range(16):
            with contextlib.suppress(OSError):
                seen.add(self.converse(listener))
                worked += 1
        return worked, seen

    def exchange_datagrams(self) -> str:
        """A question and an answer; whom the server saw."""
        theirs, ours = self.datagrams(self.server, SERVER), self.datagrams(self.client, CLIENT)
        for _ in range(2):
            ours.sendto(b"question", theirs.getsockname())
            _, peer = theirs.recvfrom(100)
            theirs.sendto(b"answer", peer)
            self.assertEqual(ours.recvfrom(100), (b"answer", theirs.getsockname()))
        host: str = peer[0]
        return host

    def converse(self, listener: socket.socket) -> str:
        """A question and an answer of several segments."""
        server = listener.getsockname()[:2]
        ours = self.dial(server, prepare=random_sequence, seconds=0.5)
        ours.settimeout(1)
        theirs, peer = self.accept(listener)
        theirs.settimeout(1)
        for _ in range(3):
            ours.sendall(b"question")
            self.assertEqual(hear(theirs, 8), b"question")
            theirs.sendall(b"a" * 20_000)
            self.assertEqual(len(hear(ours, 20_000)), 20_000)
        ours.close()
        self.assertEqual(hear(theirs), b"")
        theirs.close()
        return peer[0]


class FirewallTests(FirewallCase):
    """With the usual stateful rules on the gateway (kernel.md row 2)."""

    def test_sessions(self) -> None:
        """Every session works although both legs have the same addresses and ports."""
        self.assertEqual(self.passed(), (16, {CLIENT}))

    def test_ipv6(self) -> None:
        """The same over IPv6."""
        self.assertEqual(self.passed(SERVER6), (16, {CLIENT6}))

    def test_same_port_again(self) -> None:
        """One port again and again, whoever closes first: what the last one left is no harm."""
        listener = self.listen()
        server = listener.getsockname()
        for number in range(12):
            ours = self.dial(server, (CLIENT, 33333), prepare=random_sequence)
            theirs, peer = self.accept(listener)
            self.assertEqual(peer[0], CLIENT)
            first, last = (ours, theirs) if number % 2 else (theirs, ours)
            first.shutdown(socket.SHUT_WR)
            self.assertEqual(hear(last), b"")
            last.close()
            self.assertEqual(hear(first), b"")
            first.close()
            self.wait(
                lambda number=number: len(self.flows((CLIENT, 33333))) == number + 1,
                f"session {number} has not ended",
            )

    def test_legs_are_apart(self) -> None:
        """conntrack shows one session as two connections, the client's in the gateway's zone."""
        ours, _, peer = self.pair()
        port = f"sport={peer[1]} "
        tracked = self.router.run("conntrack", "-L", "-p", "tcp").splitlines()
        legs = [line for line in tracked if port in line]
        self.assertEqual(sorted("zone=1" in line for line in legs), [False, True])
        self.assertTrue(all("ESTABLISHED" in line for line in legs), legs)
        ours.close()

    def test_datagrams(self) -> None:
        """UDP is let through by the same rules, answers too."""
        self.assertEqual(self.exchange_datagrams(), CLIENT)


class MasqueradeTests(FirewallCase):
    """With masquerading on the way out as well."""

    rules = FIREWALL + MASQUERADE

    def test_sessions(self) -> None:
        """Every session works; the server sees the gateway's address, as the operator wants."""
        self.assertEqual(self.passed(), (16, {"198.51.100.1"}))

    def test_datagrams(self) -> None:
        """The same for UDP."""
        self.assertEqual(self.exchange_datagrams(), "198.51.100.1")


class IptablesFirewallTests(FirewallTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class IptablesMasqueradeTests(MasqueradeTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class FirewallWithoutZonesTests(FirewallCase):
    """The proof that the tests above prove something."""

    gateway = "conntrack_zone = 0\n"

    def test_sessions(self) -> None:
        """Without a zone of its own for the client's leg, sessions break."""
        self.assertTrue(any(self.passed()[0] < 16 for _ in range(4)))


class PathTests(SceneCase):
    """Hops behind and before the gateway that take no packets above 1300 bytes."""

    def prepare(self) -> None:
        inner = self.scene.namespace("inner")
        link(self.server, "eth1", inner, "eth0")
        give(self.server, "eth1", ["192.0.2.1/24", "2001:db8:200::1/64"])
        give(inner, "eth0", ["192.0.2.99/24", "2001:db8:200::99/64"])
        inner.ip("route add default via 192.0.2.1", "route add default via 2001:db8:200::1")
        self.server.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.server.ip("link set eth1 mtu 1300")
        outer = self.scene.namespace("outer")
        link(self.client, "eth1", outer, "eth0")
        give(self.client, "eth1", ["10.1.99.1/24", "fd00:1:0:99::1/64"])
        give(outer, "eth0", ["10.1.99.99/24", "fd00:1:0:99::99/64"])
        outer.ip("route add default via 10.1.99.1", "route add default via fd00:1:0:99::1")
        self.client.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.client.ip("link set eth1 mtu 1300")
        self.router.ip(f"route add 10.1.99.0/24 via {CLIENT}")
        self.router.ip(f"route add fd00:1:0:99::/64 via {CLIENT6}")

    def test_large_download(self) -> None:
        """The same on the client's side: errors reach the sockets that speak as the server."""
        outer = self.scene.extra[1]
        for host in (SERVER, SERVER6):
            listener = self.listen(host=host)
            ours = self.dial(listener.getsockname()[:2], namespace=outer)
            theirs, _ = self.accept(listener)
            theirs.sendall(b"x" * 300_000)
            self.assertEqual(len(hear(ours, 300_000)), 300_000)

    def test_large_transfer(self) -> None:
        """A large upload arrives: the hop's ICMP errors reach the gateway's spoofed sockets."""
        inner = self.scene.extra[0]
        for host in ("192.0.2.99", "2001:db8:200::99"):
            listener = self.listen(host=host, namespace=inner)
            ours = self.dial(listener.getsockname()[:2])
            theirs, peer = self.accept(listener)
            self.assertEqual(peer, ours.getsockname()[:2])
            ours.sendall(b"x" * 300_000)
            self.assertEqual(len(hear(theirs, 300_000)), 300_000)


class PathFirewallTests(PathTests):
    """The same on a gateway with the usual stateful rules."""

    def prepare(self) -> None:
        self.router.run("nft", "-f", "-", input=FIREWALL)
        super().prepare()


class IptablesPathTests(PathTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'


class HostSettingTests(SceneCase):
    """Settings of the host under which naive interception fails."""

    def test_accept_inherits_marks(self) -> None:
        """With tcp_fwmark_accept=1 (kernel.md row 5) connections are still accepted."""
        self.router.sysctl("net.ipv4.tcp_fwmark_accept=1")
        self.addCleanup(self.router.sysctl, "net.ipv4.tcp_fwmark_accept=0")
        ours, theirs, peer = self.pair()
        self.assertEqual(peer, ours.getsockname())
        theirs.sendall(b"hello")
        self.assertEqual(hear(ours, 5), b"hello")

    def test_strict_reverse_path_filter(self) -> None:
        """With rp_filter=1 on a symmetric router connections pass."""
        for name in ("all", "lan0", "wan0"):
            self.router.sysctl(f"net.ipv4.conf.{name}.rp_filter=1")
            self.addCleanup(self.router.sysctl, f"net.ipv4.conf.{name}.rp_filter=0")
        ours, _, peer = self.pair()
        self.assertEqual(peer, ours.getsockname())

    def test_local_service_captures_nothing(self) -> None:
        """A service on the gateway's wildcard address gets nothing that was going elsewhere."""
        self.listen(4321, "0.0.0.0", self.router)
        listener = self.listen(4321)
        ours = self.dial((SERVER, 4321), ("10.2.0.9", 0))
        self.assertEqual(self.accept(listener)[1], ours.getsockname())
        ours = self.dial((SERVER, 4321))
        self.assertEqual(self.accept(listener)[1], ours.getsockname())


class OtherMarksTests(SceneCase):
    """Marks belong to the whole host: others use other bits of them."""

    gateway = (
        'mark = "0x10/0xf0"\nlistener_mark = "0x100/0xf00"\nupstream_mark = "0x1000/0xf000"\n'
        "table = 77\nrule_priority = 60\nport = 41000\n"
    )

    def prepare(self) -> None:
        self.router.run(
            "nft",
            "-f",
            "-",
            input="table inet other { chain first { type filter hook prerouting priority -160; "
            "meta mark set meta mark or 0x3000003; }; }",
        )

    def test_session(self) -> None:
        """Connections are intercepted although somebody else marks every packet, too."""
        ours, theirs, peer = self.pair()
        self.assertEqual(peer, ours.getsockname())
        ours.sendall(b"hello")
        self.assertEqual(hear(theirs, 5), b"hello")
        reset(ours)
        self.flow(peer)


class IptablesOtherMarksTests(OtherMarksTests):
    """The same with rules of iptables."""

    gateway = OtherMarksTests.gateway + 'backend = "iptables"\n'


class PortTakenTests(SceneCase):
    """The client's port can't always be had."""

    fresh = True

    def test_in_use(self) -> None:
        """If somebody has the very same pair of addresses, the server sees another port."""
        listener = self.listen()
        source = (CLIENT, 34567)
        squatter = self.router.socket()
        self.addCleanup(squatter.close)
        squatter.setsockopt(socket.SOL_IP, 19, 1)
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 4)
        squatter.settimeout(SECONDS)
        squatter.bind(source)
        squatter.connect(listener.getsockname())
        self.accept(listener)
        self.assertOtherPort(listener, source)

    def test_time_wait(self) -> None:
        """The same while the old connection is in TIME_WAIT and the server has no timestamps."""
        self.server.sysctl("net.ipv4.tcp_timestamps=0")
        self.addCleanup(self.server.sysctl, "net.ipv4.tcp_timestamps=1")
        listener = self.listen()
        source = (CLIENT, 34568)
        ours = self.dial(listener.getsockname(), source)
        theirs, _ = self.accept(listener)
        ours.shutdown(socket.SHUT_WR)
        self.assertEqual(hear(theirs), b"")
        theirs.close()
        self.assertEqual(hear(ours), b"")
        self.flow(source)
        reset(ours)
        self.scene.audit.write_text("")
        self.assertOtherPort(listener, source)

    def assertOtherPort(self, listener: socket.socket, source: Address) -> None:
        ours = self.dial(listener.getsockname(), source)
        _, peer = self.accept(listener)
        self.assertEqual(peer[0], CLIENT)
        self.assertNotEqual(peer[1], source[1])
        reset(ours)
        upstream = self.flow(source)["gateway"]["upstream"]
        self.assertEqual((upstream["port_kept"], upstream["source_port"]), (False, peer[1]))


SOURCES = """
inspector = "relay"
source = "{source}"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [{port}]
"""


class SourceTests(SceneCase):
    """As whom the gateway connects."""

    services = {
        "address": SOURCES.format(source="client-address", port=1001),
        "gateway": SOURCES.format(source="gateway", port=1002),
        "fixed": SOURCES.format(source="10.1.77.77", port=1003),
        "strict": SOURCES.format(source="client-strict", port=1004),
    }

    def seen(self, port: int, source: Address) -> Address:
        listener = self.listen(port)
        ours = self.dial((SERVER, port), source)
        self.addCleanup(ours.close)
        return self.accept(listener)[1]

    def test_client_address(self) -> None:
        """The client's address, with a port of the gateway's choosing, for many at once."""
        listener = self.listen(1001)
        ports = set()
        for _ in range(50):
            self.dial((SERVER, 1001), (CLIENT, 0))
            host, port = self.accept(listener)[1]
            self.assertEqual(host, CLIENT)
            ports.add(port)
        self.assertEqual(len(ports), 50)

    def test_gateway(self) -> None:
        """The gateway's own address."""
        self.assertEqual(self.seen(1002, (CLIENT, 0))[0], "198.51.100.1")

    def test_fixed(self) -> None:
        """An address that the service names."""
        self.assertEqual(self.seen(1003, (CLIENT, 0))[0], "10.1.77.77")

    def test_strict(self) -> None:
        """Exactly the client's, privileged ports included."""
        self.assertEqual(self.seen(1004, (CLIENT, 515)), (CLIENT, 515))


LOOPBACK = """
inspector = "relay"
source = "gateway"
[[rule]]
interfaces = ["lo"]
ports = ["1024-65535"]
"""


class LoopbackTests(SceneCase):
    """Client and server in one namespace, driven through the gateway (kernel.md row 24)."""

    gateway = 'interfaces = ["lo"]\n'
    services = {"loopback": LOOPBACK}
    zones = ""

    def test_sessions(self) -> None:
        """A program that talks to itself over loopback does so through the gateway."""
        for host in ("127.0.0.1", "::1"):
            listener = self.listen(host=host, namespace=self.router)
            ours = self.dial(listener.getsockname()[:2], namespace=self.router)
            theirs, peer = self.accept(listener)
            self.assertNotEqual(peer, ours.getsockname()[:2])
            ours.sendall(b"question")
            self.assertEqual(hear(theirs, 8), b"question")
            theirs.sendall(b"answer")
            theirs.close()
            self.assertEqual(hear(ours), b"answer")
            source = ours.getsockname()[:2]
            ours.close()
            self.assertEqual(self.flow(source)["gateway"]["service"], "loopback")

    def test_same_destination_many_times(self) -> None:
        """A hundred such connections one after the other."""
        listener = self.listen(host="127.0.0.1", namespace=self.router)
        for _ in range(100):
            ours = self.dial(listener.getsockname(), namespace=self.router)
            theirs, _ = self.accept(listener)
            theirs.sendall(b"x")
            self.assertEqual(hear(ours, 1), b"x")
            ours.close()
            theirs.close()


class IptablesLoopbackTests(LoopbackTests):
    """The same with rules of iptables."""

    gateway = 'interfaces = ["lo"]\nbackend = "iptables"\n'


class InterfaceTests(SceneCase):
    """Rules that name interfaces."""

    gateway = 'interfaces = ["lan0", "wan0"]\n'
    services = {
        "inside": 'inspector = "relay"\n[[rule]]\ninterfaces = ["lan0"]\nports = [1001]\n',
        "outside": 'inspector = "relay"\n[[rule]]\ninterfaces = ["wan0"]\nports = [1001]\n',
    }

    def test_each_its_own(self) -> None:
        """The same question gets the answer of the interface that it came in by."""
        listener = self.listen(1001)
        ours = self.dial((SERVER, 1001))
        _, peer = self.accept(listener)
        reset(ours)
        self.assertEqual(self.flow(peer)["gateway"]["service"], "inside")
        inside = self.listen(1001, CLIENT, self.client)
        ours = self.dial((CLIENT, 1001), (SERVER, 0), self.server)
        _, peer = self.accept(inside)
        self.assertEqual(peer, ours.getsockname())
        reset(ours)
        self.assertEqual(self.flow(peer)["gateway"]["service"], "outside")


class IptablesInterfaceTests(InterfaceTests):
    """The same with rules of iptables."""

    gateway = 'interfaces = ["lan0", "wan0"]\nbackend = "iptables"\n'


class DatagramTests(SceneCase):
    """UDP sessions."""

    services = {"datagrams": RELAY_UDP + "[limits]\nidle_seconds = 0.6\n"}

    def test_idle(self) -> None:
        """A session ends when it was idle for long enough, with one record; then anew."""
        theirs = self.datagrams(self.server, SERVER)
        ours = self.datagrams(self.client, CLIENT)
        for count in (1, 2):
            for word in (b"one", b"two"):
                ours.sendto(word, theirs.getsockname())
                data, peer = theirs.recvfrom(100)
                self.assertEqual((data, peer), (word, ours.getsockname()))
                theirs.sendto(word + word, peer)
                self.assertEqual(ours.recvfrom(100), (word + word, theirs.getsockname()))
            self.wait(
                lambda count=count: len(self.flows(ours.getsockname())) == count,
                f"not exactly {count} flow records",
            )
        record = self.flows(ours.getsockname())[0]
        self.assertEqual(record["proto"], "UDP")
        self.assertEqual(record["flow"]["bytes_toserver"], 6)
        self.assertEqual(record["flow"]["bytes_toclient"], 12)
        self.assertTrue(record["gateway"]["upstream"]["port_kept"])

    def test_two_servers(self) -> None:
        """One client port to two servers: each answer comes from whom it was asked."""
        ours = self.datagrams(self.client, CLIENT)
        for host in (SERVER, "203.0.113.9"):
            theirs = self.datagrams(self.server, host)
            ours.sendto(b"question", theirs.getsockname())
            _, peer = theirs.recvfrom(100)
            theirs.sendto(b"answer", peer)
            self.assertEqual(ours.recvfrom(100), (b"answer", theirs.getsockname()))

    def test_large_datagrams(self) -> None:
        """Datagrams keep their size and their boundaries, empty ones included."""
        theirs = self.datagrams(self.server, SERVER)
        ours = self.datagrams(self.client, CLIENT)
        for size in (0, 1, 1400, 9000, 60_000):
            ours.sendto(b"x" * size, theirs.getsockname())
            self.assertEqual(len(theirs.recvfrom(65536)[0]), size)
