"""
Scripts that are run by a fork of this process: what they import is there already.

A process of its own needs longer to import what a script of the gateway's needs than the script
itself does.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import NoReturn

import pyroute2  # noqa: F401

import gateway.kernel.doctor.examine
import gateway.kernel.keeper
import gateway.kernel.lastgood
import gateway.policy.load
import gateway.registry  # noqa: F401
import tests.kernel.policies  # noqa: F401
from gateway.lab.namespace import Namespace


def run(namespace: Namespace, script: str, arguments: tuple[str, ...], seconds: float) -> str:
    """
    What C{script} writes, in C{namespace}, until it and all that it has started have ended.

    @raise AssertionError: it failed, or took longer than C{seconds}.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _be(lambda: _run(namespace, script, arguments), writing)
    os.close(writing)
    try:
        output, over = _read(reading, seconds)
    finally:
        os.close(reading)
    if not over:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if status or not over:
        raise AssertionError(f"{output}{'' if over else f'it took more than {seconds} seconds'}")
    return output


def _read(reading: int, seconds: float) -> tuple[str, bool]:
    """What there is to be read, and whether that was all."""
    parts, end = [], monotonic() + seconds
    while (left := end - monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 65536)
            if not part:
                break
            parts.append(part)
    return b"".join(parts).decode(), left > 0


def _be(do: Callable[[], object], writing: int) -> NoReturn:
    """Be the child, with nothing of its parent's that a process of its own would not have."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((nothing, writing, writing)):
            os.dup2(descriptor, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w", 1)
        sys.stderr = os.fdopen(2, "w", 1)
        os.chdir("/")
        do()
        sys.stdout.flush()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        sys.stdout.flush()
        traceback.print_exc()
    finally:
        os._exit(status)


def _run(namespace: Namespace, script: str, arguments: tuple[str, ...]) -> None:
    sys.argv = ["-c", *arguments]
    program = compile(script, "<script>", "exec")
    own = network()
    namespace.enter()
    if network() == own:
        raise AssertionError("this is still the network of the tests themselves")
    exec(program, {"__name__": "__main__"})


def network() -> Path:
    """Which network this thread is in."""
    return Path("/proc/thread-self/ns/net").readlink()
