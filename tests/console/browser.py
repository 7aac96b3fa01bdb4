"""
Chromium, without a window, driven by the DevTools protocol over two pipes.

https://chromedevtools.github.io/devtools-protocol/: JSON objects, each with a NUL behind it.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

SECONDS = 30.0
"""How long a test waits for what must happen. The machine may be busy."""

PROGRAM = "chromium-headless-shell"

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"),
    *("--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe"),
)

ON_PIPES = 'exec "$@" 3<&"$READ" 4>&"$WRITE"'
"""The browser wants the pipes to have these numbers."""

KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "ArrowLeft": (37, "")}


class Browser:
    """
    @param prefix: the beginning of the command, such as to enter a namespace.
    """

    def __init__(
        self, folder: Path, prefix: Sequence[str] = (), options: Sequence[str] = ()
    ) -> None:
        theirs_read, self._write = map(_above, os.pipe())
        self._read, theirs_write = map(_above, os.pipe())
        pipes = {"READ": str(theirs_read), "WRITE": str(theirs_write)}
        self._process = subprocess.Popen(
            [
                *(*prefix, "bash", "-c", ON_PIPES, "bash", PROGRAM, *OPTIONS, *options),
                *(f"--user-data-dir={folder / 'browser'}", "about:blank"),
            ],
            pass_fds=(theirs_read, theirs_write),
            env={**os.environ, **pipes, "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        self._number = 0
        self._rest = b""
        self.heard: list[dict[str, Any]] = []
        """What the browser told without being asked."""

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """A command and its result."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = monotonic() + SECONDS
        while True:
            told = self._next(until - monotonic())
            if told.get("id") != number:
                self.heard.append(told)
            elif "error" in told:
                raise AssertionError(f"{method}: {told['error']}")
            else:
                result: dict[str, Any] = told["result"]
                return result

    def _next(self, seconds: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], max(0.0, seconds))[0]:
                raise AssertionError("the browser does not answer")
            more = os.read(self._read, 1 << 20)
            if not more:
                raise AssertionError("the browser has ended")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def page(self, context: bool = False) -> Page:
        """A new page; with a context of its own, it has none of the others' cookies."""
        where = self.ask("Target.createBrowserContext", disposeOnDetach=True) if context else {}
        target = self.ask("Target.createTarget", url="about:blank", **where)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target, where.get("browserContextId", ""))
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.ask(f"{domain}.enable")
        page.look(1400, 1000)
        return page

    def stop(self) -> None:
        """End it."""
        os.close(self._write)
        self._process.terminate()
        self._process.wait(10)
        os.close(self._read)


def _above(descriptor: int) -> int:
    """The same with another number, that the browser does not want for something else."""
    other = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return other


class Page:
    """One page."""

    def __init__(self, browser: Browser, session: str, target: str, context: str) -> None:
        self._browser = browser
        self._context = context
        self._session = session
        self._target = target

    def close(self) -> None:
        """It is not looked at any more."""
        self._browser.ask("Target.closeTarget", targetId=self._target)
        if self._context:
            self._browser.ask("Target.disposeBrowserContext", browserContextId=self._context)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command about this page."""
        return self._browser.ask(method, self._session, **parameters)

    def go(self, url: str) -> None:
        """Load an address."""
        self.ask("Page.navigate", url=url)
        self.wait(
            f"location.href.startsWith({json.dumps(url)}) && document.readyState == 'complete'"
        )

    def run(self, script: str) -> Any:
        """What a script gives; a promise is waited for."""
        told = self.ask(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            allowUnsafeEvalBlockedByCSP=False,
        )
        if "exceptionDetails" in told:
            raise AssertionError(f"{script}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def wait(self, script: str, seconds: float = SECONDS) -> Any:
        """Wait until a script gives something that is true."""
        waiting = f"""(async () => {{
            const until = Date.now() + 2000;
            for (;;) {{
                const found = {script};
                if (found || Date.now() > until) return found instanceof Node || found;
                await new Promise((done) => setTimeout(done, 50));
            }}
        }})()"""
        until = monotonic() + seconds
        while True:  # a page that is loaded anew forgets what it was waiting for
            try:
                found = self.run(waiting)
            except AssertionError as error:
                if "navigated" not in str(error) and "context" not in str(error):
                    raise
                found = None
            if found:
                return found
            if monotonic() > until:
                raise AssertionError(f"never: {script}\n{self.text()[:4000]}")

    def text(self) -> str:
        """What is to be read on it."""
        return str(self.run("document.body.innerText"))

    def wait_for_text(self, text: str) -> None:
        """Wait until this is to be read."""
        self.wait(f"document.body?.innerText.includes({json.dumps(text)})")

    def click(self, selector: str) -> None:
        """Click in the middle of an element, with the mouse."""
        found = json.dumps(selector)
        self.wait(f"document.querySelector({found})?.getClientRects().length")
        x, y = self.run(
            f"""(() => {{
                const one = document.querySelector({found});
                one.scrollIntoView({{block: "center"}});
                const box = one.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.ask("Input.insertText", text=text)

    def key(self, name: str) -> None:
        """Press and release a key: one of KEYS, or a letter."""
        code, text = KEYS.get(name, (ord(name[0].upper()), name))
        known: dict[str, Any] = {"key": name, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **known)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **known)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the window, and what the system's colours are."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.ask("Emulation.setEmulatedMedia", features=[theme, still])

    def picture(self, path: Path, whole: bool = False) -> None:
        """A picture of it, as PNG."""
        told = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))
