"""Each origin in an environment of its own, in a folder that can be thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.origins import Origin

CACHE = Path(__file__).resolve().parent.parent / ".conformance"
DEBIAN_PYTHON = "/usr/bin/python3"
DEBIAN_TESTS = "import sys; print(f'libpython3.{sys.version_info.minor}-testsuite')"
"""Says the name of the package with the tests of Debian's own Python."""

TO_BUILD = ("gcc", "make", "perl", "libc6-dev", "xz-utils")
"""Packages that programs in C are built with."""


# Debian 12's Python is too old for the filter; what is unpacked is of a fixed version anyway.
SAFELY: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


class Installed:
    """Where an origin's tests lie: the interpreter that runs them, and where it runs."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.base = CACHE / origin.name
        self.environment = self.base / "environment"
        self.stamp = self.base / "installed"

    @property
    def python(self) -> str:
        """The interpreter of the environment, or one that has CPython's own tests."""
        if self.origin.requirements:
            return str(self.environment / "bin" / "python")
        return sys.executable if self.origin.debian else python_with_tests()

    @property
    def folder(self) -> Path:
        """Where the tests are."""
        if self.origin.source or self.origin.debian or self.origin.git:
            return self.base / "source"
        if self.origin.npm:
            return self.base / "node_modules" / self.origin.npm.rpartition("@")[0]
        packages = list(self.environment.glob("lib/python*/site-packages"))
        return packages[0] if packages else self.base

    def install(self) -> None:
        """Install what is not there yet, or not in these versions."""
        wanted = repr(self.origin)
        if self.stamp.exists() and self.stamp.read_text() == wanted:
            return
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir(parents=True)
        if self.origin.requirements:
            run(sys.executable, "-m", "venv", "--without-pip", str(self.environment))
            pip("--python", self.python, "install", *self.origin.requirements)
        if self.origin.source:
            self._fetch_tests()
        if self.origin.git:
            fetch_commit(*self.origin.git.rsplit("@", 1), self.folder)
        if self.origin.npm:
            self._npm("install", "--prefix", str(self.base), self.origin.npm)
        if self.origin.packages:
            run("apt-get", "install", "-y", "-q", "--no-install-recommends", *self.origin.packages)
        if self.origin.debian:
            fetch_source(self.origin.debian, self.base / "download", self.folder)
            for command in self.origin.build:
                run(*command, folder=self.folder)
        self.stamp.write_text(wanted)

    def _npm(self, *arguments: str) -> None:
        """Run the environment's npm; no package's own scripts."""
        npm = str(self.environment / "bin" / "npm")
        run(npm, "--no-audit", "--no-fund", "--ignore-scripts", *arguments)

    def _fetch_tests(self) -> None:
        """Only the folder of tests: what they test is the installed package."""
        download = self.base / "download"
        release = self.origin.source
        name = release.partition("==")[0]
        pip("download", "--no-deps", "--no-binary", name, "--dest", str(download), release)
        (archive,) = download.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(download, **SAFELY)
        (top,) = (path for path in download.iterdir() if path.is_dir())
        shutil.move(top / self.origin.tests, self.base / "source" / self.origin.tests)
        shutil.rmtree(download)


def python_with_tests() -> str:
    """
    An interpreter that has CPython's own test suite: the one this runs on,
    or Debian's, whose suite is a package.
    """
    for python in (sys.executable, DEBIAN_PYTHON):
        if has_tests(python):
            return python
    command = [DEBIAN_PYTHON, "-c", DEBIAN_TESTS]
    package = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", package)
    return DEBIAN_PYTHON


def authority() -> Path:
    """
    CPython's own tests have an authority, with its key: the suites' servers have certificates of
    it, their clients trust it, and the gateway that inspects TLS between them poses as it.
    """
    file = CACHE / "authority.pem"
    if not file.exists():
        command = [python_with_tests(), "-c", "import test; print(*test.__path__)"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        (folder,) = (key.parent for path in found for key in Path(path).rglob("pycakey.pem"))
        text = (folder / "pycakey.pem").read_text() + (folder / "pycacert.pem").read_text()
        CACHE.mkdir(exist_ok=True)
        file.touch(0o600)
        file.write_text(text)
    return file


def has_tests(python: str) -> bool:
    """Whether an interpreter can import one of CPython's own tests."""
    command = [python, "-c", "import test.test_ftplib"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def fetch_source(package: str, download: Path, folder: Path) -> None:
    """The source of a package of Debian's as it was upstream, without changing apt's lists."""
    lists = download / "lists"
    (lists / "partial").mkdir(parents=True)
    (download / "sources.list").write_text("".join(source_lines()))
    settings = {
        "Dir::Etc::SourceList": download / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": lists,
        "APT::Sandbox::User": "root",
    }
    apt = [
        "apt-get",
        "-q",
        *(word for item in settings.items() for word in ("-o", "=".join(map(str, item)))),
    ]
    run(*apt, "update")
    run(*apt, "source", "--download-only", package, folder=download)
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", *TO_BUILD)
    (archive,) = download.glob("*.orig.tar.*z")
    folder.mkdir()
    run("tar", "-xf", str(archive), "--strip-components=1", "-C", str(folder))
    shutil.rmtree(download)


def fetch_commit(repository: str, commit: str, folder: Path) -> None:
    """One commit of a repository, without those before it."""
    run("git", "init", "--quiet", str(folder))
    run("git", "fetch", "--quiet", "--depth=1", repository, commit, folder=folder)
    run("git", "checkout", "--quiet", "FETCH_HEAD", folder=folder)


def source_lines() -> Iterator[str]:
    """Where this host's own packages come from has their sources, too."""
    command = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)",
    ]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in sorted(set(listed.splitlines())):
        uri, release, component, *origin = line.split()
        if origin == ["Debian"]:
            yield f"deb-src {uri} {release} {component}\n"


def pip(*arguments: str) -> None:
    """Run this environment's pip."""
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def run(*command: str, folder: Path | None = None) -> None:
    """
    Run a command to its end.

    @param folder: where.

    @raise RuntimeError: it failed; with what it said.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
