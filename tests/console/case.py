"""A console over simulated connections and a clock, with the gateway's own table of questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from itertools import count
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gateway.console.console import Console
from gateway.control.budget import Budget
from gateway.control.following import Followed
from gateway.control.question import Answer, Asked, Asker
from gateway.control.questions import Questions
from gateway.policy.console import ConsoleSettings
from gateway.policy.holders import Right, TokenHolder

HOST = "127.0.0.1:9181"
ORIGIN = f"http://{HOST}"

STATUS = {
    "now": 1000.0,
    "services": {
        "web": {
            "running": 2,
            "ended": {"passed": 7, "denied": 1},
            "bytes": {"to_server": 10, "to_client": 200},
        },
        "mail": {"running": 0, "ended": {"passed": 1}, "bytes": {"to_server": 5, "to_client": 0}},
    },
    "refused": {"no-rule": 3},
}


def holder(name: str, right: Right, token: str) -> TokenHolder:
    """Somebody who has this token."""
    return TokenHolder(name, right, sha256(token.encode()).digest())


SETTINGS = ConsoleSettings(
    listen=HOST,
    names=("gateway.example",),
    tokens=(
        holder("anna", Right.WRITE, "anna's"),
        holder("screen", Right.READ, "screen's"),
    ),
    attempts_per_minute=3,
    clients=4,
)


class Records:
    """Where records come from."""

    def __init__(self) -> None:
        self.tell: Any = None

    def tap(self, tell: Any) -> None:
        self.tell = tell

    def write(self, **record: Any) -> None:
        """A record is written, and told if anybody follows."""
        if self.tell is not None:
            self.tell(json.dumps({"event_type": "http", **record}).encode() + b"\n")


class Answering:
    """A question."""

    def __init__(self, answer: Any, changes: bool = False) -> None:
        self.changes = changes
        self._answer = answer
        self.asked: list[tuple[Asked, Asker]] = []

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer] | Answer:
        self.asked.append((asked, asker))
        return self._answer() if callable(self._answer) else self._answer

    def merge(self, asked: Asked, answers: Any) -> Answer:
        return answers[0]


class Ports(Clock):
    """A reactor that listens nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.listening: dict[int, Any] = {}
        self.taken: set[int] = set()

    def listenTCP(self, number: int, factory: Any, interface: str) -> Any:
        if number in self.taken:
            raise OSError("in use")
        self.listening[number] = factory
        return Port(self, number)


class Port:
    def __init__(self, ports: Ports, number: int) -> None:
        self.ports, self.number = ports, number

    def stopListening(self) -> None:
        del self.ports.listening[self.number]


class Connection(StringTransport):
    """A connection to the console."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.gone()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """It has none."""

    def gone(self) -> None:
        """The other end is not there any more."""
        if self.protocol is not None:
            protocol, self.protocol = self.protocol, None
            protocol.connectionLost(Failure(ConnectionDone()))

    def say(self, *lines: str, body: str = "") -> None:
        """A request."""
        self.protocol.dataReceived("\r\n".join((*lines, "", body)).encode("latin-1"))

    def heard(self) -> tuple[int, dict[str, str], bytes]:
        """The answer so far: status, headers, body."""
        head, _, body = self.value().partition(b"\r\n\r\n")
        self.clear()
        first, *fields = head.decode().split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields)
        return int(first.split()[1]), headers, body


class ConsoleCase(SynchronousTestCase):
    """A console that listens."""

    settings = SETTINGS

    def setUp(self) -> None:
        self.reactor = Ports()
        self.records = Records()
        self.secrets = count(1)
        self.status = Answering(lambda: {**STATUS, "now": 1000.0 + self.reactor.seconds()})
        self.kill = Answering({"killed": 1, "ids": [7]}, changes=True)
        table = {"status": self.status, "kill": self.kill}
        self.budget = Budget(self.reactor.seconds)
        self.console = Console(
            self.reactor,
            self.settings,
            Questions(table, Followed(self.records), self.budget),
            self.reactor.seconds,
            lambda: f"secret-{next(self.secrets)}",
        )
        self.console.open()
        self.console.start()
        self.addCleanup(self.console.stop)

    def connect(self, peer: str = "127.0.0.1", local: str = "127.0.0.1") -> Connection:
        """A connection, if there is room for one."""
        (factory,) = self.reactor.listening.values()
        protocol = factory.buildProtocol(None)
        assert protocol is not None, "no room"
        transport = Connection(IPv4Address("TCP", local, 9181), IPv4Address("TCP", peer, 50000))
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def ask(
        self,
        line: str,
        *fields: str,
        value: object = None,
        host: str = HOST,
        peer: str = "127.0.0.1",
    ) -> tuple[int, Mapping[str, str], Any]:
        """One request on a connection of its own; JSON is read."""
        body = "" if value is None else json.dumps(value)
        length = (f"Content-Length: {len(body)}", "Content-Type: application/json") if body else ()
        connection = self.connect(peer)
        connection.say(f"{line} HTTP/1.1", f"Host: {host}", *length, *fields, body=body)
        status, headers, answer = connection.heard()
        connection.gone()
        is_json = headers.get("content-type") == "application/json"
        return status, headers, json.loads(answer) if is_json else answer

    def log_in(self, token: str = "anna's", peer: str = "127.0.0.1") -> tuple[str, str]:
        """The headers of a browser that has logged in."""
        fields = (f"Origin: {ORIGIN}", "X-Tproxygw: page")
        status, headers, told = self.ask(
            "POST /api/login", *fields, value={"token": token}, peer=peer
        )
        self.assertEqual(status, 200, told)
        cookie = headers["set-cookie"].partition(";")[0]
        return f"Cookie: {cookie}", f"X-Tproxygw: {told['key']}"

    def adopt(self, **changes: Any) -> None:
        """Another policy is in force."""
        settings = evolve(self.settings, **changes)
        self.console.prepare(settings)
        self.console.adopt(settings)
