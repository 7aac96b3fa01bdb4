"""The Fingerprint of a configuration folder: two processes make sure to have read the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from gateway.kernel.errors import KernelError
from gateway.policy.policy import Policy


def fingerprint(directory: Path) -> str:
    """
    A digest of everything in C{directory} that a policy is loaded from.

    @raise OSError: a file can't be read.
    """
    digest = sha256()
    for file in toml_files(directory):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(directory)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def toml_files(directory: Path) -> list[Path]:
    """The files of a configuration folder that are always read, whatever they say."""
    return sorted([*directory.glob("*.toml"), *directory.glob("services/*.toml")])


def with_files(folder: str, files: Mapping[str, str]) -> str:
    """
    The fingerprint of a folder, and of the files that its settings name.

    Which files those are is known only after loading. Their digests are of
    what was loaded, so nothing can change in between.

    @param folder: the L{fingerprint} of the folder.
    @param files: C{Policy.files}
    """
    if not files:
        return folder
    digest = sha256()
    for name in sorted(files):
        digest.update(f"{len(name)}:{name}\0{files[name]}\0".encode())
    return f"{folder}+{digest.hexdigest()}"


def load_same(directory: Path, asked: str, load: Callable[[Path], Policy]) -> Policy:
    """
    The policy in C{directory}, if it is the one with the complete fingerprint C{asked}.

    @param load: loads the policy in a folder.
    @raise KernelError: somebody edited meanwhile.
    """
    _compare(_of_folder(asked), fingerprint(directory))
    policy = load(directory)
    _compare(asked, with_files(fingerprint(directory), policy.files))
    return policy


def _of_folder(complete: str) -> str:
    """The part of a complete fingerprint that can be compared before loading."""
    return complete.partition("+")[0]


def _compare(asked: str, found: str) -> None:
    if asked != found:
        raise KernelError("the configuration changed while it was being read; reload it again")
