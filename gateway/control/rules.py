"""The question C{rules}: what has each rule, test and list of the policy brought?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.control.question import Answer, Asked, Asker, check_keys
from gateway.observe.metrics import Metrics
from gateway.policy.explain import describe
from gateway.policy.policy import Policy
from gateway.policy.service import Action, Service
from gateway.policy.told import places_in


class Rules:
    """
    @param metrics: has counted what has matched, and knows the policy in force.
    """

    changes = False

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def ask(self, asked: Asked, asker: Asker) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, ())
        policy, hits = self._metrics.policy(), self._metrics.hits
        rules = _rules(policy, hits)
        known = {(each["service"], each["place"]) for each in rules}
        matched = dict.fromkeys((*_tests(policy.services.values()), *hits))
        return {
            "port": policy.divert.port,
            "rules": rules,
            "tests": [
                {"service": service, "place": place, "hits": hits.get((service, place), 0)}
                for service, place in matched
                if (service, place) not in known
            ],
        }

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}: what was counted is added up."""
        return {
            "port": answers[0]["port"],
            "rules": _added("sessions", (answer["rules"] for answer in answers)),
            "tests": _added("hits", (answer["tests"] for answer in answers)),
        }


def _rules(policy: Policy, hits: Mapping[tuple[str, str], int]) -> list[Answer]:
    """
    In deciding order, one for each place. What the kernel decides alone brings no session
    that could be counted here.
    """
    found: dict[tuple[str, str], Answer] = {}
    for number, rule in enumerate(policy.rules):
        key = rule.service, rule.place.at_line
        action = policy.services[rule.service].action
        told: Answer = {
            "service": rule.service,
            "place": rule.place.at_line,
            "action": action.value,
            "says": [],
            "numbers": [],
            "sessions": hits.get(key, 0) if action is Action.INSPECT else None,
        }
        told = found.setdefault(key, told)
        told["says"].append(describe(rule))
        told["numbers"].append(number)
    return list(found.values())


def _tests(services: Iterable[Service]) -> Iterable[tuple[str, str]]:
    """Where what could match is written."""
    for service in services:
        yield from ((service.name, place) for place in places_in(service.settings))


def _added(key: str, lists: Iterable[Sequence[Mapping[str, Any]]]) -> list[Answer]:
    """The same rows, with what is under C{key} added up."""
    total: dict[tuple[str, str], Answer] = {}
    for rows in lists:
        for row in rows:
            which = row["service"], row["place"]
            if which not in total:
                total[which] = dict(row)
            elif row[key] is not None:
                total[which][key] += row[key]
    return list(total.values())
