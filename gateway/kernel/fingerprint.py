"""The Fingerprint of a configuration folder: two processes make sure to have read the same."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path


def fingerprint(directory: Path) -> str:
    """
    A digest of everything in C{directory} that a policy is loaded from.

    @raise OSError: a file can't be read.
    """
    digest = sha256()
    for file in sorted([*directory.glob("*.toml"), *directory.glob("services/*.toml")]):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(directory)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
