"""What is said about the gateway's own first packet to a server ends the attempt, by whomever."""

from __future__ import annotations

import contextlib
import errno
from os import strerror

from tests.netns.case import CLIENT, CLIENT6, RELAY, SERVER, SERVER6, Address, SceneCase, family
from tests.netns.firewall import FIREWALL, MASQUERADE

SOON = 15.0
"""Seconds: a neighbour is asked for three, an IPv6 packet that was too early is sent again."""

ANSWERS = {
    7010: ("icmpx type port-unreachable", errno.ECONNREFUSED, errno.ECONNREFUSED),
    7011: ("icmpx type host-unreachable", errno.EHOSTUNREACH, errno.EHOSTUNREACH),
    7012: ("icmpx type no-route", errno.ENETUNREACH, errno.ENETUNREACH),
    7013: ("icmpx type admin-prohibited", errno.EHOSTUNREACH, errno.EACCES),
    7014: ("tcp reset", errno.ECONNREFUSED, errno.ECONNREFUSED),
}
"""By the port: what the server says, and what that means to its client by IPv4 and by IPv6."""

OWN = 100
"""Added to a port: the gateway's host says it, about what it sends."""

FORWARDED = 1000
"""Added to a port: nobody inspects it."""

NO_ROUTE = {"192.0.2.77": errno.EHOSTUNREACH, "2001:db8:9::7": errno.EHOSTUNREACH}
NO_ROUTE_BEYOND = {"192.0.2.78": errno.EHOSTUNREACH, "2001:db8:8::7": errno.ENETUNREACH}
NOBODY = ("198.51.100.99", "2001:db8:100::99")
"""Addresses of the servers' network that nobody has."""


def answering(hook: str, more: int) -> str:
    """Rules of a host that refuses what goes to these ports."""
    rules = "".join(
        f"tcp dport {port + more} reject with {answer}\n" for port, (answer, *_) in ANSWERS.items()
    )
    chain = f"chain answer {{\ntype filter hook {hook} priority 0; policy accept;\n{rules}}}\n"
    return f"table inet answering {{\n{chain}}}\n"


class ServerErrorTests(SceneCase):
    """C{connect_seconds} is a minute: no attempt here waits for its end."""

    services = {"relay": f'{RELAY}ports = ["7000-7999"]\n[limits]\nconnect_seconds = 60\n'}

    def prepare(self) -> None:
        self.server.run("nft", "-f", "-", input=answering("input", 0))
        self.router.run("nft", "-f", "-", input=answering("output", OWN))
        for host, networks in (
            (self.router, ("192.0.2.77", "2001:db8:9::/64")),
            (self.server, ("192.0.2.78", "2001:db8:8::/64")),
        ):
            host.ip(*(f"route add unreachable {network}" for network in networks))
        self.server.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def attempt(self, server: Address) -> Address:
        """Let a client come to a server, and go when it is told. Who it was."""
        ours = self.client.socket(family(server[0]))
        self.addCleanup(ours.close)
        ours.settimeout(SOON)
        ours.bind((CLIENT6 if ":" in server[0] else CLIENT, 0))
        client: Address = ours.getsockname()[:2]
        with contextlib.suppress(ConnectionResetError):  # perhaps it hears that at once
            ours.connect(server)
        return client

    def assertTold(self, expected: dict[Address, int]) -> None:
        """Of each server, what the record of a session says why there was none."""
        clients = {self.attempt(server): server for server in expected}
        for client, server in clients.items():
            why = self.flow(client, SOON)["gateway"]["reason"]
            self.assertIn(strerror(expected[server]).lower(), why)
            self.assertIn(str(server[1]), why)

    def test_answers(self) -> None:
        """The server's host, or the gateway's own rules for what it sends, refuse the packet."""
        self.assertTold(
            {
                (server, port + more): errors[server == SERVER6]
                for server in (SERVER, SERVER6)
                for port, (_, *errors) in ANSWERS.items()
                for more in (0, OWN)
            }
        )

    def test_no_route(self) -> None:
        """The gateway's host, or a router behind it, knows no way."""
        self.assertTold({(host, 7000): code for host, code in (NO_ROUTE | NO_ROUTE_BEYOND).items()})

    def test_no_neighbour(self) -> None:
        """Nobody answers to ARP and neighbour discovery: all who wait are told."""
        self.assertTold(
            {(host, port): errno.EHOSTUNREACH for host in NOBODY for port in (7000, 7001, 7002)}
        )

    def test_masqueraded(self) -> None:
        """So it is where servers see the gateway's own address, and stateful rules are in force."""
        self.router.run("nft", "-f", "-", input=MASQUERADE + FIREWALL)
        for table in ("ip translation", "inet firewall"):
            self.addCleanup(self.router.run, "nft", "delete", "table", *table.split())
        self.assertTold(
            {("198.51.100.98", 7000): errno.EHOSTUNREACH, (SERVER, 7011): errno.EHOSTUNREACH}
        )

    def test_not_ours(self) -> None:
        """Who is not inspected hears of such errors as before."""
        for host in NOBODY:
            with self.client.socket(family(host)) as ours:
                ours.settimeout(SOON)
                with self.assertRaises(OSError) as caught:
                    ours.connect((host, 7000 + FORWARDED))
            self.assertEqual(caught.exception.errno, errno.EHOSTUNREACH)
