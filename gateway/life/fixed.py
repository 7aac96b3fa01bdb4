"""
What a reload can't change, and why.

Ports, the mark of diverted packets, tables, the packet filter, the audit, metrics, the control
socket and the number of workers change in two phases: what is new is there before the kernel leads
to it, and what was there stays until nobody is led there any more. That is not possible with what
running sessions carry about with them, nor with what other processes were started with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.life.loaded import count_of
from gateway.policy.divert import Backend
from gateway.policy.document import read_document
from gateway.policy.folder import GATEWAY
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError, Problem

Change = tuple[str, tuple[str, ...], str]


class Fixed(NamedTuple):
    """Keys of a table in gateway.toml, and why they can't change."""

    table: str
    keys: tuple[str, ...]
    why: str


SOCKETS = Fixed(
    "divert",
    ("listener_mark", "upstream_mark"),
    "the sockets of running sessions carry the former mark, and the rules can know only one",
)

RELEASE = Fixed(
    "release",
    ("kernel", "sessions", "after_seconds", "forwarded_mark", "bare_mark"),
    "the carrier was started with it, and has sessions",
)

SIGNER = Fixed(
    "tls",
    ("root", "root_certificate", "certificates_per_second", "key_log", "certificates"),
    "the signer, which alone can read the keys, was started with it",
)

USHER = Fixed("handshake", (), "the usher was started with it")

PORT = Fixed(
    "divert",
    ("port",),
    "what other processes have of running sessions (the carrier, the usher) is called by it",
)

OTHERS_RULES = Fixed(
    "divert",
    ("port", "backend"),
    'with backend = "none" somebody else has the rules, and changes them at another moment',
)

WORKERS = Fixed(
    "workers",
    ("count",),
    "the process that twistd runs has either all of the traffic, or must never have had any",
)


def check_fixed(former: Policy, policy: Policy, directory: Path) -> None:
    """
    Check that C{policy} says the same of it as the C{former} one.

    @param directory: the configuration folder, for where it is written.
    @raise PolicyError: it doesn't; it says where, why, and what to do.
    @raise OSError: the folder can't be read.
    """
    found = list(_changed(former, policy))
    if found:
        raise unchangeable(directory, found)


def unchangeable(directory: Path, found: Iterable[Change]) -> PolicyError:
    """
    What is to be raised.

    @param found: tables, keys in there, and why a reload can't change them.
    @raise OSError: the folder can't be read.
    """
    entry = read_document(directory, GATEWAY, [])
    return PolicyError(
        Problem(
            entry.at(table, *path).place,
            ".".join((table, *path)),
            f"a reload can't change that, for {why}: restart, or set it back",
        )
        for table, path, why in found
    )


def _changed(former: Policy, policy: Policy) -> Iterator[Change]:
    """Tables, keys and reasons."""
    for fixed in _fixed(former, policy):
        one, other = (getattr(each, fixed.table) for each in (former, policy))
        for key in fixed.keys:
            if getattr(one, key) != getattr(other, key):
                yield fixed.table, (key,), fixed.why
    if policy.handshake != former.handshake:
        yield USHER.table, (), USHER.why
    if (count_of(policy) == 1) != (count_of(former) == 1):
        yield WORKERS.table, WORKERS.keys, WORKERS.why
    if policy.shakes_hands_through and not former.shakes_hands_through:
        yield (
            USHER.table,
            (),
            'the first service with handshake = "through" needs the usher, which is started with '
            "the gateway",
        )


def _fixed(former: Policy, policy: Policy) -> Iterator[Fixed]:
    yield from (SOCKETS, RELEASE, SIGNER)
    if Backend.NONE in (former.divert.backend, policy.divert.backend):
        yield OTHERS_RULES
    elif former.release.kernel or former.shakes_hands_through:
        yield PORT
