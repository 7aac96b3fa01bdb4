"""The kernel and the gateway decide alike, for real: generated policies, real connections."""

from __future__ import annotations

import contextlib
import errno
import itertools
import random
import socket

from attrs import frozen

from gateway import registry
from gateway.interfaces import Address
from gateway.lab.waiting import wait_until
from gateway.policy.connection import Connection, Protocol
from gateway.policy.load import load
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.policy.service import Action, Reply
from tests.netns.case import RELOADED, SECONDS, SceneCase, family, reset

SOURCES = ("10.1.2.3", "10.1.200.9", "10.2.0.9", "fd00:1::2:3")
SERVERS = ("198.51.100.7", "203.0.113.9", "192.0.2.10", "2001:db8:100::7")
PORTS = (1001, 1002, 1003)

FROM = (
    ["10.1.0.0/16"],
    ["10.1.200.0/24"],
    ["10.0.0.0/8"],
    ["10.2.0.9/32", "fd00:1::/48"],
    ["10.1.2.0/24", "fd00::/8"],
    [],
)
TO = (
    ["198.51.100.0/24"],
    ["203.0.113.9/32", "2001:db8::/32"],
    ["192.0.2.0/24", "203.0.113.0/24"],
    ["2001:db8:100::7/128"],
    ["198.0.0.0/8", "2000::/3"],
    [],
)
HOW = {
    "relay-a": 'inspector = "relay"\n[limits]\nidle_seconds = 0.5\n',
    "relay-b": 'inspector = "relay"\n[limits]\nidle_seconds = 0.5\n',
    "forward": 'action = "forward"\n',
    "reset": 'action = "deny"\nreply = "reset"\n',
    "prohibited": 'action = "deny"\nreply = "prohibited"\n',
}
REPLIES = {
    Reply.RESET: {errno.ECONNREFUSED},
    Reply.PROHIBITED: {errno.EHOSTUNREACH, errno.EACCES},
}
SEED = 2007
POLICIES = 24
CONNECTIONS = 12


@frozen
class Expected:
    """What the policy says: passed by the kernel or by a service, or refused."""

    passes: bool
    service: str | None = None
    errors: frozenset[int] = frozenset()


def expected(policy: Policy, connection: Connection) -> Expected:
    rule = policy.decide(connection)
    if rule is None:
        return Expected(True)
    service = policy.services[rule.service]
    if service.action is Action.INSPECT:
        return Expected(True, rule.service)
    if service.action is Action.FORWARD:
        return Expected(True)
    return Expected(False, None, frozenset(REPLIES[service.reply]))


class DecidingTests(SceneCase):
    """Install a policy, connect, and compare with what C{decide} says."""

    policies = POLICIES

    def prepare(self) -> None:
        """Servers on every port that the policies speak of."""
        for host in SERVERS:
            for port in PORTS:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    theirs = self.server.socket(family(host), kind)
                    theirs.bind((host, port))
                    if kind == socket.SOCK_STREAM:
                        theirs.settimeout(SECONDS)
                        theirs.listen(1024)
                    self.scene.sockets.append(theirs)

    def test_alike(self) -> None:
        """Who passes, who is inspected by which service and who is refused how: as decided."""
        generator = random.Random(SEED)
        kinds: set[str] = set()
        asked: list[tuple[Address, Expected, str]] = []
        for number in range(self.policies):
            policy = self.install(generator)
            for connection in self.connections(generator):
                want = expected(policy, connection)
                kinds.add(want.service or str(want.passes))
                message = f"policy {number}: {connection}"
                asked.append((self.assertDecided(connection, want, message), want, message))
        for client, want, message in asked:
            self.assertRecorded(client, want, message)
        self.assertEqual(kinds, {"relay-a", "relay-b", "True", "False"})

    def install(self, generator: random.Random) -> Policy:
        """The next generated policy that is valid; the running gateway has it afterwards."""
        while True:
            self.scene.configure(generated(generator), self.gateway, zones="")
            with contextlib.suppress(PolicyError):
                policy = load(self.scene.config, registry.find)
                break
        self.scene.reload(RELOADED)
        return policy

    def connections(self, generator: random.Random) -> list[Connection]:
        questions = []
        for _ in range(CONNECTIONS):
            version = generator.choice((False, False, True))
            source = generator.choice([one for one in SOURCES if (":" in one) == version])
            server = generator.choice([one for one in SERVERS if (":" in one) == version])
            protocol = generator.choice((Protocol.TCP, Protocol.TCP, Protocol.UDP))
            to = Address(server, generator.choice(PORTS))
            questions.append(Connection(Address(source, 0), to, protocol, "lan0"))
        return questions

    def assertDecided(self, connection: Connection, want: Expected, message: str) -> Address:
        """The connection passes, or is refused as it should be."""
        tried = self.datagram if connection.protocol is Protocol.UDP else self.stream
        client, error = tried(connection, want)
        if want.passes:
            self.assertEqual(error, 0, message)
        else:
            self.assertIn(error, want.errors, message)
        return client

    def assertRecorded(self, client: Address, want: Expected, message: str) -> None:
        """The service that should have it has had it, or none."""
        if want.service:
            self.assertEqual(self.flow(client)["gateway"]["service"], want.service, message)
        else:
            self.assertEqual(self.flows(client), [], message)

    def stream(self, connection: Connection, want: Expected) -> tuple[Address, int]:
        ours = self.bound(connection, socket.SOCK_STREAM)
        client = Address(*ours.getsockname()[:2])
        error = ours.connect_ex(connection.destination)
        if want.passes and not error:
            theirs, peer = self.accept(self.server_of(connection))
            self.assertEqual(Address(*peer), client)
            theirs.close()
        reset(ours)
        return client, error

    def datagram(self, connection: Connection, want: Expected) -> tuple[Address, int]:
        ours = self.bound(connection, socket.SOCK_DGRAM)
        client = Address(*ours.getsockname()[:2])
        ours.connect(connection.destination)
        theirs = self.server_of(connection)
        ours.send(b"x")
        arrived = wait_until(lambda: self.heard(theirs) or self.failed(ours), SECONDS, every=0.002)
        self.assertTrue(arrived, f"{connection}: neither arrived nor refused")
        error = self.errors.pop() if self.errors else 0
        ours.close()
        return client, error

    def setUp(self) -> None:
        self.errors: list[int] = []
        self.ports = itertools.count(20_000)
        super().setUp()

    def heard(self, theirs: socket.socket) -> bool:
        with contextlib.suppress(BlockingIOError):
            return bool(theirs.recv(10, socket.MSG_DONTWAIT))
        return False

    def failed(self, ours: socket.socket) -> bool:
        if error := ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.errors.append(error)
        return bool(error)

    def server_of(self, connection: Connection) -> socket.socket:
        udp = connection.protocol is Protocol.UDP
        kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
        for one in self.scene.sockets:
            if (one.type, one.getsockname()[:2]) == (kind, connection.destination):
                return one
        raise AssertionError(connection)

    def bound(self, connection: Connection, kind: int) -> socket.socket:
        ours = self.client.socket(family(connection.source.host), kind)
        self.addCleanup(ours.close)
        ours.settimeout(SECONDS)
        ours.bind((connection.source.host, next(self.ports)))
        return ours


class IptablesDecidingTests(DecidingTests):
    """The same with rules of iptables; fewer, as they take longer to install."""

    gateway = 'backend = "iptables"\n'
    policies = POLICIES // 3


def generated(generator: random.Random) -> dict[str, str]:
    """Service files with overlapping rules; the smaller a rule is, the higher its priority."""
    rules = []
    for _ in range(generator.randint(2, 7)):
        sources, servers = generator.choice(FROM), generator.choice(TO)
        ports = generator.choice(([], [1001], ["1002-1003"], [1001, 1003]))
        protocol = generator.choice(("tcp", "tcp", "udp"))
        size = (not sources) + (not servers) + (not ports)
        rules.append((generator.choice(tuple(HOW)), size, sources, servers, ports, protocol))
    rules.sort(key=lambda rule: (rule[0], rule[1]))
    files = {}
    for name, group in itertools.groupby(rules, key=lambda rule: rule[0]):
        files[name] = HOW[name] + "".join(_rule(*one[1:], generator) for one in group)
    return files


def _rule(
    size: int,
    sources: list[str],
    servers: list[str],
    ports: list[object],
    protocol: str,
    generator: random.Random,
) -> str:
    lines = ["[[rule]]", f'protocol = "{protocol}"']
    if sources:
        lines.append(f"from = {sources}".replace("'", '"'))
    if servers:
        lines.append(f"to = {servers}".replace("'", '"'))
    if ports:
        lines.append(f"ports = {ports}".replace("'", '"'))
    lines.append(f"priority = {(3 - size) * 1000 + generator.randint(0, 999)}")
    return "\n".join(lines) + "\n"
