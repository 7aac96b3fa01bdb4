"""What tests of scanners subclass."""

from __future__ import annotations

import ftplib
import smtplib
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase
from tests.netns.mail.certificate import certificate
from tests.netns.mail.client import FROM, HELO, TO
from tests.netns.mail.server import Aiosmtpd
from tests.netns.scanning.eicar import CLEAN, EICAR, compressed, zipped

WEB = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [80]
[http.stack]
request = "scan"
response = "scan"
"""


FTP = """
inspector = "ftp"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [21]
[ftp]
profile = "read-write"
stack_upload = "scan"
stack_download = "scan"
"""

MAIL = """
inspector = "smtp"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [25]
[smtp]
hold_bytes = 1000000
stack = "scan"
"""


class ScanCase(SceneCase):
    """
    Servers of the web, files and mail, and the gateway between.

    @cvar scan: the service file of the scanner.
    """

    scan: ClassVar[str]
    web: ClassVar[str] = WEB
    mail: ClassVar[Aiosmtpd]

    def prepare(self) -> None:
        """The servers, and their files."""
        self.www.mkdir(mode=0o777)
        for name, content in {
            "clean": CLEAN,
            "eicar": EICAR,
            "late": CLEAN * 5 + b"SCAN-THIS-PLEASE",
            "zip": zipped(),
            "gzip": compressed(),
            "gzip-clean": compressed(b"clean"),
            "deflate": zlib.compress(EICAR),
            "empty": b"",
        }.items():
            (self.www / name).write_bytes(content)
        self.server.start(
            *(sys.executable, "-m", "tests.netns.scanning.web_server", str(self.www), "80"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        script = str(Path(__file__).parents[1] / "ftp_pyftpdlib.py")
        self.server.start(
            *("/usr/bin/python3", script, str(self.www), SERVER), stderr=subprocess.DEVNULL
        )
        folder = self.scene.folder
        type(self).mail = Aiosmtpd(self.server, folder / "mail", SERVER, 25, certificate(folder))
        self.mail.start()
        for port in (80, 21):
            listening = "ss", "-Htln", f"sport = :{port}"
            assert wait_until(lambda: "LISTEN" in self.server.run(*listening), 10)  # noqa: B023

    def begin(self) -> None:
        """With the scanner's address filled in."""
        services = {
            "web": self.web,
            "ftp": FTP,
            "mail": MAIL,
            "scan": self.scan.format(folder=self.scene.folder),
        }
        self.scene.configure(services, self.gateway, self.zones)
        self.scene.daemon.start()

    @property
    def www(self) -> Path:
        return self.scene.folder / "www"

    def get(self, path: str, *arguments: str) -> tuple[int, bytes]:
        """Status and body."""
        done = subprocess.run(
            (
                *self.client.prefix,
                *("curl", "-sS", "--max-time", "30", "-w", "%{http_code}", *arguments),
                f"http://{SERVER}/{path}",
            ),
            capture_output=True,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(done)
        return int(done.stdout[-3:]), done.stdout[:-3]

    def put(self, name: str, content: bytes, *arguments: str) -> int:
        """The status."""
        file = self.scene.folder / "upload"
        file.write_bytes(content)
        return self.get(name, "-T", str(file), "-H", "Expect:", *arguments)[0]

    def send(self, content: bytes) -> tuple[int, bytes]:
        """A mail with this attached: the answer to it."""
        message = EmailMessage()
        message["Subject"] = "For you"
        message.set_content("See what is attached.")
        message.add_attachment(content, "application", "octet-stream", filename="a.bin")
        with self.client.entered():
            client = smtplib.SMTP(SERVER, local_hostname=HELO, timeout=20)
        client.ehlo()
        client.mail(FROM)
        client.rcpt(TO)
        answer = client.data(message.as_bytes(policy=SMTP))
        client.close()
        return answer

    @contextmanager
    def files(self) -> Iterator[ftplib.FTP]:
        """A client of the server's files."""
        with self.client.entered():
            client = ftplib.FTP(SERVER, timeout=20)
            with client:
                client.login()
                yield client

    def record(self, **wanted: Any) -> dict[str, Any]:
        """The last record of a file that says all this, as soon as there is one."""
        assert wait_until(lambda: bool(self._records(wanted)), 10), self.scene.records()
        return self._records(wanted)[-1]

    def _records(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        files = [one for one in self.scene.records() if one["event_type"] == "fileinfo"]
        told = [{**one["fileinfo"], **one["gateway"], **one["gateway"]["scan"]} for one in files]
        return [one for one in told if wanted.items() <= one.items()]

    def metrics(self) -> str:
        """Of the gateway."""
        return self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics")
