"""HTTP, through the real gateway: what people do with curl and wget, works."""

from __future__ import annotations

import os

from tests.netns.case import SERVER
from tests.netns.web import SMALL, NginxCase

LARGE = int(os.environ.get("LARGE_MIB", "512")) << 20
"""Bytes of the large files. LARGE_MIB=5120 takes longer, and proves the same."""

UPLOAD = 8 << 20
PART = 4 << 20

GROWTH = 6 << 20
"""How much more memory the gateway may take while they pass. Its buffers are in that."""

URL = f"http://{SERVER}"


class NginxTests(NginxCase):
    """curl and wget against nginx."""

    def prepare(self) -> None:
        """A large file, which takes no room: most of it is a hole."""
        super().prepare()
        with (self.www / "large").open("wb") as large:
            large.truncate(LARGE)

    def test_get(self) -> None:
        """A file comes as it is, and there is a record in EVE's words."""
        self.assertEqual(self.curl("-A", "test/1", f"{URL}/small?q=1"), "hello\n")
        (record,) = self.http_records(1, http_user_agent="test/1")
        for size in ("request_bytes", "response_bytes"):
            self.assertGreater(record.pop(size), 50)
        self.assertEqual(
            (record.pop("service"), record.pop("rule")), ("web", "services/web.toml:3")
        )
        self.assertEqual(record.pop("zones"), {"from": ["office"], "to": ["internet"]})
        self.assertEqual(
            record,
            {
                "hostname": SERVER,
                "url": "/small?q=1",
                "http_user_agent": "test/1",
                "http_method": "GET",
                "protocol": "HTTP/1.1",
                "http_content_type": "text/plain",
                "status": 200,
                "length": 6,
                "verdict": "passed",
            },
        )

    def test_versions(self) -> None:
        """HTTP/1.0, which ends with the connection, and a client that asks for HTTP/2 as well."""
        for option in ("--http1.0", "--http1.1", "--http2"):
            self.assertEqual(self.curl(option, f"{URL}/small?{option}"), "hello\n", option)
        self.http_records(1, url="/small?--http1.0", protocol="HTTP/1.0", verdict="passed")

    def test_head_and_kept_alive(self) -> None:
        """HEAD has no body; several requests go over one connection."""
        format = "%{http_code} %{num_connects} %{size_download} "
        url = f"{URL}/small"
        said = self.curl("-I", "-w", format, url, url, url, "-o", "/dev/null", "-o", "/dev/null")
        self.assertIn("Content-Length: 6", said)
        self.assertEqual(said.count("200 0 0 "), 2, said)
        self.client.run("wget", "-q", "--spider", "-T", "10", f"{URL}/small?spider")
        self.http_records(1, url="/small?spider", http_method="HEAD", length=0, verdict="passed")

    def test_redirect(self) -> None:
        """A redirect of the server's is passed, followed and recorded."""
        self.assertEqual(self.curl("-L", f"{URL}/moved"), "hello\n")
        (record,) = self.http_records(1, url="/moved")
        self.assertEqual(record["redirect"], f"{URL}/small")

    def test_uploads(self) -> None:
        """With Expect: 100-continue and a length, and chunked: the server has every byte."""
        source = self.scene.folder / "upload"
        source.write_bytes(os.urandom(UPLOAD))
        for name, header in (("a", "Expect: 100-continue"), ("b", "Transfer-Encoding: chunked")):
            self.curl("-T", str(source), "-H", header, f"{URL}/upload/{name}")
            uploaded = (self.www / "upload" / name).read_bytes()
            self.assertEqual(uploaded, source.read_bytes())
            self.http_records(1, url=f"/upload/{name}", status=201, request_length=UPLOAD)

    def test_refused_uploads(self) -> None:
        """What the server says about one that it does not want is heard, in the middle of it."""
        source = self.scene.folder / "too-large"
        source.write_bytes(bytes(UPLOAD))
        for number, header in enumerate(("Expect:", "Transfer-Encoding: chunked", "X: y")):
            url = f"{URL}/little/{number}"
            said = self.curl("-T", str(source), "-H", header, "-w", " %{http_code}", url)
            self.assertTrue(said.endswith(" 413"), said)
            self.http_records(1, url=f"/little/{number}", status=413)

    def test_https(self) -> None:
        """A client that wants TLS on this port reads at once that it may not have it."""
        command = f"curl -sS --max-time 20 https://{SERVER}:80/ 2>&1 || true"
        self.assertIn("alert access denied", self.client.run("sh", "-c", command))
        self.http_records(1, reason="not HTTP, but TLS", verdict="denied")

    def test_resume(self) -> None:
        """curl and wget go on where a download was broken off; ranges are what was asked for."""
        whole = self.noise("part", PART)
        url = f"{URL}/part"
        for program in (
            ["curl", "-sS", "-C", "-", "-o"],
            ["wget", "-q", "-T", "10", "-c", "-O"],
        ):
            here = self.scene.folder / f"part-{program[0]}"
            here.write_bytes(whole[:1000000])
            self.client.run(*program, str(here), url)
            self.assertEqual(here.read_bytes(), whole)
        self.assertEqual(self.curl("-r", "0-3", f"{URL}/small"), "hell")
        self.assertIn("Content-Range: bytes 4-5/6", self.curl("-r", "0-1,4-5", f"{URL}/small"))

    def test_parallel(self) -> None:
        """A hundred at once: a hundred programs, and one with a hundred connections."""
        script = f"for i in $(seq 100); do curl -sS --max-time 20 {URL}/small & done; wait"
        self.assertEqual(self.client.run("sh", "-c", script), "hello\n" * 100)
        many = self.curl("--parallel", "--parallel-max", "100", f"{URL}/small?[1-100]")
        self.assertEqual(many, "hello\n" * 100)

    def test_site(self) -> None:
        """wget follows the links of a site."""
        (self.www / "a.html").write_text("<a href=b.html>b</a> <a href=small>small</a>")
        (self.www / "b.html").write_text("<a href=a.html>a</a> <img src=c.svg>")
        (self.www / "c.svg").write_bytes(SMALL)
        here = self.scene.folder / "site"
        self.client.run("wget", "-q", "-T", "10", "-r", "-P", str(here), f"{URL}/a.html")
        got = {each.name for each in (here / SERVER).iterdir()}
        self.assertLessEqual({"a.html", "b.html", "c.svg", "small"}, got)

    def test_large(self) -> None:
        """A large download is complete, and the gateway does not grow."""
        content = self.noise("noise", PART * 4)
        here = self.scene.folder / "noise"
        self.curl("-o", str(here), f"{URL}/noise")
        self.assertTrue(here.read_bytes() == content, "another content")
        before = self.memory()
        said = self.client.run(
            *("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", f"{URL}/large"),
            seconds=60 + LARGE / (16 << 20),
        )
        self.assertEqual(said, str(LARGE))
        self.http_records(1, url="/large", length=LARGE, verdict="passed")
        self.assertLess(self.memory() - before, GROWTH)

    def test_stacked(self) -> None:
        """Bodies through another service's inspector, which lets them pass: they are the same."""
        source = self.scene.folder / "stacked"
        source.write_bytes(os.urandom(UPLOAD))
        self.curl("-T", str(source), f"{URL}:83/upload/stacked")
        uploaded = self.www / "upload" / "stacked"
        self.assertEqual(uploaded.read_bytes(), source.read_bytes())
        here = self.scene.folder / "downloaded"
        self.curl("-o", str(here), f"{URL}:83/upload/stacked")
        self.assertEqual(here.read_bytes(), source.read_bytes())
