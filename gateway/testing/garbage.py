"""What is left of conversations when they are over."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable


def left_by(talk: Callable[[], None]) -> Counter[str]:
    """
    The types of what C{talk} leaves that nothing but a collector frees.

    @param talk: has conversations, and lets go of them.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    before = gc.get_debug()
    try:
        talk()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return Counter(type(each).__qualname__ for each in gc.garbage)
    finally:
        gc.garbage.clear()
        gc.set_debug(before)
        gc.enable()
        gc.unfreeze()
