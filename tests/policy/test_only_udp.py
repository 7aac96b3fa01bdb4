"""DNS that passes by UDP and not by TCP: a warning, unless that is meant."""

from __future__ import annotations

from gateway.policy.load import load
from gateway.registry import find
from tests.policy.case import LoadCase

UDP = 'inspector = "{}"\n[[rule]]\nports = [53]\nprotocol = "udp"\n'
BOTH = 'inspector = "dns"\n[[rule]]\nports = [53]\nprotocol = ["udp", "tcp"]\n'
DENY = 'action = "deny"\n[[rule]]\nto = ["198.51.100.0/24"]\nprotocol = "tcp"\n'
MEANT = '[[expect]]\nfrom = "10.1.2.3"\nto = "198.51.100.7:53"\n'


class OnlyUdpTests(LoadCase):
    """What C{tproxygw check} says."""

    def warned(self, **services: str) -> list[str]:
        folder = self.write({f"services/{name}.toml": text for name, text in services.items()})
        return [str(each) for each in load(folder, find).warnings]

    def test_denied(self) -> None:
        """Where TCP is denied, however UDP passes; with an example of it."""
        forward = 'action = "forward"\n' + UDP.partition("\n")[2]
        for text in (UDP.format("relay"), forward, UDP.format("dns")):
            (warning,) = self.warned(names=text, deny=DENY)
            self.assertIn("services/names.toml:", warning)
            if "inspects" not in warning:
                self.assertRegex(warning, r"lets udp .*:53 pass, and services/deny.toml:2:1 denies")

    def test_uninspected(self) -> None:
        """Where only UDP is inspected."""
        (warning,) = self.warned(names=UDP.format("dns"))
        self.assertRegex(warning, r"inspects udp .*:53, and no rule is about tcp .*:53")
        self.assertEqual(self.warned(names=UDP.format("relay")), [])

    def test_both(self) -> None:
        """Nothing, where both pass."""
        self.assertEqual(self.warned(names=BOTH), [])
        self.assertEqual(
            self.warned(names=BOTH, deny=DENY.replace("[[rule]]", "[[rule]]\nports = [54]")), []
        )

    def test_meant(self) -> None:
        """Nor where an expectation says that it is meant."""
        none = MEANT + 'service = "none"\n'
        self.assertEqual(self.warned(names=UDP.format("dns") + none), [])
        self.assertEqual(self.warned(names=UDP.format("relay"), deny=DENY + MEANT), [])
