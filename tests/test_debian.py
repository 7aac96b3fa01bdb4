"""What the Debian package is made of agrees with the project."""

from __future__ import annotations

import configparser
import importlib.util
import re
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from gateway.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = ROOT / "debian"

LOCKED = re.compile(r"^([a-z0-9-]+)==([0-9.]+)", re.MULTILINE)
WANTED = re.compile(r"([A-Za-z0-9.-]+)(?:\[.*\])?\s*>=\s*([0-9.]+)")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def documents() -> ModuleType:
    """F{debian/documents}, a program, as a module."""
    loader = SourceFileLoader("documents", str(DEBIAN / "documents"))
    spec = importlib.util.spec_from_loader("documents", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class DebianTests(SynchronousTestCase):
    """Whoever builds the package gets what was meant."""

    def test_locked_versions(self) -> None:
        """Every library that the project wants is locked, in a version that it wants."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        locked = dict(LOCKED.findall((DEBIAN / "requirements.txt").read_text()))
        for line in setup["options"]["install_requires"].strip().splitlines():
            found = WANTED.fullmatch(line)
            assert found is not None, line
            name = found[1].lower().replace(".", "-")
            self.assertIn(name, locked, "run `make lock`")
            self.assertGreaterEqual(numbers(locked[name]), numbers(found[2]), name)

    def test_documents(self) -> None:
        """Man pages of all commands and their options, and what each shell completes by."""
        folder = Path(self.mktemp())
        documents().write(folder)
        pages = {path.stem for path in (folder / "man").iterdir()}
        self.assertLessEqual({"tproxygw", *(f"tproxygw-{name}" for name in COMMANDS)}, pages)
        check = (folder / "man" / "tproxygw-check.1").read_text()
        self.assertIn("Check a policy, as a start or a reload would.", check)
        self.assertIn(r"\fB\-\-strict\fP", check)
        for shell in ("bash/tproxygw", "zsh/_tproxygw", "fish/tproxygw.fish"):
            self.assertIn("_TPROXYGW_COMPLETE", (folder / shell).read_text())
