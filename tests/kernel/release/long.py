"""
A long run of the stress, and the same sessions without a release, for figures.

    python -m tests.kernel.release.long ROUNDS [SESSIONS [FIRST_SEED]]

Two packets of a hundred are lost at both ends in both directions, beside a strict firewall. Each
round is one seed: a released and an unreleased run of the same sessions. Silences depend on the
machine and on chance, so what is told of them is for a reader to judge.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from typing import Any

from tests.kernel.release.scene import FIREWALL, Told, lose, scene

AT_ONCE = 30
MOST = 1_000_000
"""Bytes each way."""

NEVER = 1e9


def run(sessions: int, seed: int, seconds: float) -> Told:
    """One run."""
    with scene(FIREWALL) as made:
        lose(made.ways, 20)
        return made.stress(sessions, AT_ONCE, MOST, seed, lasting=0, seconds=seconds)


def silences(told: list[dict[str, Any]]) -> dict[str, list[float]]:
    """By kind of traffic, the shortest first."""
    found = defaultdict(list)
    for each in told:
        found[each["kind"]].append(each["silence"])
    return {kind: sorted(each) for kind, each in sorted(found.items())}


def main() -> None:
    """Run, and print."""
    rounds, sessions, first = map(int, (*sys.argv[1:], *("1", "500", "1")[len(sys.argv) - 1 :]))
    every: dict[str, list[dict[str, Any]]] = {"released": [], "user space": []}
    released = faults = 0
    for seed in range(first, first + rounds):
        for name, seconds in (("released", 0.1), ("user space", NEVER)):
            told = run(sessions, seed, seconds)
            every[name] += told.sessions
            faults += len(told.faults)
            released += told.released
            print(
                f"seed {seed}, {name}: {len(told.sessions)} sessions, {told.released} released, "
                f"{len(told.faults)} bad {told.faults[:2] or ''}, overlap {told.relay['overlap']}, "
                f"at most {told.relay['longest']}; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    print(f"{len(every['released'])} sessions, {released} released, {faults} bad in all")
    for name, told_of in every.items():
        for kind, each in silences(told_of).items():
            at = [each[int(share * (len(each) - 1))] for share in (0.5, 0.9, 0.99, 1)]
            print(f"{name}, {kind}: silence median, p90, p99, longest: {at}")


if __name__ == "__main__":
    main()
