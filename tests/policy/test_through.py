"""What a service needs whose clients are to shake hands with their servers."""

from __future__ import annotations

from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import explain
from gateway.policy.handshake import Handshake
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from gateway.registry import find
from tests.policy.case import LoadCase

RULE = "[[rule]]\nports = [80]\n"
THROUGH = 'inspector = "relay"\nhandshake = "through"\n'


class ThroughTests(LoadCase):
    """What C{tproxygw check} says."""

    def problem(self, service: str = THROUGH + RULE, gateway: str = "") -> str:
        folder = self.write({"services/web.toml": service, "gateway.toml": gateway})
        try:
            load(folder, find)
        except PolicyError as error:
            return str(error)
        return ""

    def test_good(self) -> None:
        """Nothing, if it can be; and the policy knows that the usher is needed."""
        self.assertEqual(self.problem(), "")
        self.assertEqual(self.problem(f'{THROUGH}source = "client-strict"\n{RULE}'), "")
        folder = self.write({"services/web.toml": THROUGH + RULE})
        policy = load(folder, find)
        self.assertTrue(policy.shakes_hands_through)
        self.assertIs(policy.services["web"].handshake, Handshake.THROUGH)

    def test_off(self) -> None:
        """By default nobody shakes hands with a server."""
        folder = self.write({"services/web.toml": 'inspector = "relay"\n' + RULE})
        self.assertFalse(load(folder, find).shakes_hands_through)

    def test_explained(self) -> None:
        """C{tproxygw explain} says whose handshake it is."""
        service = THROUGH + RULE + 'protocol = ["tcp", "udp"]\n'
        policy = load(self.write({"services/web.toml": service}), find)
        ends = Address("10.1.2.3", 4000), Address("198.51.100.7", 80)
        said = explain(policy, Connection(*ends, Protocol.TCP))
        self.assertIn("forwards its handshake", said)
        self.assertIn("only if the server is", said)
        said = explain(policy, Connection(*ends, Protocol.UDP))
        self.assertIn("diverts it to port", said)
        self.assertNotIn("handshake", said)

    def test_service(self) -> None:
        """The place, if the service is for another source or another server, or not inspected."""
        for key in ('source = "gateway"', 'source = "client-address"', 'server = "10.0.0.1:80"'):
            said = self.problem(f"{THROUGH}{key}\n{RULE}")
            self.assertIn('services/web.toml:2:1: handshake: can\'t be "through": ', said)
            self.assertIn(key.partition(" ")[0], said)
        said = self.problem(f'action = "deny"\nhandshake = "through"\n{RULE}')
        self.assertIn("services/web.toml:2:1: handshake: makes no sense", said)

    def test_loopback(self) -> None:
        """The place, if a rule is for C{lo}."""
        self.assertIn('"lo"', self.problem(THROUGH + RULE + 'interfaces = ["lo"]\n'))

    def test_gateway(self) -> None:
        """The place, if the gateway is told otherwise."""
        for text in (
            '[divert]\nbackend = "iptables"\n',
            '[divert]\nbackend = "none"\n',
            "[divert]\nconntrack_zone = 0\n",
            '[divert]\nwhen_down = "pass"\n',
            '[divert]\ninterfaces = ["lo"]\n',
        ):
            self.assertIn("services/web.toml:2:1: handshake: can't be", self.problem(gateway=text))

    def test_workers(self) -> None:
        """Several workers are as good as one."""
        self.assertEqual(self.problem(gateway="[workers]\ncount = 2\n"), "")
