"""
Sessions that the kernel has, beside sessions that it forwards, alternately in one run.

    sudo python -m bench.release [ROUNDS]

Each way keeps one connection; that of the gateway is the kernel's before anything is measured. Then
what it costs to release a session: many connections are there, and nothing else happens while the
gateway gives them to the kernel.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from bench.network import ROOT, SERVER_HOST, network
from bench.table import table
from bench.usage import cpu, family
from bench.ways import Released, Way

PORT = 7777
MEBIBYTES, EXCHANGES = 512, 4000
"""Of one round."""

MANY = 1000
"""Sessions that are released at once."""

SLOWEST = 0.95
"""Times the speed of forwarding."""

DEAREST = 150e-6
"""Seconds of CPU time, for one session's release."""

LARGEST = 1024
"""Bytes in the kernel, for one session."""

WAIT = 20.0
"""Seconds in which many connections are there, before the first is released."""


class Late(Released):
    """Sessions are released only after a while."""

    name = "late"

    @property
    def more(self) -> str:
        """What gateway.toml says beyond the others'."""
        return f"[release]\nkernel = true\nafter_seconds = {WAIT}\n"


class Talk:
    """A client and a server, of one way."""

    def __init__(self, way: Way, connections: int) -> None:
        self.way = way
        python = (sys.executable, "-m", "bench.lasting")
        self.server = self._start(way.network.server, *python, "server", str(PORT))
        client = ("client", SERVER_HOST, str(PORT), str(connections))
        self.client = self._start(way.network.client, *python, *client)

    def _start(self, host: str, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ("ip", "netns", "exec", host, *command),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def do(self, what: str, count: int) -> float:
        """Seconds that it takes."""
        assert self.client.stdin is not None and self.client.stdout is not None
        self.client.stdin.write(f"{what} {count}\n")
        self.client.stdin.flush()
        return float(self.client.stdout.readline())

    def sockets(self) -> int:
        """The gateway's connections."""
        states = ("state", "connected", "exclude", "time-wait")
        told = subprocess.run(
            ("ip", "netns", "exec", self.way.network.gateway, "ss", "-tnH", *states),
            capture_output=True,
            text=True,
            check=True,
        )
        return len(told.stdout.splitlines())

    def until_released(self) -> None:
        """The kernel has all of them."""
        until = time.monotonic() + 60
        while self.sockets():
            if time.monotonic() > until:
                raise RuntimeError("the kernel does not take them over")
            time.sleep(0.05)

    def stop(self) -> None:
        """End both."""
        for process in (self.client, self.server):
            process.kill()
            process.communicate()


@contextlib.contextmanager
def running(kind: type[Way], connections: int) -> Iterator[Talk]:
    """A way, with its network and its connections."""
    with tempfile.TemporaryDirectory() as folder, network(f"bench-{kind.name}") as made:
        way = kind(made, Path(folder), 20_000)
        try:
            way.start()
            talk = Talk(way, connections)
            try:
                yield talk
            finally:
                talk.stop()
        finally:
            way.stop()


def speeds(rounds: int) -> str:
    """A table: how fast both ways are, and what the gateway does meanwhile."""
    with running(Way, 1) as forwarded, running(Released, 1) as released:
        released.until_released()
        rows = []
        for what, count, unit in (
            ("bulk", MEBIBYTES, f"{MEBIBYTES} MiB"),
            ("exchanges", EXCHANGES, f"{EXCHANGES:,}"),
        ):
            seconds: dict[Talk, list[float]] = {forwarded: [], released: []}
            before = _cpu(released)
            for number in range(rounds):
                for talk in (forwarded, released) if number % 2 else (released, forwarded):
                    seconds[talk].append(talk.do(what, count))
            used = _cpu(released) - before
            pairs = zip(seconds[forwarded], seconds[released], strict=True)
            ratio = median(one / other for one, other in pairs)
            each = f"{used / rounds * 1e3:.1f} ms"
            middle = [f"{median(one):.2f} s" for one in seconds.values()]
            rows.append([what, unit, *middle, f"{ratio:.2f}", f">= {SLOWEST}", each])
    head = ("load", "round", "forwarding", "released", "speed", "target", "gateway's CPU")
    return table(head, rows)


def cost() -> str:
    """A table: what the release of one session costs, and what the kernel keeps of it."""
    with running(Late, 1) as talk:
        talk.until_released()
        kept = _kept(talk)
        asked, before = time.monotonic(), _cpu(talk)
        talk.do("more", MANY)
        begun = (_cpu(talk) - before) / MANY
        if time.monotonic() - asked > WAIT:
            raise RuntimeError("the machine is too busy: sessions are released in between")
        before = _cpu(talk)
        talk.until_released()
        used = (_cpu(talk) - before) / MANY
        bytes_each, left = (_kept(talk) - kept) / MANY, talk.sockets() / MANY
    rows = [
        ["sockets", f"{left:g}", "0"],
        ["CPU time of all processes", f"{used * 1e6:.0f} us", f"<= {DEAREST * 1e6:.0f} us"],
        ["(to begin a session, for comparison)", f"{begun * 1e6:.0f} us", ""],
        ["memory of maps", f"{bytes_each:.0f} bytes", f"<= {LARGEST} bytes"],
    ]
    return table((f"of one release ({MANY} at once)", "", "target"), rows)


def _cpu(talk: Talk) -> float:
    """Seconds, of the gateway and all that it has started."""
    assert talk.way.process is not None
    return sum(cpu(talk.way.process.pid))


def _kept(talk: Talk) -> int:
    """Bytes of maps, as the kernel says; arrays are as large as they will ever be."""
    assert talk.way.process is not None
    found: dict[str, int] = {}
    for process in family(talk.way.process.pid):
        for info in Path(f"/proc/{process}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                text = info.read_text()
                number = re.search(r"map_id:\s*(\d+)", text)
                size = re.search(r"memlock:\s*(\d+)", text)
                if number and size:
                    found[number[1]] = int(size[1])
    return sum(found.values())


def main() -> None:
    """Measure, and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    tables: tuple[Callable[[], str], ...] = (lambda: speeds(rounds), cost)
    for made in tables:
        before = os.getloadavg()[0]
        told = made()
        print(f"{told}\nThe load was {before:.1f} before, and {os.getloadavg()[0]:.1f} after.\n")


if __name__ == "__main__":
    main()
