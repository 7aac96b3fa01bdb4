"""Bodies that the real c-icap judges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.scanning.c_icap import CIcap
from tests.netns.scanning.case import ScanCase
from tests.netns.scanning.clamav import Clamav
from tests.netns.scanning.eicar import CLEAN, EICAR, compressed, zipped

SCAN = """
inspector = "icap"
[icap]
scan_seconds = 10
body_bytes = 4194304
upload_service = "virus_scan"
words = "Refused: $found"
rest_seconds = 1
failures = 2
connections = 2
"""

NAME = b"Eicar-Test.UNOFFICIAL"


class IcapTests(ScanCase):
    """
    Its virus_scan, whose engine is the real clamd: of downloads, as Debian's alias has it, it says
    that they may pass (204), and uploads are given back (200).
    """

    scan = SCAN
    gateway: ClassVar[str] = '[metrics]\nlisten = "127.0.0.1:9180"\n'
    clamav: ClassVar[Clamav]
    icap: ClassVar[CIcap]

    def prepare(self) -> None:
        super().prepare()
        type(self).clamav = Clamav(self.router, self.scene.folder / "clamav")
        self.clamav.start()
        type(self).icap = CIcap(self.router, self.scene.folder / "icap", self.clamav)
        self.icap.start()

    def test_bodies(self) -> None:
        """Downloads, uploads, files and mails: what is clean arrives, what is not has a name."""
        for form in ("length", "chunked", "close"):
            self.assertEqual(self.get(f"clean?form={form}"), (200, CLEAN), form)
            status, page = self.get(f"eicar?form={form}")
            self.assertEqual((status, NAME in page), (403, True), page)
        self.assertEqual(self.get("gzip-clean?coding=gzip"), (200, compressed(b"clean")))
        self.assertEqual(self.get("?zeros=4194304"), (200, bytes(4194304)))
        self.assertEqual(self.get("zip")[0], 403)
        self.assertEqual(self.get("late")[0], 403)  # behind the preview
        self.assertEqual([self.put("good", CLEAN), self.put("bad", EICAR)], [201, 403])
        self.assertEqual((self.www / "put-good").read_bytes(), CLEAN)
        self.assertFalse((self.www / "put-bad").exists())
        self.assertEqual(self.send(zipped()), (550, b"5.7.1 Refused: " + NAME))
        self.assertEqual(self.send(CLEAN)[0], 250)
        with self.files() as client:
            got: list[bytes] = []
            client.retrbinary("RETR clean", got.append)
            self.assertEqual(b"".join(got), CLEAN)
        access = self.icap.access
        self.assertRegex(access, r"RESPMOD avscan\S* 204")
        self.assertNotRegex(access, r"REQMOD virus_scan\S* 204")
        record = self.record(filename="bad", verdict="denied")
        self.assertEqual(record["found"], [NAME.decode()])
        self.assertIn("C-ICAP/0.5.10 server - Antivirus service", record["scanner"])

    def test_many(self) -> None:
        """More than a connection serves, which c-icap closes after a hundred without a word."""
        paths = ["clean", "eicar"] * 110
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(self.get, paths))
        self.assertEqual([status for status, _ in found], [200, 403] * 110)
        self.assertLessEqual(self.icap.connections, 2)

    def test_killed(self) -> None:
        """Without it nothing passes; when it is back, all is well."""
        self.icap.stop()
        try:
            self.assertEqual([self.get("clean")[0] for _ in range(3)], [403] * 3)
            self.record(reason="not scanned: 127.0.0.1:1344: Connection refused")
        finally:
            self.icap.start()
        assert wait_until(lambda: self.get("clean") == (200, CLEAN), 10)


class EchoTests(ScanCase):
    """Its echo, which gives back all that it gets, by a service that may change bodies."""

    scan = """
inspector = "icap"
[icap]
upload_service = "echo"
download_service = "echo"
changes = true
"""

    def prepare(self) -> None:
        super().prepare()
        clamav = Clamav(self.router, self.scene.folder / "clamav")
        CIcap(self.router, self.scene.folder / "icap", clamav).start()

    def test_bodies(self) -> None:
        """What it gives back is what came: small, large, empty, in chunks, compressed; uploads."""
        for form in ("length", "chunked", "close"):
            self.assertEqual(self.get(f"clean?form={form}"), (200, CLEAN), form)
        self.assertEqual(self.get("eicar"), (200, EICAR))
        self.assertEqual(self.get("empty"), (200, b""))
        self.assertEqual(self.get("gzip-clean?coding=gzip"), (200, compressed(b"clean")))
        self.assertEqual(self.put("good", CLEAN), 201)
        self.assertEqual((self.www / "put-good").read_bytes(), CLEAN)
        self.assertNotIn("changed", self.record(filename="good"))
