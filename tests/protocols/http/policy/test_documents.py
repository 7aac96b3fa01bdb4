"""The examples in docs/http-policy.md are true."""

from __future__ import annotations

import re
from pathlib import Path

import bcrypt
from attrs import fields

from gateway.policy.load import load
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.url import Url
from tests.protocols.http.policy.case import PolicyCase, asks, find

DOCS = Path(__file__).resolve().parents[4] / "docs"

EXAMPLES = [
    example
    for page in ("http-policy.md", "http.md")
    for example in re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
]

FILES = {
    "lists/malware.txt": b"malware.example\n",
    "lists/hosts": b"0.0.0.0 ads.example.com\n",
    "pages/malware.html": b"<p>$message</p>",
    "pages/denied.html": b"<p>$message</p>",
    "pages/denied.txt": b"$message",
    "zones.toml": b'[zones]\noffice.networks = ["10.0.0.0/8"]\ninternet.networks = ["0.0.0.0/0"]\n',
    "services/scanner.toml": b'inspector = "http"\n',
    "services/sockets.toml": b'inspector = "http"\n',
    "services/tunnelled.toml": b'inspector = "http"\n',
    "users": b"alibaba:" + bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)),
}


class ExampleTests(PolicyCase):
    """What an operator copies from the page works."""

    def example(self, mark: str) -> HttpSettings:
        """The example that C{mark} is in, loaded."""
        (text,) = [each for each in EXAMPLES if mark in each]
        folder = self.folder("")
        for name, content in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        (folder / "services/web.toml").write_text(text)
        settings = load(folder, find).services["web"].settings
        assert isinstance(settings, HttpSettings)
        return settings

    def test_all_load(self) -> None:
        """Each of them."""
        for text in EXAMPLES:
            self.example(text)
        self.assertEqual(len(EXAMPLES), 11)

    def test_tests(self) -> None:
        """The tests in the example are what their comments say."""
        settings = self.example("whatever comes later, this passes")
        self.assertEqual(len(settings.request), 6)
        listed = settings.request[1]
        for host, expected in {
            "x.malware.example": True,
            "ads.example.com": True,
            "a": False,
        }.items():
            url = Url(host, 80, "/")
            self.assertEqual(listed.matches(asks(host=host), url), expected, host)

    def test_times(self) -> None:
        """The limits in the example are the defaults, as it says."""
        self.assertEqual(self.example("[http.times]").times, HttpSettings().times)

    def test_table_of_zorp(self) -> None:
        """Keys that docs/http-zorp.md names are there."""
        text = (DOCS / "http-zorp.md").read_text()
        known = {each.name for each in fields(HttpSettings)}
        for table in re.findall(r"`\[http\.([a-z_]+)\]`", text):
            self.assertIn(table, known)
        defaults = HttpSettings()
        for table in ("limits", "times", "tunnels", "pages"):
            keys = {each.name for each in fields(type(getattr(defaults, table)))}
            for key in re.findall(rf"`{table}\.([a-z_]+)`", text):
                self.assertIn(key, keys)
