"""Interleaved rounds: every way under every load, in turn, so that a drift hits all alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from bench.usage import machine_seconds
from bench.ways import Before, Way


class Load(NamedTuple):
    """One kind of traffic: its name for L{bench.client}, and what one of it is called."""

    name: str
    unit: str
    size: int
    target: float
    """At most so many times the CPU time of the protocol's peer; 0: nobody has asked for it."""
    protocol: str = "relay"


LOADS = {
    "connections": (Load("connections", "connection", 32, 3),),
    "exchanges": (Load("exchanges", "exchange", 32, 2),),
    "bulk": (Load("download", "GiB", 2, 1), Load("upload", "GiB", 2, 1)),
    "http": (
        Load("http-requests", "request", 32, 0.5, "http"),
        Load("http-connections", "connection", 32, 0.8, "http"),
        Load("http-mixed", "request", 32, 0, "http"),
        Load("http-download", "GiB", 2, 1, "http"),
    ),
    "icap": (
        Load("scan-small", "body", 4, 1, "icap"),
        Load("scan-large", "body", 2, 1, "icap"),
    ),
    "milter": (
        Load("milter-small", "message", 4, 1, "milter"),
        Load("milter-large", "message", 2, 1, "milter"),
    ),
    "smtp": (
        Load("smtp-relayed", "message", 16, 0, "smtp"),
        Load("smtp-messages", "message", 16, 0, "smtp"),
        Load("smtp-content", "message", 16, 0, "smtp"),
        Load("smtp-connections", "message", 16, 0, "smtp"),
        Load("smtp-large", "GiB", 2, 0, "smtp"),
        Load("smtp-large-content", "GiB", 2, 0, "smtp"),
    ),
    "mailbox": (
        Load("pop3-sessions", "session", 8, 0, "mailbox"),
        Load("pop3-content", "session", 8, 0, "mailbox"),
        Load("imap-sessions", "session", 8, 0, "mailbox"),
        Load("imap-content", "session", 8, 0, "mailbox"),
    ),
    "ftp": (
        Load("ftp-sessions", "session", 8, 2, "ftp"),
        Load("ftp-download", "GiB", 2, 1, "ftp"),
    ),
    "dns": (
        Load("dns-queries", "query", 32, 4, "dns"),
        Load("dns-ports", "query", 32, 4, "dns"),
    ),
    "tls": (
        Load("tls-connections", "connection", 8, 0.55, "tls"),
        Load("tls-requests", "request", 32, 1.2, "tls"),
        Load("tls-download", "GiB", 2, 0, "tls"),
        Load("tls-spliced", "connection", 8, 0.9, "tls"),
    ),
    "tls-static": (
        Load("tls-connections", "connection", 8, 1.4, "tls-static"),
        Load("tls-requests", "request", 32, 0, "tls-static"),
        Load("tls-download", "GiB", 2, 1, "tls-static"),
    ),
}


def named(name: str) -> tuple[Load, ...]:
    """The loads of a group, or the first one of that name; none if there is none."""
    single = [(load,) for group in LOADS.values() for load in group if load.name == name]
    return LOADS.get(name) or next(iter(single), ())


PEERS = {
    "relay": "HAProxy",
    "http": "Squid",
    "icap": "Squid-icap",
    "milter": "Postfix",
    "smtp": "HAProxy",
    "mailbox": "HAProxy",
    "ftp": "Squid",
    "dns": "dnsmasq",
    "tls": "Squid",
    "tls-static": "HAProxy",
}
"""
Whom the gateway is to be measured by, for each protocol. HAProxy only relays mail, and has a
static certificate for TLS.
"""


class Sample(NamedTuple):
    """One way under one load: how many a second, and what one of them costs in seconds of CPU."""

    rate: float
    user: float
    system: float
    machine: float
    errors: int
    ratio: float = 0.0
    """To the CPU time of the protocol's peer; 0: there is none."""
    before: float = 0.0
    """To that of an earlier version; 0: there is none."""

    @property
    def cpu(self) -> float:
        """User and system time together."""
        return self.user + self.system


def measure(way: Way, load: Load, seconds: float) -> Sample:
    """One round of one load on one way."""
    before, machine = way.cpu(), machine_seconds()
    count, took, errors = way.load(load.name, seconds, load.size)
    after, machine = way.cpu(), machine_seconds() - machine
    user, system = after.user - before.user, after.system - before.system
    count = count or float("nan")
    return Sample(count / took, user / count, system / count, machine / count, int(errors))


def interleaved(ways: Sequence[Way], rounds: int) -> Iterator[Way]:
    """A B C, C B A, A B C, …"""
    for number in range(rounds):
        yield from ways if number % 2 == 0 else reversed(ways)


def compare(
    ways: Sequence[Way], loads: Sequence[Load], rounds: int, seconds: float
) -> dict[tuple[Load, str], Sample]:
    """The medians of all rounds, for each load and way."""
    samples: dict[tuple[Load, str], list[Sample]] = {}
    for load in loads:
        able = [way for way in ways if load.protocol in way.protocols]
        for way in interleaved(able, rounds):
            samples.setdefault((load, way.name), []).append(measure(way, load, seconds))
    return {
        (load, way): middle(taken)._replace(
            ratio=ratio(taken, samples.get((load, PEERS[load.protocol]), ())),
            before=ratio(taken, samples.get((load, Before.name), ())),
        )
        for (load, way), taken in samples.items()
    }


def ratio(samples: Sequence[Sample], peer: Sequence[Sample]) -> float:
    """
    The median of the ratios of each round: what else the machine has to do changes from round
    to round, and hits both.
    """
    ratios = [one.cpu / other.cpu for one, other in zip(samples, peer, strict=False) if other.cpu]
    ratios = [each for each in ratios if each == each]  # not of a round in which nothing passed
    return median(ratios) if ratios else 0.0


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure; the sum of the errors."""
    rate, user, system, machine, errors, _, _ = zip(*samples, strict=True)
    return Sample(median(rate), median(user), median(system), median(machine), sum(errors))
