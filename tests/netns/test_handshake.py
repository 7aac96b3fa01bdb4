"""Clients that are connected only if their servers are: C{handshake = "through"}."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import socket
import struct
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from threading import Thread

from gateway.lab.namespace import Namespace
from tests.netns.case import (
    CLIENT,
    CLIENT6,
    QUIET,
    RELAY,
    RELOADED,
    SECONDS,
    SERVER,
    SERVER6,
    Address,
    SceneCase,
    family,
    hear,
)
from tests.netns.firewall import FIREWALL, MASQUERADE
from tests.netns.packets import ACK, PSH, SYN, raw, segment
from tests.netns.test_kernel import random_sequence

PORTS = 'ports = ["7000-7999"]\n'
THROUGH = f'handshake = "through"{RELAY}{PORTS}'
SERVICES = {"relay": THROUGH}
BOTH = (SERVER, SERVER6)
IPPROTO_MPTCP = 262
TCPI_OPT_ECN = 8
PAIRS = ((CLIENT, SERVER), (CLIENT6, SERVER6))

DIRECT = 1000
"""Added to a port: nobody inspects it."""

OPEN, CLOSED, RAW = 7000, 7001, 7002
ANSWERS = {
    7010: "icmpx type port-unreachable",
    7011: "icmpx type host-unreachable",
    7012: "icmpx type no-route",
    7013: "icmpx type admin-prohibited",
    7014: "tcp reset",
}

NOWHERE = 7030

CONNECTED = ("state", "connected", "exclude", "time-wait")
"""To ask C{ss} for."""

ELSEWHERE = """
from gateway.inspector import StreamInspector
from gateway.interfaces import SERVER, Address, Denied
from gateway.maker import InspectorMaker


class Elsewhere(StreamInspector):
    def started(self):
        return None

    async def from_client(self, read):
        await read.exactly(1, 1)
        server = self.session.server
        if server.port == 7030:
            raise Denied("nobody goes there")
        await self.session.connect(Address(server.host, server.port + 1))
        self.session.send(SERVER, b"hello")
        while await read.more():
            self.session.send(SERVER, await read.some())


elsewhere = InspectorMaker("elsewhere", Elsewhere, "goes where nobody wanted")
"""

REJECT = "".join(
    f"tcp dport {{ {port}, {port + DIRECT} }} reject with {answer}\n"
    for port, answer in ANSWERS.items()
)

COUNT = f"""
table inet count {{
    chain arrive {{
        type filter hook prerouting priority -300; policy accept;
        tcp dport {RAW} tcp flags & (syn | rst) == 0 counter
        tcp dport {RAW} tcp flags & (syn | rst) == syn counter
        tcp sport {RAW} tcp flags & rst == 0 counter
    }}
    chain leave {{
        type filter hook output priority 0; policy accept;
        tcp sport {RAW} tcp flags & (rst | ack) == rst | ack drop
        tcp dport {RAW} tcp flags & rst == rst drop
    }}
    chain answer {{
        type filter hook input priority 0; policy accept;
        {REJECT}
    }}
}}
"""

STAMPED = """
table inet stamped {
    chain arrive {
        type filter hook prerouting priority -300; policy accept;
        tcp flags & (syn | ack) == ack tcp option timestamp exists counter
    }
}
"""
"""Counts what a host without timestamps should not get."""

LOSS = """
table inet loss {
    chain arrive {
        type filter hook input priority -10; policy accept;
        meta l4proto tcp numgen random mod 100 < 2 drop
    }
}
"""

KNOWN = """
table inet known {
    chain input {
        type filter hook input priority 1; policy drop;
        iif lo accept
        ct state established,related accept
        meta l4proto { icmp, icmpv6 } accept
    }
}
"""
"""For this host itself is what belongs to something that is known."""

NEIGHBOURS = (
    "table inet neighbours {\n"
    + "".join(
        f"chain at{number} {{ type filter hook prerouting priority {priority}; policy accept;\n"
        "meta l4proto tcp counter; }\n"
        for number, priority in enumerate((-310, -300, -199, 290, 300))
    )
    + "}\n"
)
"""Chains at the priorities of the gateway's own."""

CLOSED_FORWARD = """
table inet closed {
    chain forward {
        type filter hook forward priority 0; policy drop;
        meta l4proto { icmp, icmpv6 } accept
    }
}
"""

HANDSHAKES_ONLY = """
table inet closed {
    chain forward {
        type filter hook forward priority 0; policy drop;
        meta l4proto { icmp, icmpv6 } accept
        tcp flags & (fin | syn | rst | ack) == syn accept
        tcp flags & (fin | syn | rst | ack) == syn | ack accept
        tcp flags & rst == rst accept
    }
}
"""

SILENT = """
table inet silent {
    chain arrive {
        type filter hook input priority 0; policy accept;
        tcp dport { 7020, 8020 } drop
    }
}
"""


class ThroughCase(SceneCase):
    """A service whose clients shake hands with their servers."""

    services = SERVICES

    def add_rules(self, rules: str) -> None:
        """Rules of the gateway's host, for this test."""
        self.router.run("nft", "-f", "-", input=rules)
        for kind, name in re.findall(r"^table (\S+) (\S+)", rules, re.MULTILINE):
            self.addCleanup(self.router.run, "nft", "delete", "table", kind, name)

    def prepare(self) -> None:
        self.server.run("nft", "-f", "-", input=COUNT + SILENT)
        self.client.run("nft", "-f", "-", input=COUNT)

    def error(self, server: Address, seconds: float = 5.0) -> int:
        """How an attempt to connect ends: 0, or an errno. Nobody goes on trying."""
        with self.client.socket(family(server[0])) as ours:
            ours.settimeout(seconds)
            try:
                ours.connect(server)
            except TimeoutError:
                return errno.ETIMEDOUT
            except OSError as error:
                return error.errno or 0
        return 0

    def talk(self, listener: socket.socket, **options: object) -> Address:
        """A whole session. Gives back its client."""
        ours = self.dial(listener.getsockname()[:2], **options)  # type: ignore[arg-type]
        client: Address = ours.getsockname()[:2]
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, client)
        ours.sendall(b"question")
        self.assertEqual(hear(theirs, 8), b"question")
        theirs.sendall(b"answer")
        self.assertEqual(hear(ours, 6), b"answer")
        ours.close()
        self.assertEnded(theirs)
        theirs.close()
        return client

    def assertAgreed(self, ours: socket.socket) -> None:
        """The gateway's sockets have the windows' scales, and segments as large, as the ends."""
        port = ours.getsockname()[1]
        said = (
            host.run("ss", "-tinH", f"( sport = :{port} or dport = :{port} )")
            for host in (self.client, self.router, self.server)
        )
        client, gateway, server = (re.findall(r" (wscale|mss):(\S+)", each) for each in said)
        self.assertEqual(sorted(gateway), sorted(client + server))

    def assertThrough(self, client: Address, how: str = "through") -> None:
        """The session of C{client} was taken over."""
        found = self.flow(client)["gateway"]
        self.assertEqual((found["handshake"], found["verdict"]), (how, "passed"))

    def counted(self, host: Namespace) -> list[int]:
        """What has arrived at a host: segments without SYN, SYNs, and segments from the server."""
        rules = host.run("nft", "list", "table", "inet", "count")
        return [int(each) for each in re.findall(r"counter packets (\d+)", rules)]

    def settle(self) -> None:
        """All that was sent before has been dealt with."""
        for pair in PAIRS:
            self.client.run("ping", "-c", "1", "-W", "2", "-I", *pair)


class SharedCase(ThroughCase):
    """Tests that leave the gateway as it was share one."""

    @property
    def owner(self) -> type[SceneCase]:
        return SharedCase


class OpenTests(SharedCase):
    """The server is there."""

    def test_both_ways(self) -> None:
        """Both see each other's addresses and ports, all bytes and both ends, in both families."""
        for server in BOTH:
            listener = self.listen(OPEN, server)
            ours = self.dial(listener.getsockname()[:2])
            theirs, peer = self.accept(listener)
            self.assertEqual(peer, ours.getsockname()[:2])
            self.assertEqual(ours.getpeername()[:2], listener.getsockname()[:2])
            ours.sendall(b"question")
            self.assertEqual(hear(theirs, 8), b"question")
            theirs.sendall(b"answer")
            self.assertEqual(hear(ours, 6), b"answer")
            ours.shutdown(socket.SHUT_WR)
            self.assertEnded(theirs)
            theirs.sendall(b"last words")
            theirs.close()
            self.assertEqual(hear(ours), b"last words")
            flow = self.flow(peer)
            self.assertEqual(flow["gateway"]["handshake"], "through")
            self.assertEqual(flow["gateway"]["verdict"], "passed")
            self.assertTrue(flow["gateway"]["upstream"]["port_kept"])
            self.assertEqual(flow["flow"]["bytes_toclient"], 16)

    def test_banner(self) -> None:
        """A server that speaks first is heard by a client that says nothing."""
        for server in BOTH:
            listener = self.listen(OPEN, server)
            ours = self.dial(listener.getsockname()[:2])
            theirs, _ = self.accept(listener)
            theirs.sendall(b"220 ready\r\n")
            self.assertEqual(hear(ours, 11), b"220 ready\r\n")

    def test_bulk(self) -> None:
        """Much data each way comes whole: windows are those that the ends have agreed on."""
        much = os.urandom(1 << 20) * 4
        for server in BOTH:
            listener = self.listen(OPEN, server)
            ours = self.dial(listener.getsockname()[:2])
            theirs, _ = self.accept(listener)
            self.assertAgreed(ours)
            for one, other in ((ours, theirs), (theirs, ours)):
                heard = bytearray()
                rest = memoryview(much)
                one.setblocking(False)
                while len(heard) < len(much):
                    with contextlib.suppress(BlockingIOError):
                        rest = rest[one.send(rest) if rest else 0 :]
                    other.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        heard += other.recv(1 << 20)
                self.assertTrue(heard == much)

    def test_loss(self) -> None:
        """With one packet of fifty lost on either side, all comes whole."""
        much = os.urandom(1 << 20)
        for host in (self.client, self.server):
            host.run("nft", "-f", "-", input=LOSS)
            self.addCleanup(host.run, "nft", "delete", "table", "inet", "loss")
        for server in BOTH:
            listener = self.listen(OPEN, server)
            ours = self.dial(listener.getsockname()[:2], seconds=20)
            listener.settimeout(20)
            theirs, _ = self.accept(listener)
            for one, other in ((ours, theirs), (theirs, ours)):
                other.settimeout(20)
                sending = Thread(target=one.sendall, args=(much,), daemon=True)
                sending.start()
                self.assertTrue(hear(other, len(much)) == much)
                sending.join()

    def test_without_options(self) -> None:
        """Ends that know neither timestamps nor scaled windows nor SACK are taken over as well."""
        settings = [f"net.ipv4.tcp_{name}" for name in ("timestamps", "window_scaling", "sack")]
        listener = self.listen(OPEN)
        for host in (self.client, self.server):
            host.sysctl(*(f"{name}=0" for name in settings))
            host.run("nft", "-f", "-", input=STAMPED)
            try:
                self.assertThrough(self.talk(listener))
                rules = host.run("nft", "list", "table", "inet", "stamped")
                self.assertIn("counter packets 0 ", rules)
            finally:
                host.run("nft", "delete", "table", "inet", "stamped")
                host.sysctl(*(f"{name}=1" for name in settings))

    def test_congestion_notification(self) -> None:
        """Ends that want ECN get none, which repaired sockets do not have, and talk."""
        for host in (self.client, self.server):
            host.sysctl("net.ipv4.tcp_ecn=1")
        for server in BOTH:
            listener = self.listen(OPEN, server)
            ours = self.dial(listener.getsockname()[:2])
            self.accept(listener)
            options = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
            self.assertEqual(options & TCPI_OPT_ECN, 0)
            self.assertThrough(self.talk(listener))

    def test_multipath(self) -> None:
        """A client and a server that know MPTCP talk TCP: no other path leads past the gateway."""
        for server in BOTH:
            with self.server.entered():
                listener = socket.socket(family(server), socket.SOCK_STREAM, IPPROTO_MPTCP)
            with self.client.entered():
                ours = socket.socket(family(server), socket.SOCK_STREAM, IPPROTO_MPTCP)
            self.addCleanup(listener.close)
            self.addCleanup(ours.close)
            listener.settimeout(SECONDS)
            ours.settimeout(SECONDS)
            listener.bind((server, OPEN + 40))
            listener.listen()
            ours.connect((server, OPEN + 40))
            theirs, peer = self.accept(listener)
            theirs.sendall(b"hello")
            self.assertEqual(hear(ours, 5), b"hello")
            fell_back = self.client.run("nstat", "-asz", "MPTcpExtMPCapableFallbackSYNACK")
            self.assertRegex(fell_back, r"FallbackSYNACK +[1-9]")
            ours.close()
            theirs.close()
            self.assertThrough(peer[:2])

    def test_cookies(self) -> None:
        """SYN cookies at the gateway and at the server change nothing."""
        for host in (self.router, self.server):
            host.sysctl("net.ipv4.tcp_syncookies=2")
        for server in BOTH:
            self.assertThrough(self.talk(self.listen(OPEN, server)))

    def test_fast_open(self) -> None:
        """A client that asks for a cookie of TCP Fast Open gets none, and talks."""
        fast = 23
        for host in (self.client, self.server):
            host.sysctl("net.ipv4.tcp_fastopen=3")
        listener = self.listen(
            OPEN, prepare=lambda one: one.setsockopt(socket.IPPROTO_TCP, fast, 16)
        )
        for _ in range(3):
            ours = self.client.socket()
            self.addCleanup(ours.close)
            ours.setblocking(True)
            ours.sendto(b"early", socket.MSG_FASTOPEN, listener.getsockname())
            ours.settimeout(SECONDS)
            theirs, _ = self.accept(listener)
            self.assertEqual(hear(theirs, 5), b"early")
        asked = self.server.run("nstat", "-asz", "TcpExtTCPFastOpenCookieReqd")
        self.assertRegex(asked, r"CookieReqd +0 ")


class ErrorTests(SharedCase):
    """The server is not there."""

    def test_refused(self) -> None:
        """A client hears of a closed port, or of what a router says, as it would directly."""
        for server in BOTH:
            for port in (CLOSED, *ANSWERS):
                told = self.error((server, port))
                direct = self.error((server, port + DIRECT))
                self.assertEqual((port, told), (port, direct))
                self.assertNotIn(told, (0, errno.ETIMEDOUT))

    def test_no_route(self) -> None:
        """So it does if the gateway itself has no way to the server."""
        self.router.ip("route add unreachable 192.0.2.77", "route add unreachable 2001:db8:9::/64")
        for server in ("192.0.2.77", "2001:db8:9::7"):
            told, direct = (self.error((server, port)) for port in (CLOSED, CLOSED + DIRECT))
            self.assertEqual(told, direct)
            self.assertNotIn(told, (0, errno.ETIMEDOUT))

    def test_silent(self) -> None:
        """A client of a silent server is not connected, and no session has begun."""
        for server in BOTH:
            for port in (7020, 7020 + DIRECT):
                self.assertEqual(self.error((server, port), QUIET), errno.ETIMEDOUT)
        self.assertEqual([one for one in self.scene.records() if one["dest_port"] == 7020], [])


class OutsideTests(SharedCase):
    """What belongs to no connection of two ends."""

    def test_forged(self) -> None:
        """SYNs with invented senders open no connection at the server, which keeps serving."""
        listener = self.listen(OPEN)
        ours = raw(self.client, CLIENT, whole=True)
        self.addCleanup(ours.close)
        for number in range(3000):
            source = f"10.1.{number // 250}.{number % 250 + 2}"
            whole = segment((source, 20_000), (SERVER, OPEN), SYN, sequence=number)
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(whole), 1, 0, 64, 6, 0)
            addresses = socket.inet_aton(source) + socket.inet_aton(SERVER)
            ours.sendto(header + addresses + whole, (SERVER, 0))
        self.assertQuiet(listener)
        self.assertThrough(self.talk(listener))

    def test_strays(self) -> None:
        """Of what a client sends, nothing but a SYN without data reaches a server."""
        before = self.counted(self.server)
        for number, (source, server) in enumerate(PAIRS):
            ours = raw(self.client, source)
            self.addCleanup(ours.close)
            port = 31_000 + number
            for flags, data in (
                *((ACK, b"hidden"), (ACK | PSH, b"hidden"), (0, b"hidden"), (SYN | ACK, b"")),
                *((SYN, b""), (SYN, b"hidden"), (ACK, b""), (ACK | PSH, b"hidden")),
                *((SYN | ACK, b"hidden"), (0, b"hidden")),
            ):
                whole = segment((source, port), (server, RAW), flags, data)
                ours.sendto(whole, (server, 0))
        self.settle()
        after = self.counted(self.server)
        self.assertEqual([now - then for now, then in zip(after, before, strict=True)], [0, 2, 0])

    def test_early_data(self) -> None:
        """What a server sends before the gateway has both ends does not reach the client."""
        before = self.counted(self.client)
        for number, (source, server) in enumerate(PAIRS):
            port = 32_000 + number
            ours, theirs = raw(self.client, source), raw(self.server, server)
            self.addCleanup(ours.close)
            self.addCleanup(theirs.close)
            ours.sendto(segment((source, port), (server, RAW), SYN), (server, 0))
            self.settle()
            for flags in (SYN | ACK, ACK, ACK | PSH, 0):
                early = segment((server, RAW), (source, port), flags, b"early", 5000, 1001)
                theirs.sendto(early, (source, 0))
            bare = segment((server, RAW), (source, port), SYN | ACK, b"", 5000, 1001)
            theirs.sendto(bare, (source, 0))
        self.settle()
        arrived = self.counted(self.client)[2] - before[2]
        self.assertEqual(arrived, len(PAIRS), "the SYN-ACKs without data, and nothing else")


class ElsewhereTests(ThroughCase):
    """The inspector decides otherwise."""

    def begin(self) -> None:
        """The plugin is a file beside the configuration."""
        folder = self.scene.folder / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "elsewhere.py").write_text(ELSEWHERE)
        self.scene.configure({"relay": THROUGH.replace('"relay"', '"elsewhere"')})
        settings = self.scene.config / "gateway.toml"
        settings.write_text(f'plugin_path = ["{folder}"]\n{settings.read_text()}')
        self.scene.daemon.start()

    def test_nowhere(self) -> None:
        """A client that is denied is reset, and so is the server that has seen it."""
        for server in BOTH:
            listener = self.listen(NOWHERE, server)
            ours = self.dial(listener.getsockname()[:2])
            theirs, _ = self.accept(listener)
            ours.sendall(b"x")
            self.assertReset(ours)
            self.assertReset(theirs)

    def test_elsewhere(self) -> None:
        """If it goes to another server, the one that the client wanted is reset."""
        for server in BOTH:
            listener, other = self.listen(OPEN, server), self.listen(OPEN + 1, server)
            ours = self.dial(listener.getsockname()[:2])
            theirs, _ = self.accept(listener)
            ours.sendall(b"x")
            there, peer = self.accept(other)
            self.assertEqual(peer, ours.getsockname()[:2])
            self.assertEqual(hear(there, 5), b"hello")
            self.assertReset(theirs)


class KernelTests(ThroughCase):
    """With released sessions in the kernel."""

    gateway = "[release]\nkernel = true\nafter_seconds = 0\n"

    def test_released(self) -> None:
        """What was taken over is released as well, and comes whole."""
        for server in BOTH:
            self.released(server)

    def released(self, server: str) -> None:
        """One session talks until the kernel has it."""
        listener = self.listen(OPEN, server)
        ours = self.dial(listener.getsockname()[:2])
        theirs, client = self.accept(listener)
        turns = count()

        def without_sockets() -> bool:
            """Talk, and look whether the gateway still has some."""
            number = next(turns)
            ours.sendall(b"%9d" % number)
            self.assertEqual(hear(theirs, 9), b"%9d" % number)
            theirs.sendall(b"%9d" % -number)
            self.assertEqual(hear(ours, 9), b"%9d" % -number)
            return not self.router.run("ss", "-tnH", *CONNECTED).strip()

        self.wait(without_sockets, "the kernel does not take it")
        ours.close()
        self.assertEnded(theirs)
        theirs.close()
        self.assertThrough(client)
        found = self.flow(client)
        self.assertEqual(found["gateway"].get("released_in"), "kernel", found)
        self.assertEqual(found["flow"]["bytes_toserver"], 9 * next(turns))


class KernelWorkersTests(KernelTests):
    """The same with several workers."""

    gateway = f"{KernelTests.gateway}[workers]\ncount = 2\n"


class RefusalTests(ThroughCase):
    """The gateway is asked before the server hears of a client."""

    services = {"relay": THROUGH + "[limits]\nsessions = 1\n"}

    def test_refused(self) -> None:
        """Who is one too many is reset, the server accepts nothing, and there is a record."""
        listener = self.listen(OPEN)
        self.dial(listener.getsockname())
        self.accept(listener)
        client = self.assertRefused(listener.getsockname())
        self.assertQuiet(listener)
        found = self.flow(client)["gateway"]
        self.assertEqual((found["verdict"], found["handshake"]), ("denied", "through"))


class RoomTests(ThroughCase):
    """There is no room for one more session."""

    gateway = "[limits]\nsessions = 1\n"

    def test_waits(self) -> None:
        """A client waits until there is, and then has its server; nothing it has said is lost."""
        listener = self.listen(OPEN)
        first = self.dial(listener.getsockname())
        theirs, _ = self.accept(listener)
        ours = self.dial(listener.getsockname())
        ours.sendall(b"patient")
        self.assertQuiet(listener)
        first.close()
        theirs.close()
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        self.assertEqual(hear(theirs, 7), b"patient")


class BrokenFamilyTests(SceneCase):
    """A name with a broken IPv6 address and an IPv4 address that works."""

    services = {"web": f'inspector = "http"\nhandshake = "through"\n[[rule]]\n{PORTS}'}

    def test_curl(self) -> None:
        """curl goes by IPv4, as it would directly, and gets the page."""
        with self.server.entered():
            web = HTTPServer((SERVER, 7080), Page)
        self.addCleanup(web.server_close)
        thread = Thread(target=web.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(web.shutdown)
        resolve = f"two.example:7080:{SERVER6},{SERVER}"
        said = self.client.run(
            *("curl", "-s", "--resolve", resolve, "-w", " %{http_code} %{remote_ip}"),
            "http://two.example:7080/",
        )
        self.assertEqual(said, f"page 200 {SERVER}")


class Page(BaseHTTPRequestHandler):
    """One page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, format: str, *args: object) -> None:
        """Nowhere."""


class HostTests(SharedCase):
    """What a gateway's host may have besides."""

    def test_firewall(self) -> None:
        """With stateful rules, and whatever numbers the ends begin with, nobody is refused."""
        self.add_rules(FIREWALL)
        for server in BOTH:
            listener = self.listen(OPEN, server)
            for _ in range(20):
                self.assertThrough(self.talk(listener, prepare=random_sequence))

    def test_masquerade(self) -> None:
        """Where servers see the gateway's address, they are reached by it."""
        self.add_rules(MASQUERADE + FIREWALL)
        listener = self.listen(OPEN)
        ours = self.dial(listener.getsockname())
        theirs, peer = self.accept(listener)
        client = ours.getsockname()
        self.assertNotEqual(peer[0], CLIENT)
        ours.sendall(b"question")
        self.assertEqual(hear(theirs, 8), b"question")
        theirs.sendall(b"answer")
        self.assertEqual(hear(ours, 6), b"answer")
        ours.close()
        self.assertEnded(theirs)
        theirs.close()
        self.assertThrough(client)

    def test_strict_tracking(self) -> None:
        """So it is where nothing is tracked whose beginning was not seen, or only what is known."""
        self.add_rules(FIREWALL.replace("invalid drop", "invalid counter drop") + KNOWN)
        self.router.sysctl("net.netfilter.nf_conntrack_tcp_loose=0")
        try:
            for server in BOTH:
                listener = self.listen(OPEN, server)
                for _ in range(5):
                    self.assertThrough(self.talk(listener, prepare=random_sequence))
        finally:
            self.router.sysctl("net.netfilter.nf_conntrack_tcp_loose=1")
        rules = self.router.run("nft", "list", "table", "inet", "firewall")
        self.assertEqual(re.findall(r"invalid counter packets (\d+)", rules), ["0"] * 3)

    def test_equal_priority(self) -> None:
        """Chains of others at the same priorities, earlier and later ones, are no harm."""
        listener = self.listen(OPEN)
        self.add_rules(NEIGHBOURS)
        self.assertThrough(self.talk(listener))
        self.scene.reload(RELOADED)
        self.assertThrough(self.talk(listener))
        rules = self.router.run("nft", "list", "table", "inet", "neighbours")
        self.assertNotIn("packets 0 ", rules)

    def test_nothing_is_forwarded(self) -> None:
        """Where the host's rules forward nothing, nobody is connected, and no server is reached."""
        self.add_rules(CLOSED_FORWARD)
        for server in BOTH:
            listener = self.listen(OPEN, server)
            self.assertEqual(self.error((server, OPEN), QUIET), errno.ETIMEDOUT)
            self.assertQuiet(listener)

    def test_handshakes_are_forwarded(self) -> None:
        """It is enough that the handshake is: SYN, SYN-ACK and resets."""
        self.add_rules(HANDSHAKES_ONLY)
        for server in BOTH:
            self.assertThrough(self.talk(self.listen(OPEN, server)))
            self.assertEqual(self.error((server, CLOSED)), errno.ECONNREFUSED)


class OldSocketTests(SharedCase):
    """A port that is used again at once. These are no ports that a client gets by chance."""

    def again(self, client: Address, listener: socket.socket, server_first: bool) -> None:
        """One more session of this client, ended by one side, and its record."""
        known = len(self.flows(client))
        ours = self.dial(listener.getsockname()[:2], client)
        theirs, _ = self.accept(listener)
        first, second = (theirs, ours) if server_first else (ours, theirs)
        first.close()
        self.assertEnded(second)
        second.close()
        self.wait(lambda: len(self.flows(client)) > known, "no record")

    def assertShaken(self, client: Address, *expected: str) -> None:
        """How the handshakes of the sessions of C{client} were."""
        found = [one["gateway"]["handshake"] for one in self.flows(client)]
        self.assertEqual(found, [*expected])

    def forget(self, host: Namespace, client: Address) -> None:
        """What C{host} keeps in TIME_WAIT is gone, as when its time has passed."""
        for end in ("sport", "dport"):
            host.run("ss", "-K", "-a", "-t", f"{end} = :{client[1]}")

    def count_invalid(self) -> None:
        """A stateful firewall, which counts what it takes for invalid."""
        self.add_rules(FIREWALL.replace("invalid drop", "invalid counter drop"))

    def assertNoneInvalid(self) -> None:
        rules = self.router.run("nft", "list", "table", "inet", "firewall")
        self.assertEqual(re.findall(r"invalid counter packets (\d+)", rules), ["0"] * 3)

    def test_server_first(self) -> None:
        """The gateway's socket towards the client is in TIME_WAIT: the gateway accepts."""
        client, listener = (CLIENT, 21_001), self.listen(OPEN)
        for _ in range(3):
            self.again(client, listener, server_first=True)
        self.assertShaken(client, "through", "accepted", "accepted")

    def test_client_first(self) -> None:
        """The gateway's socket towards the server is in TIME_WAIT: it gives way."""
        self.count_invalid()
        client, listener = (CLIENT, 21_002), self.listen(OPEN)
        for _ in range(3):
            self.again(client, listener, server_first=False)
            self.forget(self.client, client)  # which does not wait as long as this host would
        self.assertShaken(client, "through", "through", "through")
        self.assertNoneInvalid()

    def test_tracked(self) -> None:
        """Connection tracking still has numbers of one that was accepted: they are forgotten."""
        self.count_invalid()
        for client, server in ((CLIENT, 21_003), SERVER), ((CLIENT6, 21_003), SERVER6):
            listener = self.listen(OPEN, server)
            for _ in range(2):
                self.again(client, listener, server_first=True)
            self.forget(self.router, client)
            self.talk(listener, source=client, prepare=random_sequence)
            self.wait(lambda client=client: len(self.flows(client)) == 3, "no record")
            self.assertShaken(client, "through", "accepted", "through")
        self.assertNoneInvalid()


class UsherTests(ThroughCase):
    """The process that takes the ends over."""

    def ushers(self) -> list[int]:
        """Its processes: the one that works, and the one that looks after it."""
        return sorted(
            process
            for process in self.router.processes()
            if b"gateway.kernel.handshake" in _command(process)
        )

    def kill(self, processes: list[int]) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def test_killed(self) -> None:
        """If it is killed another one takes its place, and running sessions go on."""
        listener = self.listen(OPEN)
        ours, (theirs, _) = self.dial(listener.getsockname()), self.accept(listener)
        for which in (1, 0):
            before = self.ushers()
            self.kill([before[which]])
            self.wait(lambda then=before: self._renewed(then), "nobody takes its place")
            self.assertThrough(self.talk(listener))
        ours.sendall(b"still here")
        self.assertEqual(hear(theirs, 10), b"still here")

    def test_killed_early(self) -> None:
        """If it is killed before it has seen anything of a client, the next one takes it over."""
        for server in BOTH:
            listener = self.listen(OPEN, server)
            before = self.ushers()
            os.kill(before[1], signal.SIGSTOP)
            self.addCleanup(self.kill, [before[1]])
            ours = self.dial((server, OPEN))
            self.wait(lambda: self.queued() == 1, "nothing waits")
            self.kill([before[1]])
            theirs, _ = self.accept(listener)
            theirs.sendall(b"hello")
            self.assertEqual(hear(ours, 5), b"hello")

    def test_killed_late(self) -> None:
        """If it knew the client already, and its first words wait, the server never hears them."""
        for number, (source, server) in enumerate(PAIRS):
            listener, other = self.listen(RAW, server), self.listen(OPEN, server)
            ours = raw(self.client, source)
            self.addCleanup(ours.close)
            ends = (source, 33_000 + number), (server, RAW)
            ours.sendto(segment(*ends, SYN, sequence=999), (server, 0))
            answer = self.last_sequence(ours, server)
            self.talk(other)  # so that it looks at all that it was told
            before = self.ushers()
            os.kill(before[1], signal.SIGSTOP)
            self.addCleanup(self.kill, [before[1]])
            words = segment(*ends, ACK | PSH, b"words", 1000, answer + 1 & 0xFFFFFFFF)
            ours.sendto(words, (server, 0))
            self.wait(lambda: self.queued() == 1, "nothing waits")
            self.kill([before[1]])
            self.wait(lambda then=before: self._renewed(then), "nobody takes its place")
            self.assertQuiet(listener)
            self.assertThrough(self.talk(other))

    def queued(self) -> int:
        """How many packets wait for the usher."""
        return sum(int(one.split()[2]) for one in self.queues())

    def queues(self) -> list[str]:
        """The queues of packets that there are."""
        return self.router.run("cat", "/proc/net/netfilter/nfnetlink_queue").splitlines()

    def last_sequence(self, ours: socket.socket, server: str) -> int:
        """The number with which the server's SYN-ACK begins, as a raw socket has heard it."""
        ours.settimeout(SECONDS)
        while True:
            packet = ours.recv(200)
            at = 20 if server == SERVER else 0
            port, _, sequence, _, _, flags = struct.unpack_from("!HHIIBB", packet, at)
            if port == RAW and flags & (SYN | ACK) == SYN | ACK:
                return int(sequence)

    def _renewed(self, before: list[int]) -> bool:
        return len(self.ushers()) == 2 and self.ushers() != before

    def test_gone(self) -> None:
        """If all of it is gone nobody is connected, no server accepts, and the log says so."""
        self.addCleanup(self.scene.daemon.start)
        self.addCleanup(self.scene.daemon.stop)
        for server in BOTH:
            listener = self.listen(OPEN, server)
            self.kill(self.ushers())
            self.wait(lambda: not self.queues(), "its queues are still there")
            self.assertEqual(self.error(listener.getsockname()[:2], QUIET), errno.ETIMEDOUT)
            self.assertQuiet(listener)
        self.assertIn("the usher is gone", self.scene.daemon.said)

    def test_stopped(self) -> None:
        """After a stop nothing passes, and the next gateway takes over again."""
        listener = self.listen(OPEN)
        self.scene.daemon.stop()
        self.assertEqual(self.error(listener.getsockname(), QUIET), errno.ETIMEDOUT)
        self.assertQuiet(listener)
        self.assertEqual(self.ushers(), [])
        self.scene.daemon.start()
        self.assertThrough(self.talk(listener))


class ReloadTests(ThroughCase):
    """The policy changes."""

    def test_back(self) -> None:
        """New clients are accepted as the new policy says; running sessions go on."""
        listener = self.listen(OPEN)
        ours, (theirs, _) = self.dial(listener.getsockname()), self.accept(listener)
        self.scene.configure({"relay": RELAY + PORTS})
        self.scene.reload(RELOADED)
        client = self.talk(listener)
        self.assertNotIn("handshake", self.flow(client)["gateway"])
        ours.sendall(b"still here")
        self.assertEqual(hear(theirs, 10), b"still here")

    def test_again(self) -> None:
        """A reload while clients come loses nobody for ever."""
        listener = self.listen(OPEN)
        for _ in range(3):
            self.scene.reload(RELOADED)
            self.assertThrough(self.talk(listener))


class UnwantedTests(SceneCase):
    """No service wanted it when the gateway was started."""

    services = {"relay": RELAY + PORTS}

    def test_restart(self) -> None:
        """A reload that wants it is refused, and says what to do."""
        self.scene.configure(SERVICES)
        self.scene.reload("not reloaded")
        self.assertIn("restart", self.scene.daemon.said)

    def test_off(self) -> None:
        """Without it there is neither the process nor a rule of it."""
        commands = b"".join(map(_command, self.router.processes()))
        self.assertNotIn(b"gateway.kernel.handshake", commands)
        rules = self.router.run("nft", "list", "ruleset")
        self.assertNotIn("half_open", rules)


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
