"""TLS through the real gateway: inspected, spliced, refused, and servers that are not believed."""

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path
from typing import ClassVar

from tests.netns.case import CLIENT, SERVER
from tests.netns.commands import command
from tests.netns.tls_case import BANK, GOOD, TLS_SERVICE, WEB, TlsCase

RULES = (
    TLS_SERVICE
    + """
[[tls.rule]]
name = [".bank.example"]
mode = "splice"
[[tls.rule]]
name = ["refused.example"]
mode = "refuse"
"""
)


class InspectedTests(TlsCase):
    """What curl sees, and what the records say."""

    services: ClassVar = {"web-tls": RULES, "web": WEB}

    def test_inspected(self) -> None:
        """A page comes through, under the gateway's root, and both records tell of it."""
        said = self.curl(f"https://{GOOD}/", "-w", "%{http_version} %{num_connects}")
        self.assertEqual(said, "<p>hello</p>1.1 1")
        (record,) = self.tls_records(1, sni=GOOD)
        tls, own = record["tls"], record["gateway"]["tls"]
        self.assertEqual(tls["version"], "TLS 1.3")
        self.assertEqual(tls["issuerdn"], "CN=Public Issuer")
        self.assertEqual(tls["subjectaltname"], [GOOD, "also-good.example", SERVER])
        self.assertEqual(own["mode"], "inspect")
        self.assertEqual(own["root"], "trusted")
        self.assertNotIn("flaws", own)
        http = [one for one in self.scene.records() if one["event_type"] == "http"]
        self.assertEqual(http[-1]["http"]["hostname"], GOOD)

    def test_story(self) -> None:
        """An operator sees what is agreed on both sides, and what is asked for within."""
        believed = ssl.create_default_context(cafile=str(self.scene.folder / "gateway.crt"))
        plain = self.dial((SERVER, 443))
        with believed.wrap_socket(plain, server_hostname=GOOD) as ours:
            ours.sendall(b"GET / HTTP/1.1\r\nHost: good.example\r\n\r\n")
            heard = b""
            while b"</p>" not in heard:
                heard += ours.recv(65536)
            at = ("--control", str(self.scene.daemon.control), "--json")
            (row,) = json.loads(command(self.router, "sessions", *at).stdout)["sessions"]
            story = json.loads(command(self.router, "show", str(row["id"]), *at).stdout)
        client, server = (story["legs"][side]["tls"] for side in ("client", "server"))
        self.assertEqual((client["version"], client["names"]), ("TLS 1.3", []))
        self.assertEqual((server["version"], server["subject"]), ("TLS 1.3", f"CN={GOOD}"))
        self.assertIn(GOOD, server["names"])
        self.assertEqual(story["inspector"], {"name": "http", "about": "requests: 1, all answered"})

    def test_explained(self) -> None:
        """What would be decided about a URL is told by who looks inside."""
        said = command(
            self.router,
            *("explain", "--config", str(self.scene.config), "--from", CLIENT),
            *("--to", f"{SERVER}:443", "--url", f"https://{GOOD}/", "--method", "TRACE"),
        )
        self.assertIn('what is inside is for service "web"', said.stdout)
        self.assertIn("the method TRACE is not allowed", said.stdout)

    def test_spliced(self) -> None:
        """A bank's own certificate comes through, since nobody looks inside."""
        said = self.curl(f"https://{BANK}/", root="public.crt")
        self.assertEqual(said, "<p>hello</p>")
        (record,) = self.tls_records(1, sni=BANK)
        self.assertEqual(record["gateway"]["tls"]["mode"], "splice")
        self.assertIn("web-tls.toml:", record["gateway"]["tls"]["rule"])

    def test_refused(self) -> None:
        """A name that is refused is refused by the alert that programs show best."""
        done = self.curl_done("--connect-to", f"::{SERVER}:443", "https://refused.example/")
        self.assertEqual(done.returncode, 35, done)
        self.assertIn("access denied", done.stderr)
        (record,) = self.tls_records(1, sni="refused.example")
        self.assertEqual(record["gateway"]["verdict"], "denied")
        self.assertEqual(record["gateway"]["reason"], "refused.example is refused")

    def test_without_name(self) -> None:
        """Who says no name is refused, unless the policy says otherwise."""
        done = self.curl_done("-k", f"https://{SERVER}/")
        self.assertIn("access denied", done.stderr)

    def test_not_believed(self) -> None:
        """A client learns from its own program what is wrong with a server's certificate."""
        for name, words, kind, root in (
            ("expired.example", "certificate has expired", "expired", "trusted"),
            ("wrong.example", "no alternative certificate subject name", "name", "trusted"),
            ("unknown.example", "unable to get local issuer", "untrusted", "untrusted"),
            ("weak.example", "unable to get local issuer", "weak", "untrusted"),
            ("alone.example", "unable to get local issuer", "incomplete", "untrusted"),
        ):
            done = self.curl_done(
                "--cacert",
                str(self.scene.folder / "gateway.crt"),
                "--resolve",
                f"{name}:443:{SERVER}",
                f"https://{name}/",
            )
            self.assertEqual(done.returncode, 60, done)
            self.assertIn(words, done.stderr)
            (record,) = self.tls_records(1, sni=name)
            own = record["gateway"]["tls"]
            self.assertEqual([flaw.split(":")[0] for flaw in own["flaws"]], [kind])
            self.assertEqual(own["root"], root)

    def test_show(self) -> None:
        """The operator is shown what clients are given, and why."""
        config = str(self.scene.config)
        program = str(Path(sys.executable).with_name("tproxygw"))
        for name, words in (
            (
                GOOD,
                ("TLS 1.3", "CN=Public Issuer", "by the root that clients"),
            ),
            ("expired.example", ("expired: it was valid until", "sees by itself what is wrong")),
            ("weak.example", ("weak: an RSA key of 1024 bits", "by the root that nobody trusts")),
        ):
            said = self.router.run(
                program, "tls", "show", "--config", config, f"{SERVER}:443", "--name", name
            )
            for word in words:
                self.assertIn(word, said)
