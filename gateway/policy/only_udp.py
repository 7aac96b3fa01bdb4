"""
DNS that passes by UDP, and not by TCP.

An answer that is too long for UDP says so, and the client asks by TCP. Where that is denied,
long answers never come: systemd-resolved then asks two dozen times within 50 ms, and says
nothing. Where it is not inspected, clients may ask there what they may not ask by UDP.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from gateway.policy.classifier import Classifier
from gateway.policy.connection import Connection, Protocol
from gateway.policy.narrower import KEY
from gateway.policy.problem import Problem
from gateway.policy.ranking import Ranking
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service
from gateway.policy.witness import POINTS, examples

PORT = 53

INSPECTOR = "dns"


def only_udp(
    ranking: Ranking, services: Mapping[str, Service], meant: Collection[Connection]
) -> Iterator[Problem]:
    """
    Warn of rules that let DNS pass by UDP, of which the same is not so by TCP.

    @param meant: the connections of all expectations: one by TCP says that it is meant.
    """
    if any(each.protocol is Protocol.TCP and each.destination.port == PORT for each in meant):
        return
    chosen = [
        (rule, region)
        for rule, region in zip(ranking.rules, ranking.regions, strict=True)
        if rule.protocol is Protocol.UDP
        and _passes(services[rule.service])
        and any(first <= PORT <= last for first, last in rule.ports)
    ]
    if not chosen:
        return
    classifier = Classifier(ranking.rules)
    for rule, region in chosen:
        found = islice(examples(region, ranking.interfaces), POINTS)
        for connection in (each for each in found if each.destination.port == PORT):
            if next(iter(classifier.matching(connection)), None) is not rule:
                continue
            message = _amiss(classifier, services, rule, connection)
            if message:
                yield Problem(rule.place, KEY, message, warning=True)
                break


def _passes(service: Service) -> bool:
    return service.action is not Action.DENY


def _amiss(
    classifier: Classifier, services: Mapping[str, Service], rule: Rule, connection: Connection
) -> str:
    """What is wrong with the same by TCP; empty if nothing is."""
    twin = connection._replace(protocol=Protocol.TCP)
    first = next(iter(classifier.matching(twin)), None)
    maker = services[rule.service].maker
    if first is None:
        if maker is None or maker.name != INSPECTOR:
            return ""
        return (
            f"inspects {connection}, and no rule is about {twin}: what may not be asked by UDP can "
            'be asked there. A rule for it with protocol = "tcp" would inspect both'
        )
    if _passes(services[first.service]):
        return ""
    return (
        f"lets {connection} pass, and {first.place} denies {twin}: long answers come by TCP only. "
        "If that is meant, say so by an [[expect]]"
    )
