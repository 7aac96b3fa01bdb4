"""The policy loader as a target: whatever a file says, it is loaded or refused with a place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gateway.interfaces import IInspectorMaker
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from gateway.registry import makers

ROOT = Path(__file__).resolve().parent.parent
FILES = ("gateway.toml", "zones.toml", "services/fuzzed.toml")
BETWEEN = b"\x00"
"""Stands between the texts of the files: no TOML has it."""


class Policies:
    """Loads configuration folders of three files."""

    def __init__(self) -> None:
        self._makers = {maker.name: maker for maker in makers()}

    def seeds(self) -> Iterable[bytes]:
        """The project's own configuration, each service with the gateway's and the zones' files."""
        common = [(ROOT / "conf" / name).read_bytes() for name in FILES[:2]]
        for service in sorted((ROOT / "conf" / "services").glob("*.toml")):
            yield BETWEEN.join([*common, service.read_bytes()])
            yield BETWEEN.join([b"", b"", service.read_bytes()])

    def shown(self, data: bytes) -> str:
        """The files."""
        texts = data.split(BETWEEN, len(FILES) - 1)
        return "\n".join(f"{name}: {text!r}" for name, text in zip(FILES, texts, strict=False))

    def _find(self, name: str, plugin_path: tuple[Path, ...]) -> IInspectorMaker:
        """Only the inspectors that there are: a name may ask for any module of this machine."""
        if name not in self._makers:
            raise LookupError(f"no inspector {name!r}")
        return self._makers[name]

    def judge(self, data: bytes) -> None:
        """Load it; a mistake has a file, a line and a column."""
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        try:
            (folder / "services").mkdir()
            for name, text in zip(FILES, data.split(BETWEEN, len(FILES) - 1), strict=False):
                (folder / name).write_bytes(text)
            load(folder, self._find, None)
        except PolicyError as wrong:
            if not all(problem.place.line for problem in wrong.problems):
                raise AssertionError(f"a problem without a place: {wrong}") from wrong
        finally:
            shutil.rmtree(folder)
