"""A configuration folder as the laboratory runs it: the operator's own, but for where it logs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

GATEWAY = "gateway.toml"

_AUDIT = re.compile(r"^[ \t]*\[audit\][ \t]*(?:#.*)?$(?P<keys>(?:\n(?![ \t]*\[).*)*)", re.MULTILINE)
_FILE = re.compile(r"^[ \t]*file[ \t]*=.*$", re.MULTILINE)


def shadow(config: Path, folder: Path, audit: Path, authority: Path) -> None:
    """
    Make C{folder} a second view of the configuration folder C{config}, in
    which audit records go to the file C{audit}, and C{authority} is believed.

    Everything else is the same file, so that what the operator edits takes
    effect at the next reload, and messages have the right line numbers.
    """
    folder.mkdir(parents=True)
    for path in sorted(config.iterdir()):
        if path.name != GATEWAY:
            (folder / path.name).symlink_to(path.resolve())
    original = config / GATEWAY
    text = original.read_text() if original.exists() else ""
    (folder / GATEWAY).write_text(with_trust(with_audit(text, audit), authority))


def with_audit(text: str, audit: Path) -> str:
    """The text of a gateway.toml whose C{audit.file} is the given file."""
    setting = f'file = "{audit}"'
    table = _AUDIT.search(text)
    if table is None:
        return f"{text.rstrip()}\n\n[audit]\n{setting}\n".lstrip()
    if _FILE.search(table["keys"]):
        keys = _FILE.sub(lambda _: setting, table["keys"], count=1)
    else:
        keys = f"\n{setting}{table['keys']}"
    return f"{text[: table.start('keys')]}{keys}{text[table.end() :]}"


_TLS = re.compile(r"^\s*\[tls\]\s*(#.*)?$", re.MULTILINE)


def with_trust(text: str, authority: Path) -> str:
    """The text of a gateway.toml that believes one more authority, if it has a table C{[tls]}."""
    table = _TLS.search(text)
    if table is None or re.search(r"^\s*trust\s*=", text, re.MULTILINE):
        return text
    return f'{text[: table.end()]}\ntrust = ["{authority}"]{text[table.end() :]}'


def root_of(config: Path) -> str:
    """The file with the certificate of the gateway's root; empty if there is none."""
    tls = _read(config / GATEWAY).get("tls", {})
    return str(tls.get("root_certificate") or tls.get("root") or "")


def first_interface(config: Path) -> str | None:
    """The first interface of C{divert.interfaces}: the laboratory names its own like that."""
    names = _read(config / GATEWAY).get("divert", {}).get("interfaces") or [None]
    return names[0] if isinstance(names[0], str) else None


def expected_addresses(config: Path) -> tuple[set[str], set[str]]:
    """
    The addresses of clients and of servers that C{[[expect]]} entries name,
    so that the laboratory has them and each expectation can be tried.
    """
    clients: set[str] = set()
    servers: set[str] = set()
    for entry in _expectations(config):
        clients |= _host(entry.get("from"))
        servers |= _host(entry.get("to"))
    return clients, servers


def _expectations(config: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((config / "services").glob("*.toml")):
        yield from (one for one in _read(path).get("expect", []) if isinstance(one, dict))


def _host(text: object) -> set[str]:
    """The address in C{"10.1.2.3"}, C{"10.1.2.3:80"}, C{"fd00::1"} or C{"[fd00::1]:80"}."""
    if not isinstance(text, str):
        return set()
    for candidate in (text, text.rpartition(":")[0], text.rpartition(":")[0].strip("[]")):
        try:
            return {str(ip_address(candidate))}
        except ValueError:
            continue
    return set()


def _read(path: Path) -> dict[str, Any]:
    """A TOML file; empty if it is missing or broken, which the gateway itself will say better."""
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
