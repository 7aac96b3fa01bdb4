"""
The estate: what a supervisor leaves to its successor, which is the same process with another
program: descriptors that stay open over exec, and what they are, as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from typing import Any

VARIABLE = "TPROXYGW_ESTATE"
"""The environment variable that says where it is written."""

Estate = dict[str, Any]


def left(descriptor: int) -> int:
    """The same descriptor; it stays open over exec."""
    os.set_inheritable(descriptor, True)
    return descriptor


def write(estate: Estate) -> str:
    """For L{VARIABLE}."""
    descriptor = left(os.memfd_create("tproxygw-estate"))
    os.write(descriptor, json.dumps(estate).encode())
    return str(descriptor)


def take(environment: MutableMapping[str, str]) -> Estate | None:
    """What was left to this process, if anything was. Nobody else is to find it."""
    written = environment.pop(VARIABLE, None)
    if written is None:
        return None
    with os.fdopen(int(written), "rb") as file:
        file.seek(0)
        estate: Estate = json.load(file)
    return estate


def taken(descriptor: int) -> int:
    """The same descriptor; programs that we start do not have it."""
    os.set_inheritable(descriptor, False)
    return descriptor
