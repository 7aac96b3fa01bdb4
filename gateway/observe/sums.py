"""
Sums: what several workers have counted, as if one had.

A worker tells its numbers as plain JSON data (L{state_of}); the supervisor adds them up in a
L{Metrics} of its own. The last numbers of a worker that has ended stay in the sum, but for what it
had at that moment: its running sessions, its connections to scanners, what it held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.interfaces import Outcome
from gateway.observe.metrics import MOST_PLACES, Counts, Metrics, MetricsCollector, Refusal
from gateway.observe.scans import Judged, ScannerHealth

State = dict[str, Any]

SUMMED = (
    *("passed_in_part", "to_server", "to_client", "fallbacks", "unreachable", "connect_seconds"),
)
"""Numbers of a service that only grow."""

LONGEST_NAME = 1024
"""Characters of a name that a worker tells: of a service, or of a place in the policy."""

LARGEST = 1e30
"""Of numbers. Sums of these are numbers, too."""


def state_of(metrics: Metrics) -> State:
    """What L{Sum.add} can add."""
    return {
        "services": {name: _counts(counts) for name, counts in metrics.services.items()},
        "refusals": {each.value: count for each, count in metrics.refusals.items()},
        "denials": [[*key, count] for key, count in metrics.denials.items()],
        "hits": [[*key, count] for key, count in metrics.hits.items()],
        "handshakes": [[*key, count] for key, count in metrics.handshakes.items()],
        "workers_ended": metrics.workers_ended,
        "judged": [
            [*key, judged.buckets, judged.seconds] for key, judged in metrics.scans.judged.items()
        ],
        "scanners": [
            [one.address, one.rests, one.lines, one.waiting] for one in metrics.scans.scanners()
        ],
        "spooled": list(metrics.scans.spooled()),
        "audit": [metrics.audit_dropped(), metrics.audit_waiting()],
        "process": own_figures(),
    }


def check(state: State) -> None:
    """
    Whether that is what L{state_of} can have told.

    @raise Exception: any one; it can't be added up, or shown.
    """
    _check_sizes(state)
    one = Sum()
    one.add(state)
    add_counts(one.metrics, without_present(state))
    text_of(one.metrics, {"checked": state["process"]})


def _check_sizes(told: Any) -> None:
    """
    @raise ValueError: a name or a number in there is none.
    """
    if isinstance(told, dict):
        _check_sizes([*told, *told.values()])
    elif isinstance(told, list):
        for each in told:
            _check_sizes(each)
    elif isinstance(told, str):
        if len(told) > LONGEST_NAME:
            raise ValueError(f"a name of {len(told)} characters")
    elif not abs(told) <= LARGEST:  # what is not a number is not, either
        raise ValueError(f"the number {told}")


def _counts(counts: Counts) -> State:
    return {
        "running": counts.running,
        "outcomes": {each.value: count for each, count in counts.outcomes.items()},
        "buckets": counts.connect_buckets,
        **{name: getattr(counts, name) for name in SUMMED},
    }


def without_present(state: State) -> State:
    """What stays of a worker that has ended."""
    services = {name: {**counts, "running": 0} for name, counts in state["services"].items()}
    dropped, _ = state["audit"]
    present: State = {"scanners": [], "spooled": [0, 0], "audit": [dropped, 0], "process": []}
    return {**state, "services": services, **present}


@define(eq=False)
class Sum:
    """
    Of workers' states.

    @ivar metrics: all that was added.
    """

    metrics: Metrics = field(factory=Metrics)
    _scanners: dict[str, ScannerHealth] = field(factory=dict)
    _spooled: list[int] = field(factory=lambda: [0, 0])
    _audit: list[int] = field(factory=lambda: [0, 0])

    def __attrs_post_init__(self) -> None:
        self.metrics.scans.scanners = self._scanners.values
        self.metrics.scans.spooled = lambda: (self._spooled[0], self._spooled[1])
        self.metrics.audit_dropped = lambda: self._audit[0]
        self.metrics.audit_waiting = lambda: self._audit[1]

    def add(self, state: State) -> None:
        """One more."""
        add_counts(self.metrics, state)
        for told in state["scanners"]:
            self._add_scanner(ScannerHealth(*told))
        self._spooled = _added(self._spooled, state["spooled"])
        self._audit = _added(self._audit, state["audit"])

    def _add_scanner(self, one: ScannerHealth) -> None:
        """It is well if all who ask it find so."""
        before = self._scanners.get(one.address, ScannerHealth(one.address, False, 0, 0))
        self._scanners[one.address] = ScannerHealth(
            one.address,
            before.rests or one.rests,
            before.lines + one.lines,
            before.waiting + one.waiting,
        )


def add_counts(metrics: Metrics, state: State) -> None:
    """
    Add what has been counted, and not what is so at the moment, but for running sessions. Of what
    has a name there is no more than if C{metrics} had counted it.
    """
    for name, told in state["services"].items():
        if _has_room(metrics.services, name):
            _add_service(metrics.services[name], told)
    for refusal, count in state["refusals"].items():
        metrics.refusals[Refusal(refusal)] += count
    for service, event, by, count in state["denials"]:
        key = service, event, by
        if _has_room(metrics.denials, key):
            metrics.denials[key] = metrics.denials.get(key, 0) + count
    for service, place, count in state["hits"]:
        if _has_room(metrics.hits, (service, place)):
            metrics.hits[service, place] = metrics.hits.get((service, place), 0) + count
    for service, handshake, count in state["handshakes"]:
        if _has_room(metrics.handshakes, (service, handshake)):
            metrics.shaken(service, handshake, count)
    metrics.workers_ended += state["workers_ended"]
    for service, verdict, buckets, seconds in state["judged"]:
        if _has_room(metrics.scans.judged, (service, verdict)):
            judged = metrics.scans.judged.setdefault((service, verdict), Judged())
            judged.buckets = _added(judged.buckets, buckets)
            judged.seconds += seconds


def _has_room(counted: Mapping[Any, object], key: object) -> bool:
    return key in counted or len(counted) < MOST_PLACES


def _add_service(counts: Counts, told: Mapping[str, Any]) -> None:
    counts.running += told["running"]
    for outcome, count in told["outcomes"].items():
        counts.outcomes[Outcome(outcome)] += count
    counts.connect_buckets = _added(counts.connect_buckets, told["buckets"])
    for name in SUMMED:
        setattr(counts, name, getattr(counts, name) + told[name])


def _added(some: list[int], more: list[int]) -> list[int]:
    return [one + other for one, other in zip(some, more, strict=True)]


@define(eq=False)
class ProcessFigures(Collector):
    """
    What Prometheus's library tells of a process, of several; and nothing that it does not tell of
    this one.

    @ivar processes: the C{worker} label, and what L{state_of} has told.
    """

    processes: Mapping[str, list[list[Any]]]

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        families: dict[str, Any] = {
            name: kinds[kind](name, help_, labels=("worker",))
            for name, help_, kind, _ in own_figures()
        }
        for label, figures in self.processes.items():
            told = {name: value for name, _, _, value in figures}
            for name in families.keys() & told.keys():
                families[name].add_metric((label,), told[name])
        yield from families.values()


def text_of(metrics: Metrics, processes: Mapping[str, list[list[Any]]]) -> bytes:
    """All metrics in Prometheus's text format: sums, and the figures of each process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsCollector(metrics))
    registry.register(ProcessFigures(processes))
    return generate_latest(registry)


def own_figures() -> list[list[Any]]:
    """Of this process."""
    return [
        [each.name, each.documentation, each.type, float(each.samples[0].value)]
        for each in ProcessCollector(registry=None).collect()
    ]
