"""The endpoint, spoken to as a collector does: bytes in, bytes out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gateway.observe.endpoint import endpoint_site
from gateway.observe.metrics import Metrics


class EndpointTests(SynchronousTestCase):
    """One request on one connection."""

    def setUp(self) -> None:
        self.metrics = Metrics()
        self.clock = Clock()

    def ask(self, request: str) -> tuple[int, bytes, bytes]:
        """Status, headers, body."""
        site = endpoint_site(lambda: succeed(self.metrics.text()), self.clock)
        protocol = site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(f"{request} HTTP/1.0\r\nHost: gateway\r\n\r\n".encode())
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return int(head.split()[1]), head, body

    def test_metrics(self) -> None:
        """It answers with the metrics, in the format that it names."""
        self.metrics.started("web")
        code, head, body = self.ask("GET /metrics")
        self.assertEqual(code, 200)
        self.assertIn(b"text/plain; version=", head)
        self.assertIn(b'tproxygw_sessions_running{service="web"} 1.0', body)

    def test_head(self) -> None:
        """HEAD is answered without a body."""
        code, _, body = self.ask("HEAD /metrics")
        self.assertEqual((code, body), (200, b""))

    def test_health(self) -> None:
        """A load balancer can ask whether the reactor answers."""
        self.assertEqual(self.ask("GET /health")[::2], (200, b"ok\n"))

    def test_nothing_else(self) -> None:
        """Everything else is not found, and nothing can be sent."""
        for path in ("/", "/metrics/x", "/metrics/../etc", "/health/x", "//metrics"):
            self.assertEqual(self.ask(f"GET {path}")[0], 404, path)
        self.assertEqual(self.ask("POST /metrics")[0], 405)

    def test_says_nothing_about_itself(self) -> None:
        """No answer names the software, and nothing is logged for an access."""
        for path in ("/metrics", "/", "/health"):
            self.assertNotIn(b"server:", self.ask(f"GET {path}")[1].lower())

    def test_idle_connections_end(self) -> None:
        """A connection on which nothing comes is closed."""
        site = endpoint_site(lambda: succeed(self.metrics.text()), self.clock)
        protocol = site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.clock.advance(31)
        self.assertTrue(transport.disconnecting)

    def test_no_reactor(self) -> None:
        """Nothing in this package imports the reactor: the composition root chooses it."""
        program = (
            "import sys, gateway.observe.audit, gateway.observe.endpoint, gateway.observe.log\n"
            "from gateway.observe.endpoint import endpoint_site\n"
            "from twisted.internet.task import Clock\n"
            "endpoint_site(Clock, Clock())\n"
            "sys.exit('twisted.internet.reactor' in sys.modules)\n"
        )
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
        self.assertEqual(done.returncode, 0)
