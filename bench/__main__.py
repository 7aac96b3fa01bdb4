"""C{python -m bench [WHAT ...]}: everything, or what is named. Needs to be root."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import decide, memory
from bench.network import network
from bench.peers import ways
from bench.rounds import LOADS, Load, compare
from bench.table import comparison
from bench.ways import Gateway, Way

WHAT = (*LOADS, "memory", "backlog", "decide")


def main() -> None:
    """Measure, and print tables."""
    arguments = parser().parse_args()
    what = arguments.what or WHAT
    if set(what) - {"decide"} and os.geteuid():
        sys.exit("bench: network namespaces need root")
    print(
        f"Linux {platform.release()}, {os.cpu_count()} CPUs, Python {platform.python_version()}. "
        "Compare figures of one run only: absolute ones mean nothing."
    )
    loads = [load for name in what for load in LOADS.get(name, ())]
    if loads:
        traffic(loads, arguments)
    for name in what:
        if name in MEASURED:
            MEASURED[name]()


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("what", nargs="*", type=measurable, metavar="WHAT", help=", ".join(WHAT))
    made.add_argument("--rounds", type=int, default=3, help="rounds of each (default: 3)")
    made.add_argument("--seconds", type=float, default=3, help="length of a round (default: 3)")
    made.add_argument("--without", action="append", default=[], help="leave out this way")
    return made


def measurable(name: str) -> str:
    """
    One of the names in L{WHAT}.

    @raise argparse.ArgumentTypeError: it is none.
    """
    if name not in WHAT:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(WHAT)}")
    return name


def traffic(loads: Sequence[Load], arguments: argparse.Namespace) -> None:
    """All ways under some loads, side by side."""
    protocols = {load.protocol for load in loads}
    chosen = [
        way
        for way in ways()
        if way.name not in arguments.without and protocols.intersection(way.protocols)
    ]
    with started(chosen) as running:
        samples = compare(running, loads, arguments.rounds, arguments.seconds)
    print(f"\n{comparison(samples)}")


def idle() -> None:
    """Memory of idle sessions."""
    with started([Gateway]) as (way,):
        print(f"\n{memory.idle(way)}")


def backlog() -> None:
    """Memory of one session that is stuck."""
    with started([Gateway]) as (way,):
        print(f"\n{memory.backlog(way)}")


def deciding() -> None:
    """Time to decide."""
    print(f"\n{decide.measured()}")


MEASURED = {"memory": idle, "backlog": backlog, "decide": deciding}


@contextlib.contextmanager
def started(chosen: Sequence[type[Way]]) -> Iterator[list[Way]]:
    """Ways that run, each in a network of its own."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        running = []
        for way in chosen:
            made = stack.enter_context(network(f"bench{os.getpid()}{way.name}"))
            (folder / way.name).mkdir()
            running.append(way(made, folder / way.name, memory.idle_sessions()))
            stack.callback(running[-1].stop)
            running[-1].start()
        yield running


if __name__ == "__main__":
    main()
