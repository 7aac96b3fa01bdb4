"""
SASL: whom a client says that it is, in its first response of an authentication.

Only who somebody says to be: whether that is so, the server finds out.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Mapping

_BASE64 = re.compile(rb"=|(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_ESCAPED = re.compile(r"=(2C|3D)")


def names(mechanism: str, response: bytes) -> tuple[str, ...] | None:
    """
    All names that somebody goes by in a first response, the one who logs in last.

    @param response: as it is sent, in base64; "=" is an empty one (RFC 4959, section 3).
    @return: C{None} if that can't be told.
    """
    read = _READ.get(mechanism)
    if read is None or not _BASE64.fullmatch(response):
        return None
    try:
        said = b"" if response == b"=" else a2b_base64(response)
        return tuple(name for name in read(said.decode("utf-8")) if name)
    except ValueError:
        return None


def _plain(said: str) -> list[str]:
    """RFC 4616: for whom, who, a password."""
    acting, who, _ = said.split("\0")
    return [acting, who]


def _login(said: str) -> list[str]:
    """No RFC: a name, and then a password."""
    return [said]


def _digest(said: str) -> list[str]:
    """RFC 2195: a name, and a digest."""
    name, blank, _ = said.rpartition(" ")
    if not blank:
        raise ValueError("no digest")
    return [name]


def _header(said: str) -> tuple[str, str]:
    """RFC 5801, section 4: whether there is channel binding, and for whom; the rest."""
    _, acting, rest = said.split(",", 2)
    if acting and not acting.startswith("a="):
        raise ValueError("no header of GS2")
    return _unescaped(acting[2:]), rest


def _scram(said: str) -> list[str]:
    """RFC 5802, section 7."""
    acting, rest = _header(said)
    who = rest.split(",")[0]
    if not who.startswith("n="):
        raise ValueError("no name")
    return [acting, _unescaped(who[2:])]


def _unescaped(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)


def _bearer(said: str) -> list[str]:
    """RFC 7628, section 3.1."""
    return [_header(said)[0]]


def _bearer_of_old(said: str) -> list[str]:
    """XOAUTH2, which has no RFC: fields with a control character between; any may be the one."""
    fields = [each.split("=", 1) for each in said.split("\1") if each]
    return [value for name, value in fields if name.lower() == "user"]


def _itself(said: str) -> list[str]:
    """RFC 4422, appendix A: for whom; who it is, says the certificate."""
    return [said]


def _nobody(said: str) -> list[str]:
    """RFC 4505: what somebody wants to have written down."""
    return ["anonymous"]


_READ: Mapping[str, Callable[[str], list[str]]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _digest,
    "SCRAM-SHA-1": _scram,
    "SCRAM-SHA-256": _scram,
    "OAUTHBEARER": _bearer,
    "XOAUTH2": _bearer_of_old,
    "EXTERNAL": _itself,
    "ANONYMOUS": _nobody,
}
"""By mechanism."""
