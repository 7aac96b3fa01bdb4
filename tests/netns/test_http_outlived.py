"""Real servers that close after each answer, and real clients whose connection goes on."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

from tests.netns.case import SERVER, hear, reset
from tests.netns.test_http_browser import PARTS, BrowserCase
from tests.netns.test_http_peers import GET, OK, PeerCase
from tests.netns.web import NGINX, SMALL, NginxCase

CLOSING = NGINX.replace("listen 80;", "listen 80; keepalive_requests 1;")

OLD_SERVER = f"""
import http.server as h, socketserver
class Server(h.ThreadingHTTPServer):
    server_bind = socketserver.TCPServer.server_bind  # without looking names up
Server(({SERVER!r}, 81), h.SimpleHTTPRequestHandler).serve_forever()
"""
"""Python's own, which speaks HTTP/1.0 if nobody says otherwise."""

ASKING = f"""
import http.client, sys
c = http.client.HTTPConnection({SERVER!r}, 81, timeout=10)
for _ in range(20):
    c.request("GET", "/file")
    kept = c.sock
    r = c.getresponse()
    print(r.status, r.version, len(r.read()), c.sock is kept)
"""


def flows(case: Any, before: int = 0) -> list[dict[str, Any]]:
    """
    The flow records of sessions that reached a server, as soon as there is one.

    @param before: how many records there were before.
    """

    def found() -> list[dict[str, Any]]:
        records = (each for each in case.scene.records()[before:] if each["event_type"] == "flow")
        return [each for each in records if "upstream" in each["gateway"]]

    case.wait(lambda: bool(found()), "no flow", 10)
    return found()


class ClosingServerTests(NginxCase):
    """nginx, with one request for each of its connections."""

    configuration: ClassVar = CLOSING

    def begin_old_server(self) -> None:
        """A second server, of HTTP/1.0."""
        (self.www / "file").write_bytes(b"x" * 100000)
        server = self.server.start(
            *(sys.executable, "-c", OLD_SERVER),
            cwd=self.www,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.wait_for(81)

    def test_curl(self) -> None:
        """curl asks five times over one connection, and nginx has five, from one port."""
        before = len(self.scene.records())
        urls = [f"http://{SERVER}/small"] * 5
        said = self.curl("-w", "%{http_code} %{num_connects}\n", *urls)
        self.assertEqual(said, "hello\n200 1\n" + "hello\n200 0\n" * 4)
        (flow,) = flows(self, before)
        upstream = flow["gateway"]["upstream"]
        self.assertEqual((upstream["connections"], flow["gateway"]["verdict"]), (5, "passed"))
        self.assertEqual(upstream["source_ip"], flow["src_ip"])

    def test_curl_uploads(self) -> None:
        """Uploads arrive, each once."""
        source = self.scene.folder / "source"
        source.write_bytes(SMALL * 10000)
        args = [
            part
            for number in range(4)
            for part in ("-T", str(source), f"http://{SERVER}/upload/{number}")
        ]
        said = self.curl("-w", "%{http_code} %{num_connects}\n", *args)
        self.assertEqual(said, "201 1\n" + "201 0\n" * 3)
        for number in range(4):
            self.assertEqual((self.www / "upload" / str(number)).read_bytes(), SMALL * 10000)
        self.assertEqual(len(self.http_records(4, http_method="PUT")), 4)

    def test_old_server(self) -> None:
        """
        Python's client keeps its connection to a server of HTTP/1.0. curl does so once: what it
        asks next it asks by HTTP/1.0, and expects an end behind that.
        """
        self.begin_old_server()
        before = len(self.scene.records())
        said = self.client.run(sys.executable, "-c", ASKING)
        self.assertEqual(said, "200 10 100000 True\n" * 20)
        (flow,) = flows(self, before)
        self.assertEqual(flow["gateway"]["upstream"]["connections"], 20)
        urls = [f"http://{SERVER}:81/small"] * 3
        said = self.curl("-w", "%{http_version} %{num_connects}\n", *urls)
        self.assertEqual(said, "hello\n1 1\nhello\n1 0\nhello\n1 1\n")


class ClosingBrowserTests(BrowserCase):
    """Chromium and such a server."""

    configuration: ClassVar = CLOSING

    def test_page(self) -> None:
        """A page of many parts comes over the few connections that a browser has."""
        self.look()

        def connections() -> int:
            return sum(one["gateway"]["upstream"].get("connections", 1) for one in flows(self))

        self.wait(lambda: connections() > 3 * PARTS, "not so many connections to the server", 10)
        self.assertLess(len(flows(self)), PARTS)


class PartingTests(PeerCase):
    """Servers that part from an idle client, seen at their sockets."""

    def test_parts(self) -> None:
        """By an end or by a reset: the next server is asked from the same address and port."""
        listener = self.listen(80)
        self.addCleanup(listener.close)
        ours = self.ask(GET)
        name = ours.getsockname()[:2]
        for go in (reset, type(ours).close, reset):
            theirs, peer = self.accept(listener)
            self.assertEqual(hear(theirs, len(GET)), GET)
            self.assertEqual(peer[:2], name)
            theirs.sendall(OK)
            self.assertEqual(hear(ours, len(OK)), OK)
            go(theirs)
            self.wait(lambda: self.gone(name[1]), "the gateway still has a server")
            ours.sendall(GET)
        self.accept(listener)[0].close()

    def gone(self, port: int) -> bool:
        """Whether the gateway has no connection to a server from this port."""
        said = self.router.run("ss", "-Htan", "state", "connected", f"sport = :{port}")
        return not said.strip()
