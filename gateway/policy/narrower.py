"""
Which of two rules goes first, and whether that is clear for all of them.

The rule of higher priority goes first; of equal ones, the narrower: A goes
before B if everything that A matches is matched by B as well. Neither the order
of files nor that of lines matters. A policy is refused if

  - two rules of different services and equal priority overlap, and neither is
    narrower, unless one other rule that goes before both covers all that they
    share: it would not be clear which of the two is meant;
  - a rule can never match: one of higher priority covers it, or its sources
    and destinations are not of one address family, or its interfaces are not
    diverted;
  - two rules of one service say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from gateway.policy.classifier import Classifier
from gateway.policy.connection import Connection
from gateway.policy.dimension import bits_of, lowest, mask_of
from gateway.policy.place import Place
from gateway.policy.problem import PolicyError, Problem
from gateway.policy.ranking import Ranking, below
from gateway.policy.region import known_interfaces, regions
from gateway.policy.rule import Rule
from gateway.policy.spans import Family, address_spans, port_spans
from gateway.policy.witness import examples
from gateway.policy.zone import Network

MOST = 50
"""Ambiguities to report. One mistake can make thousands."""

KEY = "rule"
"""The key that problems are about: the table that is a rule."""


def order(rules: Iterable[Rule], interfaces: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules in deciding order; see L{rank}."""
    return rank(rules, interfaces).rules


def rank(rules: Iterable[Rule], interfaces: Iterable[str] = ()) -> Ranking:
    """
    The rules in deciding order: of those that match, the first one wins.

    @param interfaces: C{divert.interfaces}. Empty: any.
    @raise PolicyError: it is not clear which rule wins, or a rule can't match.
    """
    ranking = Ranking(rules, interfaces)
    problems = find_problems(ranking)
    if problems:
        raise PolicyError(problems)
    return ranking


def find_problems(ranking: Ranking) -> list[Problem]:
    """All that is wrong with the rules, or enough of it."""
    idle = [n for n, region in enumerate(ranking.regions) if not region.boxes]
    over = {n: ranking.covers(n) & ranking.higher(n) for n in range(len(ranking.rules))}
    dead = {n: lowest(mask) for n, mask in over.items() if mask and n not in idle}
    sound = ranking.everybody & ~mask_of([*idle, *dead])
    return [
        *_of_all_parts(ranking, ((n, _idle(ranking.rules[n])) for n in idle)),
        *_of_all_parts(
            ranking, ((n, _dead(ranking.rules[n], ranking.rules[o])) for n, o in dead.items())
        ),
        *_of_all_parts(ranking, _repeated(ranking, sound)),
        *islice(_ambiguous(ranking, sound), MOST),
    ]


def _of_all_parts(ranking: Ranking, found: Iterable[tuple[int, Problem]]) -> Iterator[Problem]:
    """What is wrong with all parts of what is written as one rule, said once."""
    problems: dict[tuple[Place, str], list[Problem]] = {}
    for index, problem in found:
        rule = ranking.rules[index]
        problems.setdefault((rule.place, rule.service), []).append(problem)
        if len(problems[rule.place, rule.service]) >= rule.parts:
            yield problem


def _repeated(ranking: Ranking, sound: int) -> Iterator[tuple[int, Problem]]:
    """Rules that say the same as another one of their service."""
    for index in bits_of(sound):
        same = ranking.covers(index) & ranking.alike[index] & ranking.mates[index] & sound
        earlier = [ranking.rules[n] for n in bits_of(same & below(index))]
        if earlier:
            text = f"matches the same as {_named(earlier[0])}"
            yield index, Problem(ranking.rules[index].place, KEY, text)


def _ambiguous(ranking: Ranking, sound: int) -> Iterator[Problem]:
    """Pairs of which it is not clear who goes first, each once, whatever the protocol."""
    said = set()
    for index in bits_of(sound):
        rivals = sound & ranking.equals[index] & ~ranking.mates[index] & ~below(index)
        rivals &= ranking.overlaps(index) & ~ranking.wider(index)
        for other in bits_of(rivals):
            if not _settled(ranking, index, other):
                rules = ranking.rules[index], ranking.rules[other]
                pair = frozenset(rule.place for rule in rules)
                if pair not in said or max(rule.parts for rule in rules) == 1:
                    yield _ambiguity(ranking, index, other)
                said.add(pair)


def _settled(ranking: Ranking, index: int, other: int) -> bool:
    """Whether a rule that goes before both covers all that they share."""
    common = ranking.regions[index].shared(ranking.regions[other])
    pair = 1 << index | 1 << other
    candidates = bits_of(ranking.covering(common) & below(index))
    return any(ranking.beats(third) & pair == pair for third in candidates)


def _witness(ranking: Ranking, index: int, other: int) -> Connection:
    """A connection that both match; if possible, one that no third rule takes from either."""
    pair = 1 << index | 1 << other
    near = ranking.overlaps(index) & ranking.overlaps(other) & below(other) & ~pair
    stronger = [ranking.rules[n] for n in bits_of(near) if ranking.beats(n) & pair]
    classifier = Classifier(tuple(stronger))
    common = ranking.regions[index].shared(ranking.regions[other])
    found = list(examples(common, ranking.interfaces))
    return next((each for each in found if classifier.first(each) is None), found[0])


def _ambiguity(ranking: Ranking, index: int, other: int) -> Problem:
    """Told about the one that is written later."""
    earlier, later = sorted(
        (ranking.rules[index], ranking.rules[other]), key=lambda rule: rule.place
    )
    return Problem(
        later.place,
        KEY,
        f"ambiguous with {_named(earlier)}: both match {_witness(ranking, index, other)}, and "
        "neither is narrower than the other. Give one of them a higher priority, or add a rule "
        "for exactly what they share",
    )


def _dead(rule: Rule, other: Rule) -> Problem:
    return Problem(
        rule.place,
        KEY,
        f"can never match: {_named(other)} has the higher priority {other.priority} (here: "
        f"{rule.priority}) and matches all of it. Raise the priority of this rule, or remove it",
    )


def _idle(rule: Rule) -> Problem:
    areas = [
        family
        for family in Family
        if address_spans(rule.sources, family) and address_spans(rule.destinations, family)
    ]
    message = (
        "can never match: none of its interfaces is in divert.interfaces"
        if areas
        else "can never match: its sources and its destinations have no address family in common"
    )
    return Problem(rule.place, KEY, message)


def _named(rule: Rule) -> str:
    """How a message names another rule."""
    return f'{rule.place} (service "{rule.service}")'


def narrower_in(rule: Rule, other: Rule, diverted: Iterable[str] = ()) -> tuple[str, ...]:
    """
    The keys of a C{[[rule]]} in which C{rule} is narrower than C{other}.

    Empty if it is not narrower: it matches just the same, or what the other doesn't.

    @param diverted: C{divert.interfaces}. Empty: any.
    """
    interfaces = known_interfaces((rule, other), diverted)
    mine, its = regions((rule, other), interfaces)
    if not mine.within(its):
        return ()
    differs = {
        "from": _differ(rule.sources, other.sources),
        "to": _differ(rule.destinations, other.destinations),
        "ports": port_spans(rule.ports, rule.protocol) != port_spans(other.ports, other.protocol),
        "interfaces": interfaces.spans(rule.interfaces) != interfaces.spans(other.interfaces),
    }
    return tuple(key for key, different in differs.items() if different)


def _differ(ours: tuple[Network, ...], theirs: tuple[Network, ...]) -> bool:
    """Whether two sets of networks hold different addresses."""
    return any(address_spans(ours, family) != address_spans(theirs, family) for family in Family)
