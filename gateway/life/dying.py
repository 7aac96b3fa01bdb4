"""Dying: an error that the reactor does not survive, such as no memory at all, ends the process."""

from __future__ import annotations

import os
import sys
from types import TracebackType

STATUS = 1


def die_with_the_reactor() -> None:
    """
    From now on whatever leaves the main thread is told, and ends the process at once.

    Python would wait for all other threads first. Those wait for work, for ever: the process
    would stay, hear no signal, and nobody would start another one.
    """
    sys.excepthook = _die


def _die(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    try:
        sys.__excepthook__(kind, error, trace)
        sys.stderr.flush()
    finally:
        os._exit(STATUS)
