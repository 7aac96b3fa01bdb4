"""The question C{status}: what runs, since when, and how much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from attrs import frozen

from gateway.control.question import Answer, Asked, Asker, check_keys
from gateway.control.running import Register
from gateway.observe.metrics import Metrics
from gateway.observe.scans import ScannerHealth
from gateway.policy.policy import Policy

PROTOCOL = 1
"""The version of the questions and answers. It grows when something that was there changes."""

RUNNING, DRAINING, STOPPING = "running", "draining", "stopping"


@frozen
class Life:
    """
    How the gateway is.

    @ivar state: C{"starting"}, L{RUNNING}, L{STOPPING}.
    @ivar started: seconds since 1970.
    @ivar loaded: when the policy in force was.
    @ivar broken: what is wrong with the configuration, if that policy is a former one.
    @ivar log_level: from which on messages are logged; empty: nobody knows.
    @ivar keeper: how the keeper is: L{keeper}. C{None}: another process knows it.
    """

    state: str
    pid: int
    started: float
    directory: str
    policy: Policy
    loaded: float
    broken: str = ""
    log_level: str = ""
    keeper: Mapping[str, Any] | None = None


class Status:
    """
    @param life: tells how the gateway is.
    @param carried: how many sessions the kernel has.
    @param now: seconds since 1970.
    """

    changes = False

    def __init__(
        self,
        register: Register,
        metrics: Metrics,
        life: Callable[[], Life],
        carried: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        self._register = register
        self._metrics = metrics
        self._life = life
        self._carried = carried
        self._now = now

    def ask(self, asked: Asked, asker: Asker) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, ())
        life, metrics, register = self._life(), self._metrics, self._register
        drains = register.draining and life.state == RUNNING
        sessions = {"running": len(register.running), "in_kernel": self._carried()}
        return {
            "version": version("tproxygw"),
            "protocol": PROTOCOL,
            "state": DRAINING if drains else life.state,
            "started": life.started,
            "now": self._now(),
            "policy": _policy(life),
            "divert": {
                "installed": metrics.divert_installed(),
                "lost": metrics.divert_lost(),
            },
            "sessions": {**sessions, "most": register.most, "room": register.room},
            "services": dict(self._services(life.policy)),
            "refused": {each.value: count for each, count in metrics.refusals.items() if count},
            "audit": {"waiting": metrics.audit_waiting(), "dropped": metrics.audit_dropped()},
            "log": {"level": life.log_level},
            "keeper": life.keeper,
            "scanners": list(_scanners(metrics.scans.scanners())),
            "workers": [{"pid": life.pid, "started": life.started, **sessions}],
        }

    def _services(self, policy: Policy) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Those of the policy, and former ones that have had sessions."""
        for name in dict.fromkeys((*policy.services, *self._metrics.services)):
            counts = self._metrics.services.get(name)
            if counts is None:
                yield name, {"running": 0, "ended": {}, "bytes": {"to_server": 0, "to_client": 0}}
                continue
            ended = {each.value: count for each, count in counts.outcomes.items() if count}
            in_part = {"passed-in-part": counts.passed_in_part} if counts.passed_in_part else {}
            yield (
                name,
                {
                    "running": counts.running,
                    "ended": {**ended, **in_part},
                    "bytes": {"to_server": counts.to_server, "to_client": counts.to_client},
                },
            )

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        first = answers[0]
        sessions = [answer["sessions"] for answer in answers]
        return {
            **first,
            "started": min(answer["started"] for answer in answers),
            "divert": {
                "installed": all(answer["divert"]["installed"] for answer in answers),
                "lost": max(answer["divert"]["lost"] for answer in answers),
            },
            "sessions": {
                "running": sum(each["running"] for each in sessions),
                "in_kernel": sum(each["in_kernel"] for each in sessions),
                "most": first["sessions"]["most"],
                "room": any(each["room"] for each in sessions),
            },
            "services": _added(answer["services"] for answer in answers),
            "refused": _added(answer["refused"] for answer in answers),
            "audit": _added(answer["audit"] for answer in answers),
            "keeper": next((each["keeper"] for each in answers if each["keeper"]), None),
            "scanners": _same(each for answer in answers for each in answer["scanners"]),
            "workers": [worker for answer in answers for worker in answer["workers"]],
        }


def _policy(life: Life) -> Mapping[str, Any]:
    return {
        "directory": life.directory,
        "loaded": life.loaded,
        "services": len(life.policy.services),
        "rules": len(life.policy.rules),
        "broken": life.broken,
    }


def keeper(restarts: int, restored: int, trouble: str, lost: Sequence[str]) -> Mapping[str, Any]:
    """
    How the keeper is.

    @param restarts: how often it was killed, and started again.
    @param restored: how often it had to put rules or routes back.
    @param trouble: why rules that are missing can't be put back.
    @param lost: what should be inspected and does not get here, and why.
    """
    return {"restarts": restarts, "restored": restored, "trouble": trouble, "lost": list(lost)}


def _scanners(health: Iterable[ScannerHealth]) -> Iterable[Answer]:
    for each in health:
        yield {
            "address": each.address,
            "up": not each.rests,
            "connections": each.lines,
            "waiting": each.waiting,
        }


def _same(scanners: Iterable[Answer]) -> list[Answer]:
    """Those of several workers, each once: it is up if it answers all of them."""
    found: dict[str, Answer] = {}
    for each in scanners:
        before = found.get(each["address"])
        if before is not None:
            counts = {key: before[key] + each[key] for key in ("connections", "waiting")}
            each = {**before, **counts, "up": before["up"] and each["up"]}
        found[each["address"]] = each
    return list(found.values())


def _added(counts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts of the same names, added up, however deep they are."""
    total: dict[str, Any] = {}
    for each in counts:
        for name, count in each.items():
            if isinstance(count, Mapping):
                total[name] = _added((total.get(name, {}), count))
            else:
                total[name] = total.get(name, 0) + count
    return total
