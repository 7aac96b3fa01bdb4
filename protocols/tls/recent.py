"""What was seen a short while ago: bounded, and forgotten after some time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """
    Values, by what they are of.

    @param seconds: how long each is remembered.
    @param most: how many are. The oldest one is forgotten first.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._values: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, key: Hashable, now: float) -> T | None:
        """The value, unless it is too old."""
        since, value = self._values.get(key, (0.0, None))
        return value if value is not None and now < since + self._seconds else None

    def put(self, key: Hashable, value: T, now: float) -> None:
        """Remember."""
        self._values.pop(key, None)
        self._values[key] = now, value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
