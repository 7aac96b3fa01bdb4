"""
What deciding costs, with few rules and with many.

Deciding is a lookup in every dimension (L{gateway.policy.classifier}), so the
time should hardly grow with the number of rules and networks.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from bench.table import duration, size, table
from bench.usage import resident_bytes
from gateway.interfaces import Address
from gateway.policy.connection import Connection
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.zone import Network

Result = TypeVar("Result")

CONNECTIONS = 20_000
SIZES = ((10, 10), (1_000, 10), (10_000, 10))
"""Numbers of rules, and of networks in each."""

HEAD = ("rules", "networks", "one decision", "x the first", "building the policy", "memory")


def measured() -> str:
    """Deciding and building, for each size."""
    rows, base = [], 0.0
    for count, networks in SIZES:
        rules = made(count, networks)
        before = resident_bytes(os.getpid())
        build, policy = timed(partial(Policy, rules=rules))
        memory = resident_bytes(os.getpid()) - before
        each = per_decision(policy, rules)
        base = base or each
        rows.append(
            [
                f"{count:,}",
                f"{count * networks:,}",
                duration(each),
                f"{each / base:.2f}",
                duration(build),
                size(memory),
            ]
        )
    return table(HEAD, rows)


def made(count: int, networks: int) -> tuple[Rule, ...]:
    """
    C{count} rules with C{networks} source networks each, of both families, and some ports.

    The networks of one rule lie scattered among those of all others.
    """
    rules = []
    for number in range(count):
        sources = tuple(source(number + offset * count) for offset in range(networks))
        port = 1 + number % 1000
        rules.append(Rule(f"service{number}", sources, ports=((port, port + 10),)))
    return tuple(rules)


def source(number: int) -> Network:
    """A network of its own for every number."""
    if number % 4 == 0:
        return IPv6Network(((0xFD << 120) + (number << 64), 64))
    return IPv4Network(((10 << 24) + (number << 7), 25))


def per_decision(policy: Policy, rules: tuple[Rule, ...]) -> float:
    """Seconds for one decision: half of the connections match a rule, half do not."""
    chance = random.Random(1)
    asked = [connection(chance, chance.choice(rules)) for _ in range(CONNECTIONS)]
    look_up = policy.classifier.look_up
    took, _ = timed(lambda: [look_up(one) for one in asked])
    return took / CONNECTIONS


def connection(chance: random.Random, rule: Rule) -> Connection:
    """One that matches C{rule}, or, every other time, one that asks for another port."""
    network = chance.choice(rule.sources)
    host = str(network[chance.randrange(1, 100)])
    port = rule.ports[0][0] if chance.random() < 0.5 else 60000
    server = "2001:db8::1" if network.version == 6 else "198.51.100.1"
    return Connection(Address(host, 40000), Address(server, port))


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that C{work} takes, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result
