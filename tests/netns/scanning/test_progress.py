"""A real browser that waits for a file which the real clamd is to judge."""

from __future__ import annotations

import random
from typing import ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER
from tests.netns.scanning.browser import Browser
from tests.netns.scanning.case import WEB, ScanCase
from tests.netns.scanning.clamav import PATTERN, Clamav

SCAN = """
inspector = "clamd"
[clamd]
servers = ["{folder}/clamav/clamd.socket"]
words = "Refused: $found"
trickle_bytes = 100
trickle_seconds = 0.5
"""

SLOWLY = "type=application/zip&pause=0.5"
"""Ten thousand bytes each half a second."""


class ProgressTests(ScanCase):
    """Chromium."""

    scan = SCAN
    web: ClassVar[str] = WEB + "page_seconds = 1\n"

    def prepare(self) -> None:
        super().prepare()
        content = random.Random(5).randbytes(60_000)
        (self.www / "good.zip").write_bytes(content)
        (self.www / "other.zip").write_bytes(content)
        (self.www / "bad.zip").write_bytes(content[:40_000] + PATTERN + content)
        Clamav(self.router, self.scene.folder / "clamav").start()

    def browser(self) -> Browser:
        browser = Browser(self.client, self.scene.folder / f"browser-{self.id()}")
        self.addCleanup(browser.stop)
        return browser

    def test_good(self) -> None:
        """Who waits reads how far it is, and then has the file under its name."""
        browser = self.browser()
        browser.go(f"http://{SERVER}/good.zip?{SLOWLY}")
        self.assertTrue(wait_until(lambda: "<h1>good.zip</h1>" in browser.page, 20), browser.page)
        self.assertTrue(wait_until(lambda: " % of 59 KiB" in browser.page, 20), browser.page)
        file = browser.downloads / "good.zip"
        self.assertTrue(wait_until(file.exists, 30), browser.page)
        self.assertEqual(file.read_bytes(), (self.www / "good.zip").read_bytes())
        self.assertTrue(wait_until(lambda: bool(self.pages("passed")), 10), self.scene.records())
        self.assertNotIn("delivered", self.record(filename="good.zip"))

    def test_bad(self) -> None:
        """Who waits for what does not pass reads why, and has nothing of it."""
        browser = self.browser()
        browser.go(f"http://{SERVER}/bad.zip?{SLOWLY}")
        self.assertTrue(wait_until(lambda: "<h1>bad.zip</h1>" in browser.page, 20), browser.page)
        words = "Refused: Pattern-Test.UNOFFICIAL"
        self.assertTrue(wait_until(lambda: words in browser.page, 30), browser.page)
        self.assertEqual(list(browser.downloads.iterdir()), [])
        self.assertTrue(wait_until(lambda: bool(self.pages("denied")), 10), self.scene.records())

    def test_programs(self) -> None:
        """A program has the file itself, after the first bytes that it gets while it waits."""
        status, body = self.get(f"other.zip?{SLOWLY}")
        self.assertEqual((status, body), (200, (self.www / "good.zip").read_bytes()))
        self.assertGreater(self.record(filename="other.zip")["delivered"], 0)

    def pages(self, verdict: str) -> list[object]:
        """Records of answers with a page that came to this."""
        every = [one for one in self.scene.records() if one["event_type"] == "http"]
        told = [one["gateway"] for one in every if one["gateway"].get("progress_page")]
        return [one for one in told if one["verdict"] == verdict]
