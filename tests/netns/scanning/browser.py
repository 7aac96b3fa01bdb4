"""Chromium, without a window, and what it is told over a pipe (its DevTools protocol)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from gateway.lab.namespace import Namespace

_PIPES = 'exec 3<"$0" 4>"$1" && shift && exec "$@"'


class Browser:
    """
    One browser, with a page.

    @ivar downloads: where its files are.
    """

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        said, heard = folder / "said", folder / "heard"
        os.mkfifo(said)
        os.mkfifo(heard)
        self._process = namespace.start(
            *("sh", "-c", _PIPES, str(said), str(heard)),
            *("chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--no-proxy-server"),
            *("--disable-background-networking", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe", "about:blank"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._said = said.open("wb", buffering=0)
        self._heard = heard.open("rb", buffering=0)
        self._left = b""
        self._count = 0
        self._session = ""
        where = {"behavior": "allow", "downloadPath": str(self.downloads)}
        self.ask("Browser.setDownloadBehavior", **where)

    def ask(self, method: str, **parameters: Any) -> Any:
        """What it answers. What it tells unasked is left out."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        self._said.write(json.dumps(asked).encode() + b"\0")
        while True:
            while b"\0" not in self._left:
                piece = self._heard.read(65536)
                assert piece, "the browser has gone"
                self._left += piece
            message, _, self._left = self._left.partition(b"\0")
            told = json.loads(message)
            if told.get("id") == self._count:
                assert "result" in told, told
                return told["result"]

    def go(self, url: str) -> None:
        """To a new page, with which it begins to speak."""
        self._session = ""
        target = self.ask("Target.createTarget", url=url)["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    @property
    def page(self) -> str:
        """The document as it is now."""
        what = "document.documentElement.outerHTML"
        found: str = self.ask("Runtime.evaluate", expression=what)["result"].get("value", "")
        return found

    def stop(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()
        self._said.close()
        self._heard.close()
