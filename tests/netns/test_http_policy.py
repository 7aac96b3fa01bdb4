"""The policy of HTTP, through the real gateway, its keeper and its reloads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import bcrypt

from gateway.lab.waiting import wait_until
from tests.netns.case import RELOADED, SERVER, SceneCase

WEB = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [80]
[http]
[http.content]
refuse = ["application/x-executable"]
[[http.request]]
lists = ["list.txt"]
message = "This site is listed."
"""

GUARDED = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [81]
[http.authentication]
users = "users"
"""


class HttpPolicyTests(SceneCase):
    """What an operator writes is what a client gets."""

    services: ClassVar = {"web": WEB, "guarded": GUARDED}

    def prepare(self) -> None:
        """A web server at both ports."""
        www = self.scene.folder / "www"
        www.mkdir()
        (www / "page.html").write_text("<html>hello</html>\n")
        (www / "picture.png").write_bytes(b"MZ\x90\0" + b"\0" * 1000)
        for port in ("80", "81"):
            self.scene.network.server.start(
                *(sys.executable, "-m", "http.server", "--directory", str(www), port),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        server = self.scene.network.server
        ready = "( sport = :80 or sport = :81 )"
        assert wait_until(lambda: server.run("ss", "-Htln", ready).count("LISTEN") >= 2, 10)

    def begin(self) -> None:
        """The configuration names files."""
        self.scene.configure(self.services, self.gateway, self.zones)
        self.list.write_text("bad.example\n")
        hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(10))
        (self.scene.config / "users").write_bytes(b"alibaba:" + hashed + b"\n")
        self.scene.daemon.start()

    @property
    def list(self) -> Path:
        return self.scene.config / "list.txt"

    def get(self, path: str, host: str = "good.example", *arguments: str, port: int = 80) -> str:
        """The body and the status."""
        return self.client.run(
            *("curl", "-sS", "--max-time", "10", "-w", " %{http_code}", "-H", f"Host: {host}"),
            *arguments,
            f"http://{SERVER}:{port}{path}",
        )

    def test_list(self) -> None:
        """A site on a list is refused; after a reload it is one that was added."""
        self.assertIn("hello", self.get("/page.html", "new.example"))
        refused = self.get("/page.html", "www.bad.example")
        self.assertIn("This site is listed.", refused)
        self.assertTrue(refused.endswith(" 403"), refused)
        self.list.write_text("bad.example\n0.0.0.0 new.example\n")
        self.scene.reload(RELOADED)
        self.assertTrue(self.get("/page.html", "new.example").endswith(" 403"))

    def test_wrong_list(self) -> None:
        """A list with an error is not used, the log says where it is, the former policy stays."""
        self.list.write_text("bad.example\n||adblock.example^\n")
        self.scene.reload("list.txt:2:1: http.request.lists: this is Adblock Plus")
        self.assertTrue(self.get("/page.html", "bad.example").endswith(" 403"))
        self.list.write_text("bad.example\n")
        self.scene.reload(RELOADED)

    def test_disguise(self) -> None:
        """A program that is called a picture does not arrive."""
        refused = self.get("/picture.png")
        self.assertTrue(refused.endswith(" 403"), refused)
        self.assertNotIn("MZ", refused)

    def test_password(self) -> None:
        """Who knows the password passes, who does not is asked."""
        self.assertTrue(self.get("/page.html", port=81).endswith(" 401"))
        wrong = self.get("/page.html", "h", "-u", "alibaba:barley", port=81)
        self.assertTrue(wrong.endswith(" 401"), wrong)
        self.assertIn("hello", self.get("/page.html", "h", "-u", "alibaba:sesame", port=81))
