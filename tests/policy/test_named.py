"""Services that settings name are looked up when the policy is loaded."""

from __future__ import annotations

from tests.policy.case import RELAY, LoadCase

PARTY = """inspector = "party"
[party]
main = "cook"
several = ["cook", {name}]
[party.by_name]
cake = {name}
[party.host]
served_by = {name}
name = "cok"
[[party.guests]]
served_by = "cook"
[[party.guests]]
served_by = {name}
"""

KEYS = (
    ("4:20", "several"),
    ("6:1", "by_name.cake"),
    ("8:1", "host.served_by"),
    ("13:1", "guests.served_by"),
)


class NamedTests(LoadCase):
    """A name that is no service is not found out by the first who needs it, but now."""

    def party(self, name: str) -> list[str]:
        return self.problems(
            {
                "services/cook.toml": RELAY,
                "services/bank.toml": 'action = "deny"\n[[rule]]\nports = [1]\n',
                "services/party.toml": PARTY.replace("{name}", f'"{name}"'),
            }
        )

    def test_good(self) -> None:
        """All names are services that inspect; no name is none."""
        self.assertEqual(self.party("cook"), [])
        self.assertEqual(self.party(""), [])

    def test_unknown(self) -> None:
        """Each place is told, with a guess."""
        self.assertEqual(
            self.party("cok"),
            [
                f'services/party.toml:{place}: party.{key}: no service "cok"; did you mean "cook"?'
                for place, key in KEYS
            ],
        )

    def test_for_others(self) -> None:
        """An inspector that needs what only some protocols know is for these only."""
        file = 'inspector = "party"\n[party]\nmain = "waiter"\n'
        found = self.problems(
            {"services/waiter.toml": 'inspector = "waiter"\n', "services/party.toml": file}
        )
        self.assertEqual(
            found,
            [
                'services/party.toml:3:1: party.main: service "waiter" ("waiter") is for services '
                'of "tea" only'
            ],
        )

    def test_no_inspector(self) -> None:
        """A service that the kernel treats can't look at anything."""
        found = self.party("bank")
        self.assertEqual(len(found), len(KEYS))
        self.assertIn('party.several: service "bank" does not inspect', found[0])
