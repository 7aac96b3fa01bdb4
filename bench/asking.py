"""
What it costs to ask a gateway with very many sessions, and how long the answers take.

    sudo python -m bench.asking [--sessions 20000] [--workers 4] [--seconds 20]

Idle sessions, spread over all workers. First nobody asks; then somebody asks for the status every
second; then for all sessions, sorted by rate, as often as he gets an answer on one connection,
which is what C{tproxygw top} does (also before that is measured, since half a second is saved up
for who asks seldom). Told are the times of the answers, and the CPU time of each of the gateway's
processes beyond what it takes when nobody asks, as a share of all time: so much traffic loses,
where a processor is busy with it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from bench.table import table
from bench.upgrade import PATIENCE, WORD, begun, nonblocking, server
from bench.usage import family
from gateway.control.client import Client
from tests.netns.case import RELAY
from tests.netns.scene import Scene

EACH = 5000
"""Sessions of one process of the load."""

GATEWAY = "[workers]\ncount = {workers}\n[limits]\nsessions = {sessions}\nsessions_per_client = 0\n"

ALL = {"sort": "rate", "limit": 100}


def hold(orders: Connection, count: int) -> None:
    """Have so many sessions, in which something was said once, until the end of the orders."""
    held = []
    for number in range(count):
        ours = nonblocking(number)
        ours.settimeout(PATIENCE)
        ours.send(WORD)
        ours.recv(len(WORD))
        held.append(ours)
    orders.send(len(held))
    with suppress(EOFError):
        orders.recv()


class Asked:
    """A gateway that is asked."""

    def __init__(self, scene: Scene, sessions: int, workers: int, seconds: float) -> None:
        self._scene = scene
        self._sessions = sessions
        self._workers = workers
        self._seconds = seconds

    def run(self) -> str:
        """Ask, and tell."""
        self._begin()
        rows = []
        idle = self._measured(lambda: time.sleep(1.0))[1]
        self._control = Client(self._scene.daemon.control)
        for what, ask, rest in (
            ("all sessions by rate, by somebody new every 15 s", self._once, 15.0),
            ("status, every second", self._status, 1.0),
            ("all sessions by rate, all the time", self._all, 0.0),
        ):
            if not rest:
                self._measured(ask)
            times, used = self._measured(ask, rest)
            shares = {name: used[name] - idle.get(name, 0.0) for name in used}
            workers = [share for name, share in shares.items() if "-w" in name]
            rows.append(
                [
                    what,
                    str(len(times)),
                    f"{min(times) * 1e3:.0f}",
                    f"{median(times) * 1e3:.0f}",
                    f"{max(times) * 1e3:.0f}",
                    f"{max(workers):.2%}",
                    f"{sum(shares.values()) - sum(workers):.2%}",
                ]
            )
        head = ("asked", "answers", "ms, least", "median", "most", "of a worker", "of the others")
        about = (
            f"{self._sessions:,} sessions of {self._workers} workers, {os.cpu_count()} processors, "
            f"load {os.getloadavg()[0]:.0f}"
        )
        return f"{about}\n\n{table(head, rows)}"

    def _begin(self) -> None:
        scene = self._scene
        scene.configure(
            {"relay": RELAY}, GATEWAY.format(workers=self._workers, sessions=self._sessions + 100)
        )
        scene.network.client.run("ip", "route", "add", "local", "10.1.3.0/24", "dev", "lo")
        server(scene.network.server, self._sessions // EACH + 1)
        scene.daemon.start(60)
        self._holding = []
        for first in range(0, self._sessions, EACH):
            orders = begun(scene.network.client, hold, min(EACH, self._sessions - first))
            self._holding.append(orders)
        for orders in self._holding:
            orders.recv()

    def _measured(
        self, do: Callable[[], object], rest: float = 0.0
    ) -> tuple[list[float], dict[str, float]]:
        """Seconds of each, and what share of the time each process has used."""
        before, began = self._used(), time.monotonic()
        times = []
        while time.monotonic() < began + self._seconds:
            asked = time.monotonic()
            do()
            times.append(time.monotonic() - asked)
            time.sleep(rest)
        took, after = time.monotonic() - began, self._used()
        return times, {name: (after[name] - before.get(name, 0.0)) / took for name in after}

    def _used(self) -> dict[str, float]:
        """Seconds of CPU of each process, by name and number."""
        used = {}
        for process in family(self._scene.daemon.pid):
            folder = Path(f"/proc/{process}")
            tasks = [int(each.read_text().split()[0]) for each in folder.glob("task/*/schedstat")]
            name = (folder / "comm").read_text().strip()
            used[f"{name} {process}"] = sum(tasks) / 1e9
        return used

    def _status(self) -> None:
        self._check(self._control.ask("status"))

    def _once(self) -> None:
        self._control.close()
        self._control = Client(self._scene.daemon.control)
        self._all()

    def _all(self) -> None:
        answer = self._control.ask("sessions", **ALL)
        self._check(answer)
        if answer["found"] < self._sessions:
            raise RuntimeError(f"only {answer['found']} are told of")

    def _check(self, answer: dict[str, Any]) -> None:
        if answer.get("problem"):
            raise RuntimeError(answer["problem"])


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.asking")
    parser.add_argument("--sessions", type=int, default=20000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    multiprocessing.set_start_method("fork")
    scene = Scene()
    try:
        print(Asked(scene, arguments.sessions, arguments.workers, arguments.seconds).run())
    finally:
        scene.remove()
    sys.exit()


if __name__ == "__main__":
    main()
