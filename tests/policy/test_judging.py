"""What an inspector would decide, before anybody asks for it: C{tproxygw explain}, inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import explain
from gateway.policy.foretelling import Said
from gateway.policy.judging import Asks, read_headers
from gateway.policy.load import load
from gateway.registry import find

CLIENT = Address("10.1.2.3", 40000)

WEB = """inspector = "http"
[[rule]]
ports = [80]
[http]
methods = ["GET", "HEAD"]
[[http.request]]
host = ["good.example"]
action = "allow"
[[http.request]]
lists = ["bad.txt"]
[[http.request]]
header.X-Debug = "1"
action = "drop-header"
name = "X-Debug"
[[http.request]]
host = ["old.example"]
action = "redirect"
location = "http://new.example$target"
"""

MAIL = """inspector = "smtp"
[[rule]]
ports = [25]
[smtp]
recipient_domains = ["our.example"]
[[smtp.senders]]
match = ".*@spam[.]example"
[[smtp.attachments]]
extensions = ["exe"]
"""

FILES = """inspector = "ftp"
[[rule]]
ports = [21]
[ftp]
profile = "read-write"
write_paths = "/incoming/.*"
[ftp.commands]
SITE = "deny"
"""


class JudgingTests(SynchronousTestCase):
    """Asks a policy."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        (folder / "gateway.toml").write_text("")
        (folder / "bad.txt").write_text("bad.example\n")
        for name, text in (("web", WEB), ("mail", MAIL), ("files", FILES)):
            (folder / "services" / f"{name}.toml").write_text(text)
        self.policy = load(folder, find)

    def inside(self, port: int, said: Said | None = None, **asks: Any) -> list[str]:
        """What is decided inside."""
        connection = Connection(CLIENT, Address("198.51.100.7", port), Protocol.TCP, None)
        lines = explain(self.policy, connection, said, Asks(**asks)).splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("inside"))
        return [line[len("connection") :].strip() for line in lines[at:]]

    def test_http(self) -> None:
        """A URL is allowed, denied or sent elsewhere by a test, a list or a setting."""
        for asks, words in (
            ({"url": "http://other.example/"}, "GET http://other.example/: passes"),
            ({"url": "http://good.example/x"}, "GET http://good.example/x: passes"),
            ({"url": "http://bad.example/x"}, "(services/web.toml:9)"),
            ({"url": "http://other.example/", "method": "POST"}, "(services/web.toml:5)"),
            ({"url": "http://old.example/a?b"}, "sent to http://new.example/a?b"),
            ({"url": "ftp://other.example/"}, "is no request: not a URL"),
            ({"url": "http://other.example/a b"}, "is no request"),
        ):
            self.assertIn(words, self.inside(80, **asks)[-1], asks)
        headers = read_headers(["X-Debug: 1"])
        matched, passes = self.inside(80, url="http://other.example/", headers=headers)
        self.assertIn("matches, and goes on (services/web.toml:11)", matched)
        self.assertIn("passes", passes)

    def test_smtp(self) -> None:
        """Sender, recipients and attachments, one by one."""
        lines = self.inside(
            25,
            sender="a@spam.example",
            recipients=("b@our.example", "c@other.example"),
            attachments=("x.exe", "x.txt"),
        )
        for line, words in zip(
            lines,
            (
                "(services/mail.toml:6)",
                "RCPT TO:<b@our.example>: goes to the server",
                "(services/mail.toml:5)",
                "attachment 'x.exe': reject (services/mail.toml:8)",
                "attachment 'x.txt': passes",
            ),
            strict=True,
        ):
            self.assertIn(words, line)
        self.assertIn("goes to the server", self.inside(25, sender="")[0])
        self.assertIn("refused", self.inside(25, sender="<>nonsense")[0])

    def test_ftp(self) -> None:
        """Commands, by profile, paths and the table of commands."""
        lines = self.inside(
            21, commands=("RETR /a", "STOR /incoming/x", "STOR /b", "SITE CHMOD", "NONSENSE")
        )
        for line, words in zip(
            lines,
            (
                "RETR /a: goes to the server",
                "STOR /incoming/x: goes to the server",
                "(services/files.toml:6)",
                "ends the session",
                "no command of FTP",
            ),
            strict=True,
        ):
            self.assertIn(words, line)

    def test_other(self) -> None:
        """An inspector that does not go by that says so."""
        self.assertEqual(
            self.inside(25, url="http://x.example/"), ["its inspector does not decide about that"]
        )

    def test_headers(self) -> None:
        """Headers are written as everywhere."""
        self.assertEqual(read_headers(["A: b", "C:d:e"]), (("A", "b"), ("C", "d:e")))
        self.assertRaises(ValueError, read_headers, ["nonsense"])
