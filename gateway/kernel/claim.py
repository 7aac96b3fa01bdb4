"""
The Claim: who may use which port, mark and table in this network namespace.

A claim is a number of abstract unix sockets. The kernel lets each name be bound
once in a network namespace, and frees it when the process ends, however it
ends: there is nothing to clean up and nothing to go stale. (Names are not
protected: a local user can take one, which keeps a gateway from starting with a
message that says so, and does no other harm.)
"""

from __future__ import annotations

import socket
from errno import EADDRINUSE
from pathlib import Path

from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.filter.ruleset import Ruleset

_PREFIX = "tproxygw"


class Claim:
    """What this process has claimed."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def take(self, ruleset: Ruleset) -> None:
        """
        Claim what C{ruleset} uses, and give up what a former one used: all of
        it or, if something is taken, no change.

        @raise Taken: another instance uses some of it.
        """
        names = claims(ruleset)
        taken = {name: _bound(name) for name in sorted(names - self._sockets.keys())}
        missing = [name for name, claimed in taken.items() if claimed is None]
        got = {name: claimed for name, claimed in taken.items() if claimed is not None}
        if missing:
            _close(got)
            raise Taken(_explained(missing))
        unused = {name: s for name, s in self._sockets.items() if name not in names}
        self._sockets = {n: s for n, s in self._sockets.items() if n in names} | got
        _close(unused)

    def restore(self, former: Ruleset | None) -> None:
        """Go back to what was claimed before L{take}."""
        if former is None:
            self.release()
        else:
            self.take(former)

    def release(self) -> None:
        """Give everything up."""
        _close(self._sockets)
        self._sockets = {}


def claims(ruleset: Ruleset) -> set[str]:
    """The names of everything that C{ruleset} uses and that can't be shared."""
    divert = ruleset.divert
    bits = (1 << bit for bit in range(32) if divert.mark.mask >> bit & 1)
    return (
        {f"port/{port}" for port in ruleset.ports}
        | {f"mark/{bit:#x}" for bit in bits}
        | {f"table/{divert.table}"}
    )


def held() -> set[str]:
    """Everything that some process in this network namespace has claimed."""
    mark = f" @{_PREFIX}/"
    lines = Path("/proc/net/unix").read_text().splitlines()
    return {line.partition(mark)[2] for line in lines if mark in line}


def _bound(name: str) -> socket.socket | None:
    """A socket that holds C{name}, or C{None} if somebody else does."""
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claimed.bind(f"\0{_PREFIX}/{name}")
    except OSError as error:
        claimed.close()
        if error.errno == EADDRINUSE:
            return None
        raise KernelError(f"can't claim {name}: {error}") from error
    return claimed


def _close(sockets: dict[str, socket.socket]) -> None:
    for claimed in sockets.values():
        claimed.close()


def _explained(missing: list[str]) -> str:
    what = ", ".join(f"divert.{key} {value}" for key, value in (m.split("/", 1) for m in missing))
    return (
        f"another gateway in this network namespace uses {what}; stop it, or give this one "
        "its own port, mark and table in the [divert] table of gateway.toml"
    )
