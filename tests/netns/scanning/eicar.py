"""EICAR's test file (www.eicar.org), harmless, which every scanner knows; and ways to carry it."""

from __future__ import annotations

import gzip
import io
import zipfile

# In two parts, so that no scanner takes this file for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD" + rb"-ANTIVIRUS-TEST-FILE!$H+H*"
CLEAN = bytes(range(256)) * 400


def zipped(content: bytes = EICAR) -> bytes:
    """In an archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("readme.com", content)
    return archive.getvalue()


def compressed(content: bytes = EICAR) -> bytes:
    """As C{Content-Encoding: gzip} has it."""
    return gzip.compress(content, mtime=0)
