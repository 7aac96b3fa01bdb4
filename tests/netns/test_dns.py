"""dig, kdig and systemd-resolved, BIND, Knot, unbound and dnsmasq, through the real gateway."""

from __future__ import annotations

import socket

import dns.message

from tests.netns.case import SECONDS, SERVER, SERVER6
from tests.netns.dns_case import KEY, KNOT, SERVERS, DnsCase

QUESTIONS = (
    ("www.example.org", "A"),
    ("www.example.org", "AAAA"),
    ("alias.example.org", "A"),
    ("example.org", "MX"),
    ("example.org", "SOA"),
    ("example.org", "CAA"),
    ("_sip._udp.example.org", "SRV"),
    ("web.example.org", "HTTPS"),
    ("x.sub.example.org", "A"),
    ("nobody.example.org", "A"),
    ("www.example.org", "TXT"),
    ("big.example.org", "TXT"),
    ("www.signed.example", "A"),
    ("nobody.signed.example", "A"),
)

PRINTED = ("+noall", "+answer", "+authority", "+comments")


def lines(said: str) -> list[str]:
    """What dig says of an answer, without what is another each time."""
    kept = [line for line in said.splitlines() if line and "id:" not in line]
    return sorted(line for line in kept if not line.startswith("; COOKIE"))


def ask(number: int, name: str) -> bytes:
    """A query, with its length before it."""
    query = dns.message.make_query(name, "A", id=number).to_wire()
    return len(query).to_bytes(2, "big") + query


class PassedTests(DnsCase):
    """Clients hear what they would hear without the gateway."""

    def test_same(self) -> None:
        """Every answer of every server, by UDP and by TCP, with and without signatures."""
        for server in (*SERVERS, SERVER6):
            for name, kind in QUESTIONS:
                for how in (("+dnssec",), ("+tcp",), ("+noedns",))[: 1 if ":" in server else 3]:
                    what = (name, kind, *how, *PRINTED)
                    with_it, without = (
                        lines(self.dig(server, *what, namespace=namespace))
                        for namespace in (self.client, self.server)
                    )
                    self.assertEqual(with_it, without, f"{server} {what}")
                    self.assertTrue(with_it)

    def test_kdig(self) -> None:
        """Knot's client, with padding and a cookie."""
        for how in ("+notcp", "+tcp"):
            said = self.client.run(
                "kdig", f"@{SERVER}", "www.example.org", how, "+padding", "+cookie", "+short"
            )
            self.assertEqual(said, "198.51.100.7\n")

    def test_long(self) -> None:
        """An answer of eight thousand bytes comes by TCP, as dig is told to ask there."""
        said = self.dig(SERVER, "big.example.org", "TXT")
        self.assertIn("Truncated, retrying in TCP mode", said)
        self.assertEqual(said.count("x" * 200), 40)

    def test_subnet(self) -> None:
        """Where the client is, is not told to the server."""
        said = self.dig(SERVER, "www.example.org", "+subnet=192.0.2.0/24")
        self.assertIn("198.51.100.7", said)

        def removed() -> bool:
            found = [each["gateway"].get("removed") for each in self.records()]
            return ["option client-subnet"] in found

        self.wait(removed, "not recorded", 30)

    def pipeline(self, server: str, count: int, close: bool) -> list[int]:
        """The identifiers of the answers to so many queries that are sent at once by TCP."""
        ours = self.dial((server, 53))
        ours.settimeout(4 * SECONDS)
        ours.sendall(b"".join(ask(n, f"n{n}.example.org") for n in range(count)))
        if close:
            ours.shutdown(socket.SHUT_WR)
        found = []
        stream = ours.makefile("rb")
        for _ in range(count):
            size = int.from_bytes(stream.read(2), "big")
            message = dns.message.from_wire(stream.read(size))
            self.assertEqual(str(message.answer[0][0]), f"198.51.100.{message.id % 250}")
            found.append(message.id)
        if close:
            self.assertEqual(stream.read(), b"")
        return sorted(found)

    def test_pipeline(self) -> None:
        """
        250 queries at once are all answered: by dnsmasq too, who closes after each
        hundred, and also to a client that half-closes, which BIND would forget.
        """
        for server in SERVERS:
            for close in (False, True):
                found = self.pipeline(server, 250, close)
                self.assertEqual(found, list(range(250)), f"{server}, {close}")

    def test_let_go(self) -> None:
        """A port is one session, of all its queries, and soon over."""
        ours = self.datagrams(self.client, "10.1.2.3")
        for number in (1, 2):
            ours.sendto(ask(number, "www.example.org")[2:], (SERVER, 53))
            ours.recv(4096)
        flow = self.flow(ours.getsockname(), 30)
        self.assertEqual(flow["gateway"]["verdict"], "passed")
        self.assertGreater(flow["flow"]["bytes_toclient"], 0)

    def test_out_of_reach(self) -> None:
        """A server that was out of reach for a moment is heard again, by the same port."""
        rule = "add rule inet away in udp dport 53 reject with icmpx host-unreachable\n"
        table = (
            "add table inet away\nadd chain inet away in { type filter hook input priority 0; }\n"
        )
        ours = self.datagrams(self.client, "10.1.2.3")
        self.server.run("nft", "-f", "-", input=table + rule)
        ours.sendto(ask(1, "www.example.org")[2:], (SERVER, 53))
        self.addCleanup(self.server.run, "nft", "delete", "table", "inet", "away")
        ours.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            ours.recv(4096)
        self.server.run("nft", "flush", "chain", "inet", "away", "in")
        ours.settimeout(4 * SECONDS)
        ours.sendto(ask(2, "www.example.org")[2:], (SERVER, 53))
        self.assertEqual(ours.recv(4096)[:2], b"\0\2")

    def test_resolved(self) -> None:
        """systemd-resolved takes all answers, those that come by TCP too."""
        self.resolved()
        stub = "127.0.0.53"
        self.wait(
            lambda: "198.51.100.7" in self.dig(stub, "www.example.org", "+time=2"),
            f"no stub: {(self.folder / 'resolved.log').read_text()}",
            30,
        )
        said = self.dig(stub, "big.example.org", "TXT", "+tcp")
        self.assertEqual(said.count("x" * 200), 40, said)


class PolicyTests(DnsCase):
    """What the operator has said, and what dig shows of it."""

    settings = """
    ech = "remove"
    unknown_types = true  # BIND has one in the zones that it signs
    [[dns.rule]]
    name = [".tracker.example"]
    [[dns.rule]]
    name = ["portal.example"]
    action = "address"
    addresses = ["198.51.100.80"]
    [[dns.rule]]
    name = ["example.org"]
    opcode = ["UPDATE"]
    action = "allow"
    [[dns.rule]]
    name = ["example.org"]
    type = ["AXFR", "IXFR", "SOA"]
    action = "allow"
    [[dns.rule]]
    name = [".signed.example"]
    type = ["AXFR"]
    action = "allow"
    """

    def test_blocked(self) -> None:
        """A name, and one that leads to it by CNAME or DNAME; dig says that it is blocked."""
        for server in SERVERS:
            for name in ("x.tracker.example", "hidden.example.org", "x.sub.example.org"):
                for how in ("+notcp", "+tcp"):
                    said = self.dig(server, name, how)
                    self.assertIn("status: NXDOMAIN", said)
                    self.assertIn("EDE: 15 (Blocked)", said)

    def test_address(self) -> None:
        """A page of the operator's."""
        self.assertEqual(self.dig(SERVER, "portal.example", "+short"), "198.51.100.80\n")
        self.assertIn("status: NOERROR", self.dig(SERVER, "portal.example", "MX"))

    def test_private(self) -> None:
        """A public name has no private address."""
        for server in SERVERS:
            self.assertIn("status: REFUSED", self.dig(server, "inside.example.org"))

    def test_resolved(self) -> None:
        """systemd-resolved takes the gateway's own answers: it throws away what lacks OPT."""
        self.resolved()
        stub = "127.0.0.53"
        self.wait(
            lambda: "198.51.100.80" in self.dig(stub, "portal.example", "+time=2"), "no stub", 30
        )
        self.assertIn("status: NXDOMAIN", self.dig(stub, "x.tracker.example"))

    def test_ech(self) -> None:
        """The keys are gone, the rest is there."""
        for server in SERVERS:
            said = self.dig(server, "web.example.org", "HTTPS", "+short")
            self.assertEqual(said, '1 . alpn="h2,h3" ipv4hint=198.51.100.7\n')

    def test_transfer(self) -> None:
        """Zones are transferred where a rule says so, signed ones too; nowhere else."""
        for what in (
            ("example.org", "AXFR"),
            ("example.org", "IXFR=0"),
            ("example.org", "AXFR", "-y", KEY),
            ("signed.example", "AXFR", "-y", KEY),
        ):
            with_it, without = (
                self.dig(SERVER, *what, "+noall", "+answer", namespace=namespace)
                for namespace in (self.client, self.server)
            )
            self.assertEqual(lines(with_it), lines(without))
            self.assertGreater(len(lines(with_it)), 10)
            self.assertNotIn("WARNING", with_it)
            with_it, without = (
                self.dig(KNOT, "signed.example", "AXFR", *PRINTED, namespace=namespace)
                for namespace in (self.client, self.server)
            )
            self.assertEqual(lines(with_it), lines(without))
            self.assertIn("RRSIG", with_it)
        for server in (SERVER, KNOT):
            self.assertIn("Transfer failed", self.dig(server, "tracker.example", "AXFR"))

    def test_version(self) -> None:
        """Classes that are not the internet's are refused."""
        self.assertIn("status: REFUSED", self.dig(SERVER, "version.bind", "CH", "TXT"))

    def test_update(self) -> None:
        """A signed update passes where a rule says so."""
        script = f"server {SERVER}\nupdate add new.example.org 60 A 198.51.100.9\nsend\n"
        self.client.run("nsupdate", "-y", KEY, input=script)
        self.assertEqual(self.dig(SERVER, "new.example.org", "+short"), "198.51.100.9\n")
