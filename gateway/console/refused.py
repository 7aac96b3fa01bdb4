"""What was refused last: records of the audit, for whoever opens the page after it happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

MOST = 200
"""Records that are kept."""

EACH_BEAT = 50
"""Records that pages are told at once. Of a flood, the others are counted."""


class LastRefused:
    """
    Follows the audit.

    @ivar ready: it always takes a record.
    """

    ready = True

    def __init__(self) -> None:
        self._records: deque[bytes] = deque(maxlen=MOST)
        self._fresh: deque[bytes] = deque(maxlen=EACH_BEAT)
        self._left_out = 0

    def told(self, line: bytes) -> None:
        """Something was refused."""
        self._records.append(line)
        if len(self._fresh) == EACH_BEAT:
            self._left_out += 1
        self._fresh.append(line)

    def missed(self, count: int) -> None:
        """So many could not be told."""
        self._left_out += count

    def past(self) -> bytes:
        """The last ones but for those that L{give} will tell, the oldest first, as JSON."""
        count = len(self._records) - len(self._fresh)
        return b"[%s]" % b",".join(islice(self._records, count))

    def give(self, say: Callable[[str, bytes], object]) -> None:
        """Tell what came since the last time, as events with JSON."""
        left_out, self._left_out = self._left_out, 0
        if left_out:
            say("left-out", b"%d" % left_out)
        while self._fresh:
            say("refused", self._fresh.popleft())
