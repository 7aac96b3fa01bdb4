"""
UDP: sessions by 5-tuple, relayed.

The listener gets the first datagram of a session only. From then on two
connected sockets stand for it: one bound to the server's address and connected
to the client, one bound to the client's address and connected to the server.
The kernel brings every later datagram to one of them. A datagram that can't be
sent at once is dropped, as any router would.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.interfaces import CLIENT, SERVER, Address, Outcome, Side, Verdict
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Identity, Upstream
from gateway.observe.log import PrintableLogger
from gateway.policy.service import Service
from gateway.session.connector import origin
from gateway.session.equipment import Equipment
from gateway.session.listener import ListeningSocket
from gateway.session.patience import Patience
from gateway.session.refusals import BROKEN
from gateway.session.sessions import UDP, Sessions

log = PrintableLogger()

LARGEST = 65535
"""Bytes of a datagram, at most."""

AT_ONCE = 64
"""Datagrams that are taken from one socket before the others have their turn."""

_buffer = bytearray(LARGEST)
_view = memoryview(_buffer)


@implementer(IReadDescriptor)
class _Leg:
    """One of the two connected sockets of a session."""

    __slots__ = ("_fd", "_reactor", "_session", "_socket", "sent", "side")

    def __init__(
        self, reactor: IReactorFDSet, sock: Socket, side: Side, session: DatagramSession
    ) -> None:
        self._reactor = reactor
        self._socket = sock
        self._fd = sock.fileno()
        self._session = session
        self.side = side
        self.sent = 0
        reactor.addReader(self)

    def send(self, data: bytes | memoryview) -> None:
        """Send a datagram, or drop it if the kernel doesn't take it now."""
        if self._fd < 0:
            return
        try:
            self.sent += self._socket.send(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._session.lost(self.side, error)

    def doRead(self) -> None:
        """The reactor: there are datagrams, or an ICMP error."""
        for _ in range(AT_ONCE):
            if self._fd < 0:
                return
            try:
                size = self._socket.recv_into(_buffer)
            except BlockingIOError:
                return
            except OSError as error:
                self._session.lost(self.side, error)
                return
            self._session.received(self.side, _view[:size])

    def close(self) -> None:
        """No more."""
        if self._fd >= 0:
            self._reactor.removeReader(self)
            self._fd = -1
            self._socket.close()

    def fileno(self) -> int:
        """The descriptor, or -1 when closed."""
        return self._fd

    def logPrefix(self) -> str:
        """What Twisted's log calls us."""
        return "datagrams"

    def connectionLost(self, reason: Failure) -> Any:
        """The reactor saw an error first."""
        if self._fd >= 0:
            code = sockets.connect_error(self._socket)
            self._session.lost(self.side, OSError(code, os.strerror(code)))


class DatagramSession:
    """The datagrams between one client's port and one server's port."""

    def __init__(
        self, home: Sessions, service: Service, identity: Identity, over: DatagramListener
    ) -> None:
        self.identity = identity
        self._home = home
        self._service = service
        self._listener = over
        self._equipment: Equipment = home.equipment
        self._started = self._equipment.clock.seconds()
        self.active = self._equipment.ticker.wake()
        self._patience = Patience(self._equipment.ticker, service.limits, self)
        self._legs: dict[Side, _Leg] = {}
        self._upstream: Upstream | None = None
        self._over = False

    def start(self, data: bytes) -> None:
        """Open both legs, and send the first datagram on."""
        try:
            self._open()
        except OSError as error:
            self._finish(Outcome.FAILED, f"server unreachable: {error.strerror}")
            return
        self._patience.watch()
        self.received(CLIENT, data)

    def _open(self) -> None:
        equipment, identity = self._equipment, self.identity
        target = self._service.targets[0] if self._service.targets else None
        server = identity.server
        if target is not None:
            server = Address(target.host, target.port or server.port)
        towards_client = sockets.open_datagrams(
            identity.server, identity.client, equipment.listener_mark
        )
        self._legs[CLIENT] = _Leg(equipment.reactor, towards_client, CLIENT, self)
        towards_server, kept = self._open_server(server)
        self._legs[SERVER] = _Leg(equipment.reactor, towards_server, SERVER, self)
        self._upstream = Upstream(server, sockets.name_of(towards_server), kept, 0.0)

    def _open_server(self, server: Address) -> tuple[Socket, bool]:
        """The server's leg, and whether it has the client's port."""
        wanted = origin(self._service.source, self.identity.client)
        source, mark = wanted.towards(server), self._equipment.upstream_mark
        if source is None or not source.port:
            return sockets.open_datagrams(source, server, mark), False
        try:
            return sockets.open_datagrams(source, server, mark), True
        except OSError as error:
            if wanted.strict or error.errno not in sockets.IN_USE:
                raise
        self._equipment.metrics.fallback(self._service.name)
        return sockets.open_datagrams(Address(source.host, 0), server, mark), False

    def received(self, side: Side, data: bytes | memoryview) -> None:
        """C{side} sent a datagram."""
        if self._over:
            return
        self.active = self._equipment.ticker.now
        self._legs[side.other].send(data)

    def lost(self, side: Side, error: OSError) -> None:
        """
        An ICMP error came from C{side}, or the kernel can't send there.

        Nothing is certain in UDP: a server that was not there may come back,
        and a datagram that is too big says nothing about the next one. Only
        a refusal ends the session, so that the client's next datagram begins
        a new one.
        """
        if isinstance(error, ConnectionRefusedError):
            self._finish(Outcome.RESET, f"port unreachable, says the {side.value}'s host")

    def ran_out(self, limit: str, seconds: float) -> None:
        """To be idle is the ordinary end: UDP has no other."""
        if limit == "idle_seconds":
            self._finish(Outcome.PASSED, f"idle for {seconds:g} seconds")
        else:
            self._finish(Outcome.FAILED, f"time limit: {limit} = {seconds:g}")

    def connect_ran_out(self) -> None:
        """Nothing is connected in UDP."""

    def lingered(self) -> None:
        """Nobody says goodbye in UDP."""

    def break_off(self) -> None:
        """A bug, in an C{except} clause."""
        log.failure("{session}: a bug in the relay of datagrams", session=self.identity)
        self._finish(Outcome.BROKEN, BROKEN.reason)

    def stopping(self) -> None:
        """The only end of its own would be to be idle: not worth waiting for."""
        self.stop()

    def stop(self) -> None:
        """The gateway stops."""
        self._finish(Outcome.CLOSED, "the gateway was stopped")

    def _finish(self, outcome: Outcome, why: str) -> None:
        if self._over:
            return
        self._over = True
        self._patience.over()
        for leg in self._legs.values():
            leg.close()
        equipment = self._equipment
        to_server = self._legs[SERVER].sent if SERVER in self._legs else 0
        to_client = self._legs[CLIENT].sent if CLIENT in self._legs else 0
        equipment.audit.flow(
            self.identity,
            Verdict(outcome, why),
            self._started,
            equipment.clock.seconds(),
            to_server,
            to_client,
            self._upstream,
        )
        equipment.metrics.ended(self.identity.service, outcome, to_server, to_client)
        self._listener.over(self)
        self._home.over(self)


class DatagramListener(ListeningSocket):
    """Gets the first datagram of each session."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: Socket,
        sessions: Sessions,
        interface: str | None = None,
    ) -> None:
        super().__init__(reactor, sock, sessions, interface)
        self._flows: dict[tuple[Address, Address], DatagramSession] = {}

    def doRead(self) -> None:
        """The reactor: there are datagrams."""
        for _ in range(AT_ONCE):
            if not self._sessions.room:
                self.wait()
                return
            try:
                data, client, server = sockets.receive_datagram(self._socket, LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error for a datagram that is long forgotten
            if server is None:
                continue
            try:
                self._admit(client, server, data)
            except Exception:  # else the reactor would stop listening, for everybody
                self._sessions.not_admitted(client, server, UDP)

    def _admit(self, client: Address, server: Address, data: bytes) -> None:
        """Begin a session, unless there is one: the datagram was underway when it began."""
        flow = self._flows.get((client, server))
        if flow is not None:
            flow.received(CLIENT, data)
            return
        sessions = self._sessions
        identity, service = sessions.identify(
            client, server, UDP, self.interface, self.address.port
        )
        refused = sessions.refusal(identity, service)
        if refused is not None:
            sessions.refuse(identity, *refused)
            return
        assert service is not None
        session = DatagramSession(sessions, service, identity, self)
        self._flows[client, server] = session
        sessions.enter(session)
        try:
            session.start(data)
        except Exception:  # it is there, and has to have an end
            session.break_off()

    def over(self, session: DatagramSession) -> None:
        """A session is over."""
        self._flows.pop((session.identity.client, session.identity.server), None)


def open_datagram_listener(
    reactor: IReactorFDSet,
    address: Address,
    mark: int,
    sessions: Sessions,
    interface: str | None = None,
) -> DatagramListener:
    """
    Take datagrams at C{address}, for everybody's addresses. Begins with L{DatagramListener.resume}.

    @raise OSError: the port is taken, or privileges are missing.
    """
    return DatagramListener(reactor, sockets.listen_datagrams(address, mark), sessions, interface)
