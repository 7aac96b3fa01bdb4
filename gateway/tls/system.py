"""The authorities that this host believes."""

from __future__ import annotations

from pathlib import Path

FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)


def system_roots(files: tuple[str, ...] = FILES) -> Path | None:
    """The file with their certificates: the first of these that is there."""
    return next((path for path in map(Path, files) if path.is_file()), None)
