"""Downloads and uploads that the real clamd judges."""

from __future__ import annotations

import ftplib
import io
import re
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER
from tests.netns.scanning.case import ScanCase
from tests.netns.scanning.clamav import Clamav
from tests.netns.scanning.eicar import CLEAN, EICAR, compressed, zipped

SCAN = """
inspector = "clamd"
[clamd]
servers = ["{folder}/clamav/clamd.socket"]
scan_seconds = 5
body_bytes = 4194304
words = "Refused: $found"
rest_seconds = 1
trickle_bytes = 512
trickle_seconds = 0.5
"""

FORMS = ("length", "chunked", "close")


def resets(sock: socket.socket) -> None:
    """When it is closed, it is reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_off(client: ftplib.FTP, transfer: Callable[[], object]) -> str:
    """The reply to a transfer whose data connection is reset, before that or after it."""
    try:
        try:
            transfer()
        except OSError:
            client.voidresp()
    except ftplib.Error as error:
        return str(error)
    raise AssertionError("it was not cut off")


class ClamdTests(ScanCase):
    """HTTP."""

    scan = SCAN
    gateway: ClassVar[str] = '[metrics]\nlisten = "127.0.0.1:9180"\n'

    def prepare(self) -> None:
        super().prepare()
        type(self).clamav = Clamav(self.router, self.scene.folder / "clamav")
        self.clamav.start()

    clamav: ClassVar[Clamav]

    def test_downloads(self) -> None:
        """What is clean arrives as it is, in whatever form it comes."""
        for form in FORMS:
            self.assertEqual(self.get(f"clean?form={form}"), (200, CLEAN), form)
        self.assertEqual(self.get("empty"), (200, b""))
        status, body = self.get("gzip-clean?coding=gzip")
        self.assertEqual((status, body), (200, compressed(b"clean")))
        record = self.record(filename="gzip-clean", verdict="passed")
        self.assertEqual(record["magic"], "application/gzip")
        self.assertEqual(record["scanner"], "ClamAV 1.4.6")

    def test_length(self) -> None:
        """The length is what the server said, so that a browser can show how far it is."""
        said = self.client.run("curl", "-sSI", "-X", "GET", f"http://{SERVER}/clean")
        self.assertIn(f"Content-Length: {len(CLEAN)}", said)

    def test_virus(self) -> None:
        """What is not gets a page: on its own, in an archive, compressed, at the end of a file."""
        for path in ("eicar", "zip", "gzip?coding=gzip", "late"):
            for form in FORMS:
                status, page = self.get(f"{path}{'&' if '?' in path else '?'}form={form}")
                self.assertEqual(status, 403, path)
                name = b"Pattern-Test" if path == "late" else b"Eicar-Test"
                self.assertIn(b"Refused: " + name + b".UNOFFICIAL", page)
        alerts = [one for one in self.scene.records() if one["event_type"] == "alert"]
        self.assertEqual(alerts[-1]["alert"]["signature"], "Pattern-Test.UNOFFICIAL")

    def test_codings(self) -> None:
        """
        What only the browser could read is not asked for; what is sent so anyhow does not pass,
        and deflate, which clamd does not know, is read for it.
        """
        self.assertEqual(self.get("deflate?coding=deflate")[0], 403)
        self.assertEqual(self.record(filename="deflate")["found"], ["Eicar-Test.UNOFFICIAL"])
        self.assertEqual(self.get("eicar?coding=br", "-H", "Accept-Encoding: br, gzip")[0], 403)
        self.record(reason="not scanned: a body coded as 'br', which can't be decoded")

    def test_uploads(self) -> None:
        """Of an infected upload the server never hears; a clean one arrives."""
        self.assertEqual(self.put("good", CLEAN), 201)
        self.assertEqual((self.www / "put-good").read_bytes(), CLEAN)
        for content in (EICAR, zipped()):
            self.assertEqual(self.put("bad", content), 403)
            self.assertEqual(self.put("bad", content, "-H", "Transfer-Encoding: chunked"), 403)
        self.assertEqual(self.put("bad", compressed(), "-H", "Content-Encoding: gzip"), 403)
        self.assertFalse((self.www / "put-bad").exists())

    def test_files(self) -> None:
        """FTP, both ways: what is infected is cut off, and the client reads why."""
        with self.files() as client:
            got: list[bytes] = []
            client.retrbinary("RETR clean", got.append)
            self.assertEqual(b"".join(got), CLEAN)
            client.storbinary("STOR up", io.BytesIO(CLEAN))
            self.assertEqual((self.www / "up").read_bytes(), CLEAN)
            virus = io.BytesIO(zipped())
            for refused in (
                lambda: client.retrbinary("RETR eicar", got.append),
                lambda: client.retrbinary("RETR zip", got.append),
                lambda: client.storbinary("STOR x", virus),
            ):
                answer = cut_off(client, refused)
                self.assertEqual(answer, "451 Refused: Eicar-Test.UNOFFICIAL")
        self.assertEqual(self.www.joinpath("x").read_bytes(), b"")
        record = self.record(filename="x", verdict="denied")
        self.assertEqual(record["found"], ["Eicar-Test.UNOFFICIAL"])

    def test_mail(self) -> None:
        """An attachment is found in its base64; the sender reads why, and others arrive."""
        code, answer = self.send(EICAR)
        self.assertEqual((code, answer), (550, b"5.7.1 Refused: Eicar-Test.UNOFFICIAL"))
        self.assertEqual(self.send(zipped())[0], 550)
        self.assertEqual(self.send(CLEAN)[0], 250)
        self.assertEqual(len(self.mail.messages()), 1)

    def test_many(self) -> None:
        """A hundred at once: each gets what it should."""
        clients = [self.dial((SERVER, 80)) for _ in range(100)]
        for client, path in zip(clients, ("clean", "eicar") * 50, strict=True):
            head = f"GET /{path} HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\n\r\n"
            client.sendall(head.encode())
        answers = [client.makefile("rb").read() for client in clients]
        found = [int(answer[9:12]) for answer in answers]
        self.assertEqual(found, [200, 403] * 50)
        self.assertTrue(all(answer.endswith(b"\r\n\r\n" + CLEAN) for answer in answers[::2]))
        metrics = self.metrics()
        self.assertIn('tproxygw_spooled_bytes{where="memory"} 0.0', metrics)
        self.assertIn('tproxygw_scan_seconds_count{service="scan",verdict="found"}', metrics)

    def test_too_large(self) -> None:
        """What clamd would not take is refused before it is asked: by the length that is said."""
        status, _ = self.get("?zeros=5242880")
        self.assertEqual(status, 403)
        self.record(result="too-large", verdict="denied")
        self.assertEqual(self.get("?zeros=4194304")[0], 200)  # clamd's own limit is exclusive

    def test_killed(self) -> None:
        """Without it nothing passes, which is in the record; when it is back, all is well."""
        self.clamav.stop()
        try:
            for _ in range(4):
                self.assertEqual(self.get("clean")[0], 403)
            self.record(reason=f"not scanned: {self.clamav.socket}: No such file or directory")
            self.assertIn("tproxygw_scanner_up{", self.metrics())
            self.assertRegex(self.metrics(), r"tproxygw_scanner_up\{[^}]*\} 0\.0")
        finally:
            self.clamav.start()
        assert wait_until(lambda: self.get("clean") == (200, CLEAN), 10)
        self.assertRegex(self.metrics(), r"tproxygw_scanner_up\{[^}]*\} 1\.0")

    def test_killed_while_scanning(self) -> None:
        """One that is killed while it has a body: that has one record, and does not pass."""
        self.clamav.signal(signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            uploading = pool.submit(self.put, "orphan", CLEAN)
            waits = re.compile(r"tproxygw_scanner_connections\{[^}]*\} [1-9]")
            try:
                assert wait_until(lambda: bool(waits.search(self.metrics())), 10)
            finally:
                self.clamav.stop()
            try:
                self.assertEqual(uploading.result(30), 403)
            finally:
                self.clamav.start()
        self.assertEqual(self.record(filename="orphan")["result"], "failed")
        self.assertEqual(len(self._records({"filename": "orphan"})), 1)
        self.assertFalse((self.www / "put-orphan").exists())
        self.assertIn('tproxygw_spooled_bytes{where="memory"} 0.0', self.metrics())
        assert wait_until(lambda: self.get("clean") == (200, CLEAN), 10)

    def test_hangs(self) -> None:
        """One that hangs is waited for as long as the policy says, and not for ever."""
        self.clamav.signal(signal.SIGSTOP)
        try:
            self.assertEqual(self.put("hung", CLEAN), 403)
        finally:
            self.clamav.signal(signal.SIGCONT)
        self.record(reason="not scanned: no verdict within 5 seconds")
        assert wait_until(lambda: self.get("clean") == (200, CLEAN), 10)

    def test_trickle(self) -> None:
        """Who waits for a download gets a little; one that is refused then is visibly no whole."""
        self.assertEqual(self.get("clean?pause=0.1"), (200, CLEAN))
        got = self.broken_off("late?pause=0.02")
        self.assertTrue(CLEAN.startswith(got[:1000]) and len(got) >= 512, len(got))
        record = self.record(result="found", filename="late")
        self.assertEqual(record["delivered"], len(got))
        got = self.broken_off("late?pause=0.02&form=chunked")
        self.assertTrue(512 <= len(got) < len(CLEAN))

    def broken_off(self, path: str) -> bytes:
        """What comes of a download that does not come to its end."""
        prefix = self.client.prefix
        command = ("curl", "-sS", "--max-time", "30", f"http://{SERVER}/{path}")
        done = subprocess.run((*prefix, *command), capture_output=True, check=False, timeout=60)
        self.assertIn(done.returncode, (18, 56), done.stderr)  # a part of a file; a reset
        return done.stdout

    def test_client_leaves(self) -> None:
        """A client that resets its connection while its file comes leaves nothing in the spool."""
        client = self.dial((SERVER, 80), prepare=resets)
        client.sendall(b"GET /late?pause=0.1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wait_until(lambda: 'spooled_bytes{where="memory"} 0.0' not in self.metrics(), 10)
        client.close()
        self.record(result="cut-off", filename="late")
        self.assertIn('tproxygw_spooled_bytes{where="memory"} 0.0', self.metrics())
