"""What can be done and is surely a mistake: a warning, with its place, and the policy is good."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from tests.policy.case import RELAY, RULE, LoadCase, find

TEA = 'inspector = "tea"\ntea.pot = "blue"\n[[rule]]\n'
"""A service that inspects; its rule's keys follow."""

MEANT = '[[expect]]\nfrom = "10.1.200.9"\nto = "198.51.100.7:80"\n'


class WarningCase(LoadCase):
    """Loads a folder, and says what it is warned of."""

    def warned(
        self, files: dict[str, str], interfaces: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """The warnings of a policy with these files, and one service that is well."""
        folder = self.write({"services/good.toml": RULE + "ports = [9]\npriority = 9\n", **files})
        return self.warnings_in(folder, interfaces)

    def warnings_in(
        self, folder: Path, interfaces: Collection[str] | None = None
    ) -> tuple[str, ...]:
        return tuple(map(str, load(folder, find, interfaces).warnings))


class FolderTests(WarningCase):
    """Files that are there and not read."""

    def test_slip_of_the_pen(self) -> None:
        """A service file, or zones.toml, with a slip in its name."""
        for file, said in (
            ("services/web.tml", 'is no service: its name would have to end in ".toml"'),
            ("services/web", 'is no service: its name would have to end in ".toml"'),
            *(
                (name, "is not read: here only gateway.toml and zones.toml are; services are in ")
                for name in ("zone.toml", "Gateway.TOML", "web.tml")
            ),
        ):
            (warning,) = self.warned({file: RULE})
            self.assertTrue(warning.startswith(f"{file}: warning: {said}"), warning)

    def test_folder_with_services(self) -> None:
        """Service files in a folder that nobody looks into."""
        folder = self.write({"services/good.toml": RULE})
        for name in ("service", "services/more"):
            (folder / name).mkdir()
            (folder / name / "web.toml").write_text(RULE)
        self.assertEqual(
            self.warnings_in(folder),
            (
                "service: warning: is not read: service files are in services/",
                "services/more: warning: is not read: service files are not looked for in folders",
            ),
        )

    def test_set_aside(self) -> None:
        """What editors leave behind, what was set aside, and other things are no mistakes."""
        names = (".web.toml.swp", "web.toml~", "#web.toml#", "web.toml.dpkg-old", "web.toml.off")
        files = {f"services/{name}": RULE for name in (*names, "README")}
        self.assertEqual(self.warned({**files, "README.md": "", "hosts": "", "page.html": ""}), ())

    def test_plugins(self) -> None:
        """A folder of plugins is read by somebody else."""
        folder = self.write({"gateway.toml": 'plugin_path = ["mine"]\n', "services/a.toml": RULE})
        (folder / "mine").mkdir()
        (folder / "mine" / "own.toml").write_text("")
        self.assertEqual(self.warnings_in(folder), ())

    def test_writable(self) -> None:
        """Who can write the policy decides what passes: not anybody."""
        folder = self.write({"services/good.toml": RULE})
        (folder / "zones.toml").chmod(0o666)
        (folder / "services").chmod(0o777)
        said = "anybody on this host can write it, and so decide what passes"
        self.assertEqual(
            self.warnings_in(folder),
            (f"services: warning: {said}", f"zones.toml: warning: {said}"),
        )


class RelayTests(WarningCase):
    """A relay that takes a port on which another service inspects."""

    def relayed(self, relay: str, **others: str) -> tuple[str, ...]:
        files = {"services/web.toml": TEA + 'from = ["office"]\nports = [80]\n'}
        files["services/old.toml"] = RULE + relay
        return self.warned({**files, **{f"services/{name}.toml": others[name] for name in others}})

    def test_narrower(self) -> None:
        """It is said which connection, and whose it would be."""
        self.assertEqual(
            self.relayed('from = ["printers"]\nports = [80]\n'),
            (
                "services/old.toml:2:1: warning: rule: relays tcp 10.1.200.1:40000 -> "
                "192.0.2.7:80 uninspected, which services/web.toml:3:1 (service "
                '"web") would inspect. If that is meant, say so by an [[expect]] in this file',
            ),
        )

    def test_by_priority(self) -> None:
        """All that one rule takes from several others is told once."""
        (warning,) = self.relayed(
            'from = ["printers"]\npriority = 5\n',
            mail=TEA + 'from = ["office"]\nports = [25]\n',
        )
        self.assertTrue(warning.startswith("services/old.toml:2:1: warning: "), warning)

    def test_meant(self) -> None:
        """An expectation says that it is meant."""
        self.assertEqual(self.relayed('from = ["printers"]\nports = [80]\n' + MEANT), ())

    def test_nothing_taken(self) -> None:
        """A relay for the rest, for other ports, or behind a narrower rule takes nothing."""
        self.assertEqual(self.relayed(""), ())
        self.assertEqual(self.relayed('from = ["printers"]\nports = [81]\n'), ())
        halves = ("10.1.200.0/25", "10.1.200.128/25")
        deny = 'action = "deny"\n'
        deny += "".join(f'[[rule]]\nfrom = ["{half}"]\nports = [80]\n' for half in halves)
        self.assertEqual(self.relayed('from = ["printers"]\nports = [80]\n', deny=deny), ())


class UselessTests(WarningCase):
    """What has no effect."""

    def test_nothing(self) -> None:
        """A policy without a rule does nothing."""
        self.assertEqual(
            self.warnings_in(self.write({})),
            (
                "services: warning: no service has a [[rule]]: no connection is inspected, "
                "forwarded or denied",
            ),
        )

    def test_interfaces(self) -> None:
        """An interface that this host has not got, at the place of its name."""
        files = {
            "gateway.toml": '[divert]\ninterfaces = ["lan0", "eth1"]\n',
            "services/web.toml": RULE + 'interfaces = ["lan0"]\n',
        }
        said = 'this host has no interface "lan0" (it has eth1, lan1): nothing matches until it '
        self.assertEqual(
            self.warned(files, ["lan1", "eth1"]),
            (
                f'gateway.toml:2:15: warning: divert.interfaces: {said}comes; did you mean "lan1"?',
                "services/web.toml:3:15: warning: rule.interfaces: "
                f'{said}comes; did you mean "lan1"?',
            ),
        )
        self.assertEqual(self.warned(files), ())

    def test_service_without_a_rule(self) -> None:
        """Unless another service's settings name it."""
        party = 'inspector = "party"\nparty.main = "web"\n[[rule]]\nports = [80]\n'
        self.assertEqual(
            self.warned({"services/web.toml": RELAY}),
            (
                "services/web.toml:1:1: warning: has no [[rule]], and no other service names it: "
                "no connection gets here",
            ),
        )
        self.assertEqual(self.warned({"services/web.toml": RELAY, "services/p.toml": party}), ())

    def test_limits(self) -> None:
        """A service's limit above that of the whole gateway."""
        self.assertEqual(
            self.warned(
                {
                    "gateway.toml": "[limits]\nsessions = 100\nsessions_per_client = 200\n",
                    "services/web.toml": RULE + "ports = [80]\n[limits]\nsessions = 101\n",
                }
            ),
            (
                "gateway.toml:3:1: warning: limits.sessions_per_client: is never reached: the "
                "whole gateway has limits.sessions = 100",
                "services/web.toml:5:1: warning: limits.sessions: is never reached: the whole "
                "gateway has limits.sessions = 100",
            ),
        )

    def test_relative_audit(self) -> None:
        """An audit file in the folder where the gateway happens to be started."""
        (warning,) = self.warned({"gateway.toml": '[audit]\nfile = "eve.json"\n'})
        self.assertTrue(warning.startswith("gateway.toml:2:1: warning: audit.file: "), warning)
        for audit in ("", "-", "/var/log/eve.json"):
            self.assertEqual(self.warned({"gateway.toml": f'[audit]\nfile = "{audit}"\n'}), ())


class RefusedTests(WarningCase):
    """A policy that is refused."""

    def test_both_are_told(self) -> None:
        """Problems and warnings are told apart, and a warning alone refuses nothing."""
        folder = self.write(
            {"services/web.tml": RULE, "services/web.toml": RULE + "nonsense = 1\n"}
        )
        with self.assertRaises(PolicyError) as caught:
            load(folder, find)
        problems = {each.place.file for each in caught.exception.problems}
        self.assertEqual(problems, {"services/web.toml"})
        warnings = {each.place.file for each in caught.exception.warnings}
        self.assertEqual(warnings, {"services/web.tml"})
