"""Who may use the console, by a token: what a file of them says."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from attrs import field, frozen

from gateway.policy.files import NamedFile
from gateway.policy.notation import NAME

DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Right(Enum):
    """What somebody may do. Who may write may read."""

    READ = "read"
    WRITE = "write"


@frozen
class TokenHolder:
    """Somebody who has a token. The token itself is nowhere but with its holder."""

    name: str
    right: Right
    digest: bytes = field(repr=False)
    """SHA-256 of the token."""


def read_token_file(file: NamedFile) -> Any:
    """A file of lines C{NAME RIGHT sha256:DIGEST}, with comments and empty lines."""
    holders: dict[str, TokenHolder] = {}
    text = file.content.decode("utf-8", "backslashreplace")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            holder = _read_holder(words)
            if holder.name in holders:
                raise ValueError(f'"{holder.name}" is there twice')
        except ValueError as error:
            file.complain(str(error), number, 1)
        else:
            holders[holder.name] = holder
    return tuple(holders.values())


def _read_holder(words: list[str]) -> TokenHolder:
    """@raise ValueError: they are none."""
    if len(words) != 3:
        raise ValueError(
            'is not like "anna write sha256:…", which `tproxygw console token anna` makes'
        )
    name, right, digest = words
    found = DIGEST.fullmatch(digest)
    if not NAME.fullmatch(name):
        raise ValueError(f'"{name}" is no name: letters, digits, "_", "-" and "."')
    if right not in [each.value for each in Right]:
        raise ValueError(f'"{right}" is no right: it must be "read" or "write"')
    if found is None:
        # not shown: it may be the token itself
        raise ValueError('the third word must be "sha256:" and 64 digits, not the token itself')
    return TokenHolder(name, Right(right), bytes.fromhex(found[1]))
