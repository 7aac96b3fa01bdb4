"""
The Connector opens the server side of a session, from the client's address.

An L{Opening} makes one attempt after the other, until one succeeds or no target is left.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from twisted.python.failure import Failure

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.policy.service import Source, Target
from gateway.wire.names import Names
from gateway.wire.poller import Poller
from gateway.wire.sockets import Sockets

_NOWHERE = Address("", 0)


class Reached(NamedTuple):
    """A server that answered: its socket, and how we got there."""

    socket: sockets.Socket
    server: Address
    source: Address
    port_kept: bool
    attempts: int


class Origin(NamedTuple):
    """
    Where the server side comes from: an address (port 0: any) or our own, how strictly, and
    whether it is bare: without TCP's timestamps.
    """

    address: Address | None
    strict: bool = False
    bare: bool = False

    @property
    def wants_port(self) -> bool:
        """Whether a certain port was asked for."""
        return self.address is not None and self.address.port != 0

    def with_port(self, port: int) -> Origin:
        """From this port, if the address is not our own."""
        return (
            self
            if self.address is None
            else self._replace(address=self.address._replace(port=port))
        )

    def towards(self, server: Address) -> Address | None:
        """The address to bind to; our own if the server speaks another IP version."""
        if self.address is None or (":" in self.address.host) != (":" in server.host):
            return None
        return self.address


def origin(source: Source | str, client: Address) -> Origin:
    """What a service's C{source} means for this client."""
    if isinstance(source, str):
        return Origin(Address(source, 0))
    return _ORIGINS[source](client)


_ORIGINS: dict[Source, Callable[[Address], Origin]] = {
    Source.CLIENT: Origin,
    Source.CLIENT_STRICT: lambda client: Origin(client, strict=True),
    Source.CLIENT_ADDRESS: lambda client: Origin(Address(client.host, 0)),
    Source.GATEWAY: lambda client: Origin(None),
}


class Connector:
    """
    Opens server sides.

    @param mark: SO_MARK of the server leg.
    @param names: what looks names up, if a service's C{server} is one.
    @param made_by: what makes the sockets.
    @param bare_mark: added to the mark of server legs without timestamps.
    """

    def __init__(
        self,
        poller: Poller,
        mark: int,
        names: Names,
        made_by: Sockets = sockets,
        bare_mark: int = 0,
    ) -> None:
        self._poller = poller
        self._names = names
        self._open = partial(made_by.open_towards, mark=mark)
        self._open_bare = partial(made_by.open_towards, mark=mark | bare_mark)

    def open(
        self,
        targets: Sequence[Target | Address],
        origin: Origin,
        reached: Callable[[Reached], None],
        failed: Callable[[str], None],
        held: sockets.Socket | None = None,
    ) -> Opening:
        """
        Try C{targets} in turn. Exactly one of the callables is called, unless abandoned.

        @param held: a connection to the first of them, which is an address.
        """
        open_towards = self._open_bare if origin.bare else self._open
        opening = Opening(
            self._poller, open_towards, self._names, origin, iter(targets), reached, failed, held
        )
        opening.next()
        return opening


class Opening:
    """
    The attempts to open one server side. The poller watches the present one.

    @ivar fd: its descriptor; -1: there is none.
    """

    __slots__ = (
        "_errors",
        "_failed",
        "_held",
        "_kept",
        "_names",
        "_open",
        "_origin",
        "_over",
        "_poller",
        "_reached",
        "_resolving",
        "_server",
        "_socket",
        "_targets",
        "attempts",
        "fd",
    )

    def __init__(
        self,
        poller: Poller,
        open_towards: Callable[..., sockets.Opened],
        names: Names,
        origin: Origin,
        targets: Iterator[Target | Address],
        reached: Callable[[Reached], None],
        failed: Callable[[str], None],
        held: sockets.Socket | None = None,
    ) -> None:
        self._held = held
        self._poller = poller
        self._open = open_towards
        self._names = names
        self._origin = origin
        self._targets = targets
        self._reached = reached
        self._failed = failed
        self._socket: sockets.Socket | None = None
        self.fd = -1
        self._kept = False
        self._resolving: Target | Address | None = None
        self._server = _NOWHERE
        self._errors: tuple[str, ...] = ()
        self._over = False
        self.attempts = 0

    def next(self) -> None:
        """Try the next target, if there is one."""
        target = next(self._targets, None)
        if target is None:
            self._over = True
            self._failed("; ".join(self._errors))
        elif isinstance(target, Address):
            self._try(target)
        elif _is_address(target.host):
            self._try(Address(target.host, target.port or 0))
        else:
            self._resolve(target)

    def _resolve(self, target: Target | Address) -> None:
        """Put all addresses of the name before the remaining targets."""
        self._resolving = target
        self._server = Address(target.host, target.port or 0)

        def found(hosts: tuple[str, ...]) -> None:
            if not hosts:
                missed(f"{target.host}: the name has no address")
            elif wanted():
                rest = self._targets
                self._targets = iter([*(Target(host, target.port) for host in hosts), *rest])
                self.next()

        def missed(why: str) -> None:
            if wanted():
                self._errors += (why,)
                self.next()

        def wanted() -> bool:
            if self._over or self._resolving is not target:
                return False
            self._resolving = None
            return True

        self._names.resolve(target.host).addCallbacks(
            found, lambda failure: missed(str(failure.value))
        )

    def _try(self, server: Address) -> None:
        self._server = server
        self.attempts += 1
        origin = self._origin
        try:
            if self._held is not None:
                self._socket, self._kept = self._held, True
            else:
                self._socket, self._kept = self._open(
                    server, origin.towards(server), strict=origin.strict
                )
        except OSError as error:
            self._missed(error.errno or errno.EIO)
            return
        self.fd = self._socket.fileno()
        self._poller.add_writer(self)

    def _missed(self, code: int) -> None:
        taken = self._origin.strict and code in sockets.IN_USE
        why = "the client's own port is in use" if taken else os.strerror(code).lower()
        self._errors += (f"{self._server}: {why}",)
        self.next()

    def expire(self) -> None:
        """The time for this attempt is over: on to the next target."""
        if self._over:
            return
        self._drop()
        self._resolving = None
        self._missed(errno.ETIMEDOUT)

    def abandon(self) -> None:
        """The session is over."""
        self._over = True
        self._drop()

    def _drop(self) -> None:
        """Nobody waits for the present attempt any more."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._poller.closing(self.fd)
            self.fd = -1
            if sock is self._held:
                self._held = None
                sockets.reset(sock)
            else:
                sockets.close(sock)

    # For the poller

    def doWrite(self) -> None:
        """Connected. The socket goes to whoever is told."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._poller.remove_writer(self)
            self._over = True
            kept = self._origin.address if self._kept else None
            source = kept or sockets.name_of(sock)  # which even a reset socket has
            self._reached(Reached(sock, self._server, source, self._kept, self.attempts))

    def doRead(self) -> None:
        """Never asked for."""

    def connectionLost(self, reason: Failure) -> None:
        """Not connected."""
        sock = self._socket
        if sock is not None:
            code = sockets.connect_error(sock)
            self._drop()
            self._missed(code or errno.ECONNREFUSED)


@lru_cache(maxsize=1024)
def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
