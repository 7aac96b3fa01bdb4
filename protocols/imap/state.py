"""The State of a session (RFC 9051, section 3)."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What a client may say depends on it. The last one, logout, has no commands."""

    BEFORE = "not authenticated"
    INSIDE = "authenticated"
    SELECTED = "selected"

    __hash__ = object.__hash__


ALWAYS = frozenset(State)
BEFORE = frozenset({State.BEFORE})
INSIDE = frozenset({State.INSIDE, State.SELECTED})
SELECTED = frozenset({State.SELECTED})
