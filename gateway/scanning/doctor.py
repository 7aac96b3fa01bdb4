"""What the doctor finds out about scanners: whether what services need of this host is there."""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.kernel.doctor.finding import Finding, ok, trouble
from gateway.policy.service import Service
from gateway.scanning.address import Busy, begin
from gateway.tools import Needing

SECONDS = 2.0
"""For a daemon to accept a connection."""


def examine(services: Iterable[Service]) -> Iterator[Finding]:
    """Whoever judges bodies."""
    for service in services:
        if isinstance(service.settings, Needing):
            for place in service.settings.needs:
                yield _found(service.name, place)


def _found(service: str, place: str) -> Finding:
    topic = f'scanner of "{service}"'
    try:
        if _is_file(place):
            return _program(topic, place)
        _connect(place)
    except OSError as error:
        why = error.strerror or str(error)
        mend = f"start it, or change services/{service}.toml: on_error decides about all bodies now"
        return trouble(topic, f"{place}: {why}", mend)
    return ok(topic, f"{place} answers")


def _is_file(place: str) -> bool:
    return place.startswith("/") and not stat.S_ISSOCK(Path(place).stat().st_mode)


def _program(topic: str, place: str) -> Finding:
    if os.access(place, os.X_OK):
        return ok(topic, f"{place} is there")
    return trouble(topic, f"{place} is no program", f"chmod +x {place}")


def _connect(place: str) -> None:
    """
    See whether somebody accepts connections there.

    @raise OSError: nobody does.
    """
    try:
        sock, connected = begin(place)
    except Busy:
        return
    with sock:
        if not connected and not select.select((), (sock,), (), SECONDS)[1]:
            raise TimeoutError(f"no connection within {SECONDS:g} seconds")
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
