"""What an operator copies from a document works: the TOML is loaded, the links lead somewhere."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from gateway.policy.load import load
from gateway.policy.problem import PolicyError, Problem
from gateway.policy.resolve import settings_key
from gateway.policy.written import GatewayFile, ServiceFile
from gateway.registry import find, makers
from tests.tls.pki import Authority

ROOT = Path(__file__).resolve().parent.parent
TPROXYGW = Path(sys.executable).with_name("tproxygw")
DOCUMENTS = sorted(
    path
    for folder in ("", "docs", "docs/decisions", "bench", "conformance", "findings")
    for path in (ROOT / folder).glob("*.md")
)

BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"#\s*(?:\S*/)?(gateway\.toml|zones\.toml|services/\S+\.toml)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")

TEST = re.compile(r"`(\w+)/(test_\w+)\.(\w+Tests)(?:\.(test_\w+))?`")
"""How a document names the tests that prove what it says: their folder, module, class, method."""

ELSEWHERE = re.compile(
    r"no (zone|service|inspector) |needs a root: |there is no folder |does not inspect"
    r"|expected .* but "
)
"""What is wrong with an example because something else is not in it."""

MISSING = re.compile(r'"(.+)" can\'t be read: No such file')


class Example(NamedTuple):
    """A block of TOML in a document."""

    document: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def file(self) -> str:
        """The file that it is, or is a part of: its first line says so, or its keys do."""
        named = FILE.match(self.text)
        if named:
            return named[1]
        keys = set(tomllib.loads(self.text))
        if keys == {"zones"}:
            return "zones.toml"
        gateway = {each.name for each in fields(GatewayFile)}
        return "gateway.toml" if keys <= gateway and keys != {"limits"} else "services/example.toml"

    @property
    def whole(self) -> str:
        """The example as a file that may stand alone: a service has an inspector."""
        table: dict[str, Any] = tomllib.loads(self.text)
        if not self.file.startswith("services/") or {"inspector", "action"} & set(table):
            return self.text
        ours = {each.name.rstrip("_") for each in fields(ServiceFile)}
        known = {settings_key(maker.name): maker.name for maker in makers()}
        (name,) = {known.get(key, key) for key in table if key not in ours} or {"relay"}
        return f'inspector = "{name}"\n{self.text}'


def examples() -> Iterator[Example]:
    """All of them."""
    for path in DOCUMENTS:
        text = path.read_text()
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 2
            yield Example(str(path.relative_to(ROOT)), line, found[1])


@cache
def pem() -> bytes:
    """A certificate and its key."""
    return Authority.root("example").issue("gateway.example").pem


def refused(folder: Path) -> tuple[Problem, ...]:
    """What a policy is refused for."""
    try:
        load(folder, find)
    except PolicyError as error:
        return error.problems
    return ()


def methods(folder: str, module: str, case: str) -> set[str]:
    """The names of what a class of tests itself defines, and the empty one if it is there."""
    path = ROOT / (folder if folder == "debian" else f"tests/{folder}") / f"{module}.py"
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    found = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == case]
    return {
        name
        for each in found
        for name in ("", *(one.name for one in each.body if isinstance(one, ast.FunctionDef)))
    }


class DocumentTests(SynchronousTestCase):
    """All documents of the repository."""

    def problems(self, example: Example) -> list[Problem]:
        """What is wrong with an example in itself."""
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        (folder / "gateway.toml").write_text("")
        (folder / example.file).write_text(example.whole)
        found = refused(folder)
        for name in [match[1] for each in found if (match := MISSING.match(each.message))]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(pem() if name.endswith(".pem") else b"")
        return [each for each in refused(folder) if not ELSEWHERE.search(each.message)]

    def test_toml(self) -> None:
        """Every example of a configuration is one."""
        found = list(examples())
        self.assertGreater(len(found), 15)
        wrong = {str(each): self.problems(each) for each in found}
        self.assertEqual({place: each for place, each in wrong.items() if each}, {})

    def test_first_service(self) -> None:
        """Who makes the README's first service is told by the gateway what the README says."""
        folder = Path(self.mktemp())
        shutil.copytree(ROOT / "conf", folder)
        told = (ROOT / "README.md").read_text()
        (text,) = [match for match in BLOCK.findall(told) if "login" in match]
        (folder / "services" / "login.toml").write_text(text)
        (problem,) = refused(folder)
        self.assertIn(f"\n{problem}\n", told)
        former = folder / "services" / "rest.toml"
        lines = former.read_text().splitlines(keepends=True)
        former.write_text("".join([*lines[:14], *lines[18:]]))
        said = subprocess.run((TPROXYGW, "check", str(folder)), capture_output=True, text=True)
        self.assertIn(f"{said.stdout.partition(': ')[2]}$ tproxygw explain", told)

    def test_links(self) -> None:
        """Every link within the repository leads somewhere."""
        wrong = [
            f"{path.relative_to(ROOT)}: {target}"
            for path in DOCUMENTS
            for target in LINK.findall(path.read_text())
            if "://" not in target and not (path.parent / target).exists()
        ]
        self.assertEqual(wrong, [])

    def test_tests(self) -> None:
        """Every test that is named as a proof is there."""
        named = {one for path in DOCUMENTS for one in TEST.findall(path.read_text())}
        self.assertGreater(len(named), 30)
        wrong = {
            f"{folder}/{module}.{case}.{method}"
            for folder, module, case, method in named
            if method not in methods(folder, module, case)
        }
        self.assertEqual(wrong, set())
