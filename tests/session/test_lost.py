"""What a peer said before it was lost still counts; and an inspector may have last words."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, ISession, Outcome, Side, Verdict
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from tests.session.scene import Scene, asynchronous, receive, receive_all, reset, send

REFUSAL = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"


class LastWords(Inspector):
    """Says good-bye to whoever is left."""

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self.told: list[tuple[Side, Verdict]] = []

    def lost(self, side: Side, verdict: Verdict) -> None:
        self.told.append((side, verdict))
        self.session.send(side, b"nobody hears this")
        self.session.send(side.other, b"alone")
        self.session.close("one is left", Outcome.FAILED)


class Broken(Inspector):
    """Has a bug."""

    def lost(self, side: Side, verdict: Verdict) -> None:
        raise RuntimeError("a bug")


class LostTests(TestCase):
    """A peer that is lost."""

    timeout = 30

    @asynchronous
    async def test_last_words(self) -> None:
        """The other side hears them, and an orderly end; nobody is told twice."""
        for lost in (CLIENT, SERVER):
            made: list[LastWords] = []

            def make(session: ISession, made: list[LastWords] = made) -> LastWords:
                made.append(LastWords(session))
                return made[0]

            scene = Scene(self, make)
            client, server = await scene.pair()
            await send(client, b"x")
            await receive(server, 1)
            gone, left = (client, server) if lost is CLIENT else (server, client)
            reset(gone)
            self.assertEqual(await receive_all(left), b"alone")
            left.close()
            flow = await scene.over()
            verdict = Verdict(Outcome.RESET, f"reset by the {lost.value}")
            self.assertEqual(made[0].told, [(lost, verdict)])
            self.assertEqual(flow["gateway"]["verdict"], "failed")
            self.assertEqual(flow["gateway"]["reason"], "one is left")

    @asynchronous
    async def test_bug(self) -> None:
        """A bug in that ends the session, once."""
        scene = Scene(self, Broken)
        client, server = await scene.pair()
        reset(server)
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        self.assertEqual((await scene.over())["gateway"]["verdict"], "broken")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @asynchronous
    async def test_http(self) -> None:
        """A client that has heard nothing reads a page."""
        scene = Scene(self, HttpInspector, settings=HttpSettings())
        client = scene.connect()
        await send(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        reset(await scene.accepted())
        self.assertTrue((await receive_all(client)).startswith(b"HTTP/1.1 502 "))
        client.close()
        await scene.over()

    @asynchronous
    async def test_refused_upload(self) -> None:
        """
        What a server says before it closes on an upload reaches the client, also if the gateway
        notices the reset when it sends more of the upload, and not when it reads.
        """
        scene = Scene(self, HttpInspector, settings=HttpSettings())
        client = scene.connect()
        await send(client, PUT)
        server = await scene.accepted()
        await receive(server, len(PUT))
        (session,) = scene.register.running.values()
        server.sendall(REFUSAL)
        reset(server)
        client.sendall(b"more")
        session._legs[CLIENT].wire.doRead()
        client.sendall(b"even more")
        self.assertEqual(await receive_all(client), REFUSAL)
        client.close()
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["reason"], "reset by the server")
