"""
Url: what a request asks for, in the one form that the policy compares.

A server takes C{/a/../%62} for C{/b}; a policy that does not would be passed by.
What is sent to the server stays as the client wrote it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.interfaces import Address
from protocols.http.message import Form, Request

# Nothing to do for what has no escape, backslash, parameter, empty or dot segment.
_UNUSUAL = re.compile(r"[%;\\\x80-\xff]|//|/\.")

# RFC 3986, section 2.1.
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

# RFC 3629, section 10: more bytes than a character needs. Some decoders take it for that one.
_OVERLONG = re.compile(r"%[Cc][01]%[89ABab][0-9A-Fa-f]|%[Ee]0%[89][0-9A-Fa-f]|%[Ff]0%8[0-9A-Fa-f]")

DEFAULT_PORTS = (80, 443)


class Url(NamedTuple):
    """
    What is asked for.

    @ivar host: in small letters; the address of the server if the client names no host.
    @ivar port: of the connection; that of the target for CONNECT.
    @ivar path: see L{canonical}.
    @ivar query: as received, without "?".
    """

    host: str
    port: int
    path: str
    query: str = ""

    @classmethod
    def of(cls, request: Request, server: Address) -> Url:
        """What C{request}, on its way to C{server}, asks for."""
        target = request.target
        if target.form is Form.AUTHORITY:
            return cls(target.host, target.port or 0, "")
        host = request.host or _host(server.host)
        return cls(host, server.port, canonical(target.path), target.query or "")


NOWHERE = Url("", 0, "")


def _host(host: str) -> str:
    """A host as it is compared: IPv6 addresses have many forms."""
    if ":" in host:
        with suppress(ValueError):
            return str(ip_address(host))
    return host.lower().removesuffix(".")


def canonical(path: str) -> str:
    """
    A path as the most generous server would read it.

    Escapes are decoded once, which makes separators of C{%2F} and C{%5C} too;
    parameters of segments are left out (Java's servers take C{/a;x/..;y/b} for C{/a/../b}); empty
    and dot segments are resolved (RFC 3986, section 5.2.4).
    UTF-8 if it is that, else one character for each byte.
    """
    if not _UNUSUAL.search(path):
        return path
    octets = unquote_to_bytes(path.encode("latin-1"))
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    return _resolved(text.replace("\\", "/")) if text.startswith("/") else text


def _resolved(path: str) -> str:
    kept: list[str] = []
    names = [segment.partition(";")[0] for segment in path.split("/")[1:]]
    for name in names:
        if name == ".." and kept:
            kept.pop()
        elif name not in ("", ".", ".."):
            kept.append(name)
    is_folder = names[-1] in ("", ".", "..")
    return "/" + "".join(f"{each}/" for each in kept) if is_folder else "/" + "/".join(kept)


def has_bad_escape(text: str) -> bool:
    """Whether a "%" has no two hexadecimal digits after it."""
    return _BAD_ESCAPE.search(text) is not None


def is_deceptive(path: str, canonical_path: str) -> bool:
    """Whether some servers would read a path differently: one with a NUL, or overlong UTF-8."""
    return "\0" in canonical_path or _OVERLONG.search(path) is not None
