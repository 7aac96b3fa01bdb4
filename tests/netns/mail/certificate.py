"""A certificate for C{mail.b.example}, which clients can be told to trust."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificate(folder: Path) -> Path:
    """Make one: a file with the key and the certificate, signed by itself."""
    path = folder / "mail.b.example.pem"
    subprocess.run(
        (
            *("openssl", "req", "-x509", "-nodes", "-days", "7", "-subj", "/CN=mail.b.example"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:mail.b.example"),
            *("-keyout", path, "-out", f"{path}.certificate"),
        ),
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + Path(f"{path}.certificate").read_bytes())
    return path
