"""TLS in the middle of a session, on either side."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from itertools import product
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gateway.agreement import Agreed, Insecure, Invalid
from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Denied, Side
from gateway.policy.tls import Terms, Tls
from gateway.tls.credentials import Credentials
from gateway.wire import secure
from gateway.wire.secure import SecureWire
from gateway.wire.turns import Turns
from tests.session.scene import Scene, asynchronous, in_thread, receive, receive_all, send
from tests.tls.minting import minter
from tests.tls.peers import Peer, authority, server_context
from tests.tls.pki import DAY, NOW
from tests.tls.test_credentials import trusting

NAME = "server.example"
QUICK = Terms(handshake_seconds=0.3)
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class StartTls(Inspector):
    """
    Both sides speak plainly until the client says STARTTLS; then TLS on the sides named, as an
    inspector does it: the server first, and the client when that is agreed.
    """

    sides: tuple[Side, ...] = (SERVER, CLIENT)
    ways: dict[Side, dict[str, Any]] = {}
    agreed: dict[Side, Agreed] = {}
    failed: list[Insecure] = []
    protected: dict[Side, bool] = {}
    """Whether it has become so."""

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        if data == b"STARTTLS\n":
            return ensureDeferred(self.start_tls(data))
        self.session.send(side.other, data.upper())
        return None

    async def start_tls(self, data: bytes) -> None:
        self.session.send(SERVER, data)
        self.session.send(CLIENT, b"go ahead\n")
        for side in self.sides:
            ways = self.ways.get(side, {})
            try:
                self.protected[side] = self.session.protected(side)
                self.agreed[side] = await self.session.secure(side, name=NAME, **ways)
                self.protected[side] ^= self.session.protected(side)
            except Insecure as error:
                self.failed.append(error)
                raise


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def carry(sock: socket.socket, peer: Peer, until: Callable[[], bool]) -> None:
    """Carry bytes between a peer in memory and a socket."""
    peer.put(b"")
    while True:
        sock.sendall(peer.take())
        if until():
            return
        data = sock.recv(65536)
        if not data:
            raise EOFError
        peer.put(data)


class Case(TestCase):
    """Sessions that speak TLS."""

    timeout = 60

    def setUp(self) -> None:
        self.issued = authority().issue(NAME)
        self.patch(StartTls, "ways", {})
        self.patch(StartTls, "agreed", {})
        self.patch(StartTls, "failed", [])
        self.patch(StartTls, "protected", {})

    def scene(self, making: Any = StartTls, **ways: Any) -> Scene:
        settings = Tls(trust=((authority().issued.certificate,),), system_roots=False)
        credentials = Credentials(settings, None, minter()[0], time.time)
        return Scene(self, making, credentials=lambda _: credentials, **ways)

    async def begun(self, scene: Scene, *sides: Side) -> tuple[Any, Any]:
        """A client and a server that have just agreed to speak TLS, on these sides."""
        self.patch(StartTls, "sides", sides)
        client, server = await scene.pair()
        await send(client, b"STARTTLS\n")
        self.assertEqual(await receive(client, 9), b"go ahead\n")
        self.assertEqual(await receive(server, 9), b"STARTTLS\n")
        return client, server

    async def started(
        self, *sides: Side, version: Any = None, scene: Scene | None = None
    ) -> tuple[Scene, Any, Any]:
        """A session whose sides speak TLS."""
        scene = scene or self.scene()
        client, server = await self.begun(scene, *sides)
        context, other = trusting(), server_context(self.issued)
        if version:
            context.maximum_version = other.maximum_version = version
        if SERVER in sides:
            server = await self.shaken(server, other, server_side=True)
        if CLIENT in sides:
            client = await self.shaken(client, context, server_hostname=NAME)
        return scene, client, server

    async def shaken(self, sock: Any, context: ssl.SSLContext, **ways: Any) -> ssl.SSLSocket:
        """A peer of the gateway's that speaks TLS."""
        tls: ssl.SSLSocket = await in_thread(
            lambda: context.wrap_socket(sock, suppress_ragged_eofs=False, **ways)
        )
        self.addCleanup(tls.close)
        return tls

    async def talk(self, *sides: Side) -> None:
        scene, client, server = await self.started(*sides)
        body = b"q" * 500_000
        sending = ensureDeferred(send(client, body))
        got = await self.read(server, len(body))
        await sending
        self.assertEqual(got, body.upper())
        self.assertEqual(StartTls.protected, dict.fromkeys(sides, True))
        sending = ensureDeferred(send(server, b"a" * 300_000))
        self.assertEqual(await self.read(client, 300_000), b"A" * 300_000)
        await sending
        scene.admission.stop()

    async def read(self, sock: Any, size: int) -> bytes:
        def read() -> bytes:
            got = b""
            while len(got) < size:
                data = sock.recv(65536)
                if not data:
                    break
                got += data
            return got

        return await in_thread(read)


class SecureTests(Case):
    """C{session.secure}."""

    # Who speaks

    @asynchronous
    async def test_client_only(self) -> None:
        """The gateway takes TLS off the client's bytes; the inspector sees plaintext."""
        await self.talk(CLIENT)

    @asynchronous
    async def test_server_only(self) -> None:
        """The gateway speaks TLS to the server."""
        await self.talk(SERVER)

    @asynchronous
    async def test_both(self) -> None:
        """Both sides speak TLS, each with its own keys, and the inspector reads between them."""
        await self.talk(SERVER, CLIENT)

    @asynchronous
    async def test_agreed(self) -> None:
        """The inspector learns what was agreed, with which server."""
        scene, client, server = await self.started(SERVER, CLIENT)
        await send(client, b"hello")
        await self.read(server, 5)
        agreed = StartTls.agreed[SERVER]
        self.assertEqual((agreed.version, agreed.flaws), ("TLS 1.3", ()))
        self.assertEqual(agreed.chain[0].names, (NAME,))
        self.assertEqual(StartTls.agreed[CLIENT].chain, ())
        scene.admission.stop()

    @asynchronous
    async def test_resume(self) -> None:
        """
        What was agreed with a peer goes on with another one's connection, such as data's beside
        the control connection's; not when that is over.
        """
        for version in VERSIONS:
            scene, client, server = await self.started(SERVER, CLIENT, version=version)
            await self.greeted(client, server)  # tickets are read with data
            known = client.session
            ways = {side: {"resume": self.agreed_with(side)} for side in (CLIENT, SERVER)}
            self.patch(StartTls, "ways", ways)
            data, far = await self.begun(scene, SERVER, CLIENT)
            contexts = server.context, client.context
            far = await self.shaken(far, contexts[0], server_side=True)
            data = await self.shaken(data, contexts[1], server_hostname=NAME, session=known)
            self.assertEqual((far.session_reused, data.session_reused), (True, True))
            await self.greeted(data, far)
            self.assertTrue(self.agreed_with(CLIENT).resumed and self.agreed_with(SERVER).resumed)
            self.patch(StartTls, "ways", {})
            scene.admission.stop()

    async def greeted(self, client: Any, server: Any) -> None:
        """Both sides have heard from each other."""
        for sock, other in ((client, server), (server, client)):
            await send(sock, b"x")
            self.assertEqual(await self.read(other, 1), b"X")

    def agreed_with(self, side: Side) -> Agreed:
        return StartTls.agreed[side]

    @asynchronous
    async def test_resume_another_role(self) -> None:
        """An FTP server that connects is TLS's server all the same."""
        scene, client, server = await self.started(SERVER)
        await send(server, b"x")
        self.assertEqual(await receive(client, 1), b"X")
        ways = {CLIENT: {"resume": self.agreed_with(SERVER)}}
        self.patch(StartTls, "ways", ways)
        connecting, _ = await self.begun(scene, CLIENT)
        connecting = await self.shaken(connecting, server.context, server_side=True)
        self.assertTrue(connecting.session_reused)
        scene.admission.stop()

    @asynchronous
    async def test_resume_too_late(self) -> None:
        """A connection that is over has nothing that could go on."""
        agreed = Agreed("TLS 1.3", "TLS_AES_128_GCM_SHA256")
        self.patch(StartTls, "ways", {SERVER: {"resume": agreed}})
        scene = self.scene()
        await self.begun(scene, SERVER)
        await self.failing(scene, "whose TLS was to go on is over")

    @asynchronous
    async def test_alpn(self) -> None:
        """A server is offered what the inspector says; a client gets the first that it has."""
        StartTls.ways[SERVER] = {"alpn": ("h2", "http/1.1")}
        StartTls.ways[CLIENT] = {"alpn": ("http/1.1",)}
        scene = self.scene()
        client, server = await self.begun(scene, SERVER, CLIENT)
        context, other = trusting(), server_context(self.issued)
        other.set_alpn_protocols(["http/1.1"])
        context.set_alpn_protocols(["h2", "http/1.1"])
        server = await self.shaken(server, other, server_side=True)
        client = await self.shaken(client, context, server_hostname=NAME)
        self.assertEqual(server.selected_alpn_protocol(), "http/1.1")
        self.assertEqual(client.selected_alpn_protocol(), "http/1.1")
        self.assertEqual(StartTls.agreed[SERVER].alpn, "http/1.1")
        scene.admission.stop()

    @asynchronous
    async def test_like(self) -> None:
        """A client can be given a certificate like the server's."""

        class Alike(StartTls):
            async def start_tls(self, data: bytes) -> None:
                self.session.send(SERVER, data)
                self.session.send(CLIENT, b"go ahead\n")
                like = await self.session.secure(SERVER, name=NAME)
                await self.session.secure(CLIENT, name="ignored.example", like=like)

        self.issued = authority().issue(NAME, "other.example")
        _, client, _ = await self.started(SERVER, CLIENT, scene=self.scene(Alike))
        names = client.getpeercert()["subjectAltName"]
        self.assertEqual(names, (("DNS", NAME), ("DNS", "other.example")))

    # Ends

    @asynchronous
    async def test_half_close(self) -> None:
        """A client that has said all and said so is answered, in both versions."""
        for version in VERSIONS:
            scene = self.scene()
            client, server = await self.begun(scene, SERVER, CLIENT)
            context, other = trusting(), server_context(self.issued)
            context.maximum_version = other.maximum_version = version
            server = await self.shaken(server, other, server_side=True)
            peer = Peer(context, False, NAME)
            await in_thread(carry, client, peer, lambda each=peer: each.shaken)
            peer.send(b"all I say")
            peer.end()
            await send(client, peer.take())
            self.assertEqual(await self.read(server, 100), b"ALL I SAY")
            await send(server, b"z" * 200_000)
            ending = in_thread(server.unwrap)
            await in_thread(carry, client, peer, lambda each=peer: each.ended)
            self.assertEqual(len(peer.received), 200_000)
            await ending
            client.close()
            server.close()
            flow = await scene.over()
            self.assertEqual(flow["gateway"]["verdict"], "passed")
            self.assertGreater(flow["flow"]["bytes_toclient"], 200_000)

    @asynchronous
    async def test_not_said(self) -> None:
        """An end without close_notify, as most have it, is handed on as just that."""
        for version in VERSIONS:
            scene, client, server = await self.started(SERVER, CLIENT, version=version)
            await send(client, b"half a mess")
            self.assertEqual(await self.read(server, 11), b"HALF A MESS")
            await in_thread(client.shutdown, 1)
            with self.assertRaises(ssl.SSLEOFError):
                await in_thread(server.recv, 10)
            server.close()
            flow = await scene.over()
            self.assertEqual(flow["gateway"].get("reason", ""), "")
            self.assertEqual(flow["gateway"]["verdict"], "passed")

    @asynchronous
    async def test_cut(self) -> None:
        """The inspector can tell the one from the other."""
        cuts: list[bool] = []

        class Ends(StartTls):
            def ended(self, side: Side) -> None:
                cuts.append(self.session.cut(side))
                super().ended(side)

        scene, client, server = await self.started(SERVER, CLIENT, scene=self.scene(Ends))
        ending = in_thread(client.unwrap)
        self.assertEqual(await in_thread(server.recv, 10), b"")
        await in_thread(server.shutdown, 1)
        server.close()
        try:
            await ending
        except OSError:
            pass
        await scene.over()
        self.assertEqual(cuts, [False, True])

    # What goes wrong

    async def failing(self, scene: Scene, reason: str, verdict: str = "failed") -> None:
        """The session ends for this reason, which its inspector has heard too."""
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], verdict, flow)
        self.assertIn(reason, flow["gateway"]["reason"])

    @asynchronous
    async def test_no_tls(self) -> None:
        """A client that goes on in plaintext ends the session, and nothing of it gets through."""
        scene = self.scene()
        client, server = await self.begun(scene, CLIENT)
        await send(client, b"plainly spoken\n")
        with self.assertRaises(ConnectionResetError):
            self.assertEqual(await receive_all(server), b"")
        flow = await scene.over()
        self.assertIn("TLS with the client", flow["gateway"]["reason"])
        self.assertEqual(flow["flow"]["bytes_toserver"], 9)

    @asynchronous
    async def test_no_tls_server(self) -> None:
        """So does a server; the client hears nothing of it."""
        scene = self.scene()
        client, server = await self.begun(scene, SERVER)
        await send(server, b"220 plainly spoken\r\n")
        with self.assertRaises(ConnectionResetError):
            self.assertEqual(await receive_all(client), b"")
        await self.failing(scene, "TLS with the server: ")
        self.assertEqual(StartTls.failed[0].alert, "")

    @asynchronous
    async def test_not_believed(self) -> None:
        """A server that is not to be believed ends the session, unless the flaw is accepted."""
        self.issued = authority().issue(NAME, begin=NOW - 9 * DAY, end=NOW - DAY)
        scene = self.scene()
        _, server = await self.begun(scene, SERVER)
        shaking = ensureDeferred(self.shaken(server, server_context(self.issued), server_side=True))
        await self.failing(scene, "the server's certificate: expired: it was valid until")
        await shaking
        agreed = StartTls.failed[0].agreed
        assert agreed is not None
        self.assertEqual([flaw.kind for flaw in agreed.flaws], [Invalid.EXPIRED])
        StartTls.ways[SERVER] = {"accept": {Invalid.EXPIRED}}
        scene, *_ = await self.started(SERVER)
        self.assertEqual([flaw.kind for flaw in StartTls.agreed[SERVER].flaws], [Invalid.EXPIRED])
        scene.admission.stop()

    @asynchronous
    async def test_refused_by_the_client(self) -> None:
        """A client that does not believe our certificate says so, by an alert that has a name."""
        StartTls.ways[CLIENT] = {"trusted": False}
        scene = self.scene()
        client, _ = await self.begun(scene, CLIENT)
        with self.assertRaises(ssl.SSLCertVerificationError):
            await self.shaken(client, trusting(), server_hostname=NAME)
        await self.failing(scene, "TLS with the client: ")
        self.assertEqual(StartTls.failed[0].alert, "unknown_ca")

    @asynchronous
    async def test_slow(self) -> None:
        """Nobody may take for ever, on either side."""
        for side in (CLIENT, SERVER):
            StartTls.ways[side] = {"terms": QUICK}
            scene = self.scene()
            client, server = await self.begun(scene, side)
            await self.failing(scene, "time limit: handshake_seconds = 0.3")
            client.close()
            server.close()

    @asynchronous
    async def test_leaves(self) -> None:
        """A peer that goes away in the middle of the handshake ends the session."""
        for side in (CLIENT, SERVER):
            scene = self.scene()
            client, server = await self.begun(scene, side)
            leaving = client if side is CLIENT else server
            await send(leaving, b"\x16\x03\x01\x02\x00\x01")
            leaving.close()
            await self.failing(scene, f"TLS with the {side.value}: ")
            client.close()
            server.close()

    @asynchronous
    async def test_leaves_anywhere(self) -> None:
        """Wherever in the handshake a peer goes away, or resets, the session is over at once."""
        ways = product((CLIENT, SERVER), (0, 1, 5, 6, 100, -1), (socket.socket.close, reset))
        for side, count, leave in ways:
            scene = self.scene()
            client, server = await self.begun(scene, side)
            leaving = client if side is CLIENT else server
            peer = Peer(trusting(), False, NAME)
            if side is SERVER:
                peer = Peer(server_context(self.issued), True)
                peer.put(await in_thread(leaving.recv, 65536))
            else:
                peer.put(b"")
            await send(leaving, peer.take()[:count])
            leave(leaving)
            await self.failing(scene, f"TLS with the {side.value}: ")
            self.assertEqual(scene.equipment.turns._going, {})
            client.close()
            server.close()

    @asynchronous
    async def test_broken_later(self) -> None:
        """What is no TLS any more, after the handshake, ends the session too."""
        scene, client, server = await self.started(SERVER, CLIENT)
        sock = socket.socket(fileno=client.detach())
        await send(sock, b"\x17\x03\x03\x00\x20" + b"g" * 32)
        with self.assertRaises(OSError):
            self.assertEqual(await self.read(server, 1), b"")
            await in_thread(server.recv, 1)
        sock.close()
        await self.failing(scene, "TLS: ")

    @asynchronous
    async def test_no_root(self) -> None:
        """Without a root the session ends: it doesn't go on in plaintext."""
        scene = Scene(self, StartTls)
        client, _ = await self.begun(scene, CLIENT)
        with self.assertRaises(ConnectionResetError):
            await receive_all(client)
        await self.failing(scene, "tls.root")

    @asynchronous
    async def test_plaintext_behind(self) -> None:
        """What is sent to a side right after secure() was asked for is never sent in plaintext."""

        class Chatty(Inspector):
            def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
                secured = self.session.secure(CLIENT, name=NAME)
                self.session.send(CLIENT, b"in secret")
                return secured

        scene = self.scene(Chatty)
        client, _ = await scene.pair()
        await send(client, b"x")
        tls = await self.shaken(client, trusting(), server_hostname=NAME)
        self.assertEqual(await self.read(tls, 9), b"in secret")
        scene.admission.stop()

    @asynchronous
    async def test_hello(self) -> None:
        """What was read already and belongs to TLS can be handed over."""

        class Hello(Inspector):
            def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
                if data.startswith(b"\x16"):
                    return self.session.secure(CLIENT, data, name=NAME)
                self.session.send(side.other, data)
                return None

        scene = self.scene(Hello)
        client, server = await scene.pair()
        tls = await self.shaken(client, trusting(), server_hostname=NAME)
        await in_thread(tls.sendall, b"in secret")
        self.assertEqual(await receive(server, 9), b"in secret")
        scene.admission.stop()

    @asynchronous
    async def test_unread(self) -> None:
        """Plaintext that is still unread is not taken for protected."""

        class Unread(Inspector):
            def unread(self, side: Side) -> int:
                return 5

            def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
                return self.session.secure(CLIENT)

        scene = self.scene(Unread)
        client, _ = await scene.pair()
        await send(client, b"x")
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "denied")
        self.assertTrue(issubclass(Denied, Exception))
        client.close()

    @asynchronous
    async def test_in_turn(self) -> None:
        """Of one client's handshakes so many go on at a time; the others wait, and then go on."""
        scene = self.scene()
        scene.equipment.turns.most = 2
        first, second, *others = [(await self.begun(scene, CLIENT))[0] for _ in range(4)]

        def shaken(client: Any) -> Deferred[Any]:
            return ensureDeferred(self.shaken(client, trusting(), server_hostname=NAME))

        waiting = [shaken(client) for client in others]
        await self.begun(scene, CLIENT)  # meanwhile, others go on
        self.assertEqual([one.called for one in waiting], [False, False])
        await shaken(first)
        await waiting[0]
        second.close()  # whoever goes away gives its turn up
        await waiting[1]
        scene.admission.stop()


class ProbeTests(Case):
    """C{session.probe}."""

    async def probed(self, **ways: Any) -> tuple[Scene, Any, Any, Deferred[Any]]:
        """A session that has just asked, and both connections to its server."""
        probes: list[Deferred[Any]] = []

        class Asking(Inspector):
            def started(self) -> Deferred[Any] | None:
                asked = self.session.probe(name=NAME, **ways)
                probes.append(asked.addErrback(lambda failure: failure.value))
                return super().started()

        scene = self.scene(Asking)
        client = scene.connect()
        first, second = await scene.accepted(), await scene.accepted()
        return scene, client, (first, second), probes[0]

    @asynchronous
    async def test_probe(self) -> None:
        """The server is asked by a connection of its own; the client's goes on untouched."""
        for issued, kinds in (
            (self.issued, []),
            (authority().issue("other.example"), [Invalid.NAME]),
        ):
            scene, client, servers, probe = await self.probed(alpn=("h2",))
            asked, own = await self.sorted(servers)
            context = server_context(issued)
            context.set_alpn_protocols(["h2"])
            tls = await self.shaken(asked, context, server_side=True)
            agreed = await probe
            self.assertEqual([flaw.kind for flaw in agreed.flaws], kinds)
            self.assertEqual(agreed.alpn, "h2")
            self.assertEqual(agreed.chain[0].der, issued.der[0])
            with contextlib.suppress(OSError):
                self.assertEqual(await in_thread(tls.recv, 1), b"")
            await send(client, b"untouched")
            self.assertEqual(await receive(own, 9), b"untouched")
            scene.admission.stop()

    async def sorted(self, servers: tuple[Any, Any]) -> tuple[Any, Any]:
        """First the one that says hello."""
        readable, _, _ = await in_thread(select.select, servers, [], [], 10)
        return (servers[0], servers[1]) if servers[0] in readable else (servers[1], servers[0])

    @asynchronous
    async def test_fails(self) -> None:
        """A server that does not agree, or says nothing, is an error that may be caught."""
        for said, terms, reason in (
            (b"220 hello\r\n", Terms(), "wrong version number"),
            (b"", QUICK, "time limit: handshake_seconds = 0.3"),
        ):
            scene, _, servers, probe = await self.probed(terms=terms)
            asked, _ = await self.sorted(servers)
            if said:
                await send(asked, said)
            error = await probe
            assert isinstance(error, Insecure)
            self.assertIn(reason, error.reason)
            scene.admission.stop()


class Owner:
    """Who is told what a wire sees."""

    active = 0.0

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.told.append(name)


class StuckWire:
    """A wire whose peer takes nothing."""

    side = CLIENT
    closed = finished = False
    received = sent = 0

    def __init__(self) -> None:
        self.owner: Any = None
        self.waiting = 0
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data
        self.waiting += len(data)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class ChokedTests(SynchronousTestCase):
    """A peer that makes TLS answer, and does not read the answers."""

    def test_not_read(self) -> None:
        """It is not read either, beyond a bound, until it takes what waits for it."""
        self.patch(secure, "MOST_ANSWERS", 100)
        wire, owner = StuckWire(), Owner()
        made: Any = SecureWire(wire, owner, lambda call: call())  # type: ignore[arg-type]
        mint = minter()[0]
        credentials = Credentials(Tls(system_roots=False), None, mint, time.time)
        minted = self.successResultOf(credentials.for_name(NAME, True))
        peer = Peer(trusting(), False, NAME)
        peer.put(b"")
        made.begin(credentials.towards_client(minted, "web", (), Terms()), peer.take())
        self.assertEqual(owner.told, ["wire_choked"])
        peer.put(wire.said)
        made.wire_received(CLIENT, peer.take())
        wire.waiting = 0
        made.wire_drained(CLIENT)
        self.assertEqual(owner.told, ["wire_choked", "wire_drained"])


class TicketTests(SynchronousTestCase):
    """The tickets of a handshake of TLS 1.3, which a client reads when it reads something."""

    def shaken(
        self, said: bytes = b"", context: ssl.SSLContext | None = None
    ) -> tuple[Any, StuckWire, Peer]:
        """A client's side whose handshake is over; C{said} to the client before that."""
        wire = StuckWire()
        made: Any = SecureWire(wire, Owner(), lambda call: call())  # type: ignore[arg-type]
        credentials = Credentials(Tls(system_roots=False), None, minter()[0], time.time)
        minted = self.successResultOf(credentials.for_name(NAME, True))
        peer = Peer(context or trusting(), False, NAME)
        peer.put(b"")
        made.begin(credentials.towards_client(minted, "web", (), Terms()), peer.take())
        if said:
            made.send(said)
        peer.put(self.heard(wire))
        made.wire_received(CLIENT, peer.take())
        return made, wire, peer

    def heard(self, wire: StuckWire) -> bytes:
        """What has been sent since it was asked last."""
        said, wire.said = wire.said, b""
        return said

    def test_wait(self) -> None:
        """One that only sends has nothing to leave unread; with the first word they come."""
        made, wire, peer = self.shaken()
        peer.send(b"upload")
        made.wire_received(CLIENT, peer.take())
        self.assertEqual(self.heard(wire), b"")
        made.send(b"thanks")
        peer.put(self.heard(wire))
        self.assertEqual(peer.received, b"thanks")
        self.assertTrue(peer.tls.session.has_ticket)

    def test_end(self) -> None:
        """They come before the end is said, too; and an end is never held."""
        made, wire, peer = self.shaken()
        made.end()
        peer.put(self.heard(wire))
        self.assertTrue(peer.ended)
        self.assertTrue(peer.tls.session.has_ticket)

    def test_first_word(self) -> None:
        """What was to be said before the handshake was over does not wait with them."""
        _, wire, peer = self.shaken(b"220 welcome")
        peer.put(self.heard(wire))
        self.assertEqual(peer.received, b"220 welcome")

    def test_older(self) -> None:
        """TLS 1.2 is not agreed before the gateway has said its last word."""
        context = trusting()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        _, wire, peer = self.shaken(context=context)
        peer.put(self.heard(wire))
        self.assertTrue(peer.shaken)


class TurnsTests(SynchronousTestCase):
    """L{Turns}."""

    def test_in_order(self) -> None:
        """Each client has its own; those that wait get theirs in order; nothing stays behind."""
        turns = Turns(1)
        first, second, third = (turns.begin("a") for _ in range(3))
        self.successResultOf(first)
        self.successResultOf(turns.begin("b"))
        self.assertNoResult(second)
        second.addErrback(lambda _: None)
        second.cancel()
        turns.end("a")
        self.successResultOf(third)
        turns.end("a")
        turns.end("b")
        self.assertEqual((turns._going, turns._waiting), ({}, {}))
