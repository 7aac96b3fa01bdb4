"""Where a daemon is: how settings write it."""

from __future__ import annotations

import re
from ipaddress import ip_address

_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")


def read_folder(text: str) -> str:
    """
    A folder, by its absolute path.

    @raise ValueError: it is not absolute.
    """
    if text and not text.startswith("/"):
        raise ValueError(f'"{text}" is not an absolute path')
    return text


def read_places(places: tuple[str, ...]) -> tuple[str, ...]:
    """
    Paths of sockets, and addresses with ports.

    @raise ValueError: one is neither, or there is none.
    """
    if not places:
        raise ValueError("no scanner is named")
    for place in places:
        if not (place.startswith("/") or _is_endpoint(place)):
            raise ValueError(
                f'"{place}" is neither the absolute path of a socket nor an address with a port, '
                'such as "192.0.2.1:3310"'
            )
    return places


def _is_endpoint(place: str) -> bool:
    found = _ENDPOINT.fullmatch(place)
    if found is None or not 0 < int(found[3]) < 65536:
        return False
    try:
        ip_address(found[1] or found[2])
    except ValueError:
        return False
    return True
