"""
What honest clients notice of a flood of forged SYNs.

    sudo python -m bench.flood

A hundred connections without a flood, then a hundred under 2,000 SYNs a second from one host, with
the kernel's settings as they are by default: how many work, and the ratio of the medians of
their connect times. (The target: all, and at most 1.3.)
"""

from __future__ import annotations

import time
from statistics import median

from gateway.lab.network import SERVER
from tests.netns.flood import SECONDS, Flood
from tests.netns.packets import raw
from tests.netns.scene import Scene
from tests.netns.test_flood import FORGED, HONEST, PORT, FloodTests


def main() -> None:
    """Measure, and print."""
    case = FloodTests("test_honest_connections")
    case.scene = Scene()
    try:
        case.prepare()
        case.begin()
        print(told(case))
    finally:
        case.doCleanups()
        case.scene.remove()


def told(case: FloodTests) -> str:
    """Without, and with."""
    case.listener = case.listen(PORT)
    quiet = connects(case)
    ours = raw(case.client, FORGED, whole=True)
    flood = Flood(ours, FORGED, (SERVER, PORT), SECONDS + 1)
    flood.start()
    time.sleep(1)
    loud = connects(case)
    flood.join()
    ours.close()
    return (
        f"{len(loud)} of {HONEST} work under {flood.sent} forged SYNs; connect, median: "
        f"{median(quiet) * 1e6:.0f} µs without, {median(loud) * 1e6:.0f} µs with: "
        f"{median(loud) / median(quiet):.2f} times; cookies sent: {case.cookies()}"
    )


def connects(case: FloodTests) -> list[float]:
    """The seconds that each connection took to be made, of those that work."""
    found = []
    for _ in range(HONEST):
        begin = time.perf_counter()
        ours = case.dial((SERVER, PORT))
        found.append(time.perf_counter() - begin)
        case.accept(case.listener)[0].close()
        ours.close()
        time.sleep(SECONDS / HONEST / 2)
    return found


if __name__ == "__main__":
    main()
