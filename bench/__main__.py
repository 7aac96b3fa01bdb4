"""C{python -m bench [WHAT ...]}: everything, or what is named. Needs to be root."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import decide, handshake, memory, workers
from bench.network import network
from bench.peers import ways
from bench.rounds import LOADS, Load, compare, named
from bench.table import comparison
from bench.ways import Before, Gateway, Way

BEGIN, END = "<!-- made by make bench -->", "<!-- end -->"

WHAT = (*LOADS, "handshake", "workers", "memory", "backlog", "decide")


def main() -> None:
    """Measure, and print tables."""
    arguments = parser().parse_args()
    what = arguments.what or WHAT
    if set(what) - {"decide"} and os.geteuid():
        sys.exit("bench: network namespaces need root")
    said = [machine(arguments)]
    print(said[0], flush=True)
    for told in measured(what, arguments):
        print(f"\n{told}", flush=True)
        said.append(told)
    if arguments.write:
        write(arguments.write, "\n\n".join(said))


def machine(arguments: argparse.Namespace) -> str:
    """Where and how this was measured."""
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {kernel}, {os.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, {arguments.rounds} rounds of {arguments.seconds:g} s. "
        "Compare figures of one run only: absolute ones mean nothing."
    )


def measured(what: Sequence[str], arguments: argparse.Namespace) -> Iterator[str]:
    """Table after table."""
    loads = [load for name in what for load in named(name)]
    if loads:
        yield traffic(loads, arguments)
    if "handshake" in what:
        with started(handshake.WAYS) as running:
            yield handshake.compared(running, arguments.rounds, arguments.seconds)
    if "workers" in what:
        with started(workers.WAYS) as running:
            yield workers.compared(running, arguments.rounds, arguments.seconds)
    for name in what:
        if name in MEASURED:
            yield MEASURED[name]()


def write(page: Path, said: str) -> None:
    """Put it between the two marks of a page, in place of what is there."""
    text = page.read_text()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    page.write_text(f"{text[:before]}\n\n{said}\n\n{text[after:]}")


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("what", nargs="*", type=measurable, metavar="WHAT", help=", ".join(WHAT))
    made.add_argument("--rounds", type=int, default=3, help="rounds of each (default: 3)")
    made.add_argument("--seconds", type=float, default=3, help="length of a round (default: 3)")
    made.add_argument("--write", type=Path, metavar="PAGE", help="put the tables in this page")
    made.add_argument(
        "--before", type=Path, metavar="DIR", help="a checkout of an earlier version, to compare"
    )
    made.add_argument("--without", action="append", default=[], help="leave out this way")
    return made


def measurable(name: str) -> str:
    """
    One of the names in L{WHAT}, or a single load's.

    @raise argparse.ArgumentTypeError: it is none.
    """
    if name not in WHAT and not named(name):
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(WHAT)}")
    return name


def traffic(loads: Sequence[Load], arguments: argparse.Namespace) -> str:
    """All ways under some loads, side by side."""
    protocols = {load.protocol for load in loads}
    chosen = [
        way
        for way in (*ways(), *earlier(arguments))
        if way.name not in arguments.without and protocols.intersection(way.protocols)
    ]
    with started(chosen) as running:
        samples = compare(running, loads, arguments.rounds, arguments.seconds)
    return comparison(samples)


def earlier(arguments: argparse.Namespace) -> Sequence[type[Way]]:
    """The earlier version, if there is one to compare with."""
    if arguments.before is None:
        return ()
    Before.checkout = arguments.before.resolve()
    return (Before,)


def idle() -> str:
    """Memory of idle sessions."""
    return memory.idle(
        (
            ("relayed", "idle", memory.idle_sessions(), started([Gateway])),
            ("TLS, looked into", "tls-idle", memory.TLS_SESSIONS, started([Gateway])),
        )
    )


def backlog() -> str:
    """Memory of one session that is stuck."""
    with started([Gateway]) as (way,):
        return memory.backlog(way)


MEASURED = {"memory": idle, "backlog": backlog, "decide": decide.measured}


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
