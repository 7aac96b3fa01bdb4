"""Ports that released sessions have: no socket knows of them, so the kernel would choose them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from errno import EADDRINUSE
from random import Random

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.sockets import IN_USE, Opened, Socket

CHOSEN_FROM = range(32768, 61000)
"""As the kernel's C{net.ipv4.ip_local_port_range}, unless somebody has changed it."""

TRIES = 100
"""Ports that are tried: by then a free one has been found, or there is hardly any."""

_Key = tuple[str, Address]


class Ports:
    """
    Which ports of a client's address released sessions have towards a server; and sockets that do
    not take them: as L{gateway.kernel.sockets}, otherwise.

    @param chance: chooses.
    @ivar glance: called before one is chosen: somebody else's session may have been released.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.glance: Callable[[], object] = lambda: None
        self._taken: dict[_Key, set[int]] = defaultdict(set)
        self.listen, self.accept, self.is_ours = sockets.listen, sockets.accept, sockets.is_ours

    def take(self, source: Address, server: Address) -> None:
        """Somebody has it."""
        self._taken[source.host, server].add(source.port)

    def give_back(self, source: Address, server: Address) -> None:
        """Nobody has it. Harmless if nobody had."""
        key = source.host, server
        taken = self._taken.get(key)
        if taken is not None:
            taken.discard(source.port)
            if not taken:
                del self._taken[key]

    def open_towards(
        self, server: Address, source: Address | None, mark: int, strict: bool = False
    ) -> Opened:
        """See L{sockets.open_towards}."""
        taken: Collection[int] = ()
        if source is not None:
            self.glance()
            taken = self._taken.get((source.host, server), ())
        if source is None or not taken:
            return sockets.open_towards(server, source, mark, strict)
        if source.port and source.port not in taken:
            try:
                return sockets.open_towards(server, source, mark, strict=True)
            except OSError as error:
                if strict or error.errno not in IN_USE:
                    raise
        elif source.port and strict:
            raise OSError(EADDRINUSE, "a released session has the client's port")
        return Opened(self._open(server, source.host, mark, taken), False)

    def _open(self, server: Address, host: str, mark: int, taken: Collection[int]) -> Socket:
        """From a port that nobody has, chosen here: the kernel would take one that is released."""
        last = OSError(EADDRINUSE, "no free port was found")
        for port in self._chance.sample(CHOSEN_FROM, TRIES):
            if port not in taken:
                try:
                    return sockets.open_towards(server, Address(host, port), mark, True).socket
                except OSError as error:
                    if error.errno not in IN_USE:
                        raise
                    last = error
        raise last
