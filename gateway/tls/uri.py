"""Where a root's key is: in a file, or at an address in a PKCS#11 token (RFC 7512)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

TOKEN = "pkcs11:"
"""How the address of a key in a token begins (RFC 7512)."""


class RootError(Exception):
    """The root can't be used; the message is for the operator."""


def attributes(uri: str) -> Mapping[str, str]:
    """
    What the address of a key in a token says (RFC 7512, section 2.3).

    @raise RootError: it is none.
    """
    path, _, query = uri.removeprefix(TOKEN).partition("?")
    pairs = [each.partition("=") for each in path.split(";") if each]
    if not pairs or not all(equals for _, equals, _ in pairs):
        raise RootError(f"{uri}: write pkcs11:token=NAME;object=NAME?module-path=FILE")
    found = {name: unquote(value) for name, _, value in pairs}
    return found | dict(parse_qsl(query, keep_blank_values=True, separator="&"))
