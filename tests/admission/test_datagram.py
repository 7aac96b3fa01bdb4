"""UDP sessions between real sockets on loopback."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, ClassVar

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import fail
from twisted.trial.unittest import TestCase

from gateway.admission.datagram import DatagramListener
from gateway.interfaces import Address, Denied, Outcome, Side, Verdict
from gateway.kernel import sockets
from gateway.observe.metrics import Refusal
from gateway.policy.audit import AuditSettings
from gateway.policy.connection import Protocol
from gateway.policy.limits import ServiceLimits
from gateway.policy.policy import Policy
from gateway.policy.service import Source, Target
from gateway.session import senders
from gateway.session.datagrams import DatagramSession
from tests.session.scene import Scene, asynchronous, in_thread, until


class Shouting:
    """An inspector of datagrams that writes them in capitals, but some."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def started(self) -> None:
        self.session.connect()

    def closed(self, verdict: Verdict) -> None:
        if verdict.reason == "no!":
            self.session.record("shout", denied_by="here")

    def received(self, side: Side, datagram: bytes) -> Any:
        special = self.SPECIAL.get(datagram)
        if special is not None:
            return special(self)
        self.session.send(side.other, datagram.upper())
        return None

    def refuse(self) -> None:
        raise Denied("no!", b"not that")

    def break_(self) -> None:
        raise ZeroDivisionError

    def fail_later(self) -> Any:
        return fail(Denied("later"))

    def wait(self) -> None:
        self.session.after(0.1, lambda: self.session.close("time is up", Outcome.FAILED))

    def ask(self) -> Any:
        return self.session.probe(name="a.example")

    SPECIAL: ClassVar = {
        b"no": refuse,
        b"bug": break_,
        b"later": fail_later,
        b"slow": wait,
        b"probe": ask,
    }


class Brief(Shouting):
    """The same, and its clients mostly say one thing."""

    brief = True


class Adding(Shouting):
    """One that trusts in a Deferred that has fired, and errs."""

    def started(self) -> None:
        self.session.connect().addCallback(lambda _: 1 / 0)


class Broken(Policy):
    """A policy with a bug."""

    def decide(self, connection: Any) -> Any:
        return 1 / 0


def named_socket(descriptor: int) -> tuple[int, Any] | None:
    """The kind and the name of a socket; C{None}: it is none."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            return sock.type, sock.getsockname()
    except OSError:
        return None


class DatagramTests(TestCase):
    """The first datagram comes to the listener, the others to the session's own sockets."""

    timeout = 30

    def setUp(self) -> None:
        self.server = self.socket()
        self.address = Address(*self.server.getsockname())

    def socket(self) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        return sock

    def scene(self, **arguments: Any) -> tuple[Scene, DatagramListener]:
        scene = Scene(self, **arguments)
        rules = tuple(evolve(rule, protocol=Protocol.UDP) for rule in scene.policy.rules)
        scene.admission.policy = Policy(services=scene.policy.services, rules=rules)
        sock = self.socket()
        sock.setblocking(False)
        listener = DatagramListener(reactor, sock, scene.admission)
        self.addCleanup(listener.stop)
        return scene, listener

    def begin(self, listener: DatagramListener, data: bytes) -> tuple[socket.socket, Address]:
        """
        A client whose first datagram has just come. It talks to 127.0.0.2, so that the
        session can have the address that the client believes to talk to.
        """
        client = self.socket()
        believed = Address("127.0.0.2", self.address.port)
        client.connect(believed)
        listener._admit(Address(*client.getsockname()), believed, data)
        return client, believed

    def fixed(self, **more: Any) -> dict[str, Any]:
        return {"targets": (Target(*self.address),), **more}

    @asynchronous
    async def test_both_ways(self) -> None:
        """Datagrams keep their borders both ways; answers come from where the client asked."""
        scene, listener = self.scene(**self.fixed())
        client, _ = self.begin(listener, b"first")
        data, source = await in_thread(self.server.recvfrom, 100)
        self.assertEqual(data, b"first")
        self.server.sendto(b"one", source)
        self.server.sendto(b"", source)
        self.server.sendto(b"three", source)
        answers = [await in_thread(client.recv, 100) for _ in range(3)]
        self.assertEqual(answers, [b"one", b"", b"three"])
        client.send(b"second")
        self.assertEqual((await in_thread(self.server.recvfrom, 100)), (b"second", source))
        scene.admission.stop()
        (flow,) = scene.records()
        self.assertEqual(flow["proto"], "UDP")
        self.assertEqual(flow["flow"]["bytes_toserver"], 11)
        self.assertEqual(flow["flow"]["bytes_toclient"], 8)

    @asynchronous
    async def test_source_port_kept(self) -> None:
        """The server sees the client's own address and port."""
        scene, listener = self.scene(**self.fixed(source=Source.CLIENT))
        self.server.close()
        elsewhere = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(elsewhere.close)
        elsewhere.bind(("127.0.0.1", self.address.port))
        elsewhere.settimeout(5)
        client = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("127.0.0.5", 0))
        believed = Address("127.0.0.2", self.address.port)
        client.connect(believed)
        listener._admit(Address(*client.getsockname()), believed, b"hello")
        _, source = await in_thread(elsewhere.recvfrom, 100)
        self.assertEqual(source, client.getsockname())
        scene.admission.stop()
        (flow,) = scene.records()
        self.assertTrue(flow["gateway"]["upstream"]["port_kept"])

    @asynchronous
    async def test_inspected(self) -> None:
        """An inspector hears every datagram, and decides; its last words reach the client."""
        scene, listener = self.scene(making=Shouting, **self.fixed())
        client, _ = self.begin(listener, b"first")
        self.assertEqual((await in_thread(self.server.recvfrom, 100))[0], b"FIRST")
        client.send(b"no")
        self.assertEqual(await in_thread(client.recv, 100), b"not that")
        await until(lambda: not scene.register.running)
        event, flow = scene.records()
        self.assertEqual((event["event_type"], event["gateway"]["denied_by"]), ("shout", "here"))
        self.assertEqual((flow["gateway"]["verdict"], flow["gateway"]["reason"]), ("denied", "no!"))
        self.assertEqual(flow["gateway"]["denied"], 1)
        client.send(b"again")
        self.assertEqual(listener._flows, {})

    def test_denied_to_nobody(self) -> None:
        """A client that is not there any more to hear why was denied all the same."""
        scene, listener = self.scene(making=Shouting, **self.fixed())
        client, believed = self.begin(listener, b"first")
        address = Address(*client.getsockname())
        client.close()
        (session,) = listener._flows.values()
        session.received(Side.SERVER, b"answer")
        listener._admit(address, believed, b"no")
        flow = scene.records()[-1]
        self.assertEqual((flow["gateway"]["verdict"], flow["gateway"]["reason"]), ("denied", "no!"))

    @asynchronous
    async def test_inspector_fails(self) -> None:
        """Whose fault it was decides how the session ends; the next one is not harmed."""
        scene, listener = self.scene(making=Shouting, **self.fixed())
        wanted = (
            (b"bug", "broken", "a bug"),
            (b"later", "denied", "later"),
            (b"slow", "failed", "time is up"),
            (b"probe", "failed", "server unreachable: "),
        )
        for data, _, _ in wanted:
            self.begin(listener, data)
            await until(lambda: not scene.register.running)
        for flow, (_, verdict, reason) in zip(scene.records(), wanted, strict=True):
            self.assertEqual(flow["gateway"]["verdict"], verdict)
            self.assertIn(reason, flow["gateway"]["reason"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def refusing(self, most: int) -> tuple[Scene, DatagramListener]:
        """A scene with no rule for datagrams."""
        scene, listener = self.scene(**self.fixed())
        scene.admission.policy = Policy(audit=AuditSettings(refused_per_minute=most))
        return scene, listener

    def test_flood(self) -> None:
        """Datagrams that are refused, from whomever, write so many records and a count."""
        scene, listener = self.refusing(3)
        for number in range(1000):
            sender = Address(f"10.0.{number // 250}.{number % 250}", 1000)
            listener._admit(sender, Address("192.0.2.1", 53), b"")
        scene.admission.stop()
        *flows, left_out = scene.records()
        self.assertEqual([one["src_ip"] for one in flows], ["10.0.0.0", "10.0.0.1", "10.0.0.2"])
        self.assertEqual(left_out["event_type"], "audit")
        self.assertEqual(left_out["audit"]["refused"], 997)
        self.assertEqual(left_out["audit"]["reason"], "no-rule")
        self.assertEqual(left_out["proto"], "UDP")
        self.assertEqual(scene.metrics.refusals[Refusal.NO_RULE], 1000)

    def test_broken(self) -> None:
        """One that can't even be looked at is recorded, as often as any other."""
        scene, listener = self.refusing(3)
        real = sockets.receive_datagram
        came = iter([(b"x", Address("10.0.0.1", 1), Address("192.0.2.1", 53))] * 5)
        self.patch(sockets, "receive_datagram", lambda *a: next(came, None) or real(*a))
        scene.admission.policy = Broken(audit=AuditSettings(refused_per_minute=3))
        listener.doRead()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        scene.admission.stop()
        records = scene.records()
        self.assertEqual([one["event_type"] for one in records], ["flow"] * 3 + ["audit"])
        self.assertEqual(records[0]["gateway"]["verdict"], "broken")

    @asynchronous
    async def test_bug(self) -> None:
        """A session that could not begin has an end, and the next one is taken."""
        scene, listener = self.scene(**self.fixed())
        begun = DatagramSession._open
        self.patch(DatagramSession, "_open", lambda *_: 1 / 0)
        self.begin(listener, b"one")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.patch(DatagramSession, "_open", begun)
        self.begin(listener, b"two")
        self.assertEqual((await in_thread(self.server.recvfrom, 10))[0], b"two")
        scene.admission.stop()
        verdicts = [one["gateway"]["verdict"] for one in scene.records()]
        self.assertEqual(verdicts, ["broken", "closed"])

    @asynchronous
    async def test_same_flow(self) -> None:
        """A second datagram that still comes to the listener belongs to the same session."""
        scene, listener = self.scene(**self.fixed())
        client, believed = self.begin(listener, b"1")
        listener._admit(Address(*client.getsockname()), believed, b"2")
        got = [(await in_thread(self.server.recvfrom, 10))[0] for _ in range(2)]
        self.assertEqual(got, [b"1", b"2"])
        self.assertEqual(len(scene.register.running), 1)

    def towards_clients(self) -> list[tuple[str, int]]:
        """What sockets of UDP this process has towards clients: their own addresses."""
        numbers = [int(each.name) for each in Path("/proc/self/fd").iterdir()]
        named = [one for one in map(named_socket, numbers) if one is not None]
        return [name for kind, name in named if (kind, name[0]) == (socket.SOCK_DGRAM, "127.0.0.2")]

    @asynchronous
    async def test_brief(self) -> None:
        """Clients that ask once share a socket, and are answered from where they asked."""
        scene, listener = self.scene(making=Brief, **self.fixed())
        clients = [self.begin(listener, b"%d" % number)[0] for number in range(5)]
        self.assertEqual(len(self.towards_clients()), 1)
        for client in clients:
            data, source = await in_thread(self.server.recvfrom, 100)
            self.server.sendto(b"answer to " + data, source)
            self.assertEqual(await in_thread(client.recv, 100), b"ANSWER TO " + data)
        scene.admission.stop()
        self.assertEqual(self.towards_clients(), [])
        for flow in scene.records():
            self.assertEqual(flow["flow"]["bytes_toclient"], 11)

    @asynchronous
    async def test_brief_no_more(self) -> None:
        """One that asks again has a socket of its own from then on; nothing is counted twice."""
        scene, listener = self.scene(making=Brief, **self.fixed())
        client, believed = self.begin(listener, b"one")
        _, source = await in_thread(self.server.recvfrom, 100)
        self.server.sendto(b"a", source)
        self.assertEqual(await in_thread(client.recv, 100), b"A")
        listener._admit(Address(*client.getsockname()), believed, b"two")
        client.send(b"three")
        got = [(await in_thread(self.server.recvfrom, 100))[0] for _ in range(2)]
        self.assertEqual(got, [b"TWO", b"THREE"])
        self.server.sendto(b"b", source)
        self.assertEqual(await in_thread(client.recv, 100), b"B")
        scene.admission.stop()
        (flow,) = scene.records()
        self.assertEqual(flow["flow"]["bytes_toclient"], 2)
        self.assertEqual(flow["flow"]["bytes_toserver"], 11)

    @asynchronous
    async def test_brief_takes_nothing(self) -> None:
        """The shared socket gets no datagram that is for a session, or for the listener."""
        _, listener = self.scene(making=Brief, **self.fixed())
        client, _ = self.begin(listener, b"first")
        _, source = await in_thread(self.server.recvfrom, 100)
        client.send(b"nobody's")  # as no packet filter brings it to the listener here
        self.assertRaises(ConnectionRefusedError, client.recv, 100)
        self.server.sendto(b"a", source)
        self.assertEqual(await in_thread(client.recv, 100), b"A")

    @asynchronous
    async def test_brief_refused(self) -> None:
        """Its last words reach such a client, too."""
        _, listener = self.scene(making=Brief, **self.fixed())
        client, _ = self.begin(listener, b"no")
        self.assertEqual(await in_thread(client.recv, 100), b"not that")

    def test_many_servers(self) -> None:
        """Sockets to answer from are kept for so many servers; each still answers."""
        self.patch(senders, "MOST", 2)
        scene, listener = self.scene(making=Brief, **self.fixed())
        clients = []
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2"):
            clients.append((self.socket(), Address(host, self.address.port)))
            clients[-1][0].connect(clients[-1][1])
            listener._admit(Address(*clients[-1][0].getsockname()), clients[-1][1], b"x")
            self.assertLessEqual(len(scene.equipment.senders._sockets), 2)
        for session, (client, _) in zip([*listener._flows.values()], clients, strict=True):
            session.received(Side.SERVER, b"answer")
            self.assertEqual(client.recv(100), b"ANSWER")

    @asynchronous
    async def test_added(self) -> None:
        """What an inspector adds to the Deferred of its connection is its own fault if it fails."""
        scene, listener = self.scene(making=Adding, **self.fixed())
        self.begin(listener, b"x")
        await until(lambda: not scene.register.running)
        (flow,) = scene.records()
        self.assertEqual(flow["gateway"]["verdict"], "broken")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @asynchronous
    async def test_burst(self) -> None:
        """However many datagrams come at once, all pass, in their order."""
        _, listener = self.scene(**self.fixed())
        client, _ = self.begin(listener, b"first")
        _, source = await in_thread(self.server.recvfrom, 100)
        for number in range(100):
            self.server.sendto(b"%d" % number, source)
        got = [await in_thread(client.recv, 100) for _ in range(100)]
        self.assertEqual(got, [b"%d" % number for number in range(100)])

    @asynchronous
    async def test_idle(self) -> None:
        """A session in which nothing moves ends; that is the ordinary end of UDP."""
        scene, listener = self.scene(**self.fixed(limits=ServiceLimits(idle_seconds=0.3)))
        self.begin(listener, b"x")
        await until(lambda: not scene.register.running)
        (flow,) = scene.records()
        self.assertEqual(flow["gateway"]["verdict"], "passed")
        self.assertIn("idle", flow["gateway"]["reason"])
        self.assertEqual(listener._flows, {})

    @asynchronous
    async def test_port_unreachable(self) -> None:
        """A server whose port is closed ends the session, with the reason."""
        scene, listener = self.scene(**self.fixed())
        self.server.close()
        self.begin(listener, b"x")
        await until(lambda: not scene.register.running)
        (flow,) = scene.records()
        self.assertIn("port unreachable", flow["gateway"]["reason"])

    @asynchronous
    async def test_limit(self) -> None:
        """Limits hold for UDP too."""
        scene, listener = self.scene(**self.fixed(limits=ServiceLimits(sessions=1)))
        self.begin(listener, b"1")
        self.begin(listener, b"2")
        self.assertEqual(len(scene.register.running), 1)
        scene.admission.stop()
        reasons = [one["gateway"]["reason"] for one in scene.records()]
        self.assertIn("limits.sessions = 1 of the service", reasons)

    def taken(self, listener: DatagramListener) -> bool:
        """Whether the listener has read all that came."""
        with socket.socket(fileno=socket.dup(listener.fileno())) as peeking:
            try:
                peeking.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            return False

    @asynchronous
    async def test_listener(self) -> None:
        """Datagrams without an original destination were not diverted: they are ignored."""
        scene, listener = self.scene(**self.fixed())
        listener.resume()
        client = self.socket()
        client.sendto(b"direct", listener.address)
        await until(lambda: self.taken(listener))
        self.assertEqual(scene.register.running, {})
