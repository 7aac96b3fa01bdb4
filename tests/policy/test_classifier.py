"""The classifier against the plain model, and at the size of a large site."""

from __future__ import annotations

import random
from ipaddress import ip_network
from itertools import pairwise

from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.policy.classifier import MOST_KNOWN, Classifier
from gateway.policy.connection import Connection, Protocol
from gateway.policy.dimension import Dimension, bits_of, lowest, mask_of
from gateway.policy.rule import Rule
from gateway.policy.spans import Family, Spans, address_spans, merged, shared, size
from tests.policy import model


def connection(source: str, destination: str, port: int = 80, **more: object) -> Connection:
    return Connection(Address(source, 4000), Address(destination, port), **more)  # type: ignore[arg-type]


class ClassifierTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(strategies.lists(model.rules, max_size=12), model.connections)
    def test_same_as_model(self, rules: list[Rule], asked: Connection) -> None:
        """Exactly the rules that match are found, in the order they were given in."""
        classifier = Classifier(tuple(rules))
        expected = [rule for rule in rules if model.matches(rule, asked)]
        self.assertEqual(list(classifier.matching(asked)), expected)
        self.assertEqual(classifier.first(asked), expected[0] if expected else None)

    @settings(max_examples=100, deadline=None)
    @given(
        strategies.lists(model.rules, max_size=12), strategies.lists(model.connections, max_size=20)
    )
    def test_known(self, rules: list[Rule], asked: list[Connection]) -> None:
        """What was decided before does not change what is decided now."""
        classifier = Classifier(tuple(rules))
        for one in (*asked, *asked):
            self.assertIs(classifier.first(one), Classifier(tuple(rules)).first(one))

    def test_few_are_known(self) -> None:
        """Somebody who scans a network does not fill the memory with answers."""
        classifier = Classifier((Rule("a"),))
        for number in range(MOST_KNOWN + 10):
            classifier.first(connection("10.0.0.1", f"10.1.{number >> 8}.{number & 255}"))
            self.assertLessEqual(len(classifier._known), MOST_KNOWN)

    def test_no_rules(self) -> None:
        """Without rules nothing matches."""
        self.assertIsNone(Classifier(()).first(connection("10.0.0.1", "10.0.0.2")))

    def test_mapped(self) -> None:
        """A dual-stack socket's ::ffff:10.0.0.1 is 10.0.0.1."""
        rule = Rule("a", (ip_network("10.0.0.0/8"),))
        asked = connection("::ffff:10.0.0.1", "192.0.2.1")
        self.assertIs(Classifier((rule,)).first(asked), rule)

    def test_mixed_families(self) -> None:
        """No connection has an address of each family, and no rule matches one."""
        self.assertIsNone(Classifier((Rule("a"),)).first(connection("10.0.0.1", "fd00::1")))

    def test_scope(self) -> None:
        """A link-local address may carry its interface."""
        rule = Rule("a", (ip_network("fe80::/10"),))
        self.assertIs(Classifier((rule,)).first(connection("fe80::1%lan0", "fd00::1")), rule)

    def test_no_address(self) -> None:
        """What is no address is an error, not a connection that no rule matches."""
        for host in ("web", "", "10.0.0.256", "fd00::g", "10.0.0.1%lan0"):
            with self.assertRaisesRegex(ValueError, "is not an IP address"):
                Classifier(()).first(connection(host, "10.0.0.1"))

    def test_protocols_are_apart(self) -> None:
        """UDP port 0 does not touch TCP port 65535."""
        tcp = Rule("a", ports=((65535, 65535),))
        udp = Rule("b", ports=((0, 0),), protocol=Protocol.UDP)
        classifier = Classifier((tcp, udp))
        self.assertEqual(classifier.matching(connection("1.1.1.1", "2.2.2.2", 65535)), (tcp,))
        asked = connection("1.1.1.1", "2.2.2.2", 0, protocol=Protocol.UDP)
        self.assertEqual(classifier.matching(asked), (udp,))

    def test_other_interface(self) -> None:
        """An interface that no rule names is like all others that no rule names."""
        named, anywhere = Rule("a", interfaces=frozenset({"lan0"})), Rule("b")
        classifier = Classifier((named, anywhere))
        for name, expected in (("lan0", named), ("wan0", anywhere), (None, anywhere)):
            asked = connection("1.1.1.1", "2.2.2.2", interface=name)
            self.assertIs(classifier.first(asked), expected)

    def test_masks_are_shared(self) -> None:
        """A hundred thousand networks of one zone take two masks, not two hundred thousand."""
        networks = tuple(ip_network((index << 9, 24)) for index in range(100_000 // 16))
        spans = address_spans(networks, Family.V4)
        dimension = Dimension([spans] * 100)
        self.assertEqual(len(dimension.cuts), 2 * len(networks))
        self.assertEqual(len({id(mask) for mask in dimension.masks}), 2)


class SpansTests(SynchronousTestCase):
    numbers = strategies.frozensets(strategies.integers(0, 40))

    def spans(self, numbers: frozenset[int]) -> Spans:
        return merged((number, number + 1) for number in numbers)

    @given(numbers, numbers)
    def test_like_sets(self, ours: frozenset[int], theirs: frozenset[int]) -> None:
        """Spans are sets of numbers, shared and counted as such, and written in one way."""
        both = shared(self.spans(ours), self.spans(theirs))
        self.assertEqual(both, self.spans(ours & theirs))
        self.assertEqual(size(both), len(ours & theirs))
        self.assertTrue(all(left[1] < right[0] for left, right in pairwise(self.spans(ours))))

    def test_networks(self) -> None:
        """Two halves are the whole, and a part of a network adds nothing to it."""
        halves = (ip_network("10.0.0.0/25"), ip_network("10.0.0.128/25"))
        whole = (ip_network("10.0.0.0/24"), ip_network("10.0.0.7/32"), ip_network("fd00::/8"))
        self.assertEqual(address_spans(halves, Family.V4), address_spans(whole, Family.V4))


class DimensionTests(SynchronousTestCase):
    sets = strategies.frozensets(strategies.integers(0, 300), max_size=60)

    @settings(max_examples=100, deadline=None)
    @given(strategies.lists(sets, min_size=1, max_size=8))
    def test_overlap_and_cover(self, sets: list[frozenset[int]]) -> None:
        """Folding pieces tells exactly who overlaps and who covers a set, in long runs too."""
        spans = [merged((number, number + 1) for number in each) for each in sets]
        dimension = Dimension(spans)
        for asked, its in zip(sets, spans, strict=True):
            if asked:
                overlap = [index for index, each in enumerate(sets) if each & asked]
                cover = [index for index, each in enumerate(sets) if each >= asked]
                self.assertEqual(list(bits_of(dimension.overlap(its))), overlap)
                self.assertEqual(list(bits_of(dimension.cover(its))), cover)
        for number in range(302):
            expected = mask_of(index for index, each in enumerate(sets) if number in each)
            self.assertEqual(dimension.at(number), expected)

    @given(strategies.frozensets(strategies.integers(0, 3000), min_size=1))
    def test_bits(self, indexes: frozenset[int]) -> None:
        """A mask holds what was put in, the lowest bit first."""
        mask = mask_of(indexes)
        self.assertEqual(list(bits_of(mask)), sorted(indexes))
        self.assertEqual(lowest(mask), min(indexes))


class SizeTests(SynchronousTestCase):
    def test_large_site(self) -> None:
        """With thousands of rules and tens of thousands of networks the answer is the same."""
        chance = random.Random(7)
        rules = tuple(
            Rule(
                f"s{index}",
                tuple(ip_network((chance.getrandbits(20) << 12, 22)) for _ in range(5)),
                ports=((index % 7, 40000),),
            )
            for index in range(2000)
        )
        classifier = Classifier(rules)
        hosts = [str(chance.choice(rule.sources)[9]) for rule in chance.sample(rules, 30)]
        for host in hosts:
            asked = connection(host, "192.0.2.1", chance.randrange(9))
            expected = next((each for each in rules if model.matches(each, asked)), None)
            self.assertIs(classifier.first(asked), expected)
