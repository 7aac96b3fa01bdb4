"""Programs that people use, through the real gateway: none of them notices it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.netns.case import SERVER
from tests.netns.web import SMALL, NginxCase

URL = f"http://{SERVER}"
UPLOAD = 3_000_000
PACKAGES = 12
CONTROL = """\
Package: {name}
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.com>
Description: nothing
"""


class LibraryTests(NginxCase):
    """Python's HTTP libraries."""

    def prepare(self) -> None:
        """Files of several kinds."""
        super().prepare()
        self.noise("large.txt", 5_000_000)
        (self.www / "object.json").write_text('{"a": [1, 2.5, null, "\u00e9"]}')
        (self.www / "style.css").write_text("p { color: red }\n" * 5000)

    def said(self, program: str) -> dict[str, list[Any]]:
        """What the program says about each thing that it did."""
        source = self.scene.folder / "upload"
        source.write_bytes(os.urandom(UPLOAD))
        lines = [json.loads(line) for line in self.program(program, URL, str(source)).splitlines()]
        for name in ("length", "chunks"):
            uploaded = self.www / "upload" / name
            self.assertEqual(uploaded.read_bytes(), source.read_bytes(), name)
            uploaded.unlink()
        return {name: values for name, *values in lines}

    def common(self) -> dict[str, list[Any]]:
        """What either library must have got."""
        digest = hashlib.sha256((self.www / "large.txt").read_bytes()).hexdigest()
        return {
            "get": [200, digest],
            "json": [{"a": [1, 2.5, None, "\u00e9"]}],
            "gzip": ["gzip", 17 * 5000],
            "redirect": [[302], SMALL.decode()],
            "put": [201],
            "chunks": [201],
            "stream": [5_000_000],
        }

    def test_requests(self) -> None:
        """requests and urllib3: sessions, redirects, uploads of both kinds, streams, threads."""
        self.assertEqual(
            self.said("client_requests"),
            {
                **self.common(),
                "head": [200, 5_000_000, 0],
                "range": [206, "ell"],
                "missing": [404],
                "form": [405],
                "threads": [[SMALL.decode()]],
            },
        )
        self.http_records(1, url="/missing?q=a%20b&c=%C3%A9", status=404, verdict="passed")
        self.assertEqual(self.refused(), [])

    def test_httpx(self) -> None:
        """httpx: asynchronous, a hundred at once."""
        self.assertEqual(
            self.said("client_httpx"), {**self.common(), "parallel": [[SMALL.decode()]]}
        )
        self.assertEqual(self.refused(), [])

    def refused(self) -> list[dict[str, Any]]:
        """What did not pass."""
        records = self.http_records(1)
        return [each for each in records if each["verdict"] != "passed"]


class PackageTests(NginxCase):
    """Package managers. They pipeline, go on where they stopped, and ask whether it changed."""

    def test_apt(self) -> None:
        """apt reads a list of packages, and then gets many of them over one connection."""
        self.got.mkdir()
        names = [f"nothing{number}" for number in range(PACKAGES)]
        for name in names:
            self.build(name)
        (self.www / "Packages").write_text("\n".join(self.entry(name) for name in names))
        self.apt("update")
        self.apt("download", *names)
        for name in names:
            file = f"{name}_1_all.deb"
            self.assertEqual((self.got / file).read_bytes(), (self.www / file).read_bytes(), name)
        records = self.http_records(PACKAGES, http_content_type="application/octet-stream")
        self.assertEqual({each["verdict"] for each in records}, {"passed"})
        self.assertLess(len(self.scene.records()) - len(self.http_records(1)), PACKAGES)

    def build(self, name: str) -> None:
        """A Debian package with some bytes in it, on the server."""
        folder = self.scene.folder / name
        (folder / "DEBIAN").mkdir(parents=True)
        (folder / "DEBIAN").chmod(0o755)
        (folder / "content").write_bytes(os.urandom(20000))
        (folder / "DEBIAN" / "control").write_text(CONTROL.format(name=name))
        self.server.run("dpkg-deb", "--build", "-Znone", str(folder), str(self.file(name)))

    def file(self, name: str) -> Path:
        """Where the server has a package."""
        return self.www / f"{name}_1_all.deb"

    def entry(self, name: str) -> str:
        """What a repository says about a package."""
        content = self.file(name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        where = f"Filename: ./{name}_1_all.deb\nSize: {len(content)}\nSHA256: {digest}\n"
        return CONTROL.format(name=name) + where

    def apt(self, command: str, *arguments: str) -> str:
        """apt with lists and caches of its own, and nothing of this host."""
        root = self.scene.folder / "apt"
        for each in ("state/lists/partial", "cache/archives/partial", "etc"):
            (root / each).mkdir(parents=True, exist_ok=True)
        (root / "state" / "status").touch()
        (root / "etc" / "sources.list").write_text(f"deb [trusted=yes] {URL} ./\n")
        settings = {
            "Dir::State": root / "state",
            "Dir::State::status": root / "state" / "status",
            "Dir::Cache": root / "cache",
            "Dir::Etc": root / "etc",
            "Dir::Etc::Parts": "/dev/null",
            "APT::Sandbox::User": "root",
            "Acquire::http::Timeout": 10,
            "Acquire::http::Proxy": "DIRECT",
            "Acquire::Languages": "none",
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        into = ("sh", "-c", 'cd "$0" && exec "$@"', str(self.got))
        return self.client.run(*into, "apt-get", "-qq", *options, command, *arguments)

    @property
    def got(self) -> Path:
        """What apt has downloaded."""
        return self.scene.folder / "got"

    def test_git(self) -> None:
        """git clones a repository that a web server has as files."""
        work, bare = self.scene.folder / "work", self.www / "it.git"
        name = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
        self.server.run("git", "init", "-q", str(work))
        (work / "file").write_bytes(os.urandom(UPLOAD))
        self.server.run("git", "-C", str(work), "add", "file")
        self.server.run("git", "-C", str(work), *name, "commit", "-q", "-m", "all of it")
        self.server.run("git", "clone", "-q", "--bare", str(work), str(bare))
        self.server.run("git", "-C", str(bare), "update-server-info")
        here = self.scene.folder / "cloned"
        self.client.run("git", "clone", "-q", f"{URL}/it.git", str(here))
        self.assertEqual((here / "file").read_bytes(), (work / "file").read_bytes())

    def test_pip(self) -> None:
        """pip finds a project in an index, and installs it."""
        wheel = "nothing-1.0-py3-none-any.whl"
        folder = self.www / "simple" / "nothing"
        folder.mkdir(parents=True)
        write_wheel(folder / wheel)
        (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel}">{wheel}</a>\n')
        target = self.scene.folder / "installed"
        self.client.run(
            *("env", "PIP_CONFIG_FILE=/dev/null"),
            *(sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--no-cache-dir", "--target", str(target)),
            *("--index-url", f"{URL}/simple", "--trusted-host", SERVER, "nothing"),
        )
        self.assertEqual((target / "nothing.py").read_text(), "answer = 42\n")


def write_wheel(file: Path) -> None:
    """The smallest Python package that there can be."""
    info = "nothing-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("nothing.py", "answer = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
