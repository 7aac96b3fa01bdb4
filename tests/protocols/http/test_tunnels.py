"""What follows CONNECT or an upgrade is for another service's inspector, if one is named."""

from __future__ import annotations

from gateway.interfaces import CLIENT, SERVER, Side
from gateway.testing import FakeSession
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Tunnels
from tests.protocols.http.policy.case import PolicyCase
from tests.protocols.http.test_transactions import GET, OK, ask, records

CONNECT = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"
ACCEPTED = b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"

OTHER = 'inspector = "http"\n'


class TunnelTests(PolicyCase):
    """Handed over as soon as both peers have agreed, with every byte."""

    def tunnelled(
        self, request: bytes, response: bytes, connect: str = "", **upgrades: str
    ) -> FakeSession:
        """What comes of it; both peers speak at once in the new protocol."""
        settings = HttpSettings(
            connect=True,
            upgrades=frozenset({"websocket", "tls"}),
            tunnels=Tunnels(connect, upgrades),
        )
        session = ask(request + b"early", settings)
        session.says(SERVER, response + b"hello")
        return session

    def test_connect(self) -> None:
        """The other service's inspector gets what both have said already, and the rest."""
        ok = b"HTTP/1.1 200 OK\r\n\r\n"
        session = self.tunnelled(CONNECT, ok, "inner")
        unread: dict[Side, bytes] = {CLIENT: b"early", SERVER: b"hello"}
        self.assertEqual(session.handed, ("inner", unread))
        self.assertEqual((session.sent[CLIENT], session.sent[SERVER]), (ok, CONNECT))
        self.assertEqual([one["verdict"] for one in records(session)], ["passed"])
        self.assertIsNone(session.verdict)

    def test_upgrade(self) -> None:
        """The same for upgrades, by the protocol that was agreed on, in whatever case."""
        session = self.tunnelled(UPGRADE % b"WebSocket", ACCEPTED % b"WebSocket", websocket="ws")
        self.assertEqual(session.handed and session.handed[0], "ws")
        session = self.tunnelled(UPGRADE % b"TLS/1.2", ACCEPTED % b"tls/1.2", tls="secret")
        self.assertEqual(session.handed and session.handed[0], "secret")

    def test_no_service(self) -> None:
        """What has no service is relayed."""
        for session in (
            self.tunnelled(CONNECT, b"HTTP/1.1 200 OK\r\n\r\n", "", websocket="ws"),
            self.tunnelled(UPGRADE % b"websocket", ACCEPTED % b"websocket", "inner", tls="x"),
        ):
            self.assertIsNone(session.handed)
            self.assertTrue(session.released)
            self.assertTrue(session.sent[SERVER].endswith(b"\r\n\r\nearly"))

    def test_not_agreed(self) -> None:
        """A refused tunnel is none: HTTP goes on, and stays inspected."""
        session = ask(CONNECT, HttpSettings(connect=True, tunnels=Tunnels("inner")))
        refused = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
        session.says(SERVER, refused)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        self.assertIsNone(session.handed)
        self.assertEqual(session.sent[CLIENT], refused + OK)

    def test_names(self) -> None:
        """A name that is no service is found when the policy is loaded, whichever table has it."""
        for table, key in (
            ("stack", 'request = "%s"'),
            ("stack", 'response = "%s"'),
            ("tunnels", 'connect = "%s"'),
            ("tunnels", 'upgrades = {websocket = "%s"}'),
        ):
            text = f'connect = true\nupgrades = ["websocket"]\n[http.{table}]\n'
            files = {"services/inner.toml": OTHER}
            (problem,) = self.problems(text + key % "iner", files)
            self.assertIn('no service "iner"; did you mean "inner"?', problem)
            self.assertEqual(self.problems(text + key % "inner", files), [])

    def test_wrong(self) -> None:
        """Who names a service for what is not allowed has made a mistake."""
        files = {"services/inner.toml": OTHER}
        for text, said in {
            '[http.tunnels]\nconnect = "inner"': 'without "connect"',
            '[http.tunnels]\nupgrades = {websocket = "inner"}': '"upgrades" has not it',
            'upgrades = ["websocket"]\n[http.tunnels]\nupgrades = {WebSocket = "inner"}': "small",
        }.items():
            (problem,) = self.problems(text, files)
            self.assertIn(said, problem)
