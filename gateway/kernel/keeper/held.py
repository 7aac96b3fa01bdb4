"""Held: what the keeper's supervisor holds, for it must not be lost with the one who works."""

from __future__ import annotations

import mmap

from gateway.kernel.netlink import Netfilter


class Held:
    """
    The same in both of the keeper's processes, since it was there before they were two.

    @param netfilter: the socket that the table belongs to; without one, a new one.
    """

    def __init__(self, netfilter: Netfilter | None = None) -> None:
        self.netfilter = netfilter or Netfilter()
        self._shared = mmap.mmap(-1, 1)

    @property
    def installed(self) -> bool:
        """Whether rules were installed, and should be in force whatever happens."""
        return bool(self._shared[0])

    @installed.setter
    def installed(self, value: bool) -> None:
        self._shared[0] = value
