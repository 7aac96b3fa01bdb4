"""
A Listener is a transparent listening socket: the kernel's divert ends here.

It accepts only what there is room for. While there is none, connections wait
in the kernel's queue, and running sessions are not disturbed.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.admission.admission import TCP, Admission
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.log import PrintableLogger

log = PrintableLogger()

AT_ONCE = 64
"""Connections that are accepted before running sessions have their turn again."""

_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@implementer(IReadDescriptor)
class ListeningSocket:
    """
    What listeners for TCP and for UDP have in common.

    @param interface: the interface whose connections come here, if rules name it.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: Socket,
        admission: Admission,
        interface: str | None = None,
    ) -> None:
        self._reactor = reactor
        self._socket = sock
        self._fd = sock.fileno()
        self._admission = admission
        self.interface = interface
        self.address = sockets.name_of(sock)

    def resume(self) -> None:
        """Take what comes from now on."""
        if self._fd >= 0:
            self._reactor.addReader(self)

    def wait(self) -> None:
        """Take nothing before there is room."""
        self._reactor.removeReader(self)
        self._admission.register.wait(self)

    def stop(self) -> None:
        """Take nothing any more. What is queued is reset, or forgotten, by the kernel."""
        if self._fd >= 0:
            self._reactor.removeReader(self)
            self._fd = -1
            self._socket.close()

    def doRead(self) -> None:
        """The reactor: something has come."""
        try:
            self._take()
        finally:
            self._admission.register.unclaim()

    def _take(self) -> None:
        """Take what has come, as long as there is room for it."""
        raise NotImplementedError

    def fileno(self) -> int:
        """The descriptor, or -1 when closed."""
        return self._fd

    def logPrefix(self) -> str:
        """What Twisted's log calls us."""
        return "listener"

    def connectionLost(self, reason: Failure) -> Any:
        """The reactor stops, or the descriptor failed."""
        log.error("the listener at {address} is lost", address=self.address)
        self.stop()


class Listener(ListeningSocket):
    """Accepts connections and has them admitted."""

    def _take(self) -> None:
        admission = self._admission
        known = 1
        for number in range(AT_ONCE):
            # To accept in vain costs ten times as much as to ask; to ask each time, too much.
            if number == known:
                known += sockets.waiting(self._socket)
                if number == known:
                    return
            if not admission.register.claim():
                self.wait()
                return
            try:
                sock, client, server = sockets.accept(self._socket)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _SHORTAGE:
                    log.error("accepting is delayed: {error}", error=error.strerror)
                    self.wait()
                    return
                continue  # that one is gone already
            try:
                admission.admit(sock, client, server, self.interface, self.address.port)
            except Exception:  # else the reactor would stop listening, for everybody
                sockets.reset(sock)
                admission.not_admitted(client, server, TCP)
