"""Waiting for something to become true, without sleeping in the dark."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

SLOWNESS = float(os.environ.get("SLOWNESS", "1"))
"""How many times as long as elsewhere everything takes: more than 1 on an emulated machine."""

PATIENCE = 15
"""How many times as long is waited in all for what makes progress: for ever is no answer."""


def wait_until(
    condition: Callable[[], object],
    seconds: float,
    every: float = 0.02,
    progress: Callable[[], object] | None = None,
) -> bool:
    """
    Ask again and again until it is true, at most for so many seconds, or L{SLOWNESS} times as many.

    @param progress: as long as its answer changes, the seconds begin anew: on a slow machine, what
        takes long is told from what stands still.
    @return: whether it became true.
    """
    seconds *= SLOWNESS
    begun = since = time.monotonic()
    known = progress() if progress is not None else None
    while not condition():
        now = time.monotonic()
        if progress is not None and now - begun < seconds * PATIENCE:
            known, before = progress(), known
            since = since if known == before else now
        if now - since >= seconds:
            return False
        time.sleep(every)
    return True


def work_done(process: int) -> int:
    """What a process and its descendants have computed so far, in ticks of the kernel's clock."""
    folder = Path(f"/proc/{process}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        children = (folder / "task" / str(process) / "children").read_text().split()
    except OSError:  # it has ended
        return 0
    return int(fields[11]) + int(fields[12]) + sum(work_done(int(child)) for child in children)
