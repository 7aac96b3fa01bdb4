"""
Poller: tells which sockets of sessions are ready.

Twisted's reactor can do that too, and the poller is one descriptor of it. But the
reactor makes a context for the log around every single event, and asks the
kernel to forget a socket whenever it is not read for a moment, although it is
read again before anything could have come. Both cost more than what
many an inspector does.

So here what the kernel was asked for (C{armed}) may be more than what is
wanted. It is put right when the kernel tells something that nobody wants to know.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.observe.log import PrintableLogger

log = PrintableLogger()

IN, OUT = select.EPOLLIN, select.EPOLLOUT

_GONE = select.EPOLLHUP | select.EPOLLERR

AT_ONCE = 256
"""Events that are told before the rest of the gateway has its turn again."""

_LOST = Failure(CONNECTION_LOST)  # type: ignore[no-untyped-call]


class Epoll(Protocol):
    """As much of C{select.epoll} as is asked for."""

    def fileno(self) -> int:
        """The descriptor."""

    def register(self, fd: int, events: int) -> None:
        """Tell of these events, and of errors."""

    def modify(self, fd: int, events: int) -> None:
        """Tell of these from now on."""

    def unregister(self, fd: int) -> None:
        """Tell of nothing."""

    def poll(self, timeout: float, most: int, /) -> list[tuple[int, int]]:
        """What has happened."""

    def close(self) -> None:
        """No more of it."""


class Polled(Protocol):
    """
    Whoever has a socket and wants to know when it is ready.

    @ivar fd: the socket's descriptor.
    """

    @property
    def fd(self) -> int: ...

    def doRead(self) -> None:
        """There is something to read."""

    def doWrite(self) -> None:
        """The kernel takes bytes, or has connected."""

    def connectionLost(self, reason: Failure) -> None:
        """The kernel saw an error or a hang-up, or a bug did. It is not told any more."""


class _Watch:
    """One socket: who wants to know what, and what the kernel was asked for."""

    __slots__ = ("armed", "batch", "polled", "wanted")

    def __init__(self, polled: Polled, batch: int, event: int) -> None:
        self.polled = polled
        self.batch = batch
        self.wanted = self.armed = event

    def become(self, polled: Polled) -> None:
        """The socket of an attempt is that of a wire now."""
        self.polled = polled
        self.wanted = 0


@implementer(IReadDescriptor)
class Poller:
    """
    An epoll instance for the sockets of all sessions.

    @param epoll: makes it.
    """

    def __init__(self, reactor: IReactorFDSet, epoll: Callable[[], Epoll] = select.epoll) -> None:
        self._reactor = reactor
        self._epoll = epoll()
        self._fd = self._epoll.fileno()
        self._watches: dict[int, _Watch] = {}
        self._batch = 0
        self._running = False

    # For those who have sockets

    def add_reader(self, polled: Polled) -> None:
        """Tell C{polled} when there is something to read, until L{remove_reader}."""
        watch = self._watches.get(polled.fd)
        if watch is None:
            self._begin(polled, IN)
            return
        if watch.polled is not polled:
            watch.become(polled)
        watch.wanted |= IN
        if not watch.armed & IN:
            self._arm(polled.fd, watch)

    def add_writer(self, polled: Polled) -> None:
        """Tell C{polled} when the kernel takes bytes, until L{remove_writer}."""
        watch = self._watches.get(polled.fd)
        if watch is None:
            self._begin(polled, OUT)
            return
        if watch.polled is not polled:
            watch.become(polled)
        watch.wanted |= OUT
        if not watch.armed & OUT:
            self._arm(polled.fd, watch)

    def remove_reader(self, polled: Polled) -> None:
        """Never mind what there is to read. Costs nothing, and so does L{add_reader} after it."""
        watch = self._watches.get(polled.fd)
        if watch is not None and watch.polled is polled:
            watch.wanted &= ~IN

    def end_reader(self, polled: Polled) -> None:
        """
        There will be nothing more to read. At the end there always is "something": unless the
        kernel is told now, it says so once more.
        """
        watch = self._watches.get(polled.fd)
        if watch is not None and watch.polled is polled:
            watch.wanted &= ~IN
            if not watch.wanted:
                self.forget(polled.fd)

    def remove_writer(self, polled: Polled) -> None:
        """Never mind whether the kernel takes bytes."""
        watch = self._watches.get(polled.fd)
        if watch is not None and watch.polled is polled:
            watch.wanted &= ~OUT

    def closing(self, fd: int) -> None:
        """The socket will be closed now, so that the kernel forgets it by itself."""
        self._watches.pop(fd, None)

    def forget(self, fd: int) -> None:
        """Nothing more is wanted of a socket that stays."""
        watch = self._watches.pop(fd, None)
        if watch is not None and watch.armed:
            self._epoll.unregister(fd)

    def _begin(self, polled: Polled, event: int) -> None:
        """A socket of which nobody has wanted to know anything."""
        fd = polled.fd
        self._epoll.register(fd, event)
        self._watches[fd] = _Watch(polled, self._batch, event)
        if not self._running:
            self._start()

    def _arm(self, fd: int, watch: _Watch) -> None:
        """Ask the kernel for exactly what is wanted."""
        wanted = watch.wanted
        if not watch.armed:
            self._epoll.register(fd, wanted)
        elif wanted:
            self._epoll.modify(fd, wanted)
        else:  # even then it would tell of errors, again and again
            self._epoll.unregister(fd)
        watch.armed = wanted

    # For the reactor

    def _start(self) -> None:
        self._running = True
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Nobody is told anything any more."""
        if self._running:
            self._running = False
            self._reactor.removeReader(self)
        self._watches.clear()
        self._epoll.close()

    def doRead(self) -> None:
        """The reactor: some sockets are ready."""
        batch = self._batch = self._batch + 1
        watches = self._watches
        for fd, event in self._epoll.poll(0, AT_ONCE):
            watch = watches.get(fd)
            # One that is new has the number of another one, which was closed in this batch.
            if watch is not None and watch.batch != batch:
                try:
                    if event == IN and watch.wanted & IN:  # nearly always
                        watch.polled.doRead()
                    elif event == OUT and watch.wanted & OUT:
                        watch.polled.doWrite()
                    else:
                        self._tell(fd, watch, event)
                except Exception:
                    self._broken(watch.polled)

    def _tell(self, fd: int, watch: _Watch, event: int) -> None:
        polled = watch.polled
        if event & _GONE and not event & IN:
            self.forget(fd)
            polled.connectionLost(_LOST)
            return
        if event & watch.wanted & IN:
            polled.doRead()
            if not event & OUT:
                return
        if event & OUT and watch.wanted & OUT and watch.polled is polled:
            if self._watches.get(fd) is watch:
                polled.doWrite()
        elif self._watches.get(fd) is watch and watch.armed != watch.wanted:
            self._arm(fd, watch)

    def _broken(self, polled: Polled) -> None:
        log.failure("a bug in {polled}, which goes on without it", polled=type(polled).__name__)
        failure = Failure()  # type: ignore[no-untyped-call]
        self.forget(polled.fd)
        try:
            polled.connectionLost(failure)
        except Exception:  # else the reactor would stop polling, for everybody
            log.failure("a bug at the end of {polled}", polled=type(polled).__name__)

    def fileno(self) -> int:
        """The descriptor of the epoll instance."""
        return self._fd

    def logPrefix(self) -> str:
        """What Twisted's log calls us."""
        return "sessions"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops."""
        self._running = False
