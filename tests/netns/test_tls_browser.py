"""A browser, through an inspecting gateway: pages of many parts, warnings, and the records."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import ClassVar

from tests.netns.case import SERVER
from tests.netns.test_http_browser import PAGE, PICTURE
from tests.netns.test_tls import RULES
from tests.netns.tls_case import BANK, GOOD, WEB, TlsCase, gateway_root, pem

PARTS = 20
"""Of each kind. A browser opens six connections to a server."""


class BrowserTests(TlsCase):
    """Chromium, without a window, that believes the gateway's root."""

    services: ClassVar = {"web-tls": RULES, "web": WEB}

    def prepare(self) -> None:
        """A page of pictures, styles and scripts, and a browser with the root."""
        super().prepare()
        self.home = self.scene.folder / "home"
        self.trust(self.home)
        www = self.scene.folder / "web" / "www"
        head, body = ["<script>var scripts = 0;</script>"], []
        for number in range(PARTS):
            width = number + 1
            (www / f"{number}.svg").write_text(PICTURE.format(width=width))
            (www / f"{number}.css").write_text(
                f"#i{number} {{ display: inline-block; width: {width}px }}" * 20
            )
            (www / f"{number}.js").write_text(f"scripts += {width};" + " " * 5000)
            head.append(f'<link rel="stylesheet" href="{number}.css">')
            head.append(f'<script src="{number}.js"></script>')
            body.append(f'<img src="{number}.svg"><i id="i{number}"></i>')
        page = PAGE.format(head="\n".join(head), body="\n".join(body))
        (www / "page.html").write_text(page)

    def trust(self, home: Path) -> None:
        """The root, in the store that Chromium on Linux reads."""
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        root = home / "root.crt"
        root.write_bytes(pem(gateway_root().certificate))
        new = ["certutil", "-d", f"sql:{store}", "-N", "--empty-password"]
        add = [
            "certutil",
            "-d",
            f"sql:{store}",
            "-A",
            "-t",
            "C,,",
            "-n",
            "gateway",
            "-i",
            str(root),
        ]
        for command in (new, add):
            subprocess.run(command, check=True, capture_output=True, timeout=30)

    def browse(self, url: str, *arguments: str) -> str:
        """The document that the browser has in the end, and what it complains of."""
        home = self.scene.folder / "home"
        command = [
            *self.client.prefix,
            *("env", f"HOME={home}", "chromium-headless-shell", "--no-sandbox", "--disable-gpu"),
            *("--no-proxy-server", "--disable-background-networking", "--disable-dev-shm-usage"),
            f"--user-data-dir={home / 'browser'}",
            f"--host-resolver-rules=MAP * {SERVER}",
            *("--dump-dom", *arguments, url),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
        return done.stdout + done.stderr

    def test_page(self) -> None:
        """Every part of a page arrives, and every session of the browser is recorded as passed."""
        said = self.browse(f"https://{GOOD}/page.html")
        pictures = ",".join(str(number + 1) for number in range(PARTS))
        styles = ",".join(f"{number + 1}px" for number in range(PARTS))
        scripts = sum(number + 1 for number in range(PARTS))
        self.assertIn(f'<p id="said">{pictures};{styles};{scripts};201;</p>', said)
        self.wait(lambda: not self.open_sessions(), "sessions stay", 20)
        flows = [one for one in self.scene.records() if one["event_type"] == "flow"]
        self.assertEqual({one["gateway"]["verdict"] for one in flows}, {"passed"}, flows)
        first: set[str] = set()
        for record in self.tls_records(1, sni=GOOD):
            if not record["gateway"]["tls"]["client"].get("resumed"):  # else with a ticket in it
                first.add(record["tls"]["ja4"])
        self.assertEqual(len(first), 1, first)

    def open_sessions(self) -> int:
        """How many TLS records have no flow record yet."""
        records = self.scene.records()
        over = {one["flow_id"] for one in records if one["event_type"] == "flow"}
        return len({one["flow_id"] for one in records} - over)

    def test_spliced(self) -> None:
        """A browser that has no public root does not believe a spliced server: it is untouched."""
        said = self.browse(f"https://{BANK}/")
        self.assertIn("net::ERR_CERT_AUTHORITY_INVALID", said)

    def test_warnings(self) -> None:
        """The browser itself tells its user what is wrong with a server."""
        for name, code in (
            ("expired.example", "net::ERR_CERT_DATE_INVALID"),
            ("wrong.example", "net::ERR_CERT_COMMON_NAME_INVALID"),
            ("unknown.example", "net::ERR_CERT_AUTHORITY_INVALID"),
            ("weak.example", "net::ERR_CERT_AUTHORITY_INVALID"),
        ):
            self.assertIn(code, self.browse(f"https://{name}/"))

    def test_refused(self) -> None:
        """A refused name is an error of the browser's."""
        said = self.browse("https://refused.example/")
        self.assertIn("ERR_SSL_PROTOCOL_ERROR", said)
