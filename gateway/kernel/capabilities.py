"""
Capabilities: which of root's powers this process keeps.

Installing rules needs CAP_NET_ADMIN (the keeper has it). Handling traffic needs
CAP_NET_RAW for transparent sockets and socket marks, and CAP_NET_BIND_SERVICE for
clients' ports below 1024. See capabilities(7).

Capabilities belong to threads. Drop them before any thread is started.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from errno import EPERM

TRAFFIC = frozenset({"CAP_NET_RAW", "CAP_NET_BIND_SERVICE"})
"""What the process that handles traffic needs."""

NUMBERS = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SETPCAP": 8,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Those that matter here, from linux/capability.h."""

_VERSION_3 = 0x20080522
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_LAST = 63


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Half(ctypes.Structure):
    """One half (32) of the three sets of capabilities."""

    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


_Halves = _Half * 2


def keep_through_setuid() -> None:
    """
    Let the following change of user leave the permitted capabilities alone.
    They are not in force after it, until L{drop_to} is called.
    """
    _check(_libc().prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))


def drop_to(names: Collection[str]) -> None:
    """
    Keep those of C{names} that are permitted, in force, and give up all
    others for ever, also for programs that this process starts.

    @raise PermissionError: some of C{names} aren't permitted, so they can't be kept.
    """
    kept = _bits(names)
    permitted = _get()[0].permitted | _get()[1].permitted << 32
    if kept & ~permitted:
        raise PermissionError(EPERM, f"not permitted: {', '.join(_names(kept & ~permitted))}")
    _drop_bounding(kept)
    _set(kept)
    _check(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


@contextmanager
def given(names: Collection[str]) -> Iterator[None]:
    """
    Let programs that this thread starts meanwhile have C{names}, whoever they are. They must be
    permitted and inheritable, as they are after L{drop_to}.
    """
    for name in names:
        _check(_libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, NUMBERS[name], 0, 0))
    try:
        yield
    finally:
        _check(_libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))


@contextmanager
def without(names: Collection[str]) -> Iterator[None]:
    """Meanwhile C{names} are not in force in this thread, though they stay permitted."""
    halves = _get()
    permitted = halves[0].permitted | halves[1].permitted << 32
    _set(permitted, permitted & ~_bits(names))
    try:
        yield
    finally:
        _set(permitted)


def missing(names: Collection[str] = TRAFFIC) -> list[str]:
    """Those of C{names} that are not in force, sorted."""
    halves = _get()
    effective = halves[0].effective | halves[1].effective << 32
    return sorted(_names(_bits(names) & ~effective))


def _bits(names: Collection[str]) -> int:
    return sum(1 << NUMBERS[name] for name in set(names))


def _names(bits: int) -> list[str]:
    return [name for name, number in NUMBERS.items() if bits >> number & 1]


def _drop_bounding(kept: int) -> None:
    """Let no program that root starts gain more than C{kept}. Only root can do that."""
    if missing({"CAP_SETPCAP"}):
        return
    for number in range(_LAST + 1):
        if not kept >> number & 1 and _libc().prctl(_PR_CAPBSET_DROP, number, 0, 0, 0):
            # the first number that this kernel doesn't know
            break


def _get() -> ctypes.Array[_Half]:
    """The capabilities of this thread."""
    halves = _Halves()
    _check(_libc().capget(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(halves)))
    return halves


def _set(kept: int, in_force: int | None = None) -> None:
    """
    Make C{kept} the permitted and inheritable capabilities of this thread, and the effective ones
    unless C{in_force} says which.
    """
    effective = kept if in_force is None else in_force
    halves = _Halves(
        *(
            _Half(effective >> shift & 0xFFFFFFFF, *[kept >> shift & 0xFFFFFFFF] * 2)
            for shift in (0, 32)
        )
    )
    _check(_libc().capset(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(halves)))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
