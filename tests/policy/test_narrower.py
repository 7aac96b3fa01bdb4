"""Which rule wins: the narrower one, always the same one, and never by accident."""

from __future__ import annotations

import random
import re
from ipaddress import ip_network

from attrs import evolve
from hypothesis import assume, given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.policy.classifier import Classifier
from gateway.policy.connection import Connection, Protocol
from gateway.policy.narrower import MOST, narrower_in, order
from gateway.policy.notation import read_client
from gateway.policy.place import Place
from gateway.policy.problem import PolicyError, Problem
from gateway.policy.rule import Rule
from gateway.policy.zone import Network
from tests.policy import model

OFFICE = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/48"))
PRINTERS = (ip_network("10.1.200.0/24"),)
WEB = ((80, 80), (443, 443))

Points = frozenset[int]


def points_of(rule: Rule) -> Points:
    """All of the model's connections that a rule matches."""
    return frozenset(n for n, each in enumerate(model.POINTS) if model.matches(rule, each))


def ambiguous(rules: list[Rule]) -> bool:
    """Whether the policy is to be refused, from the definition, over all of the model's points."""
    known = [(rule, points_of(rule)) for rule in rules]

    def before(one: tuple[Rule, Points], other: tuple[Rule, Points]) -> bool:
        if one[0].priority != other[0].priority:
            return one[0].priority > other[0].priority
        return one[1] < other[1]

    def settled(one: tuple[Rule, Points], other: tuple[Rule, Points]) -> bool:
        return any(
            third[1] >= one[1] & other[1] and before(third, one) and before(third, other)
            for third in known
        )

    for one in known:
        if not one[1]:
            return True
        for other in known:
            if one is other:
                continue
            if one[0].priority < other[0].priority and one[1] <= other[1]:
                return True
            if one[0].priority != other[0].priority:
                continue
            if one[0].service == other[0].service:
                if one[1] == other[1]:
                    return True
            elif (
                one[1] & other[1]
                and not (before(one, other) or before(other, one))
                and not settled(one, other)
            ):
                return True
    return False


def best(rules: list[Rule], asked: Connection) -> set[str]:
    """The services of all rules that match, and that no other matching rule goes before."""
    matching = [(rule, points_of(rule)) for rule in rules if model.matches(rule, asked)]
    return {
        rule.service
        for rule, points in matching
        if not any(
            other.priority > rule.priority or (other.priority == rule.priority and its < points)
            for other, its in matching
        )
    }


def placed(rules: list[Rule]) -> list[Rule]:
    """Rules as if from a file, one on each line."""
    return [evolve(rule, place=Place("rules", n)) for n, rule in enumerate(rules, 1)]


AMBIGUOUS = re.compile(
    r"ambiguous with rules:(?P<line>\d+) .* both match (?P<protocol>\w+) (?P<source>\S+) -> "
    r"(?P<destination>\S+?)(?: on (?P<interface>\w+))?, and neither"
)


def tcp(source: str, destination: str, port: int = 80) -> Connection:
    return Connection(Address(source, 40000), Address(destination, port))


def refusal(rules: list[Rule]) -> tuple[Problem, ...]:
    try:
        order(rules)
    except PolicyError as error:
        return error.problems
    return ()


def problems(*rules: Rule, interfaces: tuple[str, ...] = ()) -> list[str]:
    """What is said about these rules, which are on line 1, 2, …"""
    try:
        order(placed(list(rules)), interfaces)
    except PolicyError as error:
        return [str(problem) for problem in error.problems]
    return []


class PropertyTests(SynchronousTestCase):
    few = strategies.lists(model.rules, min_size=1, max_size=4)

    @settings(max_examples=200, deadline=None)
    @given(few)
    def test_refused_exactly_if_ambiguous(self, rules: list[Rule]) -> None:
        """
        A policy is refused if, and only if, it is by definition: compared
        with the definition over every connection that can make a difference.
        """
        self.assertEqual(bool(problems(*rules)), ambiguous(rules))

    @settings(max_examples=150, deadline=None)
    @given(few, strategies.lists(model.connections, min_size=1, max_size=20))
    def test_winner_is_the_narrowest(self, rules: list[Rule], asked: list[Connection]) -> None:
        """The rule that wins is one that no other matching rule is narrower than."""
        assume(not problems(*rules))
        classifier = Classifier(order(rules))
        for each in asked:
            winner = classifier.first(each)
            expected = best(rules, each)
            self.assertEqual({winner.service} if winner else set(), expected)

    @settings(max_examples=150, deadline=None)
    @given(few, strategies.randoms(use_true_random=False))
    def test_order_of_lines_does_not_matter(self, rules: list[Rule], chance: random.Random) -> None:
        """Rules can be moved about, in a file and between files, and nothing changes."""
        rules = placed(rules)
        shuffled = chance.sample(rules, len(rules))
        self.assertEqual(len(problems(*rules)), len(problems(*shuffled)))
        assume(not problems(*rules))
        self.assertEqual(order(rules), order(shuffled))

    @settings(max_examples=150, deadline=None)
    @given(few)
    def test_witness(self, rules: list[Rule]) -> None:
        """The example in the message really is matched by both rules that it names."""
        rules = placed(rules)
        for problem in refusal(rules):
            found = AMBIGUOUS.match(problem.message)
            if found:
                asked = Connection(
                    read_client(found["source"]),
                    read_client(found["destination"]),
                    Protocol(found["protocol"]),
                    found["interface"],
                )
                for line in (problem.place.line, int(found["line"])):
                    self.assertTrue(model.matches(rules[line - 1], asked), problem)


class OrderTests(SynchronousTestCase):
    def winner(self, asked: Connection, *rules: Rule) -> str | None:
        rule = Classifier(order(rules)).first(asked)
        return rule.service if rule else None

    def test_narrower_source(self) -> None:
        """A zone within a zone has its own service, whatever is written first."""
        office, printers = Rule("office", OFFICE), Rule("printers", PRINTERS)
        for rules in ((office, printers), (printers, office)):
            self.assertEqual(self.winner(tcp("10.1.200.9", "192.0.2.1"), *rules), "printers")
            self.assertEqual(self.winner(tcp("10.1.2.9", "192.0.2.1"), *rules), "office")
            self.assertEqual(self.winner(tcp("fd00:1::9", "2001:db8::1"), *rules), "office")

    def test_priority_before_narrowness(self) -> None:
        """Rules that only overlap are settled by priority."""
        web = Rule("web", OFFICE, ports=WEB)
        printers = Rule("printers", PRINTERS, priority=1)
        self.assertEqual(self.winner(tcp("10.1.200.9", "192.0.2.1"), web, printers), "printers")

    def test_rule_for_what_they_share(self) -> None:
        """Rules that only overlap are settled by a rule for exactly what they share."""
        web = Rule("web", OFFICE, ports=WEB)
        printers = Rule("printers", PRINTERS)
        self.assertEqual(len(problems(web, printers)), 1)
        both = Rule("both", PRINTERS, ports=WEB)
        self.assertEqual(self.winner(tcp("10.1.200.9", "192.0.2.1"), web, printers, both), "both")

    def test_third_rule_goes_before_both(self) -> None:
        """A rule that goes before only one of two does not settle which of them is meant."""
        office = Rule("office", OFFICE)
        web = Rule("web", ports=((80, 80),))
        third = Rule("web", OFFICE, ports=((80, 81),))
        self.assertEqual(len(problems(office, web, third)), 1)
        self.assertEqual(problems(office, web, evolve(third, ports=((80, 80),))), [])

    def test_two_halves_are_the_whole(self) -> None:
        """What counts is what networks hold, not how they are written."""
        halves = Rule("halves", (ip_network("10.1.0.0/17"), ip_network("10.1.128.0/17")))
        whole = Rule("whole", (ip_network("10.1.0.0/16"),))
        self.assertIn("ambiguous", problems(halves, whole)[0])
        self.assertEqual(problems(evolve(halves, ports=WEB), whole), [])

    def test_interfaces_that_are_diverted(self) -> None:
        """If only lan0 is diverted, then "any interface" is lan0, and not wider than it."""
        lan, anywhere = Rule("a", interfaces=frozenset({"lan0"})), Rule("b")
        self.assertEqual(problems(lan, anywhere), [])
        self.assertIn("ambiguous", problems(lan, anywhere, interfaces=("lan0",))[0])
        self.assertEqual(problems(lan, anywhere, interfaces=("lan0", "lan1")), [])

    def test_same_service(self) -> None:
        """Rules of one service may overlap as they like: it is the same service either way."""
        self.assertEqual(problems(Rule("a", PRINTERS), Rule("a", ports=WEB)), [])


class RefusalTests(SynchronousTestCase):
    def test_ambiguous(self) -> None:
        """The message names both rules and a connection, and says what to do."""
        self.assertEqual(
            problems(Rule("web", OFFICE, ports=WEB), Rule("printers", PRINTERS)),
            [
                'rules:2: rule: ambiguous with rules:1 (service "web"): both match tcp '
                "10.1.200.1:40000 -> 192.0.2.7:80, and neither is narrower than the other. Give "
                "one of them a higher priority, or add a rule for exactly what they share"
            ],
        )

    def test_witness_is_not_settled(self) -> None:
        """The connection in the message is one that no third rule decides."""
        web, printers = Rule("web", OFFICE, ports=WEB), Rule("printers", PRINTERS)
        third = Rule("third", PRINTERS, ports=((80, 80),))
        self.assertIn(":443, and neither", problems(web, printers, third)[0])

    def test_witness_on_an_interface(self) -> None:
        """If they meet on an interface only, the message says on which."""
        one = Rule("a", OFFICE, interfaces=frozenset({"lan0", "lan1"}))
        other = Rule("b", ports=WEB, interfaces=frozenset({"lan1", "lan2"}))
        self.assertIn(":80 on lan1, and", problems(one, other)[0])

    def test_equal(self) -> None:
        """Two services can't be for the same connections."""
        self.assertIn("ambiguous with rules:1", problems(Rule("a"), Rule("b"))[0])

    def test_repeated(self) -> None:
        """The same rule twice is a mistake, even if harmless."""
        self.assertEqual(
            problems(Rule("a", OFFICE), Rule("a", OFFICE[::-1])),
            ['rules:2: rule: matches the same as rules:1 (service "a")'],
        )

    def test_dead(self) -> None:
        """A rule that one of higher priority covers is refused: it looks as if it did something."""
        self.assertEqual(
            problems(Rule("a", PRINTERS), Rule("b", OFFICE, priority=3)),
            [
                'rules:1: rule: can never match: rules:2 (service "b") has the higher priority 3 '
                "(here: 0) and matches all of it. Raise the priority of this rule, or remove it"
            ],
        )

    def test_no_family(self) -> None:
        """From IPv4 to IPv6 nothing ever goes."""
        rule = Rule("a", PRINTERS, (ip_network("fd00::/8"),))
        self.assertIn("no address family in common", problems(rule)[0])

    def test_no_interface(self) -> None:
        """A rule for interfaces that are not diverted does nothing."""
        rule = Rule("a", interfaces=frozenset({"wan0"}))
        self.assertIn("divert.interfaces", problems(rule, interfaces=("lan0",))[0])

    def test_not_thousands(self) -> None:
        """One mistake that makes thousands of pairs ambiguous does not fill the screen."""
        columns = [Rule(f"c{n}", (ip_network((n << 8, 24)),)) for n in range(100)]
        rows = [Rule(f"r{n}", (), (ip_network((n << 8, 24)),)) for n in range(100)]
        self.assertEqual(len(problems(*columns, *rows)), MOST)


class NarrowerInTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """It is told in what a rule is narrower."""
        wide = Rule("a", OFFICE, ports=((1, 1000),))
        for narrow, keys in (
            (evolve(wide, sources=PRINTERS), ("from",)),
            (evolve(wide, destinations=OFFICE, ports=WEB), ("to", "ports")),
            (evolve(wide, interfaces=frozenset({"lan0"})), ("interfaces",)),
            (wide, ()),
            (evolve(wide, ports=((1, 1001),)), ()),
        ):
            self.assertEqual(narrower_in(narrow, wide), keys)


class SizeTests(SynchronousTestCase):
    def test_thousands(self) -> None:
        """A large site's rules are put in order in seconds, large zones shared by many included."""
        zone: tuple[Network, ...] = tuple(ip_network((n << 9, 24)) for n in range(5000))
        rules = [Rule("all", (), zone)]
        rules += [Rule(f"p{n}", (), zone, ports=((n, n),)) for n in range(1, 1000)]
        rules += [
            Rule(f"n{n}", (ip_network((n << 8, 24)),), zone, ports=((n, n),))
            for n in range(1, 1000)
        ]
        found = order(random.Random(1).sample(rules, len(rules)))
        self.assertEqual({rule.service[0] for rule in found[:999]}, {"n"})
        self.assertEqual(found[-1].service, "all")
