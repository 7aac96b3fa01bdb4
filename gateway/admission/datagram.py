"""
UDP: the listener gets the first datagram of each session.

The others are brought to the session's own sockets, as soon as it has them; see
L{gateway.session.datagrams}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorFDSet
from twisted.python.failure import Failure

from gateway.admission.admission import UDP, Admission
from gateway.admission.listener import ListeningSocket
from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.session.datagram_leg import AT_ONCE, LARGEST
from gateway.session.datagrams import DatagramSession


class DatagramListener(ListeningSocket):
    """Gets the first datagram of each session, and what comes before the session has sockets."""

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: Socket,
        admission: Admission,
        interface: str | None = None,
    ) -> None:
        super().__init__(reactor, sock, admission, interface)
        self._flows: dict[tuple[Address, Address], DatagramSession] = {}

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            if not self._admission.register.claim():
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
                self._admission.not_admitted(client, server, UDP)

    def _admit(self, client: Address, server: Address, data: bytes) -> None:
        """Begin a session, unless there is one that could not hear it."""
        flow = self._flows.get((client, server))
        if flow is not None:
            flow.again(data)
            return
        admission = self._admission
        identity, service = admission.identify(
            client, server, UDP, self.interface, self.address.port
        )
        refused = admission.refusal(identity, service)
        if refused is not None:
            admission.refuse(identity, *refused)
            return
        assert service is not None
        session = DatagramSession(
            admission.equipment, admission.policy, service, identity, (self, admission)
        )
        self._flows[client, server] = session
        admission.register.enter(session)
        try:
            session.start(data)
        except Exception:  # it is there, and has to have an end
            session.break_off(Failure())  # type: ignore[no-untyped-call]

    def over(self, session: DatagramSession) -> None:
        """A session is over."""
        self._flows.pop((session.identity.client, session.identity.server), None)
