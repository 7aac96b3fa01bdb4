"""A gateway with a console, and a browser beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from tests.console.browser import Browser, Page
from tests.netns.case import SceneCase

PORT = 9181
PAGE = f"http://127.0.0.1:{PORT}/"

ANNA, SCREEN = "anna's token, nobody else's", "the token of the screen on the wall"

TOKENS = f"""
# who    may    hash
anna     write  sha256:{sha256(ANNA.encode()).hexdigest()}
screen   read   sha256:{sha256(SCREEN.encode()).hexdigest()}
"""

GATEWAY = f"""
[console]
listen = "127.0.0.1:{PORT}"
tokens = "console.tokens"
attempts_per_minute = 1000
"""

RELAY = """
inspector = "relay"
[[rule]]
from = ["office"]
to = ["internet"]
"""

WEB = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [80]
[http]
[[http.request]]
path = ["/refused*"]
action = "deny"
"""

NAMES = """
inspector = "tls"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [443]
[tls]
mode = "splice"
[[tls.rule]]
name = ["games.example"]
mode = "refuse"
"""

UNUSED = """
inspector = "relay"
[[rule]]
from = ["10.1.99.0/24"]
to = ["internet"]
ports = [7]
"""


class ConsoleCase(SceneCase):
    """One browser, beside the gateway: it comes by loopback."""

    services: ClassVar[Mapping[str, str]] = {
        "relay": RELAY,
        "web": WEB,
        "names": NAMES,
        "unused": UNUSED,
    }
    gateway = GATEWAY
    browsers: ClassVar[list[Browser]] = []

    def begin(self) -> None:
        """The gateway with the console's tokens, then the browser."""
        self.scene.configure(self.services, self.gateway, self.zones)
        self.tokens.write_text(TOKENS)
        self.scene.daemon.start()
        options = ("--host-resolver-rules=MAP *.example 127.0.0.1",)
        home = self.scene.folder / "home"
        home.mkdir(exist_ok=True)
        self.browsers[:] = [Browser(home, self.router.prefix, options)]

    @property
    def tokens(self) -> Path:
        return self.scene.config / "console.tokens"

    def page(self, token: str = "", view: str = "now") -> Page:
        """A page of its own; logged in, if there is a token."""
        page = self.browsers[0].page(context=True)
        self.addCleanup(page.close)
        page.go(f"{PAGE}#{view}")
        if token:
            page.click("#token")
            page.type(token)
            page.key("Enter")
            page.wait("document.querySelector('#bar:not([hidden])')")
        return page

    def ask(self, *lines: str, body: str = "") -> tuple[int, Mapping[str, str], bytes]:
        """A request as any program can send it: status, headers, body."""
        ours = self.router.socket()
        ours.settimeout(10)
        self.addCleanup(ours.close)
        ours.connect(("127.0.0.1", PORT))
        ours.sendall("\r\n".join((*lines, "Connection: close", "", body)).encode())
        heard = b""
        while more := ours.recv(65536):
            heard += more
        head, _, content = heard.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields)
        return int(status.split()[1]), headers, content

    def question(
        self, question: Mapping[str, Any], *headers: str, host: str = f"127.0.0.1:{PORT}"
    ) -> tuple[int, dict[str, Any]]:
        """A question, and its answer."""
        body = json.dumps(question)
        fields = (f"Content-Length: {len(body)}", "Content-Type: application/json", *headers)
        asked = ("POST /api/ask HTTP/1.1", f"Host: {host}", *fields)
        status, _, answer = self.ask(*asked, body=body)
        return status, json.loads(answer)
