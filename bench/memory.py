"""What sessions cost in memory: many that are idle, and one whose receiver does not read."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from bench.server import raise_descriptor_limit
from bench.table import size, table
from bench.usage import resident_bytes
from bench.ways import Way

SESSIONS = 10_000
TLS_SESSIONS = 1000
STUCK_SECONDS = 3.0

SPARE = 300
"""Descriptors that the gateway keeps for other things than sessions, and some more."""


def idle_sessions() -> int:
    """
    As many sessions as are asked for, or as the descriptors of one process
    allow: two for each, and some for everything else.
    """
    return min(SESSIONS, (raise_descriptor_limit() - SPARE) // 2)


def idle(kinds: Iterable[tuple[str, str, int, AbstractContextManager[Sequence[Way]]]]) -> str:
    """
    Resident memory with many idle sessions, each after one exchange.

    @param kinds: what they are, the load that makes them, how many, and a way of their own: what
        others have left would be used again.
    """
    head = ("idle sessions", "", "before", "with them", "each", "failed")
    return table(head, [_idle(*kind) for kind in kinds])


def _idle(
    kind: str, load: str, wanted: int, starting: AbstractContextManager[Sequence[Way]]
) -> list[str]:
    with starting as (way,):
        before = resident(way)
        with held(way, load, 0, wanted) as (count, _, errors):
            after = resident(way)
    each = (after - before) / max(count, 1)
    return [kind, f"{count:,.0f}", size(before), size(after), size(each), f"{errors:.0f}"]


def backlog(way: Way) -> str:
    """Growth of resident memory while 1 GiB is sent to a server that never reads."""
    before = resident(way)
    with held(way, "stuck", STUCK_SECONDS, 1) as (taken, _, _):
        growth = resident(way) - before
    return table(
        ("1 GiB to a receiver that does not read", "sent before it stalled", "memory grew by"),
        [["", size(taken * 2**30), size(growth)]],
    )


def resident(way: Way) -> float:
    """Resident memory of the way's processes, in bytes, once things have settled."""
    time.sleep(0.5)
    return resident_bytes(way.process.pid) if way.process else 0


@contextlib.contextmanager
def held(way: Way, load: str, seconds: float, count: int) -> Iterator[list[float]]:
    """A load that has done what it does and is kept as it is until the end of the block."""
    client = way.begin(load, seconds, count)
    assert client.stdout is not None
    try:
        line = client.stdout.readline()
        if not line:
            raise RuntimeError(f"{load}: failed; its traceback is above")
        yield json.loads(line)
    finally:
        client.communicate(timeout=60)
