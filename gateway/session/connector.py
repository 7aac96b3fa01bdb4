"""
The Connector opens the server side of a session, from the client's address.

One L{Attempt} is one try to reach one server. L{Opening} makes attempts until
one succeeds or no target is left.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from twisted.python.failure import Failure

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.policy.service import Source, Target
from gateway.session.names import Names
from gateway.session.poller import Poller


class Reached(NamedTuple):
    """A server that answered: its socket, and how we got there."""

    socket: socket.socket
    server: Address
    source: Address
    port_kept: bool
    attempts: int


class Origin(NamedTuple):
    """Where the server side comes from: an address (port 0: any) or our own, and how strictly."""

    address: Address | None
    strict: bool = False

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
    Source.CLIENT: lambda client: Origin(client),
    Source.CLIENT_STRICT: lambda client: Origin(client, strict=True),
    Source.CLIENT_ADDRESS: lambda client: Origin(Address(client.host, 0)),
    Source.GATEWAY: lambda client: Origin(None),
}


class Attempt:
    """One connection attempt, watched until the kernel knows how it ended."""

    __slots__ = ("_done", "_fd", "_poller", "_socket")

    def __init__(self, poller: Poller, sock: socket.socket, done: Callable[[int], None]) -> None:
        self._poller = poller
        self._socket = sock
        self._fd = sock.fileno()
        self._done: Callable[[int], None] | None = done
        poller.add_writer(self)

    def doWrite(self) -> None:
        """The poller: connected, or failed."""
        code = sockets.connect_error(self._socket)
        done = self._leave(stays=not code)
        if done is not None:
            done(code)

    def doRead(self) -> None:
        """Never asked for."""

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        if self._leave() is not None:
            self._socket.close()

    def _leave(self, stays: bool = False) -> Callable[[int], None] | None:
        """@param stays: the socket goes to whoever is told; else it is closed."""
        done, self._done = self._done, None
        if done is not None:
            if stays:
                self._poller.remove_writer(self)
            else:
                self._poller.forget(self)
        return done

    def connectionLost(self, reason: Failure) -> None:
        """The poller saw the failure first."""
        done = self._leave()
        if done is not None:
            done(sockets.connect_error(self._socket) or errno.ECONNREFUSED)

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd


class Connector:
    """
    Opens server sides.

    @param mark: SO_MARK of the server leg.
    @param names: what looks names up, if a service's C{server} is one.
    """

    def __init__(self, poller: Poller, mark: int, names: Names) -> None:
        self._poller = poller
        self._mark = mark
        self._names = names

    def open(
        self,
        targets: Sequence[Target],
        origin: Origin,
        reached: Callable[[Reached], None],
        failed: Callable[[str], None],
    ) -> Opening:
        """Try C{targets} in turn. Exactly one of the callables is called, unless abandoned."""
        opening = Opening(
            self._poller, self._mark, self._names, origin, iter(targets), reached, failed
        )
        opening.next()
        return opening


class Opening:
    """The attempts to open one server side."""

    __slots__ = (
        "_attempt",
        "_errors",
        "_failed",
        "_mark",
        "_names",
        "_opened",
        "_origin",
        "_over",
        "_poller",
        "_reached",
        "_resolving",
        "_server",
        "_targets",
        "attempts",
    )

    def __init__(
        self,
        poller: Poller,
        mark: int,
        names: Names,
        origin: Origin,
        targets: Iterator[Target],
        reached: Callable[[Reached], None],
        failed: Callable[[str], None],
    ) -> None:
        self._poller = poller
        self._mark = mark
        self._names = names
        self._origin = origin
        self._targets = targets
        self._reached = reached
        self._failed = failed
        self._attempt: Attempt | None = None
        self._opened: sockets.Opened | None = None
        self._resolving: Target | None = None
        self._server = Address("", 0)
        self._errors: list[str] = []
        self._over = False
        self.attempts = 0

    def next(self) -> None:
        """Try the next target, if there is one."""
        target = next(self._targets, None)
        if target is None:
            self._over = True
            self._failed("; ".join(self._errors))
        elif _is_address(target.host):
            self._try(Address(target.host, target.port or 0))
        else:
            self._resolve(target)

    def _resolve(self, target: Target) -> None:
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
                self._errors.append(why)
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
        try:
            opened = sockets.open_towards(
                server, self._origin.towards(server), self._mark, self._origin.strict
            )
        except OSError as error:
            self._missed(error.errno or errno.EIO)
            return

        self._opened = opened
        self._attempt = Attempt(self._poller, opened.socket, self._done)

    def _done(self, code: int) -> None:
        """The attempt succeeded, or failed with this error."""
        opened, self._opened, self._attempt = self._opened, None, None
        assert opened is not None
        if code:
            opened.socket.close()
            self._missed(code)
        else:
            self._arrived(opened)

    def _missed(self, code: int) -> None:
        taken = self._origin.strict and code in sockets.IN_USE
        why = "the client's own port is in use" if taken else os.strerror(code).lower()
        self._errors.append(f"{self._server}: {why}")
        self.next()

    def _arrived(self, opened: sockets.Opened) -> None:
        self._over = True
        kept = self._origin.address if opened.port_kept else None
        source = kept or sockets.name_of(opened.socket)  # which even a reset socket has
        self._reached(Reached(opened.socket, self._server, source, opened.port_kept, self.attempts))

    def expire(self) -> None:
        """The time for this attempt is over: on to the next target."""
        if self._over:
            return
        if self._attempt is not None:
            self._attempt.abandon()
            self._attempt = None
        self._resolving = None
        self._missed(errno.ETIMEDOUT)

    def abandon(self) -> None:
        """The session is over."""
        self._over = True
        if self._attempt is not None:
            self._attempt.abandon()
            self._attempt = None


@lru_cache(maxsize=1024)
def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
