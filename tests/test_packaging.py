"""
What was built can be installed, and then C{twistd} knows it.

C{twisted/plugins} is a folder of a namespace package. Wheels and editable
installs lose such folders silently, so each way is tried in an environment of
its own, which sees of this one only the installed dependencies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

PARTS = (
    *("gateway", "protocols", "twisted"),
    *("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"),
)
"""What a package is built from."""

TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "--help")
"""C{twistd --help}, by the Python that is to look for its plugins."""


STRICT = """
[mypy]
strict = true
plugins = mypy_zope:plugin
"""

PLUGIN = '''
"""An inspector as somebody else writes it."""

from unittest import TestCase

from attrs import frozen

from gateway.inspector import Reader, StreamInspector, option
from gateway.interfaces import CLIENT, SERVER, Denied, Side, Verdict
from gateway.maker import InspectorMaker
from gateway.testing import END, Conversation, FakeSession, InspectorSuite


@frozen
class GopherSettings:
    selector_bytes: int = option("The longest selector.", 255, unit="bytes")


class GopherInspector(StreamInspector):
    Settings = GopherSettings

    async def from_client(self, read: Reader) -> None:
        selector = await read.line(self.session.settings.selector_bytes)
        if b"\\t" in selector:
            raise Denied("a search")
        address = await self.session.connect()
        self.session.send(SERVER, selector + b"\\r\\n")
        self.session.after(5.0, lambda: self.session.close(f"{address} is slow"))

    def closed(self, verdict: Verdict) -> None:
        super().closed(verdict)


class GopherSuite(InspectorSuite, TestCase):
    inspector = GopherInspector
    conversations = (Conversation("one", [(CLIENT, b"a"), (SERVER, END)]),)

    def test_sent(self) -> None:
        session = FakeSession(GopherInspector).start()
        session.says(CLIENT, b"a")
        self.assertEqual(session.sent[SERVER], b"a")


gopher = InspectorMaker("gopher", GopherInspector, "Gopher, RFC 1436")
'''
"""Passes. Without the side, one call is wrong."""


def run(*command: str | Path, folder: Path) -> str:
    """The standard output of a command that must succeed."""
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Environment:
    """A new virtual environment, with this one's dependencies and without this one's gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *what: str | Path) -> None:
        """Install by pip, which is this environment's."""
        pip = ("-m", "pip", "--python", str(self.program("python")), "install", "--quiet")
        offline = ("--no-deps", "--no-index", "--no-build-isolation")
        run(sys.executable, *pip, *offline, *what, folder=self.folder)

    def program(self, name: str) -> Path:
        """One of its programs."""
        return self.folder / "bin" / name

    def run(self, name: str, *arguments: str) -> str:
        """Run one of its programs, away from the source tree."""
        return run(self.program(name), *arguments, folder=self.folder)


class PackagingTests(SynchronousTestCase):
    """However the gateway was installed, its commands and its plugins are there."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.source = self.folder / "source"
        self.source.mkdir()
        for part in PARTS:
            self._copy(part)

    def _copy(self, part: str) -> None:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
            shutil.copytree(ROOT / part, self.source / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, self.source)

    def assertComplete(self, environment: Environment) -> None:
        """C{twistd} and C{tproxygw} work, and find the inspectors."""
        self.assertIn("tproxygw", environment.run("python", *TWISTD))
        self.assertIn("check", environment.run("tproxygw", "--help"))
        listed = environment.run("tproxygw", "inspectors").splitlines()
        self.assertLessEqual(
            {"finger", "relay", "whois"}, {line.partition("\t")[0] for line in listed}
        )

        program = "from gateway.console.files import PageFiles; print(PageFiles().find('/').status)"
        self.assertEqual(environment.run("python", "-c", program).strip(), "200")

    def where(self, environment: Environment) -> Path:
        """Where that environment finds the gateway."""
        program = "import gateway; print(gateway.__path__[0])"
        return Path(environment.run("python", "-c", program).strip())

    def test_wheel(self) -> None:
        """A wheel, built from the source distribution, installs everything."""
        run(
            *(sys.executable, "-m", "build", "--no-isolation", "--outdir", self.folder / "dist"),
            folder=self.source,
        )
        (wheel,) = (self.folder / "dist").glob("*.whl")
        environment = Environment(self.folder / "environment")
        environment.install(wheel)
        self.assertTrue(self.where(environment).is_relative_to(environment.folder))
        self.assertComplete(environment)

    def test_typed(self) -> None:
        """The author of a plugin gets its types checked, strictly, against the installed wheel."""
        run(
            *(sys.executable, "-m", "build", "--no-isolation", "--wheel"),
            *("--outdir", self.folder / "dist"),
            folder=self.source,
        )
        (wheel,) = (self.folder / "dist").glob("*.whl")
        environment = Environment(self.folder / "environment")
        environment.install(wheel)
        (environment.folder / "mypy.ini").write_text(STRICT)
        (environment.folder / "gopher.py").write_text(PLUGIN)
        environment.run("python", "-m", "mypy", "gopher.py")
        (environment.folder / "gopher.py").write_text(PLUGIN.replace("send(SERVER, ", "send("))
        self.assertRaises(AssertionError, environment.run, "python", "-m", "mypy", "gopher.py")

    def test_editable(self) -> None:
        """An editable install, which runs from the source tree, has everything."""
        environment = Environment(self.folder / "environment")
        environment.install("--editable", self.source)
        self.assertTrue(self.where(environment).is_relative_to(self.source))
        self.assertComplete(environment)

    def test_namespace_folders(self) -> None:
        """C{twisted} and C{twisted.plugins} are Twisted's: an C{__init__.py} would hide it."""
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])
