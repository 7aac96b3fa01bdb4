"""
How long a router is open after somebody else has removed the gateway's rules.

    sudo python -m bench.flush

Where the table can't be owned: on Linux before 6.9, with C{owned = false}, or with iptables. A
client asks every other millisecond, and what reaches the server without the gateway is counted.
Told is for how long, from the first such connection to the last, in the median and at most. (The
target: at most 100 ms.)
"""

from __future__ import annotations

from statistics import median

from tests.netns.probes import Probes
from tests.netns.scene import Scene
from tests.netns.test_flush import IptablesToldTests, ToldTests

ROUNDS = 20


def main() -> None:
    """Measure, and print."""
    for backend, kind in (("nftables", ToldTests), ("iptables", IptablesToldTests)):
        found = sorted(seconds * 1e3 for seconds in opened(kind("test_flush")))
        print(
            f"{backend}: {' '.join(kind.flush)}: open for {median(found):.0f} ms, at most "
            f"{found[-1]:.0f} ms, {ROUNDS} times",
            flush=True,
        )


def opened(case: ToldTests) -> list[float]:
    """Seconds, for each time."""
    case.scene = Scene()
    try:
        case.prepare()
        case.begin()
        with Probes(case.client, case.server) as probes:
            return [once(case, probes) for _ in range(ROUNDS)]
    finally:
        case.doCleanups()
        case.scene.remove()


def once(case: ToldTests, probes: Probes) -> float:
    """Seconds."""
    case.until_inspected(probes)
    probes.reached.clear()
    case.router.run(*case.flush)
    case.until_inspected(probes)
    return probes.open_seconds


if __name__ == "__main__":
    main()
