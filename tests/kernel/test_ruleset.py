"""What the kernel is told decides as the policy does."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.kernel.filter.ruleset import Deny, Forward, Inspect, Verdict, make_ruleset
from gateway.kernel.filter.tree import Budget, Split, grow
from gateway.policy.connection import Connection, Protocol
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action
from tests.kernel.model import branch_of, linear, treelike, walk
from tests.kernel.policies import connections, policies, policy


def decided(policy_: Policy, connection: Connection) -> Verdict | None:
    """The verdict that follows from L{Policy.decide}."""
    rule = policy_.decide(connection)
    if rule is None:
        return None
    service = policy_.services[rule.service]
    if service.action is Action.INSPECT:
        names = policy_.interfaces
        interface = connection.interface
        return Inspect(names.index(interface) + 1 if interface in names else 0)
    return Forward() if service.action is Action.FORWARD else Deny(service.reply)


class ModelTests(SynchronousTestCase):
    """Whatever the policy and the connection."""

    @settings(max_examples=250, deadline=None)
    @given(policies(), st.lists(connections(), min_size=1, max_size=8))
    def test_linear(self, policy_: Policy, asked: list[Connection]) -> None:
        """The iptables backend's rules give the policy's verdict."""
        ruleset = make_ruleset(policy_)
        for connection in asked:
            self.assertEqual(linear(ruleset, connection), decided(policy_, connection))

    @settings(max_examples=250, deadline=None)
    @given(policies(), st.lists(connections(), min_size=1, max_size=8))
    def test_tree(self, policy_: Policy, asked: list[Connection]) -> None:
        """The nftables backend's decision tree gives the policy's verdict."""
        ruleset = make_ruleset(policy_)
        for connection in asked:
            verdict = decided(policy_, connection)
            self.assertEqual(treelike(ruleset, connection), verdict)
            self.assertEqual(treelike(ruleset, connection, short=0), verdict)

    @settings(max_examples=100, deadline=None)
    @given(policies(), connections(), st.integers(0, 40))
    def test_spent_budget(self, policy_: Policy, asked: Connection, elements: int) -> None:
        """A tree that was not allowed to grow is slower, not wrong."""
        verdict = treelike(make_ruleset(policy_), asked, Budget(elements), short=0)
        self.assertEqual(verdict, decided(policy_, asked))


class SizeTests(SynchronousTestCase):
    """Many rules and networks."""

    def test_two_thousand_rules(self) -> None:
        """Deciding takes a look-up or two and a few comparisons, and stays right."""
        random = Random(1)
        many = policy(tuple(random_rule(random) for _ in range(2000)))
        ruleset = make_ruleset(many)
        tree = grow(ruleset.branches[0], Budget())
        self.assertIsInstance(tree, Split)
        for rule in random.sample(many.rules, 200):
            connection = _match(rule)
            self.assertEqual(branch_of(ruleset, connection), ruleset.branches[0])
            numbers = (
                connection.destination.port,
                int(ip_network(connection.destination.host).network_address),
                int(ip_network(connection.source.host).network_address),
            )
            self.assertEqual(walk(tree, numbers), linear(ruleset, connection))

    def test_short_lists(self) -> None:
        """What is left to be compared one by one is short."""
        random = Random(2)
        ruleset = make_ruleset(policy(tuple(random_rule(random) for _ in range(2000))))
        self.assertLess(_longest(grow(ruleset.branches[0], Budget())), 20)


def random_rule(random: Random) -> Rule:
    """A rule about some networks, far from each other."""
    services = ("inspect", "forward", "reset")
    return Rule(
        random.choice(services),
        sources=tuple(_network(random) for _ in range(5)),
        destinations=(_network(random),) if random.random() < 0.5 else (),
        ports=((random.choice((25, 80, 443)),) * 2,),
    )


def _network(random: Random) -> IPv4Network:
    return IPv4Network((random.randrange(1 << 24, 0xDF << 24) >> 8 << 8, 24))


def _match(rule: Rule) -> Connection:
    """A connection that C{rule} matches."""
    source = str(rule.sources[0].network_address)
    to = str(rule.destinations[0].network_address) if rule.destinations else "192.0.2.1"
    return Connection(Address(source, 1), Address(to, rule.ports[0][0]), Protocol.TCP)


def _longest(node: object) -> int:
    if isinstance(node, Split):
        return max(_longest(child) for child in {id(c): c for _, c in node.parts}.values())
    return len(node.steps)  # type: ignore[attr-defined]
