"""
What honest clients notice of a flood of forged SYNs.

    sudo python -m bench.flood

Connections through a gateway that has never seen a flood, and through one that gets 2,000 SYNs a
second from one host, take turns, with the kernel's settings as they are by default. Told are how
many work, and for the time until the client is connected, and until it has heard what the server
says first, the medians and their ratio. (The target: all work, and both ratios are at most 1.3.)

The flood is a process of its own: in ours it would have the client wait for the interpreter. And
there are two gateways, since the queue of one that was flooded is full for another minute.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from attrs import define, field

from gateway.lab.network import SERVER
from tests.netns.case import hear
from tests.netns.flood import RATE, Flood
from tests.netns.packets import raw
from tests.netns.scene import Scene
from tests.netns.test_flood import FORGED, PORT, FloodTests, IptablesFloodTests

ROUNDS = 10
EACH = 20
"""Connections in each round."""

REST = 0.02
"""Seconds from one connection to the next."""

GREETING = b"greeting"


@define
class Times:
    """Seconds that connections took."""

    connected: list[float] = field(factory=list)
    heard: list[float] = field(factory=list)


def main() -> None:
    """Measure, and print."""
    for backend, kind in (("nftables", FloodTests), ("iptables", IptablesFloodTests)):
        print(f"{backend}: {measured(kind)}", flush=True)


def measured(kind: type[FloodTests]) -> str:
    """With two gateways, and what they do."""
    quiet, flooded = (kind("test_honest_connections") for _ in range(2))
    try:
        for case in (quiet, flooded):
            case.scene = Scene()
            case.prepare()
            case.begin()
            case.listener = case.listen(PORT)
            measure(case, Times())
        return told(quiet, flooded)
    finally:
        for case in (quiet, flooded):
            case.doCleanups()
            case.scene.remove()


def told(quiet: FloodTests, flooded: FloodTests) -> str:
    """Without, and with."""
    without, under = Times(), Times()
    for turn in range(ROUNDS):
        # each goes first as often as the other
        for with_flood in (bool(turn % 2), not turn % 2):
            if with_flood:
                with flood(flooded):
                    measure(flooded, under)
            else:
                measure(quiet, without)
    return "\n  ".join(
        (
            f"{len(under.heard)} of {ROUNDS * EACH} work under {RATE} forged SYNs a second; "
            f"cookies sent: {flooded.cookies()}",
            compared("connected", without.connected, under.connected),
            compared("heard the server's greeting", without.heard, under.heard),
        )
    )


def compared(what: str, without: Sequence[float], under: Sequence[float]) -> str:
    """Two medians, and their ratio."""
    return (
        f"{what} after {median(without) * 1e6:.0f} µs without, {median(under) * 1e6:.0f} µs with: "
        f"{median(under) / median(without):.2f} times"
    )


@contextmanager
def flood(case: FloodTests) -> Iterator[None]:
    """As long as the C{with} statement runs; it has filled the queue when that begins."""
    ours = raw(case.client, FORGED, whole=True)
    process = multiprocessing.get_context("fork").Process(
        target=Flood(ours, FORGED, (SERVER, PORT), 60.0).run, daemon=True
    )
    before = case.cookies()
    process.start()
    ours.close()
    try:
        case.wait(lambda: case.cookies() > before + RATE / 10, "no flood", 20)
        yield
    finally:
        process.terminate()
        process.join()


def measure(case: FloodTests, times: Times) -> None:
    """Some connections, one after the other."""
    for _ in range(EACH):
        begin = time.perf_counter()
        ours = case.dial((SERVER, PORT))
        connected = time.perf_counter() - begin
        theirs, _ = case.accept(case.listener)
        theirs.sendall(GREETING)
        if hear(ours, len(GREETING)) == GREETING:
            times.connected.append(connected)
            times.heard.append(time.perf_counter() - begin)
        theirs.close()
        ours.close()
        time.sleep(REST)


if __name__ == "__main__":
    main()
