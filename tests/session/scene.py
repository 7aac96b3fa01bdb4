"""
A scene for session tests: a client, a gateway's sessions and a server on loopback.

Everything is real but the divert: an ordinary listener stands in for the
transparent one, and says that the server is the original destination.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from gateway.admission.admission import Admission
from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.observe.audit import Audit
from gateway.observe.eve import records_amiss
from gateway.observe.metrics import Metrics
from gateway.policy.audit import AuditSettings
from gateway.policy.limits import Limits, ServiceLimits
from gateway.policy.policy import Policy
from gateway.policy.service import Service, Source
from gateway.release.passage import NO_PASSAGES
from gateway.session.equipment import Equipment, no_credentials
from gateway.session.ticker import Ticker
from gateway.testing.world.world import inspecting
from gateway.wire.connector import Connector
from gateway.wire.names import Names
from gateway.wire.poller import Poller
from protocols.relay import RelayInspector
from tests.observe.reading import flows_amiss

PATIENCE = 10.0


def service(making: Any = RelayInspector, name: str = "web", **fields: Any) -> Service:
    """A service whose inspector is made by C{making}."""
    fields.setdefault("source", Source.GATEWAY)
    return inspecting(making, name, **fields)


class Scene:
    """One gateway with one service (and others to stack or to expect), and one server."""

    def __init__(
        self,
        case: Any,
        making: Any = RelayInspector,
        others: tuple[Service, ...] = (),
        limits: ServiceLimits | None = None,
        all_limits: Limits | None = None,
        descriptors: int = 1000,
        credentials: Any = no_credentials,
        server: bool = True,
        passages: Any = NO_PASSAGES,
        **fields: Any,
    ) -> None:
        self.case = case
        self.audit_file = case.mktemp()
        self.audit = Audit(
            AuditSettings(file=self.audit_file), reactor.seconds, reactor.callFromThread
        )
        self.metrics = Metrics()
        self.ticker = Ticker(reactor)
        main = service(making, limits=limits or ServiceLimits(), **fields)
        self.policy = Policy(
            limits=all_limits or Limits(),
            services={one.name: one for one in (main, *others)},
            rules=main.rules,
        )
        self.poller = Poller(reactor)
        connector = Connector(self.poller, 0, Names())
        equipment = Equipment(
            reactor, reactor, self.ticker, connector, self.audit, self.metrics, self.poller
        )
        self.equipment = evolve(equipment, credentials=credentials, passages=passages)
        self.admission = Admission(self.equipment, self.policy, descriptors)
        self.register = self.admission.register
        self.audit.start()
        self.door = sockets.listen(Address("127.0.0.1", 0), 0, 100)
        self.door.setblocking(True)
        self.door.settimeout(PATIENCE)
        self.server = socket.create_server(("127.0.0.1", 0)) if server else None
        if self.server is not None:
            self.server.settimeout(PATIENCE)
            self.address = Address(*self.server.getsockname())
        case.addCleanup(self._clean)

    def _clean(self) -> None:
        self.admission.stop()
        self.ticker.stop()
        self.poller.stop()
        self.audit.close()
        self.door.close()
        if self.server is not None:
            self.server.close()

    def connect(self) -> socket.socket:
        """A client connects, and is admitted."""
        client = socket.create_connection(self.door.getsockname(), PATIENCE)
        self.case.addCleanup(client.close)
        sock, address, _ = sockets.accept(self.door)
        self.admission.admit(sock, address, self.address, None, 0)
        return client

    def accepted(self) -> Deferred[socket.socket]:
        """The connection that the server gets."""

        def accept() -> socket.socket:
            sock, _ = self.server.accept()
            sock.settimeout(PATIENCE)
            self.case.addCleanup(sock.close)
            return sock

        return in_thread(accept)

    async def pair(self) -> tuple[socket.socket, socket.socket]:
        """A client and a server that are connected through the gateway."""
        client = self.connect()
        return client, await self.accepted()

    async def over(self) -> dict[str, Any]:
        """The flow record, when no session is left. There must be exactly one for each."""
        await self.register.drain()
        (flow,) = [one for one in self.records() if one["event_type"] == "flow"]
        return flow

    def records(self) -> list[dict[str, Any]]:
        """All audit records; the audit is closed."""
        self.audit.close()
        with open(self.audit_file) as file:  # noqa: PTH123
            records = [json.loads(line) for line in file]
        self.case.assertEqual([*flows_amiss(records), *records_amiss(records)], [])
        return records


def in_thread(called: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """Blocking calls of clients and servers."""
    return deferToThread(called, *arguments)


async def receive_all(sock: socket.socket) -> bytes:
    """Everything until the end."""

    def receive() -> bytes:
        received = []
        while data := sock.recv(65536):
            received.append(data)
        return b"".join(received)

    return await in_thread(receive)


async def receive(sock: socket.socket, size: int) -> bytes:
    """Exactly C{size} bytes, or fewer at the end."""
    return await in_thread(lambda: sock.recv(size, socket.MSG_WAITALL))


async def send(sock: socket.socket, data: bytes) -> None:
    """All of it."""
    await in_thread(sock.sendall, data)


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Let the reactor turn until C{condition} holds."""
    deadline = reactor.seconds() + seconds
    while not condition():
        if reactor.seconds() > deadline:
            raise AssertionError("it did not come about")
        await deferLater(reactor, 0.005, lambda: None)


def asynchronous(test: Any) -> Any:
    """A test that is a coroutine."""

    def run(self: Any) -> Deferred[None]:
        return ensureDeferred(test(self))

    run.__doc__ = test.__doc__
    run.__name__ = test.__name__
    return run
