"""What the operator is told about a connection, and the reference of all keys."""

from __future__ import annotations

import re
import tomllib

from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import describe, explain, zones_of
from gateway.policy.load import load
from gateway.policy.reference import reference
from tests.policy.case import MAKERS, RELAY, RULE, LoadCase, find, named

OFFICE = {
    "gateway": '[divert]\ninterfaces = ["lan0", "lan1"]\n',
    "web": 'inspector = "tea"\nserver = ["10.9.9.9:81", "web"]\nsource = "client-address"\n'
    '[tea]\npot = "x"\ncups = 2\n[limits]\nidle_seconds = 5\n'
    '[[rule]]\nfrom = ["office"]\nto = ["internet"]\nports = [80]\n',
    "rest": RULE + 'from = ["office"]\n',
    "lan": RULE
    + 'from = ["office"]\nto = ["198.51.100.0/24"]\ninterfaces = ["lan1"]\nports = [25]\n',
    "printers": 'action = "deny"\n[[rule]]\nfrom = ["printers"]\npriority = 10\n'
    '[[rule]]\nprotocol = "udp"\nports = [53]\n',
    "bank": 'action = "forward"\n[[rule]]\nprotocol = "tcp"\nto = ["203.0.113.0/24"]\n'
    'from = ["office"]\n',
    "both": RELAY + '[[rule]]\nto = ["203.0.113.0/24"]\nfrom = ["office"]\nports = [80]\n',
}


class ExplainTests(LoadCase):
    def explain(
        self,
        source: str,
        destination: str,
        port: int,
        interface: str | None = "lan0",
        udp: bool = False,
    ) -> str:
        policy = load(self.write(named(OFFICE)), find)
        protocol = Protocol.UDP if udp else Protocol.TCP
        return explain(
            policy,
            Connection(Address(source, 4000), Address(destination, port), protocol, interface),
        )

    def test_inspected(self) -> None:
        """Zones, the rules that match, why one wins, and what kernel and gateway do."""
        self.assertEqual(
            self.explain("10.1.2.3", "198.51.100.7", 80),
            """\
connection  tcp 10.1.2.3:4000 -> 198.51.100.7:80 on lan0
from        10.1.2.3 is in office, internet
to          198.51.100.7 is in internet
interface   lan0 (diverted: lan0, lan1)
rules       1. services/web.toml:9:1 (service "web"): from office, to internet, tcp ports 80
            2. services/rest.toml:2:1 (service "rest"): from office, to anywhere, tcp all ports
because     1 goes before 2: it is narrower in ports
service     web (services/web.toml)
kernel      diverts it to port 50080; while the gateway is down, it is blocked
            (but never touches what goes to the gateway's own addresses)
gateway     inspector: tea
                pot = "x"
                cups = 2
            connects to: 10.9.9.9:81, else web:80
            connects from: the client's own address, from any port
            limits: idle_seconds = 5.0""",
        )

    def test_settings_in_tables(self) -> None:
        """Of settings in tables, what was changed; of arrays of tables, how many there are."""
        tables = "inner.depth = 3\n[[tea.inners]]\n[[tea.inners]]\ndepth = 4\n"
        tea = f'inspector = "tea"\n[[rule]]\n[tea]\npot = "x"\n{tables}'
        policy = self.load(web=tea)
        asked = Connection(Address("10.1.2.3", 1), Address("192.0.2.1", 2), Protocol.TCP, None)
        self.assertIn(
            'inspector: tea\n                pot = "x"\n                inner.depth = 3\n'
            "                [[inners]]: 2\n            connects to",
            explain(policy, asked),
        )

    def test_denied(self) -> None:
        """The kernel's answer, and that priority decided."""
        told = self.explain("10.1.200.3", "198.51.100.7", 80)
        self.assertIn("1 goes before 2: it has the higher priority (10, not 0)", told)
        self.assertIn("kernel      denies it, and answers with a TCP reset\n", told)
        self.assertNotIn("\ngateway", told)

    def test_denied_udp(self) -> None:
        """UDP has no resets: ICMP stands in for them."""
        told = self.explain("192.0.2.1", "198.51.100.7", 53, udp=True)
        self.assertIn("because     no other rule matches\n", told)
        self.assertIn("answers with ICMP port unreachable", told)

    def test_forwarded(self) -> None:
        """A forwarded connection never reaches the gateway."""
        told = self.explain("10.1.2.3", "203.0.113.7", 443)
        self.assertIn("kernel      forwards it", told)
        self.assertNotIn("\ngateway", told)

    def test_named_interface(self) -> None:
        """An interface that rules name has a listener of its own."""
        told = self.explain("10.1.2.3", "198.51.100.7", 25, interface="lan1")
        self.assertIn("it is narrower in to, ports, interfaces", told)
        self.assertIn("diverts it to port 50081", told)
        self.assertIn("connects to: 198.51.100.7:25, where the client wanted to go", told)
        self.assertIn("limits: the default ones", told)

    def test_no_interface(self) -> None:
        """Without an interface it is said what is assumed, since rules name some."""
        told = self.explain("10.1.2.3", "198.51.100.7", 25, interface=None)
        self.assertIn("not given: taken for one that no rule names", told)
        self.assertIn("diverts it to port 50080", told)

    def test_excluded(self) -> None:
        """What comes in by another interface is not the gateway's business."""
        told = self.explain("10.1.2.3", "198.51.100.7", 80, interface="wan0")
        self.assertIn("kernel      does not touch it: only interfaces in divert.interfaces", told)
        self.assertNotIn("rules", told)

    def test_no_rule(self) -> None:
        """What no rule matches is left alone."""
        told = self.explain("192.0.2.1", "198.51.100.7", 80)
        self.assertIn("rules       none matches\nkernel      does not touch it", told)

    def test_zones(self) -> None:
        """An address is in all zones that hold it."""
        policy = load(self.write({}), find)
        for host, names in (
            ("10.1.200.1", ("office", "printers", "internet")),
            ("::ffff:10.1.2.3", ("office", "internet")),
            ("fd00:1::1", ("office", "internet")),
        ):
            self.assertEqual(zones_of(policy, Address(host, 0)), names)

    def test_no_address(self) -> None:
        """A name is no address."""
        policy = load(self.write({}), find)
        asked = Connection(Address("web", 0), Address("10.0.0.1", 80))
        self.assertRaises(ValueError, explain, policy, asked)

    def test_describe(self) -> None:
        """A rule on one line."""
        policy = self.load(
            a=RULE + 'interfaces = ["b", "a"]\npriority = 2\nfrom = ["office", "::1"]\n'
        )
        self.assertEqual(
            describe(policy.rules[0]),
            "from office + ::1, to anywhere, tcp all ports, on a, b, priority 2",
        )


class ReferenceTests(LoadCase):
    def test_complete(self) -> None:
        """Every key that is loaded is there, with its type, its default and what it is for."""
        text = reference([MAKERS["tea"], MAKERS["relay"]])
        for line in (
            "### `[divert]`",
            "### `[[rule]]`",
            "| `port` | an integer from 1 to 65535 | `50080` | The listeners' port.",
            '| `mark` | a string | `"0x1/0x1"` | ',
            "| `from` | an array, each a string | `[]` | Zones, networks",
            "| `networks` | an array, each a string | (must be there) | ",
            "| `idle_seconds` | a number of seconds from 0 | `300.0` | ",
            "### `relay`\n\nAn inspector for tests.\n\nIt has no settings.",
            "In the table `[tea]`:",
            "| `from` | a string |",
            '| `colour` | "red" or "green" | `"red"` | Its colour. |',
            "### `[tea.inner]`",
        ):
            self.assertIn(line, text)

    def test_defaults_load(self) -> None:
        """Each default in the reference is TOML, and a configuration that spells it out loads."""
        text = reference().partition("## zones.toml")[0]
        written = []
        for line in text.splitlines():
            table = re.fullmatch(r"### `(\[\w+\])`", line)
            key = re.match(r"\| `(\w+)` \| .*? \| `(.*?)` \|", line)
            if table:
                written.append(table[1])
            elif key:
                written.append(f"{key[1]} = {key[2]}")
        document = "\n".join(written)
        self.assertEqual(tomllib.loads(document)["divert"]["table"], 100)
        self.assertEqual(self.load(gateway=document).divert, self.load().divert)
