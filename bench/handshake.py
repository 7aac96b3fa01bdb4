"""
Clients that are connected only if their servers are, beside those that are accepted, and beside
plain forwarding: how long it takes to be connected, and what a connection costs.

As a program it is the client: one connection after the other, each with one exchange.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import server
from bench.network import CLIENT_INTERFACE, SERVER_HOST
from bench.rounds import LOADS, Sample, interleaved, measure
from bench.table import duration, table
from bench.ways import NOT_PAST_IT, Gateway, Way

CONNECT_TARGET = 100e-6
"""Seconds that it may take longer to be connected than directly, in the median."""

CPU_TARGET = 1.15
"""A connection costs at most so many times as much CPU time as one that is accepted."""


class Accepted(Gateway):
    """As it is if nobody says otherwise."""

    name = "accepted"
    protocols = ("relay", "tls")


class Through(Accepted):
    """The same relay; clients shake hands with their servers."""

    name = "through"
    not_past_it = NOT_PAST_IT.replace(
        f"iifname {CLIENT_INTERFACE} drop",
        f"iifname {CLIENT_INTERFACE} tcp flags & (syn | rst) == 0 drop",
    )

    def services(self) -> dict[str, str]:
        """One of them otherwise."""
        found = super().services()
        return {**found, "relay": 'handshake = "through"' + found["relay"]}


class Forwarding(Way):
    """The kernel alone."""

    protocols = ("relay",)


WAYS: tuple[type[Way], ...] = (Forwarding, Accepted, Through)


class Times(NamedTuple):
    """Medians of one round in which one connection came after the other, in seconds."""

    connected: float
    answered: float
    cpu: float


def compared(ways: Sequence[Way], rounds: int, seconds: float) -> str:
    """A table: one line for each way."""
    times: dict[str, list[Times]] = {way.name: [] for way in ways}
    many: dict[str, list[Sample]] = {way.name: [] for way in ways}
    for way in interleaved(ways, rounds):
        times[way.name].append(one_by_one(way, seconds))
        many[way.name].append(measure(way, LOADS["connections"][0], seconds))
    rows = [
        _row(name, times[name], times[Forwarding.name], times[Accepted.name])
        + _many(many[name], many[Accepted.name])
        for name in times
    ]
    head = (
        *("handshake", "connected", "more than directly", "answered", "CPU", "x"),
        *("CPU, 32 at a time", "x", "errors"),
    )
    targets = (
        f"Targets: connected at most {duration(CONNECT_TARGET)} later than directly, CPU time of "
        f"all processes at most {CPU_TARGET:g} times that of one that is accepted."
    )
    return f"One connection after the other, and 32 at a time.\n\n{table(head, rows)}\n\n{targets}"


def _row(name: str, times: list[Times], direct: list[Times], accepted: list[Times]) -> list[str]:
    more = median(one.connected - other.connected for one, other in _pairs(times, direct))
    return [
        name,
        duration(median(each.connected for each in times)),
        f"{more * 1e6:,.0f} us",
        duration(median(each.answered for each in times)),
        duration(median(each.cpu for each in times)),
        _ratio([(one.cpu, other.cpu) for one, other in _pairs(times, accepted)]),
    ]


def _many(samples: list[Sample], accepted: list[Sample]) -> list[str]:
    return [
        duration(median(each.cpu for each in samples)),
        _ratio([(one.cpu, other.cpu) for one, other in zip(samples, accepted, strict=True)]),
        str(sum(each.errors for each in samples)),
    ]


def _pairs(one: list[Times], other: list[Times]) -> list[tuple[Times, Times]]:
    return list(zip(one, other, strict=True))


def _ratio(pairs: list[tuple[float, float]]) -> str:
    """The median of the ratios of each round."""
    return f"{median(one / other for one, other in pairs):.2f}"


def one_by_one(way: Way, seconds: float) -> Times:
    """One round."""
    before = way.cpu()
    command = ["ip", "netns", "exec", way.network.client, sys.executable, "-m", __name__]
    said = subprocess.run(
        [*command, str(seconds)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        check=True,
        timeout=seconds + 60,
    )
    after = way.cpu()
    count, connected, answered = json.loads(said.stdout)
    used = after.user + after.system - before.user - before.system
    return Times(connected, answered, used / count)


def main() -> None:
    """The client."""
    until = time.monotonic() + float(sys.argv[1])
    connected, answered = [], []
    for port in cycle(server.CONNECTION_PORTS):
        with socket.socket() as sock:
            began = time.perf_counter()
            sock.connect((SERVER_HOST, port))
            connected.append(time.perf_counter() - began)
            sock.send(server.REQUEST)
            heard = 0
            while heard < len(server.REPLY):
                heard += len(sock.recv(4096))
            answered.append(time.perf_counter() - began)
        if time.monotonic() > until:
            break
    print(json.dumps((len(connected), median(connected), median(answered))))


if __name__ == "__main__":
    main()
