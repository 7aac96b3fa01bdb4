"""
Succession: this process becomes another program, that of the code which is installed now.

It keeps its number, its children and the descriptors that it leaves to itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from gateway.kernel.capabilities import TRAFFIC, given

HELD = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
"""Signals that would end a program which does not take them yet: they wait meanwhile."""

TWISTD = "twistd"


class NoSuccessor(Exception):
    """This process can't become another program; the message is for the operator."""


def command(options: Any, arguments: Sequence[str]) -> list[str]:
    """
    The command line of the successor.

    @param options: those of C{twistd}.
    @param arguments: ours, with the interpreter's.
    @raise NoSuccessor: it is not known how this process was started.
    """
    at = next((index for index, each in enumerate(arguments) if Path(each).name == TWISTD), 0)
    if not at:
        raise NoSuccessor(f"this process was not started as {TWISTD}")
    more = [] if options.get("nodaemon") else ["--nodaemon", *_where_to(options)]
    return [*arguments[: at + 1], *more, *arguments[at + 1 :]]


def _where_to(options: Any) -> list[str]:
    """A process in the background has no standard output: its log goes where it has gone."""
    elsewhere = options.get("logfile") or options.get("syslog") or options.get("logger")
    return [] if elsewhere else ["--logfile", "twistd.log"]


def succeed(options: Any, started: Sequence[str], folder: str, left: dict[str, str]) -> NoReturn:
    """
    Become it.

    @param started: the L{command}.
    @param folder: where this process was started.
    @param left: environment variables that tell what is left.
    """
    if options.get("pidfile"):
        Path(options["pidfile"]).unlink(missing_ok=True)  # twistd would take us for another one
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    os.chdir(folder)
    with given(TRAFFIC):
        os.execve(sys.executable, [sys.executable, *started[1:]], {**os.environ, **left})


def hear_again() -> None:
    """The signals that have waited are taken now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
