"""Scans: what is counted of bodies that are judged, and of those who judge them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from attrs import define, field, frozen
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds in seconds. From a hash that is known to a large archive."""


@frozen
class ScannerHealth:
    """
    How a daemon is that judges bodies.

    @ivar rests: it fails, and is left alone.
    @ivar waiting: bodies that wait for a line.
    """

    address: str
    rests: bool
    lines: int
    waiting: int


@define
class Judged:
    """How long it took, with one verdict."""

    buckets: list[int] = field(factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def cumulated(self) -> list[tuple[str, float]]:
        """As Prometheus has them."""
        total, buckets = 0, []
        for bound, count in zip((*BUCKETS, "+Inf"), self.buckets, strict=True):
            total += count
            buckets.append((str(bound), float(total)))
        return buckets


@define(eq=False)
class Scans:
    """
    The counters.

    @ivar scanners: who there is; asked at each collection, as C{spooled} is.
    @ivar spooled: bytes of bodies that are held, in memory and in files.
    """

    scanners: Callable[[], Iterable[ScannerHealth]] = tuple
    spooled: Callable[[], tuple[int, int]] = lambda: (0, 0)
    judged: dict[tuple[str, str], Judged] = field(factory=dict, init=False)

    def judge(self, service: str, verdict: str, seconds: float) -> None:
        """A body was judged, or nobody could: C{verdict} is a word of ours."""
        judged = self.judged.setdefault((service, verdict), Judged())
        judged.buckets[bisect_left(BUCKETS, seconds)] += 1
        judged.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        seconds = HistogramMetricFamily(
            "tproxygw_scan_seconds",
            "Time until a body was judged, by the verdict.",
            labels=("service", "verdict"),
        )
        for labels, judged in self.judged.items():
            seconds.add_metric(labels, judged.cumulated(), judged.seconds)
        yield seconds
        yield from self._scanners()
        spooled = GaugeMetricFamily(
            "tproxygw_spooled_bytes", "Bytes of bodies that are held.", labels=("where",)
        )
        for where, count in zip(("memory", "files"), self.spooled(), strict=True):
            spooled.add_metric((where,), count)
        yield spooled

    def _scanners(self) -> Iterator[Metric]:
        label = ("address",)
        well = GaugeMetricFamily(
            "tproxygw_scanner_up", "1 if it answers, 0 while it is left alone.", labels=label
        )
        lines = GaugeMetricFamily(
            "tproxygw_scanner_connections", "Connections to the scanner.", labels=label
        )
        waiting = GaugeMetricFamily(
            "tproxygw_scanner_waiting", "Bodies that wait for a connection.", labels=label
        )
        for one in self.scanners():
            well.add_metric((one.address,), int(not one.rests))
            lines.add_metric((one.address,), one.lines)
            waiting.add_metric((one.address,), one.waiting)
        yield from (well, lines, waiting)
