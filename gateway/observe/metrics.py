"""
What is counted, for Prometheus to collect.

A session costs a few additions of integers. Everything else (names, labels,
text) is made when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import chain, islice

from attrs import define, field
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway.interfaces import Outcome
from gateway.observe.scans import Scans
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action

CONNECT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds. From a neighbour on the LAN to the default C{connect_seconds}."""


class Refusal(Enum):
    """Why a connection became no session. The value is the word used in metrics."""

    DIRECT = "direct"
    """It was made straight to the listener's port, not diverted to it."""

    SERVICE_LIMIT = "service-limit"
    """The service has as many sessions as it may have."""

    CLIENT_LIMIT = "client-limit"
    """The client's address has as many sessions as it may have, in all or of this service."""

    NO_RULE = "no-rule"
    """No rule of the policy, which may be newer than the connection, is for it."""

    UNEXPECTED = "unexpected"
    """It came to an address that was announced to somebody else."""

    HANDSHAKE = "handshake"
    """Client and server had shaken hands, and nothing could take their ends' places."""

    BROKEN = "broken"
    """It could not be looked at: a bug, or a want of something."""

    __hash__ = object.__hash__


@define
class Counts:
    """The numbers of one service."""

    running: int = 0
    passed_in_part: int = 0
    outcomes: dict[Outcome, int] = field(factory=lambda: dict.fromkeys(Outcome, 0))
    to_server: int = 0
    to_client: int = 0
    fallbacks: int = 0
    unreachable: int = 0
    connect_buckets: list[int] = field(factory=lambda: [0] * (len(CONNECT_BUCKETS) + 1))
    connect_seconds: float = 0.0


IN_PART = "passed-in-part"
"""The verdict of a session that passed, but for some of its transactions."""

MOST_PLACES = 10_000
"""
So many places of the policy are counted apart, over all reloads; what comes then is not. Rules that
have brought nothing are told as long as there is room.
"""


class _ByService(dict[str, Counts]):
    def __missing__(self, service: str) -> Counts:
        counts = self[service] = Counts()
        return counts


def _unknown() -> bool:
    return False


def _none() -> int:
    return 0


@define(eq=False)
class Metrics:
    """
    The gateway's counters, since the process started.

    C{divert_installed}, C{audit_dropped} and C{policy} are asked at each collection; set
    them when there is somebody to ask. Of the policy's rules, those that have brought
    nothing are told, too.
    """

    divert_installed: Callable[[], bool] = _unknown
    divert_lost: Callable[[], int] = _none
    policy_current: Callable[[], bool] = _unknown
    audit_dropped: Callable[[], int] = _none
    audit_waiting: Callable[[], int] = _none
    policy: Callable[[], Policy] = Policy
    scans: Scans = field(factory=Scans, init=False)
    services: _ByService = field(factory=_ByService, init=False)
    refusals: dict[Refusal, int] = field(factory=lambda: dict.fromkeys(Refusal, 0), init=False)
    denials: dict[tuple[str, str, str], int] = field(factory=dict, init=False)
    hits: dict[tuple[str, str], int] = field(factory=dict, init=False)
    handshakes: dict[tuple[str, str], int] = field(factory=dict, init=False)
    workers_ended: int = field(default=0, init=False)

    def started(self, service: str, rule: Rule | None = None) -> None:
        """A session began, brought by a rule or by another session."""
        self.services[service].running += 1
        if rule is not None:
            self.hit(service, rule.at_line)

    def handed_on(self, service: str) -> None:
        """A session goes on, and is another process's to count."""
        self.services[service].running -= 1

    def shaken(self, service: str, handshake: str, count: int = 1) -> None:
        """A client was connected: through to the server, or by the gateway."""
        key = service, handshake
        self.handshakes[key] = self.handshakes.get(key, 0) + count

    def hit(self, service: str, place: str) -> None:
        """What is written there, a rule, a test or a list, has matched."""
        key, hits = (service, place), self.hits
        count = hits.get(key, 0)
        if count or len(hits) < MOST_PLACES:
            hits[key] = count + 1

    def denied(self, service: str, event: str, by: str) -> None:
        """One transaction, of the kind C{event}, did not pass: what is written at C{by} hit."""
        key = service, event, by
        if key in self.denials or len(self.denials) < MOST_PLACES:
            self.denials[key] = self.denials.get(key, 0) + 1
        self.hit(service, by)

    def connected(self, service: str, seconds: float) -> None:
        """A session's server was reached, C{seconds} after the first attempt."""
        counts = self.services[service]
        counts.connect_buckets[bisect_left(CONNECT_BUCKETS, seconds)] += 1
        counts.connect_seconds += seconds

    def fallback(self, service: str) -> None:
        """The client's own port was taken: another one was used towards the server."""
        self.services[service].fallbacks += 1

    def unreachable(self, service: str) -> None:
        """A server, with all of its alternatives, could not be reached."""
        self.services[service].unreachable += 1

    def refused(self, refusal: Refusal) -> None:
        """A connection became no session."""
        self.refusals[refusal] += 1

    def ended(
        self, service: str, outcome: Outcome, to_server: int, to_client: int, denied: int = 0
    ) -> None:
        """
        A session is over, and this was its whole traffic in bytes.

        @param denied: how many of its transactions did not pass.
        """
        counts = self.services[service]
        counts.running -= 1
        if denied and outcome is Outcome.PASSED:
            counts.passed_in_part += 1
        else:
            counts.outcomes[outcome] += 1
        counts.to_server += to_server
        counts.to_client += to_client

    def registry(self) -> CollectorRegistry:
        """These metrics and those of the process, for Prometheus's client library."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(MetricsCollector(self))
        ProcessCollector(registry=registry)
        return registry

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry())


class MetricsCollector(Collector):
    """Gives the numbers their names."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._sessions()
        yield from self._decisions()
        yield from self._bytes()
        yield from self._servers()
        yield from self._metrics.scans.collect()
        yield from self._gateway()

    def _sessions(self) -> Iterator[Metric]:
        total = CounterMetricFamily(
            "tproxygw_sessions", "Sessions that ended.", labels=("service", "verdict")
        )
        running = GaugeMetricFamily(
            "tproxygw_sessions_running", "Sessions that run.", labels=("service",)
        )
        for service, counts in self._metrics.services.items():
            running.add_metric((service,), counts.running)
            for outcome, count in counts.outcomes.items():
                total.add_metric((service, outcome.value), count)
            total.add_metric((service, IN_PART), counts.passed_in_part)
        yield total
        yield running

    def _decisions(self) -> Iterator[Metric]:
        denied = CounterMetricFamily(
            "tproxygw_denied",
            "Transactions that did not pass, by what denied them.",
            labels=("service", "event", "by"),
        )
        for labels, count in self._metrics.denials.items():
            denied.add_metric(labels, count)
        hits = CounterMetricFamily(
            "tproxygw_hits",
            "How often a rule, a test or a list of the policy matched.",
            labels=("service", "by"),
        )
        counted = self._metrics.hits
        for place in islice(dict.fromkeys(chain(counted, self._rules())), MOST_PLACES):
            hits.add_metric(place, counted.get(place, 0))
        yield from (denied, hits)

    def _rules(self) -> Iterator[tuple[str, str]]:
        """Where the rules of the present policy are that bring sessions."""
        for service in self._metrics.policy().services.values():
            if service.action is Action.INSPECT:
                yield from ((service.name, rule.place.at_line) for rule in service.rules)

    def _bytes(self) -> Iterator[Metric]:
        total = CounterMetricFamily(
            "tproxygw_bytes", "Bytes of sessions that ended.", labels=("service", "direction")
        )
        for service, counts in self._metrics.services.items():
            total.add_metric((service, "to_server"), counts.to_server)
            total.add_metric((service, "to_client"), counts.to_client)
        yield total

    def _servers(self) -> Iterator[Metric]:
        label = ("service",)
        seconds = HistogramMetricFamily(
            "tproxygw_connect_seconds", "Time until the server was reached.", labels=label
        )
        fallbacks = CounterMetricFamily(
            "tproxygw_source_port_fallbacks",
            "Sessions whose server did not see the client's port, as it was taken.",
            labels=label,
        )
        unreachable = CounterMetricFamily(
            "tproxygw_unreachable", "Sessions whose server was not reached.", labels=label
        )
        for service, counts in self._metrics.services.items():
            seconds.add_metric((service,), _cumulated(counts), counts.connect_seconds)
            fallbacks.add_metric((service,), counts.fallbacks)
            unreachable.add_metric((service,), counts.unreachable)
        yield from (seconds, fallbacks, unreachable)
        shaken = CounterMetricFamily(
            "tproxygw_handshakes",
            'Clients that were connected, of services with handshake = "through".',
            labels=("service", "handshake"),
        )
        for labels, count in self._metrics.handshakes.items():
            shaken.add_metric(labels, count)
        yield shaken

    def _gateway(self) -> Iterator[Metric]:
        refused = CounterMetricFamily(
            "tproxygw_refused", "Connections that became no session.", labels=("reason",)
        )
        for refusal, count in self._metrics.refusals.items():
            refused.add_metric((refusal.value,), count)
        yield refused
        yield GaugeMetricFamily(
            "tproxygw_divert_installed",
            "1 if the kernel's rules are installed.",
            int(self._metrics.divert_installed()),
        )
        yield GaugeMetricFamily(
            "tproxygw_divert_lost",
            "Kinds of first packets that this host drops although they should be inspected.",
            self._metrics.divert_lost(),
        )
        yield GaugeMetricFamily(
            "tproxygw_policy_current",
            "1 if the policy in force is what the configuration said at the last start or reload.",
            int(self._metrics.policy_current()),
        )
        yield CounterMetricFamily(
            "tproxygw_workers_ended",
            "Workers that ended and should not have: killed, or by a bug.",
            self._metrics.workers_ended,
        )
        yield CounterMetricFamily(
            "tproxygw_audit_dropped", "Audit records dropped.", self._metrics.audit_dropped()
        )
        yield GaugeMetricFamily(
            "tproxygw_audit_waiting_bytes",
            "Bytes of audit records that are not written yet.",
            self._metrics.audit_waiting(),
        )


def _cumulated(counts: Counts) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip((*CONNECT_BUCKETS, "+Inf"), counts.connect_buckets, strict=True):
        total += count
        buckets.append((str(bound), float(total)))
    return buckets
