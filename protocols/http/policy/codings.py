"""
Codings: which ones (RFC 9110, section 8.4) a server is asked for, so that what it sends can be
looked into.
"""

from __future__ import annotations

import re

from protocols.magic import DECODED

READABLE = ("gzip", "deflate")
"""What stands for "*"."""

# RFC 9110, section 12.5.3.
_ACCEPTED = re.compile(r"([^; \t]+)[ \t]*(;[ \t]*q=[01](?:\.[0-9]{0,3})?)?", re.IGNORECASE)
_NEVER = re.compile(r";[ \t]*q=0(?:\.0*)?", re.IGNORECASE)


def readable(members: list[str]) -> str:
    """What a client accepts (the members of Accept-Encoding), as far as it can be looked into."""
    wanted = {
        found[1].lower(): found[2] or "" for found in map(_ACCEPTED.fullmatch, members) if found
    }
    rest = wanted.pop("*", None)
    if rest is not None:
        never = _NEVER.fullmatch(rest) is not None
        others = ("identity",) if never else READABLE
        wanted = {**wanted, **{name: rest for name in others if name not in wanted}}
    kept = [f"{name}{weight}" for name, weight in wanted.items() if _is_kept(name, weight)]
    return ", ".join(kept) or "identity"


def _is_kept(name: str, weight: str) -> bool:
    if name == "identity":
        return True
    return name in DECODED and _NEVER.fullmatch(weight) is None
