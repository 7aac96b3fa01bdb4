"""Sessions between real sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Address, Denied, Unreachable
from gateway.kernel import sockets
from gateway.policy.limits import Limits, ServiceLimits
from gateway.policy.service import Target
from gateway.session import patience
from gateway.session.session import Session
from gateway.wire.wire import READ_SIZE
from protocols.relay import RelayInspector
from tests.session.scene import (
    Scene,
    asynchronous,
    in_thread,
    receive,
    receive_all,
    reset,
    send,
    until,
)


class RelayTests(TestCase):
    """What every session does, seen with nothing to inspect."""

    timeout = 30

    @asynchronous
    async def test_both_ways(self) -> None:
        """Bytes arrive as they were sent, both ways, and are counted in one flow record."""
        scene = Scene(self)
        client, server = await scene.pair()
        await send(client, b"question")
        self.assertEqual(await receive(server, 8), b"question")
        await send(server, b"the answer")
        self.assertEqual(await receive(client, 10), b"the answer")
        client.close()
        self.assertEqual(await receive_all(server), b"")
        server.close()
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "passed")
        self.assertEqual(flow["flow"]["bytes_toserver"], 8)
        self.assertEqual(flow["flow"]["bytes_toclient"], 10)
        self.assertEqual(flow["gateway"]["upstream"]["port"], scene.address.port)

    @asynchronous
    async def test_half_close_of_client(self) -> None:
        """A client that says that it has sent everything still gets its answer."""
        scene = Scene(self)
        client, server = await scene.pair()
        await send(client, b"all I have to say")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(await receive_all(server), b"all I have to say")
        await send(server, b"x" * 300_000)
        server.close()
        self.assertEqual(await receive_all(client), b"x" * 300_000)
        client.close()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "passed")

    @asynchronous
    async def test_half_close_of_server(self) -> None:
        """A server that says that it has sent everything still hears the client."""
        scene = Scene(self)
        client, server = await scene.pair()
        await send(server, b"banner")
        server.shutdown(socket.SHUT_WR)
        self.assertEqual(await receive_all(client), b"banner")
        await send(client, b"y" * 300_000)
        client.close()
        self.assertEqual(await receive_all(server), b"y" * 300_000)
        server.close()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "passed")

    @asynchronous
    async def test_reset_by_client(self) -> None:
        """A client's reset reaches the server as a reset, not as an orderly end."""
        scene = Scene(self)
        client, server = await scene.pair()
        await send(client, b"half of it")
        await receive(server, 10)
        reset(client)
        with self.assertRaises(ConnectionResetError):
            await receive(server, 1)
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "reset")
        self.assertEqual(flow["gateway"]["reason"], "reset by the client")

    @asynchronous
    async def test_reset_by_server(self) -> None:
        """A server's reset reaches the client as a reset."""
        scene = Scene(self)
        client, server = await scene.pair()
        reset(server)
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        self.assertEqual((await scene.over())["gateway"]["reason"], "reset by the server")

    @asynchronous
    async def test_reset_while_the_other_side_is_full(self) -> None:
        """A server that dies while the client doesn't read is noticed, and all is cleaned up."""
        scene = Scene(self)
        client, server = await scene.pair()
        server.setblocking(False)
        self.fill(server)
        await until(lambda: scene.register.running)
        reset(server)
        with self.assertRaises(ConnectionResetError):
            await receive_all(client)
        await scene.over()

    def fill(self, sock: socket.socket) -> int:
        sent = 0
        try:
            while True:
                sent += sock.send(b"z" * 65536)
        except BlockingIOError:
            return sent

    @asynchronous
    async def test_refused(self) -> None:
        """A server that is not there: the client gets a reset, the operator the reason."""
        scene = Scene(self)
        scene.server.close()
        client = scene.connect()
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "failed")
        self.assertEqual(
            flow["gateway"]["reason"], f"server unreachable: {scene.address}: connection refused"
        )

    @asynchronous
    async def test_fail_over(self) -> None:
        """Of a list of servers, the first one that answers serves; attempts are recorded."""
        closed = socket.create_server(("127.0.0.1", 0))
        gone = Target(*closed.getsockname())
        closed.close()
        scene = Scene(self)
        scene.server.settimeout(10)
        one = scene.policy.services["web"]
        other = Scene(self, targets=(gone, Target(*scene.address)), name="web", limits=one.limits)
        client = other.connect()
        server = await scene.accepted()
        await send(server, b"here")
        self.assertEqual(await receive(client, 4), b"here")
        server.close()
        client.close()
        upstream = (await other.over())["gateway"]["upstream"]
        self.assertEqual((upstream["port"], upstream["attempts"]), (scene.address.port, 2))

    @asynchronous
    async def test_name_of_server(self) -> None:
        """A server may be given by name."""
        scene = Scene(self)
        port = scene.address.port
        other = Scene(self, targets=(Target("localhost", port),))
        client = other.connect()
        server = await scene.accepted()
        server.close()
        self.assertEqual(await receive_all(client), b"")
        client.close()
        self.assertEqual((await other.over())["gateway"]["upstream"]["port"], port)

    @asynchronous
    async def test_unread_bytes_stop_the_sender(self) -> None:
        """
        A receiver that does not read costs the gateway no more than the
        documented constant; the sender waits, and nothing is lost.
        """
        scene = Scene(self)
        client, server = await scene.pair()
        client.setblocking(False)
        session = next(iter(scene.register.running.values()))
        sent = 0
        for _ in range(50):
            sent += self.fill(client)
            await in_thread(lambda: None)
        wire = session._legs[SERVER].wire
        await until(lambda: session._legs[CLIENT].gate.reasons)
        self.assertLessEqual(wire.waiting, READ_SIZE)
        client.setblocking(True)
        client.settimeout(10)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(len(await receive_all(server)), sent)
        server.close()
        client.close()
        await scene.over()

    @asynchronous
    async def test_half_close_of_a_client_that_reads_late(self) -> None:
        """A client may say that it has sent all before it reads what is there in plenty."""
        scene = Scene(self)
        client, server = await scene.pair()
        server.setblocking(False)
        session = next(iter(scene.register.running.values()))
        sent = 0
        for _ in range(50):
            sent += self.fill(server)
            await in_thread(lambda: None)
        await until(lambda: session._legs[SERVER].gate.reasons)
        client.shutdown(socket.SHUT_WR)
        server.setblocking(True)
        server.settimeout(10)
        self.assertEqual(await receive_all(server), b"")
        server.close()
        self.assertEqual(len(await receive_all(client)), sent)
        client.close()
        await scene.over()

    @asynchronous
    async def test_echo_of_much(self) -> None:
        """A server that echoes, and a client that reads late: no deadlock."""
        scene = Scene(self)
        client, server = await scene.pair()

        def echo() -> None:
            while data := server.recv(65536):
                server.sendall(data)
            server.close()

        echoing = in_thread(echo)
        body = bytes(range(256)) * 20_000
        sending = in_thread(lambda: (client.sendall(body), client.shutdown(socket.SHUT_WR)))
        received = await receive_all(client)
        await sending
        await echoing
        client.close()
        self.assertEqual(received, body)
        await scene.over()

    @asynchronous
    async def test_idle(self) -> None:
        """A session in which nobody speaks is ended, and the record says by which limit."""
        scene = Scene(self, limits=ServiceLimits(idle_seconds=0.3))
        client, _ = await scene.pair()
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["reason"], "time limit: idle_seconds = 0.3")

    @asynchronous
    async def test_traffic_is_not_idle(self) -> None:
        """A session that is used now and then outlives the idle limit; not the total one."""
        limits = ServiceLimits(idle_seconds=0.6, total_seconds=2.0)
        scene = Scene(self, limits=limits)
        client, server = await scene.pair()
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100):
                await send(client, b".")
                await receive(server, 1)
                await until(lambda now=scene.ticker.now: scene.ticker.now != now)
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["reason"], "time limit: total_seconds = 2")

    @asynchronous
    async def test_stop(self) -> None:
        """A gateway that stops ends its sessions, and each has its record."""
        scene = Scene(self)
        client, _ = await scene.pair()
        scene.admission.stop()
        self.assertEqual(await receive_all(client), b"")
        self.assertEqual((await scene.over())["gateway"]["verdict"], "closed")


class AdmissionTests(TestCase):
    """Who may become a session."""

    timeout = 30

    async def refused(self, scene: Scene) -> str:
        await scene.pair()
        client = scene.connect()
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        scene.admission.stop()
        reasons = [one["gateway"]["reason"] for one in scene.records()]
        self.assertEqual(len(reasons), 2)
        return reasons[0]

    @asynchronous
    async def test_per_client(self) -> None:
        """A client with as many sessions as it may have gets a reset, with a record."""
        scene = Scene(self, all_limits=Limits(sessions_per_client=1))
        self.assertIn("limits.sessions_per_client = 1", await self.refused(scene))

    @asynchronous
    async def test_per_service(self) -> None:
        """A service with as many sessions as it may have refuses more."""
        scene = Scene(self, limits=ServiceLimits(sessions=1))
        self.assertEqual(await self.refused(scene), "limits.sessions = 1 of the service")

    @asynchronous
    async def test_per_client_and_service(self) -> None:
        """The same, for one client of one service."""
        scene = Scene(self, limits=ServiceLimits(sessions_per_client=1))
        self.assertIn("sessions_per_client = 1 of the service", await self.refused(scene))

    @asynchronous
    async def test_counts_go_down(self) -> None:
        """Sessions that are over count no more, and leave nothing behind."""
        scene = Scene(self, all_limits=Limits(sessions_per_client=1))
        for _ in range(3):
            client, server = await scene.pair()
            client.close()
            server.close()
            await scene.register.drain()
        self.assertEqual(len(scene.equipment.counts), 0)
        self.assertEqual(len(scene.records()), 3)

    @asynchronous
    async def test_bug(self) -> None:
        """A session that could not begin has an end, and a record."""
        scene = Scene(self)
        self.patch(Session, "start", lambda session: 1 / 0)
        with self.assertRaises(ConnectionResetError):
            await receive(scene.connect(), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((await scene.over())["gateway"]["verdict"], "broken")

    def test_room(self) -> None:
        """Both descriptors of a session are reserved before it is accepted."""
        scene = Scene(self, descriptors=3)
        self.assertTrue(scene.register.room)
        scene.connect()
        self.assertFalse(scene.register.room)
        scene.admission.stop()
        self.assertTrue(scene.register.room)

    @asynchronous
    async def test_listener_itself(self) -> None:
        """A connection made to the listener, not diverted to it, is refused: no open relay."""
        scene = Scene(self)
        scene.admission.admit(*(await self.accept(scene)), None, scene.address.port)
        (record,) = scene.records()
        self.assertIn("not diverted", record["gateway"]["reason"])

    async def accept(self, scene: Scene) -> tuple[sockets.Socket, Address, Address]:
        client = socket.create_connection(scene.door.getsockname(), 5)
        self.addCleanup(client.close)
        sock, address, _ = sockets.accept(scene.door)
        return sock, address, scene.address


class Asking(Inspector):
    """Does what the test says, when told that it is started or has received."""

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self.told: list[Any] = []
        made.append(self)

    def started(self) -> Any:
        return self.session.connect()

    def received(self, side: Any, data: bytes) -> Any:
        self.told.append((side, data))
        return answers[side](self.session, data) if side in answers else None

    def closed(self, verdict: Any) -> None:
        self.told.append(verdict.outcome.value)


made: list[Asking] = []
answers: dict[Any, Any] = {}


class InspectedTests(TestCase):
    """What an inspector can ask of a session."""

    timeout = 30

    def setUp(self) -> None:
        made.clear()
        answers.clear()

    @asynchronous
    async def test_deny_with_reply(self) -> None:
        """Denied: the client gets the reply and an orderly end, the server a reset."""

        def deny(session: Any, data: bytes) -> None:
            raise Denied("no such thing", b"no\r\n")

        answers[CLIENT] = deny
        scene = Scene(self, Asking)
        client, server = await scene.pair()
        await send(client, b"please")
        self.assertEqual(await receive_all(client), b"no\r\n")
        with self.assertRaises(ConnectionResetError):
            await receive(server, 1)
        client.close()
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["reason"], "no such thing")
        self.assertEqual(flow["gateway"]["verdict"], "denied")
        self.assertEqual(made[0].told[-1], "denied")
        self.assertEqual(flow["flow"]["bytes_toserver"], 0)

    @asynchronous
    async def test_denied_client_that_has_reset(self) -> None:
        """Whoever resets before the reply can be sent is recorded as denied all the same, once."""
        decision: Deferred[None] = Deferred()
        answers[CLIENT] = lambda session, data: decision
        scene = Scene(self, Asking)
        client, _ = await scene.pair()
        await send(client, b"please")
        await until(lambda: made[0].told)
        reset(client)
        decision.errback(Denied("no such thing", b"no\r\n"))
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "denied")
        self.assertEqual(flow["gateway"]["reason"], "no such thing")
        self.assertEqual(made[0].told[1:], ["denied"])

    @asynchronous
    async def test_reply_survives_unread_input(self) -> None:
        """What the client still sends doesn't turn the reply into a reset."""
        answers[CLIENT] = lambda session, data: session.deny("enough", b"enough\r\n")
        scene = Scene(self, Asking)
        client, _ = await scene.pair()
        await send(client, b"a" * 100_000)
        await send(client, b"b" * 500_000)
        self.assertEqual(await receive_all(client), b"enough\r\n")
        client.close()
        await scene.over()

    @asynchronous
    async def test_done(self) -> None:
        """When all is done, both sides hear the end, and no goodbye is waited for."""
        answers[CLIENT] = lambda session, data: session.send(SERVER, data)
        answers[SERVER] = lambda session, data: (session.send(CLIENT, data), session.done())
        scene = Scene(self, Asking)
        client, server = await scene.pair()
        await send(client, b"?")
        self.assertEqual(await receive(server, 1), b"?")
        await send(server, b"!")
        self.assertEqual((await scene.over())["gateway"]["verdict"], "passed")
        self.assertEqual(await receive_all(client), b"!")
        self.assertEqual(await receive_all(server), b"")

    @asynchronous
    async def test_done_while_something_waits(self) -> None:
        """What was sent before all was done arrives, however slow the receiver is."""
        large = b"x" * 10_000_000
        answers[CLIENT] = lambda session, data: (session.send(CLIENT, large), session.done())
        scene = Scene(self, Asking)
        client, server = await scene.pair()
        await send(client, b"?")
        self.assertEqual(await receive_all(client), large)
        client.close()
        server.close()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "passed")

    @asynchronous
    async def test_denied_client_that_stays(self) -> None:
        """A denied client that doesn't go is not kept for longer than we linger."""
        answers[CLIENT] = lambda session, data: session.deny("go", b"go\r\n")
        self.patch(patience, "LINGER", 0.3)
        scene = Scene(self, Asking)
        client, _ = await scene.pair()
        await send(client, b"hello")
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["reason"], "go")

    @asynchronous
    async def test_bug(self) -> None:
        """A bug in an inspector ends its session, with a traceback; the next one is served."""

        def fail(session: Any, data: bytes) -> None:
            if data == b"1":
                raise ZeroDivisionError("a bug")
            session.send(SERVER, data)

        answers[CLIENT] = fail
        scene = Scene(self, Asking)
        client, _ = await scene.pair()
        await send(client, b"1")
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client, server = await scene.pair()
        await send(client, b"2")
        self.assertEqual(await receive(server, 1), b"2")
        scene.admission.stop()
        outcomes = [one["gateway"]["verdict"] for one in scene.records()]
        self.assertEqual(outcomes, ["broken", "closed"])

    @asynchronous
    async def test_awaited_decision(self) -> None:
        """While a decision is awaited, that side is not read, and the other side is."""
        decision: Deferred[None] = Deferred()
        answers[CLIENT] = lambda session, data: decision
        answers[SERVER] = lambda session, data: session.send(CLIENT, data)
        scene = Scene(self, Asking)
        client, server = await scene.pair()
        await send(client, b"first")
        await until(lambda: made[0].told)
        await send(client, b"second")
        await send(server, b"meanwhile")
        self.assertEqual(await receive(client, 9), b"meanwhile")
        self.assertNotIn((CLIENT, b"second"), made[0].told)
        decision.callback(None)
        await until(lambda: (CLIENT, b"second") in made[0].told)
        scene.admission.stop()

    @asynchronous
    async def test_decision_against(self) -> None:
        """An awaited decision may be to deny."""
        decision: Deferred[None] = Deferred()
        answers[CLIENT] = lambda session, data: decision
        scene = Scene(self, Asking)
        client, _ = await scene.pair()
        await send(client, b"may I?")
        await until(lambda: made[0].told)
        decision.errback(Denied("you may not"))
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        self.assertEqual((await scene.over())["gateway"]["reason"], "you may not")

    @asynchronous
    async def test_decision_too_late(self) -> None:
        """A decision that comes when the session is over harms nobody."""
        decision: Deferred[None] = Deferred()
        answers[CLIENT] = lambda session, data: decision
        scene = Scene(self, Asking)
        client, _ = await scene.pair()
        await send(client, b"?")
        await until(lambda: made[0].told)
        scene.admission.stop()
        decision.callback(None)
        session = made[0].session
        session.send(CLIENT, b"x")
        session.end(SERVER)
        session.deny("late")
        session.close("late")
        session.done()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "closed")

    @asynchronous
    async def test_who_fills_waits(self) -> None:
        """
        A client whose own bytes fill the buffer towards itself is the one that
        waits; the server goes on being read.
        """
        answers[CLIENT] = lambda session, data: session.send(CLIENT, data * 4)
        answers[SERVER] = lambda session, data: None
        scene = Scene(self, Asking)
        client, server = await scene.pair()
        client.setblocking(False)
        session = next(iter(scene.register.running.values()))
        gates = {side: leg.gate for side, leg in session._legs.items()}

        def full() -> bool:
            try:
                client.send(b"x" * 65536)
            except BlockingIOError:
                pass
            return bool(gates[CLIENT].reasons)

        await until(full)
        self.assertEqual(gates[SERVER].reasons, 0)
        waiting = session._legs[CLIENT].waiting
        self.assertLessEqual(waiting, 65536 + 4 * READ_SIZE)
        await send(server, b"still heard")
        await until(lambda: (SERVER, b"still heard") in made[0].told)
        scene.admission.stop()

    @asynchronous
    async def test_sent_before_connected(self) -> None:
        """What is sent to the server early arrives first, in order."""

        class Early(RelayInspector):
            def started(self) -> None:
                self.session.send(SERVER, b"one ")
                self.session.send(SERVER, b"two ")
                super().started()

        scene = Scene(self, Early)
        client, server = await scene.pair()
        await send(client, b"three")
        self.assertEqual(await receive(server, 13), b"one two three")
        client.close()
        server.close()
        await scene.over()

    @asynchronous
    async def test_unreachable_handled(self) -> None:
        """An inspector may answer for a server that can't be reached."""

        class Answering(Inspector):
            def started(self) -> Any:
                return self.session.connect().addErrback(self.sorry)

            def sorry(self, failure: Any) -> None:
                failure.trap(Unreachable)
                self.session.send(CLIENT, b"sorry\r\n")
                self.session.close("server unreachable")

        scene = Scene(self, Answering)
        scene.server.close()
        client = scene.connect()
        self.assertEqual(await receive_all(client), b"sorry\r\n")
        client.close()
        self.assertEqual((await scene.over())["gateway"]["reason"], "server unreachable")

    @asynchronous
    async def test_urgent(self) -> None:
        """What is urgent has TCP's mark on its last byte, and its place among the rest."""
        made: list[Any] = []

        class Urging(RelayInspector):
            def started(self) -> None:
                made.append(self.session)
                super().started()

        scene = Scene(self, Urging)
        client, server = await scene.pair()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        await until(lambda: made[0]._legs[SERVER].wire)
        made[0].send(SERVER, b"one ")
        made[0].urge(SERVER, b"two")
        made[0].send(SERVER, b" three")
        self.assertEqual(await receive(server, 13), b"one tw")  # one recv stops before the mark
        self.assertEqual(await receive(server, 7), b"o three")
        client.close()
        server.close()
        await scene.over()

    @asynchronous
    async def test_unreachable_at_once(self) -> None:
        """And it may try again, even if the kernel says so before the call returns."""

        class Trying(Inspector):
            def started(self) -> Any:
                return ensureDeferred(self.try_twice())

            async def try_twice(self) -> None:
                for _ in range(2):
                    try:
                        await self.session.connect()
                    except Unreachable as error:
                        self.session.send(CLIENT, f"{error}\r\n".encode())
                self.session.close("server unreachable")

        scene = Scene(self, Trying)
        scene.address = Address("255.255.255.255", 1)
        client = scene.connect()
        heard = await receive_all(client)
        self.assertEqual(heard.count(b"255.255.255.255:1: network is unreachable\r\n"), 2, heard)
        client.close()
        self.assertEqual((await scene.over())["gateway"]["reason"], "server unreachable")

    @asynchronous
    async def test_close(self) -> None:
        """C{close} lets everything that was sent leave first."""
        answers[CLIENT] = lambda session, data: (
            session.send(SERVER, b"last words"),
            session.send(CLIENT, b"c" * 400_000),
            session.close("done"),
        )
        scene = Scene(self, Asking)
        client, server = await scene.pair()
        await send(client, b"go")
        self.assertEqual(await receive_all(server), b"last words")
        server.close()
        self.assertEqual(len(await receive_all(client)), 400_000)
        client.close()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "closed")

    @asynchronous
    async def test_last_record(self) -> None:
        """
        An inspector may record what was not completed when it is closed, but
        nothing later: the flow record is the last one.
        """

        class Recording(Inspector):
            def closed(self, verdict: Any) -> None:
                self.session.record("web", complete=False)
                made.append(self)

        scene = Scene(self, Recording)
        client, server = await scene.pair()
        client.close()
        server.close()
        await scene.register.drain()
        made[0].session.record("web", complete="late")
        kinds = [one["event_type"] for one in scene.records()]
        self.assertEqual(kinds, ["web", "flow"])

    @asynchronous
    async def test_prepared_record(self) -> None:
        """A record may be prepared; it too has to come before the flow record."""

        class Preparing(Inspector):
            def closed(self, verdict: Any) -> None:
                self.session.record_prepared("web", '"size":1', '"verdict":"passed"')
                made.append(self)

        made: list[Any] = []
        scene = Scene(self, Preparing)
        client, server = await scene.pair()
        client.close()
        server.close()
        await scene.register.drain()
        made[0].session.record_prepared("web", '"size":2', '"verdict":"passed"')
        web, flow = scene.records()
        self.assertEqual((web["web"], web["gateway"]["verdict"]), ({"size": 1}, "passed"))
        self.assertEqual(flow["event_type"], "flow")

    @asynchronous
    async def test_denied_in_part(self) -> None:
        """
        A session may pass though some of its transactions did not: its record says how many,
        the metrics say by what. A setting is named by the place where it is written.
        """

        class Denying(Inspector):
            def ended(self, side: Any) -> None:
                for by in ("methods", "other", "services/web.toml:9"):
                    gateway = {"verdict": "denied"}
                    self.session.record("page", gateway, denied_by=by, size=1)
                self.session.hit("methods")
                self.session.done()

        scene = Scene(self, Denying, written={"methods": "services/web.toml:7"})
        client, _ = await scene.pair()
        client.close()
        await scene.register.drain()
        *pages, flow = scene.records()
        places = ["services/web.toml:7", "other", "services/web.toml:9"]
        self.assertEqual([one["gateway"]["denied_by"] for one in pages], places)
        self.assertEqual(pages[0]["page"], {"size": 1})
        self.assertEqual((flow["gateway"]["verdict"], flow["gateway"]["denied"]), ("passed", 3))
        self.assertEqual(scene.metrics.denials, {("web", "page", one): 1 for one in places})
        self.assertEqual(scene.metrics.hits["web", "services/web.toml:7"], 2)
        self.assertEqual(scene.metrics.services["web"].passed_in_part, 1)

    @asynchronous
    async def test_flushed_early(self) -> None:
        """What was sent before there was a server has left as soon as there is one."""
        told: list[str] = []

        class Early(Inspector):
            def started(self) -> None:
                self.session.connect()
                self.session.send(SERVER, b"early")
                self.session.flushed(SERVER).addCallback(lambda _: told.append("flushed"))

        scene = Scene(self, Early)
        _, server = await scene.pair()
        self.assertEqual(await receive(server, 5), b"early")
        await until(lambda: told)

    @asynchronous
    async def test_nobody_to_talk_to(self) -> None:
        """A client that goes before anything was connected ends the session at once."""

        class Waiting(Inspector):
            def started(self) -> None:
                """The client speaks first."""

        scene = Scene(self, Waiting)
        client = scene.connect()
        client.close()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "passed")
