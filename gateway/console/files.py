"""The page's files, as they are installed: nothing is built, nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files

from gateway.console.request import Refusing, Told, Visit

FOLDER = "page"

SCRIPT = "text/javascript; charset=utf-8"

KINDS: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "js": SCRIPT,
}

INDEX = "index.html"


class PageFiles:
    """Read once. Browsers ask each time whether what they have is still the same."""

    def __init__(self) -> None:
        self._files: dict[str, Told] = {}
        for file in files("gateway.console").joinpath(FOLDER).iterdir():
            name, _, ending = file.name.rpartition(".")
            if ending in KINDS and name:
                self._files[f"/{file.name}"] = _told(KINDS[ending], file.read_bytes())
        self._files["/"] = self._files.pop(f"/{INDEX}")

    def find(self, path: str) -> Told | None:
        """The file at this path."""
        return self._files.get(path)

    def give(self, visit: Visit, told: Told) -> Told:
        """
        The file, or that the browser has it.

        @raise Refusing: it is not to be read, but something else.
        """
        if visit.method not in ("GET", "HEAD"):
            raise Refusing(405, "this can be read only", {"Allow": "GET, HEAD"})
        if visit.headers.get("if-none-match") == told.headers["ETag"]:
            return Told(304, told.kind, b"", told.headers)
        return told


def _told(kind: str, content: bytes) -> Told:
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    return Told(200, kind, content, {"ETag": tag, "Cache-Control": "no-cache"})
