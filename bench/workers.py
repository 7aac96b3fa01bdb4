"""
Several workers beside one: what each connection costs, how many there are, and what it costs to
count exactly.

How many more there are a second says something only where load generator and server have
processors of their own; the CPU time of one says it on any machine. Each worker has as many
connections at a time as the one process has: the fewer there are, the fewer each turn of the event
loop has to do, and the more one costs, with workers or without.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from statistics import median

from bench.rounds import LOADS, Load, Sample, interleaved, measure, middle
from bench.table import duration, table
from bench.ways import Gateway, Way
from gateway.counts import Counts, OwnCounts, Together
from gateway.workers.table import SharedCounts, Table

CPU_TARGET = 1.08
"""A connection costs at most so many times as much CPU time as with one worker."""

RATE_TARGET = 1.8
"""Two workers on two processors have at least so many times as many."""

COUNTED = 200_000
"""Sessions that are counted."""


class One(Gateway):
    """One process."""

    name = "one"


class Two(Gateway):
    """Two workers, and any of them may get a connection: the load comes from few addresses."""

    name = "two"

    @property
    def more(self) -> str:
        """What gateway.toml says beyond the others'."""
        return '[workers]\ncount = 2\nsteer = "connection"\n'


WAYS: tuple[type[Way], ...] = (One, Two)

MEASURED = (*LOADS["connections"], LOADS["http"][1])


def compared(ways: Sequence[Way], rounds: int, seconds: float) -> str:
    """A table: one line for each load."""
    rows = []
    for load in MEASURED:
        samples: dict[str, list[Sample]] = {way.name: [] for way in ways}
        for way in interleaved(ways, rounds):
            size = load.size * (2 if way.name == Two.name else 1)
            samples[way.name].append(measure(way, load._replace(size=size), seconds))
        rows.append(_row(load, samples[One.name], samples[Two.name]))
    head = ("load", "CPU, one", "CPU, two", "x", "target", "a second, one", "two", "x", "target")
    processors = os.cpu_count() or 1
    free = f"{processors} processors for these, the load and the server"
    return f"Two workers beside one process; {free}.\n\n{table(head, rows)}\n\n{counting()}"


def _row(load: Load, one: list[Sample], two: list[Sample]) -> list[str]:
    """CPU time and rates, with the medians of the ratios of each round."""
    pairs = list(zip(one, two, strict=True))
    return [
        f"{load.name} (per {load.unit})",
        *(duration(middle(each).cpu) for each in (one, two)),
        f"{median(theirs.cpu / ours.cpu for ours, theirs in pairs):.2f}",
        f"<= {CPU_TARGET:g}",
        *(f"{middle(each).rate:,.0f}" for each in (one, two)),
        f"{median(theirs.rate / ours.rate for ours, theirs in pairs):.2f}",
        f">= {RATE_TARGET:g}",
    ]


def counting() -> str:
    """A table: what it costs to count a session in and out, with a limit for its client."""
    shared = Table(20_000)
    shared.use(3)
    ways: tuple[tuple[str, Callable[[], Counts]], ...] = (
        ("one process, dictionaries", OwnCounts),
        ("two workers, the table", lambda: SharedCounts(shared.descriptor, 1)),
    )
    rows = [[name, duration(_counted(make()))] for name, make in ways]
    return table(("counting", "CPU each session"), rows)


def _counted(counts: Counts) -> float:
    """Seconds of CPU for one session."""
    every = (("all",),)
    began = os.times()
    session = ("client", "192.0.2.1"), ("service", "web"), ("both", "192.0.2.1", "web")
    known = {("192.0.2.1", "web"): Together(session)}
    for _ in range(COUNTED):
        counts.take(every, (20_000,))
        counts.take(known["192.0.2.1", "web"], (500, 0, 0))
        counts.less(known["192.0.2.1", "web"])
        counts.less(every)
    ended = os.times()
    return (ended.user + ended.system - began.user - began.system) / COUNTED
