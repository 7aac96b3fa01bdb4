"""Loading: what a good configuration means."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from gateway.interfaces import Address, IInspectorMaker
from gateway.policy.connection import Connection, Protocol
from gateway.policy.divert import Mark, WhenDown
from gateway.policy.load import load
from gateway.policy.place import Place
from gateway.policy.service import Action, Reply, Source, Target
from tests.policy.case import MAKERS, RULE, Colour, Inner, LoadCase, TeaSettings, find


class GoodTests(LoadCase):
    def test_empty(self) -> None:
        """An empty gateway.toml alone is a configuration that diverts nothing."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "gateway.toml").write_text("")
        policy = load(folder, find)
        self.assertEqual((policy.rules, dict(policy.services), policy.divert.port), ((), {}, 50080))

    def test_gateway(self) -> None:
        """gateway.toml's tables have their types."""
        policy = self.load(
            gateway='[divert]\ninterfaces = ["lan0"]\nmark = "0x10/0xf0"\nwhen_down = "pass"\n'
            '[limits]\nstop_seconds = 3\n[audit]\nfile = "eve.json"\n'
            '[metrics]\nlisten = "[::1]:9180"\n'
        )
        self.assertEqual(policy.divert.interfaces, ("lan0",))
        self.assertEqual(policy.divert.mark, Mark(0x10, 0xF0))
        self.assertIs(policy.divert.when_down, WhenDown.PASS)
        self.assertEqual(repr(policy.limits.stop_seconds), "3.0")
        self.assertEqual((policy.audit.file, policy.metrics.listen), ("eve.json", "[::1]:9180"))

    def test_plugin_path(self) -> None:
        """Folders of plugins are relative to the configuration folder."""
        asked: list[tuple[str, tuple[Path, ...]]] = []

        def asking(name: str, plugin_path: tuple[Path, ...]) -> IInspectorMaker:
            asked.append((name, plugin_path))
            return MAKERS["relay"]

        folder = self.write({"gateway.toml": 'plugin_path = ["services"]', "services/a.toml": RULE})
        policy = load(folder, asking)
        self.assertEqual(asked, [("relay", (folder.absolute() / "services",))])
        self.assertEqual(policy.plugin_path, (str(folder.absolute() / "services"),))

    def test_written(self) -> None:
        """A service knows where each of its inspector's settings is written, to blame it."""
        settings = """[tea]
pot = "blue"
inner.depth = 2
names = [
  "x",
]
[tea.prices]
green = 1.5
[[tea.inners]]
depth = 3
"""
        services = self.load(tea='inspector = "tea"\n' + settings, web=RULE).services
        self.assertEqual(
            services["tea"].written,
            {
                key: f"services/tea.toml:{line}"
                for key, line in (
                    *(("pot", 3), ("inner", 4), ("inner.depth", 4), ("names", 5)),
                    *(("prices", 8), ("prices.green", 9), ("inners", 10)),
                )
            },
        )
        self.assertEqual(services["web"].written, {})

    def test_rule(self) -> None:
        """A rule's zones are resolved, and it knows where it was written."""
        policy = self.load(
            web=RULE + 'from = ["office", "192.0.2.1"]\nto = ["internet"]\n'
            'ports = [80, "8080-8089"]\ninterfaces = ["lan0"]\npriority = -1\n'
        )
        (rule,) = policy.rules
        self.assertEqual(
            rule.sources,
            tuple(map(ip_network, ("10.1.0.0/16", "192.0.2.1/32", "fd00:1::/48"))),
        )
        self.assertEqual(rule.source_names, ("office", "192.0.2.1"))
        self.assertEqual(rule.ports, ((80, 80), (8080, 8089)))
        self.assertEqual(rule.interfaces, {"lan0"})
        self.assertEqual((rule.service, rule.priority), ("web", -1))
        self.assertEqual(rule.place, Place("services/web.toml", 2, 1))
        self.assertEqual(policy.services["web"].rules, (rule,))
        self.assertEqual(policy.interfaces, ("lan0",))

    def test_protocols(self) -> None:
        """What is denied or forwarded is that in every protocol, unless the rule says which."""
        deny, inspect = 'action = "deny"\n[[rule]]\n', RULE
        every, with_ports = set(Protocol), {Protocol.TCP, Protocol.UDP}
        for text, expected in (
            (deny, every),
            (deny.replace("deny", "forward"), every),
            (deny + 'protocol = "any"\n', every),
            (deny + "ports = [80]\n", with_ports),
            (deny + 'protocol = ["icmp", "other"]\n', every - with_ports),
            (deny + 'protocol = "icmp"\n', {Protocol.ICMP}),
            (inspect, {Protocol.TCP}),
            (inspect + 'protocol = ["udp", "tcp"]\n', with_ports),
        ):
            policy = self.load(one=text)
            self.assertEqual({rule.protocol for rule in policy.rules}, expected, text)
            self.assertEqual(len(policy.rules), len(expected), text)

    def test_service(self) -> None:
        """A service's own keys."""
        policy = self.load(
            tea='inspector = "tea"\nsource = "fd00:0::1"\n'
            'server = ["mail.example.net:25", "10.0.0.1", "[fd00::0:2]:80", "[fd00::3]"]\n'
            '[limits]\nsessions = 5\n[tea]\npot = "x"\n',
            old='action = "deny"\nreply = "prohibited"\n[[rule]]\nports = [23]\n',
            bank='action = "forward"\n[[rule]]\nports = [443]\n',
        )
        tea, old, bank = (policy.services[name] for name in ("tea", "old", "bank"))
        self.assertEqual((tea.source, tea.limits.sessions), ("fd00::1", 5))
        self.assertEqual(
            tea.targets,
            (
                Target("mail.example.net", 25),
                Target("10.0.0.1"),
                Target("fd00::2", 80),
                Target("fd00::3"),
            ),
        )
        self.assertEqual((tea.maker, tea.settings), (MAKERS["tea"], TeaSettings("x")))
        self.assertEqual((old.action, old.reply, old.maker), (Action.DENY, Reply.PROHIBITED, None))
        self.assertEqual((bank.action, bank.source), (Action.FORWARD, Source.CLIENT))

    def test_settings(self) -> None:
        """An inspector's settings may be of any of the documented types."""
        policy = self.load(
            tea='inspector = "house.tea:Tea"\n[settings]\npot = "x"\nhot = false\ncups = 2\n'
            'litres = 3\ncolour = "green"\nsize = "large"\nnames = ["a"]\nnumbers = [2, 3]\n'
            'prices = { a = 1, b = 2.5 }\nby_name.a.depth = 2\ncomment = "c"\nport = "p"\n'
            'inner = { depth = 3 }\ninners = [{}, { depth = 4 }]\neven = 4\nfrom = "here"\n'
            "checked = 2\n"
        )
        self.assertEqual(
            policy.services["tea"].settings,
            TeaSettings(
                "x", False, 2, 3.0, Colour.GREEN, "large", ("a",), frozenset({2, 3}),
                {"a": 1.0, "b": 2.5}, {"a": Inner(2)}, "c", "p", Inner(3), (Inner(), Inner(4)),
                4, "here", 2,
            ),
        )  # fmt: skip

    def test_shared(self) -> None:
        """What sessions share is made once, of the settings, for each service that has some."""
        tea = 'inspector = "house.tea:Tea"\n[settings]\npot = "x"\nport = "p"\nchecked = 2\n'
        services = self.load(tea=tea, more=tea, relay='inspector = "relay"\n').services
        for name in ("tea", "more"):
            self.assertEqual(services[name].shared, [services[name].settings])
        self.assertIsNot(services["tea"].shared, services["more"].shared)
        self.assertIsNone(services["relay"].shared)

    def test_reserved_name(self) -> None:
        """The table of an inspector that is called like a table of ours is [settings]."""
        policy = self.load(a='inspector = "limits"\n[settings]\ndepth = 2\n')
        self.assertEqual(policy.services["a"].settings, Inner(2))

    def test_expect(self) -> None:
        """Expectations that are met are silent, whatever their form."""
        self.load(
            web=RULE + 'from = ["office"]\nports = [80]\n'
            '[[expect]]\nfrom = "10.1.2.3:4000"\nto = "198.51.100.7:80"\n'
            '[[expect]]\nfrom = "[fd00:1::3]:4000"\nto = "[2001:db8::7]:80"\nservice = "web"\n'
            '[[expect]]\nfrom = "fd00:2::3"\nto = "[2001:db8::7]:80"\nservice = "none"\n'
            '[[expect]]\nfrom = "10.1.2.3"\nto = "198.51.100.7:80"\nprotocol = "udp"\n'
            'service = "none"\n'
        )

    def test_decides(self) -> None:
        """What was loaded decides, and leaves interfaces alone that are not diverted."""
        policy = self.load(gateway='divert.interfaces = ["lan0"]', web=RULE + "ports = [80]\n")
        asked = Connection(Address("10.1.0.1", 1), Address("192.0.2.1", 80), Protocol.TCP, "lan0")
        self.assertEqual(policy.decide(asked), policy.rules[0])
        self.assertIsNone(policy.decide(asked._replace(interface="wan0")))

    def test_shared_zone(self) -> None:
        """Rules that name the same zones share their networks: a large zone is there once."""
        policy = self.load(
            a=RULE + 'to = ["office"]\nports = [1]\n[[rule]]\nto = ["office"]\nports = [2]\n'
        )
        self.assertIs(policy.rules[0].destinations, policy.rules[1].destinations)

    def test_other_files(self) -> None:
        """What editors leave behind is no service."""
        policy = load(
            self.write(
                {"services/.web.toml.swp": "=", "services/a.toml~": "=", "services/.x.toml": "="}
            ),
            find,
        )
        self.assertEqual(dict(policy.services), {})

    def test_line_ends(self) -> None:
        """Files from Windows are read, and their mistakes are in the right line."""
        self.assertEqual(
            self.problems({"services/a.toml": b'inspector = "relay"\r\n\r\nx = 1\r\n'}),
            ["services/a.toml:3:1: x: unknown key"],
        )
