"""The table [dns], as an operator writes it, and what is said of it."""

from __future__ import annotations

from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import explain
from gateway.policy.foretelling import Said
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from gateway.registry import find
from tests.policy.case import LoadCase

SERVICE = """
inspector = "dns"
[[rule]]
ports = [53]
protocol = ["udp", "tcp"]
[dns]
action = "refused"
types = ["A", "AAAA", "TYPE65280"]
classes = ["IN", "CH"]
opcodes = ["QUERY", "NOTIFY"]
[[dns.rule]]
lists = ["ads.txt"]
from = ["10.1.0.0/16"]
[[dns.rule]]
name = [".example.org"]
type = ["AXFR", "A"]
action = "allow"
chain = false
[[dns.rule]]
name = ["portal.example"]
action = "address"
addresses = ["198.51.100.7", "2001:db8::7"]
[dns.edns]
options = ["cookie", 65001]
[dns.rebinding]
names = [".corp"]
addresses = ["10.0.0.0/8", "fd00::/8"]
[dns.tunnel]
entropy = 4.2
except = ["~.*[.]cdn[.]example"]
"""

EXPECT = """
[[expect]]
from = "10.1.2.3"
to = "198.51.100.7:53"
protocol = "udp"
query = "{}"
mode = "{}"
"""


class SettingsTests(LoadCase):
    """What can be written, and what can't."""

    def problems(self, text: str) -> list[str]:
        folder = self.write({"services/dns.toml": text, "ads.txt": "ads.example\n"})
        try:
            load(folder, find)
        except PolicyError as error:
            return [str(each) for each in error.problems]
        return []

    def test_all(self) -> None:
        """Everything at once."""
        self.assertEqual(self.problems(SERVICE), [])

    def test_wrong(self) -> None:
        """What is wrong is named, with its line."""
        for right, wrong, said in (
            ('"TYPE65280"', '"WRONG"', 'types: "WRONG" is no type of records'),
            ('"CH"', '"XX"', 'classes: "XX" is no class'),
            ('"NOTIFY"', '"DSO"', 'opcodes: "DSO" is none of QUERY'),
            ('"cookie"', '"cooky"', 'options: "cooky" is no EDNS option'),
            ("65001", "70000", "options: 70000 is not the number"),
            ("2001:db8::7", "2001:db8::x", "addresses: '2001:db8::x' does not appear"),
            ('action = "address"', 'action = "nodata"', "belong together"),
        ):
            problems = self.problems(SERVICE.replace(right, wrong))
            problem = next((each for each in problems if said in each), None)
            assert problem is not None, problems
            self.assertTrue(problem.startswith("services/dns.toml:"), problem)

    def test_expected(self) -> None:
        """A query is tested at each check, start and reload."""
        for query, mode in (
            ("x.ads.example", "nxdomain"),
            ("www.example.org/a", "allow"),
            ("WWW.example.org./AAAA", "refused"),
            ("portal.example/AAAA", "address"),
        ):
            self.assertEqual(self.problems(SERVICE + EXPECT.format(query, mode)), [])
        (problem,) = self.problems(SERVICE + EXPECT.format("x.ads.example", "allow"))
        self.assertIn('expected "allow" for x.ads.example, but services/dns.toml:', problem)
        (problem,) = self.problems(SERVICE + EXPECT.format("x.ads.example/WRONG", "allow"))
        self.assertIn('"WRONG" is no type', problem)

    def test_explained(self) -> None:
        """What becomes of a query, and by which rule or setting."""
        folder = self.write({"services/dns.toml": SERVICE, "ads.txt": "ads.example\n"})
        ends = Address("10.1.2.3", 1), Address("198.51.100.7", 53)
        connection = Connection(*ends, Protocol.UDP)
        policy = load(folder, find)
        for query, said in (
            ("x.ads.example/A", "x.ads.example/A: nxdomain (services/dns.toml:11)"),
            ("www.example.net", "www.example.net: refused (dns.action)"),
            ("www.example.org/MX", "www.example.org/MX: refused (dns.types)"),
        ):
            self.assertIn(said, explain(policy, connection, Said(query=query)))
        self.assertIn('rebinding.names = [".corp"]', explain(policy, connection))
        self.assertIn("does not go by", explain(policy, connection, Said("www.example.org")))
