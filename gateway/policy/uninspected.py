"""
What passes uninspected although another service inspects on that port.

A relay's rule that goes before an inspecting service's takes connections from it. That may be
meant; then an C{[[expect]]} of the relay's says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from attrs import frozen

from gateway.policy.classifier import Classifier
from gateway.policy.connection import Connection
from gateway.policy.dimension import bits_of, mask_of
from gateway.policy.narrower import KEY
from gateway.policy.problem import Problem
from gateway.policy.ranking import Ranking, below
from gateway.policy.resolve import RELAY
from gateway.policy.rule import Rule
from gateway.policy.service import Service
from gateway.policy.witness import POINTS, examples


def uninspected(
    ranking: Ranking, services: Mapping[str, Service], meant: Collection[Connection]
) -> Iterator[Problem]:
    """
    Warn of rules that relay what another rule would have inspected.

    @param meant: the connections of all expectations.
    """
    inspectors = [_inspector(services[rule.service]) for rule in ranking.rules]
    inspecting = mask_of(n for n, name in enumerate(inspectors) if name not in ("", RELAY))
    relays = {
        n: losers
        for n, name in enumerate(inspectors)
        if name == RELAY and (losers := ranking.overlaps(n) & inspecting & ~below(n))
    }
    if not relays:
        return
    classifier = Classifier(ranking.rules)
    for index, mask in relays.items():
        taking = _Taking(
            classifier, ranking.rules[index], [ranking.rules[n] for n in bits_of(mask)]
        )
        shared = (ranking.regions[index].shared(ranking.regions[n]) for n in bits_of(mask))
        found = (each for region in shared for each in examples(region, ranking.interfaces))
        if not any(map(taking.loser, meant)):
            yield from taking.warning(islice(found, POINTS))


def _inspector(service: Service) -> str:
    """The name of its inspector; empty if the kernel does it."""
    return str(service.maker.name) if service.maker is not None else ""


@frozen
class _Taking:
    """One relay's rule, and the inspecting services' rules that it goes before."""

    classifier: Classifier
    relay: Rule
    losers: list[Rule]

    def loser(self, connection: Connection) -> Rule | None:
        """The rule that loses this connection to the relay, if one does."""
        first, *others = self.classifier.matching(connection) or (None,)
        if first is not self.relay:
            return None
        return next((rule for rule in self.losers if rule in others), None)

    def warning(self, found: Iterable[Connection]) -> Iterator[Problem]:
        """A warning with the first of C{found} that is taken; none, if other rules prevent it."""
        for connection in found:
            loser = self.loser(connection)
            if loser is not None:
                yield Problem(
                    self.relay.place,
                    KEY,
                    f"relays {connection} uninspected, which {loser.place} (service "
                    f'"{loser.service}") would inspect. If that is meant, say so by an [[expect]] '
                    "in this file",
                    warning=True,
                )
                return
