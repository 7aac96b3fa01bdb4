"""What the kernel knows of a process of ours."""

from __future__ import annotations

import ctypes

_PR_SET_NAME = 15


def be_called(name: str) -> None:
    """Be called C{name}, at most 15 bytes of it, by those who list processes."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
