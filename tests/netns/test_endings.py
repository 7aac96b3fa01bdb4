"""How sessions end: half-close, resets, urgent data, refusals, time limits."""

from __future__ import annotations

import socket

from tests.netns.case import CLIENT, RELAY, SERVER, SceneCase, hear, reset


class EndingTests(SceneCase):
    """Whatever one peer does, the other one sees."""

    def test_client_half_closes(self) -> None:
        """The client ends its side; the server's answer comes after that, and arrives."""
        ours, theirs, _ = self.pair()
        ours.sendall(b"question")
        ours.shutdown(socket.SHUT_WR)
        self.assertEqual(hear(theirs), b"question")
        theirs.sendall(b"answer")
        theirs.close()
        self.assertEqual(hear(ours), b"answer")

    def test_server_half_closes(self) -> None:
        """The server ends its side; what the client says after that arrives."""
        ours, theirs, _ = self.pair()
        theirs.sendall(b"greeting")
        theirs.shutdown(socket.SHUT_WR)
        self.assertEqual(hear(ours), b"greeting")
        ours.sendall(b"late words")
        ours.close()
        self.assertEqual(hear(theirs), b"late words")

    def test_half_close_with_socat(self) -> None:
        """The same with a real program: ends its side, then reads the answer to the end."""
        listener = self.listen()
        host, port = listener.getsockname()
        socat = self.client.start(
            "socat", "-t5", "-", f"TCP4:{host}:{port}", stdin=-1, stdout=-1, stderr=-1
        )
        self.addCleanup(socat.kill)
        theirs, _ = self.accept(listener)
        assert socat.stdin is not None
        socat.stdin.write(b"everything")
        socat.stdin.close()
        socat.stdin = None
        self.assertEqual(hear(theirs), b"everything")
        theirs.sendall(b"the answer")
        theirs.close()
        self.assertEqual(socat.communicate(timeout=5)[0], b"the answer")

    def test_client_resets(self) -> None:
        """The client's reset reaches the server as a reset, not as an end."""
        ours, theirs, peer = self.pair()
        ours.sendall(b"x")
        self.assertEqual(hear(theirs, 1), b"x")
        reset(ours)
        self.assertReset(theirs)
        self.assertEqual(self.flow(peer)["gateway"]["verdict"], "reset")

    def test_server_resets(self) -> None:
        """The server's reset reaches the client as a reset, and can't be taken for an end."""
        ours, theirs, peer = self.pair()
        theirs.sendall(b"x")
        self.assertEqual(hear(ours, 1), b"x")
        reset(theirs)
        self.assertReset(ours)
        self.assertEqual(self.flow(peer)["gateway"]["verdict"], "reset")

    def test_urgent_data(self) -> None:
        """A byte sent as urgent data (FTP's ABOR, Telnet's SYNCH) arrives in its place."""
        for a, b in ((0, 1), (1, 0)):
            ends = self.pair()
            ends[b].setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            ends[a].sendall(b"ABO")
            ends[a].send(b"R", socket.MSG_OOB)
            ends[a].sendall(b"\r\n")
            self.assertEqual(hear(ends[b], 6), b"ABOR\r\n")

    def test_unreachable(self) -> None:
        """A server without a route, here or further on, is answered with a reset, and recorded."""
        self.router.ip("route add unreachable 192.0.2.200/32")
        self.server.ip("route add unreachable 192.0.2.201/32")
        self.server.sysctl("net.ipv4.ip_forward=1")
        for host in ("192.0.2.200", "192.0.2.201"):
            source = self.assertRefused((host, 80))
            gateway = self.flow(source)["gateway"]
            self.assertEqual(gateway["verdict"], "failed")
            self.assertNotIn("upstream", gateway)


LIMITED = """
inspector = "relay"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [{port}]
[limits]
{limits}
"""


def limited(port: int, limits: str, more: str = "") -> str:
    return more + LIMITED.format(port=port, limits=limits)


class LimitTests(SceneCase):
    """Limits of time and of number."""

    services = {
        "idle": limited(1001, "idle_seconds = 0.5"),
        "total": limited(1002, "total_seconds = 0.8"),
        "connect": limited(1003, "connect_seconds = 0.5"),
        "two": limited(1004, "sessions = 2"),
        "one-each": limited(1005, "sessions_per_client = 1"),
        "failover": limited(
            1006, "connect_seconds = 0.5", 'server = ["192.0.2.77:1", "198.51.100.7:81", '
            '"198.51.100.7:1106"]\n'
        ),
        "nobody": limited(1007, "", 'server = ["198.51.100.7:81", "198.51.100.7:82"]\n'),
    }  # fmt: skip

    def prepare(self) -> None:
        """An address that swallows everything, for connections that time out."""
        self.router.ip("route add 192.0.2.77/32 via 198.51.100.77 dev wan0 onlink")
        self.router.ip(
            "neigh replace 198.51.100.77 lladdr 02:00:00:00:00:77 nud permanent dev wan0"
        )

    def ended(self, ours: socket.socket) -> dict[str, object]:
        """Wait for the end of it, whichever; the gateway's part of its flow record."""
        source = ours.getsockname()
        try:
            hear(ours)
        except ConnectionResetError:
            pass
        gateway: dict[str, object] = self.flow(source)["gateway"]
        return gateway

    def test_idle(self) -> None:
        """A session in which nobody speaks is closed; one in which somebody does is not."""
        listener = self.listen(1001)
        ours = self.dial((SERVER, 1001))
        busy = self.dial((SERVER, 1001))
        self.accept(listener)
        theirs, _ = self.accept(listener)
        ours.settimeout(0.1)
        for _ in range(30):
            busy.sendall(b".")
            self.assertEqual(hear(theirs, 1), b".")
            try:
                ours.recv(1)
                break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        self.assertEqual(self.flow(ours.getsockname())["gateway"]["verdict"], "failed")
        busy.sendall(b"!")
        self.assertEqual(hear(theirs, 1), b"!")

    def test_total(self) -> None:
        """A session is closed after its time, however busy it is."""
        listener = self.listen(1002)
        ours = self.dial((SERVER, 1002))
        self.accept(listener)
        self.assertIn("0.8", str(self.ended(ours)["reason"]))

    def test_connect(self) -> None:
        """A server that does not answer is given up after its time."""
        gateway = self.ended(self.dial(("192.0.2.77", 1003)))
        self.assertEqual(gateway["verdict"], "failed")
        self.assertLess(float(str(gateway["seconds"])), 3)

    def test_sessions_of_a_service(self) -> None:
        """More sessions than a service may have are refused; after one ended, there is room."""
        listener = self.listen(1004)
        first, second = self.dial((SERVER, 1004)), self.dial((SERVER, 1004))
        self.accept(listener)
        self.accept(listener)
        source = self.assertRefused((SERVER, 1004))
        self.assertEqual(self.flow(source)["gateway"]["verdict"], "denied")
        source = first.getsockname()
        reset(first)
        self.flow(source)
        self.dial((SERVER, 1004))
        self.accept(listener)
        second.close()

    def test_sessions_of_a_client(self) -> None:
        """One client that takes its share leaves room for the others."""
        listener = self.listen(1005)
        self.dial((SERVER, 1005), (CLIENT, 0))
        self.accept(listener)
        self.assertRefused((SERVER, 1005))
        self.dial((SERVER, 1005), ("10.1.200.9", 0))
        self.assertEqual(self.accept(listener)[1][0], "10.1.200.9")

    def test_failover(self) -> None:
        """Of a list of servers, the first that answers is used: dead ones are skipped."""
        listener = self.listen(1106)
        ours = self.dial((SERVER, 1006))
        _, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        reset(ours)
        upstream = self.flow(peer)["gateway"]["upstream"]
        self.assertEqual((upstream["port"], upstream["attempts"]), (1106, 3))

    def test_no_server_left(self) -> None:
        """If none of a list answers, the client gets a reset."""
        self.assertRefused((SERVER, 1007))


class GatewayLimitTests(SceneCase):
    """Limits of the whole gateway."""

    fresh = True
    services = {"relay": RELAY}
    gateway = "[limits]\nsessions = 3\nsessions_per_client = 2\n"

    def test_sessions_of_a_client(self) -> None:
        """More sessions than one client may have are refused."""
        listener = self.listen()
        for _ in range(2):
            self.dial(listener.getsockname(), (CLIENT, 0))
            self.accept(listener)
        source = self.assertRefused(listener.getsockname())
        self.assertEqual(self.flow(source)["gateway"]["verdict"], "denied")

    def test_sessions_in_all(self) -> None:
        """Beyond the limit connections wait, and go on as soon as there is room."""
        listener = self.listen()
        opened = [
            self.dial(listener.getsockname(), (host, 0))
            for host in (CLIENT, CLIENT, "10.1.200.9", "10.1.200.9")
        ]
        for _ in range(3):
            self.accept(listener)
        self.assertQuiet(listener)
        reset(opened[0])
        self.assertEqual(self.accept(listener)[1], opened[3].getsockname())
