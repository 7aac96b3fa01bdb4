"""Bad configurations: each mistake is told where it is, in words that help."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from tests.policy.case import RELAY, RULE, LoadCase, find

MANY_DIGITS = "9" * 5000

GATEWAY = {
    # what is written in gateway.toml: what is said about it
    "[divert": "1:8: not TOML: expected ']' at the end of a table declaration",
    "a = 1\na = 2": "2:6: not TOML: cannot overwrite a value",
    "x = [": "1:6: not TOML: invalid value",
    '[limts]\na = "1"': '1:1: limts: unknown table; did you mean "limits"?',
    "\nprot = 1": "2:1: prot: unknown key",
    "[divert]\n  prot = 1": '2:3: divert.prot: unknown key; did you mean "port"?',
    "divert = 5": "1:1: divert: must be a table, not 5",
    "[divert]\nport = '80'": '2:1: divert.port: must be an integer, not "80"',
    "[divert]\nport = true": "2:1: divert.port: must be an integer, not true",
    "[divert]\nport = 0": "2:1: divert.port: must be at least 1, not 0",
    "[divert]\nport = 70000": "2:1: divert.port: must be at most 65535, not 70000",
    "[divert]\nmark = 1": "2:1: divert.mark: must be a string, not 1",
    "[divert]\nmark = '1/x'": "2:1: divert.mark: '1/x' is not a mark like \"0x1/0x1\"",
    "[divert]\nmark = '2/1'": "2:1: divert.mark: '2/1' must have 0 < value <= mask and no bits "
    "outside of the mask",
    "[divert]\nmark = '0x2/0x3'": "1:1: divert.listener_mark: 0x2/0x2 has bits in common with "
    "divert.mark = 0x2/0x3: each needs its own",
    "[workers]\ncount = 0": '2:1: workers.count: must be "auto", or a number from 1 to 20',
    "[workers]\ncount = 'many'": '2:1: workers.count: must be "auto", or a number from 1 to 20',
    "[workers]\nsteer = 'any'": '2:1: workers.steer: must be one of "client", "connection"',
    "[divert]\nlistener_mark = '4'": "1:1: divert.upstream_mark: 0x4/0x4 has bits in common with "
    "divert.listener_mark = 0x4/0x4: each needs its own",
    "[release]\nkernel = true\nbare_mark = '2'": "3:1: release.bare_mark: 0x2/0x2 has bits in "
    "common with divert.listener_mark = 0x2/0x2: each needs its own",
    "[divert]\ntable = 254": "2:1: divert.table: 254 is the system's table 'main'",
    "[divert]\nrule_priority = 32765": "2:1: divert.rule_priority: must be at most 32764, "
    "not 32765",
    "[divert]\ninterfaces = 'lan0'": '2:1: divert.interfaces: must be an array, not "lan0"',
    "[divert]\ninterfaces = [\n'a', 1]": "3:6: divert.interfaces: must be a string, not 1",
    "[divert]\ninterfaces = ['lan*']": '2:1: divert.interfaces: "lan*" is not the name of a '
    "network interface; wildcards are not possible",
    "[divert]\ninterfaces = ['a', 'a']": '2:1: divert.interfaces: "a" is there twice',
    "[divert]\nbackend = 'nftable'": '2:1: divert.backend: must be one of "nftables", '
    '"iptables", "none", not "nftable"; did you mean "nftables"?',
    "[divert]\nwhen_down = ['pass']": '2:1: divert.when_down: must be one of "block", "pass", '
    "not an array",
    "[divert]\nbackend = 'iptables'\nwhen_down = 'pass'": "3:1: divert.when_down: iptables can't "
    'let connections pass while the gateway is down: use "block", or backend = "nftables"',
    "[limits]\nsessions = 0": "2:1: limits.sessions: must be at least 1, not 0",
    "[limits]\nsessions_per_client = -1": "2:1: limits.sessions_per_client: must be at least 0, "
    "not -1",
    "[limits]\nstop_seconds = nan": "2:1: limits.stop_seconds: must be a finite number",
    '[log]\naudit = "-"': '1:1: log: unknown table; its name is "audit" now',
    '[audit]\naudit = "-"': '2:1: audit.audit: unknown key; its name is "file" now',
    "[audit]\nwhen_full = 'on'": '2:1: audit.when_full: must be one of "refuse", "drop", not "on"',
    "[metrics]\nlisten = ':9180'": '2:1: metrics.listen: "" is not an IP address',
    "plugin_path = ['services', 'no/such']": "1:28: plugin_path: there is no folder ",
}

ZONES = {
    # what is written in zones.toml, from line 2 on
    "[zone.a]\nnetworks = ['::/0']": '2:1: zone: unknown table; did you mean "zones"?',
    "[zones.a]": "2:1: zones.a.networks: is missing",
    "[zones]\na = ['::/0']": "3:1: zones.a: must be a table, not an array",
    "[zones.a]\nnetworks = []": "3:1: zones.a.networks: is empty: a zone needs a network",
    "[zones.a]\nnetworks = ['10.1.0.1/16']": '3:13: zones.a.networks: "10.1.0.1/16" is an address '
    'in a network: write "10.1.0.0/16" for the network or "10.1.0.1" for the address',
    "[zones.a]\nnetworks = ['::/0',\n '10.1/16']": '4:2: zones.a.networks: "10.1/16" is not a '
    'network like "10.1.0.0/16" or "fd00:1::/48"',
    "[zones.a]\nnetworks = ['10.0.0.0/0.0.0.255']": '3:13: zones.a.networks: "10.0.0.0/0.0.0.255" '
    'is not a network like "10.1.0.0/16" or "fd00:1::/48"',
    "[zones.a]\nnetworks = ['fe80::%lan0/64']": '3:13: zones.a.networks: "fe80::%lan0/64" is not a '
    'network like "10.1.0.0/16" or "fd00:1::/48"',
    "[zones.a]\nnetworks = ['::ffff:10.0.0.0/104']": "3:13: zones.a.networks: "
    '"::ffff:10.0.0.0/104" never comes along as IPv6: write it as an IPv4 network',
    "[zones.a]\nnetworks = ['::/0', '::/0']": "3:21: zones.a.networks: is there twice",
    "[zones.'10.0']\nnetworks = ['::/0']": '2:1: zones."10.0": "10.0" is no name for a zone: '
    'letters, digits, "_", "-" and ".", with a letter or "_" first',
}

SERVICE = {
    # what is written in services/a.toml
    "action = 'inspect'": "1:1: inspector: is missing: the name of an inspector, or "
    '"relay" for no inspection',
    "action = 'denny'": '1:1: action: must be one of "inspect", "forward", "deny", not "denny"; '
    'did you mean "deny"?',
    "action = 'deny'": "1:1: action: without a [[rule]] this does nothing",
    "inspector = 'te'": '1:1: inspector: no inspector "te"; did you mean "tea"?',
    "inspector = 5": "1:1: inspector: must be a string, not 5",
    RELAY + "reply = 'drop'": '2:1: reply: only makes sense with action = "deny"',
    "action = 'deny'\nsource = 'client'\n[[rule]]": "2:1: source: makes no sense with "
    'action = "deny": the kernel does it',
    "action = 'forward'\ninspector = 'tea'\n[[rule]]\n[tea]": [
        '2:1: inspector: makes no sense with action = "forward": the kernel does it',
        '4:1: tea: makes no sense with action = "forward": the kernel does it',
    ],
    RELAY + "source = 'clent'": '2:1: source: must be one of "client", "client-strict", '
    '"client-address", "gateway" or an address, not "clent"; did you mean "client"?',
    RELAY + "source = '10.0.0.256'": '2:1: source: "10.0.0.256" is not an IP address',
    RELAY + "source = '0.0.0.0'": '2:1: source: no connection can come from "0.0.0.0"',
    RELAY + "server = 'orignal'": '2:1: server: "orignal" is too much like a typing mistake; did '
    'you mean "original"? If it is a host, write "orignal."',
    RELAY + "server = 5": "2:1: server: must be a string or an array, each a string, not 5",
    RELAY + "server = []": '2:1: server: is empty: leave it out, or write "original"',
    RELAY + "server = ['a:25', 'b:99999']": "2:19: server: 99999 is not a port: they go from 1 to "
    "65535",
    RELAY + "server = 'a:'": '2:1: server: "" is not a port',
    RELAY
    + "server = 'fd00::1'": '2:1: server: "fd00::1": write "[fd00::1]", so that a port can be '
    "told from it",
    RELAY + "server = '[10.0.0.1]:80'": '2:1: server: "[10.0.0.1]:80": only IPv6 addresses are '
    "written in brackets",
    RELAY + "server = '10.0.0.300:80'": '2:1: server: "10.0.0.300" is not an IP address',
    RELAY + "server = 'a b:80'": '2:1: server: "a b:80" is not a host name or an address',
    RELAY + "[tea]\npot = 'x'": "2:1: tea: unknown table",
    RELAY + "[relay]\nx = 1": "2:1: relay: this inspector has no settings",
    RELAY + "[limits]\nbuffer = 1": "3:1: limits.buffer: must be at least 4096, not 1",
    RELAY + "rule = 5": "2:1: rule: must be an array, not 5",
    RELAY + "rule = [5]": "2:9: rule: must be a table, not 5",
    RULE + "form = ['office']": '3:1: rule.form: unknown key; did you mean "from"?',
    RULE + "from = 'office'": '3:1: rule.from: must be an array, not "office"',
    RULE + "from = []": "3:1: rule.from: is empty, which matches nothing: leave it out for all",
    RULE + "ports = []": "3:1: rule.ports: is empty, which matches nothing: leave it out for all",
    RULE + "from = ['office', 'prnters']": '3:19: rule.from: no zone "prnters"; did you mean '
    '"printers"?',
    RULE + "from = ['office',\n'10.0.0.1/8']": '4:1: rule.from: "10.0.0.1/8" is an address in a '
    'network: write "10.0.0.0/8" for the network or "10.0.0.1" for the address',
    RULE + "to = ['office', 'office']": "3:17: rule.to: is there twice",
    RULE + "ports = [80, '90-80']": '3:14: rule.ports: "90-80" is backwards: write "80-90"',
    RULE + "ports = ['80']": '3:10: rule.ports: "80" is not a range of ports like "8080-8089"; '
    "write 80 without quotes",
    RULE + "ports = [0]": "3:10: rule.ports: 0 is not a port: they go from 1 to 65535",
    RULE + "ports = [true]": "3:10: rule.ports: must be an integer or a string, not true",
    RULE + "ports = ['http']": '3:10: rule.ports: "http" is not a range of ports like "8080-8089"',
    RULE + "protocol = 'TCP'": '3:1: rule.protocol: must be "tcp" or "udp" or "icmp" or "other" '
    'or "any" or an array, each "tcp" or "udp" or "icmp" or "other", not "TCP"',
    RULE + "protocol = 'any'": '3:1: rule.protocol: only "tcp" and "udp" can be inspected',
    "action = 'deny'\n[[rule]]\nports = [80]\nprotocol = ['tcp', 'icmp']": "4:1: "
    'rule.protocol: only "tcp" and "udp" have ports: leave out one of both keys',
    RULE + "interfaces = ['a b']": '3:15: rule.interfaces: "a b" is not the name of a network '
    "interface",
    RULE + "priority = 1.5": "3:1: rule.priority: must be an integer, not 1.5",
    RULE + "from = ['10.0.0.0/8']\nto = ['fd00::/8']": "2:1: rule: can never match: its sources "
    "and its destinations have no address family in common",
    RULE + "[[rule]]": '3:1: rule: matches the same as services/a.toml:2:1 (service "a")',
    RULE + "[[rule]]\nports = [80]\npriority = -1": "3:1: rule: can never match: "
    'services/a.toml:2:1 (service "a") has the higher priority 0 (here: -1) and matches all of '
    "it. Raise the priority of this rule, or remove it",
    "inspector = 'tea'\ntea.pot = 'x'\n[[rule]]\n[[rule]]\nprotocol = 'udp'": "5:1: "
    'rule.protocol: inspector "tea" is for TCP, and this rule for UDP',
    RULE + "[[expect]]\nfrom = '10.0.0.1'\nto = '10.0.0.2:80'\nservice = 'b'": "6:1: "
    'expect.service: no service "b"',
    RULE + "[[expect]]\nto = '10.0.0.2:80'": "3:1: expect.from: is missing",
    RULE + "[[expect]]\nfrom = 'office'\nto = '10.0.0.2:80'": '4:1: expect.from: "office" is not '
    "an IP address",
    RULE + "[[expect]]\nfrom = '10.0.0.1'\nto = '10.0.0.2'": '5:1: expect.to: "10.0.0.2" lacks a '
    'port: write it like "10.1.2.3:80" or "[fd00::1]:80"',
    RULE + "[[expect]]\nfrom = '10.0.0.1'\nto = '[fd00::1]:80'": "3:1: expect: one address is "
    "IPv4 and the other is IPv6",
    RULE + "ports = [80]\n[[expect]]\nfrom = '10.0.0.1'\nto = '10.0.0.2:81'": "4:1: expect: "
    'expected service "a" for tcp 10.0.0.1:0 -> 10.0.0.2:81, but no rule matches',
    RULE + "[[expect]]\nfrom = '10.0.0.1'\nto = '10.0.0.2:81'\nservice = 'none'": "3:1: expect: "
    "expected no rule for tcp 10.0.0.1:0 -> 10.0.0.2:81, but services/a.toml:2:1 "
    '(service "a") wins',
}

TEA = {
    # what is written in a service file, from line 3 on, after [tea]
    "": "2:1: tea.pot: is missing",
    "pot = 'x'\ncups = 10": "4:1: tea.cups: must be at most 9, not 10",
    "pot = 'x'\nlitres = '1'": '4:1: tea.litres: must be a number, not "1"',
    "pot = 'x'\nhot = 1": "4:1: tea.hot: must be true or false, not 1",
    "pot = 'x'\ncolour = 'gren'": '4:1: tea.colour: must be one of "red", "green", not "gren"; '
    'did you mean "green"?',
    "pot = 'x'\nsize = 1": '4:1: tea.size: must be one of "small", "large", not 1',
    "pot = 'x'\nnames = ['a', 2, 'b', 3]": [
        "4:15: tea.names: must be a string, not 2",
        "4:23: tea.names: must be a string, not 3",
    ],
    "pot = 'x'\nnumbers = [1]": "4:1: tea.numbers: must be at least 2, not 1",
    "pot = 'x'\nprices = { a = 'x' }": '4:12: tea.prices.a: must be a number, not "x"',
    "pot = 'x'\n[tea.by_name.a]\ndept = 1": "5:1: tea.by_name.a.dept: unknown key; did you mean "
    '"depth"?',
    "pot = 'x'\ninners = [{depth = 1}, {depth = 0}]": "4:25: tea.inners.depth: must be at least "
    "1, not 0",
    "pot = 'x'\nport = 1.5": "4:1: tea.port: must be an integer or a string, not 1.5",
    "pot = 'x'\neven = 3": "4:1: tea.even: 3 is odd",
    "pot = 'x'\neven = 'x'": '4:1: tea.even: must be an integer, not "x"',
    "pot = 'x'\nchecked = 3": "2:1: tea: 'checked' must be in [1, 2] (got 3)",
    "pot = 'x'\ncomment = []": "4:1: tea.comment: must be a string, not an array",
    "pot = 'x'\nfrom_ = 'x'": '4:1: tea.from_: unknown key; did you mean "from"?',
    'pot = 1\ncups = "a\\nb"\nx = 1': [
        "3:1: tea.pot: must be a string, not 1",
        '4:1: tea.cups: must be an integer, not "a\\nb"',
        "5:1: tea.x: unknown key",
    ],
}

Expected = str | list[str]


class TableTests(LoadCase):
    def check(
        self, file: str, table: Mapping[str, Expected], before: str = "", prefix: bool = False
    ) -> None:
        """Each text, in a file of its own, is refused with the message, and with no other."""
        for text, expected in table.items():
            messages = [expected] if isinstance(expected, str) else expected
            found = self.problems({file: before + text})
            if prefix:
                found = [each[: len(file) + 1 + len(messages[0])] for each in found]
            self.assertEqual(found, [f"{file}:{each}" for each in messages], text)

    def test_gateway(self) -> None:
        """Mistakes in gateway.toml."""
        self.check("gateway.toml", GATEWAY, prefix=True)

    def test_zones(self) -> None:
        """Mistakes in zones.toml."""
        self.check("zones.toml", ZONES, before="\n")

    def test_service(self) -> None:
        """Mistakes in a service file."""
        self.check("services/a.toml", SERVICE)

    def test_settings(self) -> None:
        """Mistakes in an inspector's own table, which its author did not have to foresee."""
        self.check("services/a.toml", TEA, before='inspector = "tea"\n[tea]\n')


class RefusedTests(LoadCase):
    def test_everything_at_once(self) -> None:
        """All files are looked at, and all mistakes are told, in the order of their places."""
        found = self.problems(
            {
                "gateway.toml": "[limits]\nsessions = 'a'\nbacklog = 0\n",
                "zones.toml": "[zones.a]\nnetworks = 5\n[zones.b]\nnetworks = ['::/0']\n",
                "services/a.toml": RULE + "from = ['c', 'a']\nto = ['b']\nports = [0]\n"
                "[[rule]]\nto = 1\n[[expect]]\nfrom = 'x'\nto = 'y'\n",
                "services/b.toml": "[[",
                "services/c.toml": "inspector = 'no'\n[[expect]]\nfrom = '::1'\n",
            }
        )
        self.assertEqual(
            [each.partition(": ")[0] for each in found],
            [
                "gateway.toml:2:1",
                "gateway.toml:3:1",
                "services/a.toml:3:9",
                "services/a.toml:5:10",
                "services/a.toml:7:1",
                "services/a.toml:9:1",
                "services/a.toml:10:1",
                "services/b.toml:1:3",
                "services/c.toml:1:1",
                "services/c.toml:2:1",
                "zones.toml:2:1",
            ],
        )

    def test_ambiguous(self) -> None:
        """Rules of two files that overlap: told at the later one."""
        (found,) = self.problems(
            {
                "services/a.toml": RULE + "from = ['office']\n",
                "services/b.toml": RELAY + "\n[[rule]]\nports = [80]\n",
            }
        )
        self.assertTrue(
            found.startswith(
                'services/b.toml:3:1: rule: ambiguous with services/a.toml:2:1 (service "a"): both '
                "match tcp 10.1.0.1:40000 -> 192.0.2.7:80, and"
            ),
            found,
        )

    def test_unsound_rules_are_not_compared(self) -> None:
        """A typing mistake in a rule does not bring on messages about what would follow from it."""
        found = self.problems(
            {
                "services/a.toml": RULE + "from = ['office']\n",
                "services/b.toml": RULE + "ports = [80]\npriorty = 1\n",
            }
        )
        self.assertEqual(len(found), 1, found)

    def test_expectation_names_the_winner(self) -> None:
        """If an expectation is not met, it says which rule is in the way."""
        found = self.problems(
            {
                "services/a.toml": RULE + "\n[[expect]]\nfrom = '10.1.2.3'\nto = '192.0.2.1:80'\n",
                "services/b.toml": RULE + "ports = [80]\n",
            }
        )
        self.assertEqual(
            found,
            [
                'services/a.toml:4:1: expect: expected service "a" for tcp 10.1.2.3:0 -> '
                '192.0.2.1:80, but services/b.toml:2:1 (service "b") wins'
            ],
        )

    def test_interfaces_not_diverted(self) -> None:
        """A rule for an interface that is not diverted never matches."""
        self.assertEqual(
            self.problems(
                {
                    "gateway.toml": "divert.interfaces = ['lan0']",
                    "services/a.toml": RULE + "interfaces = ['lan0', 'lan1']",
                }
            ),
            [
                'services/a.toml:3:23: rule.interfaces: "lan1" is not in divert.interfaces: it can '
                'never match; did you mean "lan0"?'
            ],
        )

    def test_ports_for_interfaces(self) -> None:
        """There must be ports for the listeners of all interfaces that rules name."""
        self.assertEqual(
            self.problems(
                {
                    "gateway.toml": "divert.port = 65534",
                    "services/a.toml": RULE + "interfaces = ['lan0', 'lan1']",
                }
            ),
            [
                "gateway.toml:1:8: divert.port: must be at most 65533: rules name 2 interfaces, "
                "and each needs a port after this one"
            ],
        )

    def test_names(self) -> None:
        """A service has a name that logs, metrics and [[expect]] can use."""
        (found,) = self.problems({"services/a b.toml": RELAY})
        self.assertTrue(found.startswith('services/a b.toml:1:1: "a b" is no name for a service'))
        (found,) = self.problems({"services/none.toml": RELAY})
        self.assertIn('no service may be called "none"', found)

    def test_unreadable(self) -> None:
        """Files that are not there, are folders, or are not text."""
        folder = self.write(
            {"services/a.toml": b"x = '\xff'", "services/b.toml": f"x = {MANY_DIGITS}"}
        )
        (folder / "gateway.toml").unlink()
        (folder / "services" / "c.toml").mkdir()
        (folder / "services" / "d.toml").write_text("x = " + "[" * 5000)
        (folder / "services" / "e.toml").symlink_to("nowhere")
        error = self.assertRaises(PolicyError, load, folder, find)
        found = [str(each) for each in error.problems]
        self.assertEqual(found[0], "gateway.toml: can't be read: No such file or directory")
        self.assertEqual(found[1], "services/a.toml:1:6: not UTF-8")
        self.assertTrue(found[2].startswith("services/b.toml: not TOML: "), found)
        self.assertEqual(found[3], "services/c.toml: can't be read: Is a directory")
        self.assertEqual(found[4], "services/d.toml: arrays or tables are nested too deep")
        self.assertEqual(found[5], "services/e.toml: can't be read: No such file or directory")
        self.assertEqual(len(found), 6)

    def test_broken_plugin(self) -> None:
        """A plugin that can't be imported is no mistake in the configuration: its error goes on."""
        for name, kind in (("crash", ModuleNotFoundError), ("broken", KeyError)):
            folder = self.write({"services/a.toml": f"inspector = '{name}'"})
            self.assertRaises(kind, load, folder, find)
