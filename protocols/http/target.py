"""Target: what a request asks for, and whom (RFC 9112, section 3.2; RFC 9110, section 7.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote

from protocols.http.grammar import (
    ABSOLUTE_FORM,
    AUTHORITY_FORM,
    ESCAPED_HOST,
    HOST,
    ORIGIN_FORM,
)
from protocols.http.malformed import Malformed
from protocols.http.message import Form, Headers, Request, Target

HTTP_PORT = 80
"""The default port of the scheme http."""

# WHATWG URL, "ends in a number": what resolvers may take for an address. So it must be one.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")

# Not "#" and "\\", at which some servers cut a target off, or find another folder.
_RAW = re.compile('[ "<>\x80-\xff]')

Authority = tuple[str, int | None]


def is_address(host: str) -> bool:
    """Whether a host, as L{read_host} reads it, is an address and no name."""
    if ":" in host:
        return True
    if not host[-1:].isdecimal():  # nearly all names
        return False
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def read_target(method: str, text: str, offset: int) -> Target:
    """
    Read a request target.

    @param offset: where it begins in the message.
    @raise Malformed: it has none of the four forms, or not the one that goes with the method.
    """
    if text[0] == "/" and method != "CONNECT":
        found = ORIGIN_FORM.fullmatch(text)
        if found is not None:
            return Target(text, Form.ORIGIN, found[1], found[2])
    else:
        read = _OTHER_FORMS.get(method, _absolute)
        try:
            target = read(text)
        except Malformed as malformed:
            malformed.offset = offset
            raise
        if target is not None:
            return target
    raise Malformed(f"not a target for {method}: {text[:200]!r}", offset)


def _absolute(text: str) -> Target | None:
    found = ABSOLUTE_FORM.fullmatch(text)
    if found is None or found[1].lower() != "http":
        return None
    host, port = _authority(found[2], found[3])
    return Target(text, Form.ABSOLUTE, found[4] or "/", found[5], "http", host, port)


def _connect(text: str) -> Target | None:
    found = AUTHORITY_FORM.fullmatch(text)
    if found is None:
        return None
    host, port = _authority(found[1], found[2])
    return Target(text, Form.AUTHORITY, "", host=host, port=port)


def _options(text: str) -> Target | None:
    return Target(text, Form.ASTERISK, "*") if text == "*" else _absolute(text)


_OTHER_FORMS: dict[str, Callable[[str], Target | None]] = {
    "CONNECT": _connect,
    "OPTIONS": _options,
}


def read_host(headers: Headers, version: str, target: Target) -> Authority:
    """
    Whom a request is for: host in small letters without brackets and final dot, and port.

    @return: an empty host if an HTTP/1.0 client does not say.
    @raise Malformed: a request of HTTP/1.1 without Host, more than one, one that
        is no host, or one that contradicts the target.
    """
    value = headers.first.get("host")
    if value is None:
        if version == "1.0":
            return target.host, target.port
        raise Malformed("a request with no Host headers")
    if headers.repeated and headers.several("host"):
        reason = f"a request with {len(headers.every('host'))} Host headers"
        raise Malformed(reason, headers.place("host", 1))
    try:
        return _host(value, target)
    except Malformed as malformed:
        malformed.offset = headers.place("host")
        raise


def _host(value: str, target: Target) -> Authority:
    host, port = read_authority(value)
    if target.host and not _agree((host, port), target):
        raise Malformed(f"Host says {value!r}, the target {target.text[:200]!r}")
    return host, port


@lru_cache(maxsize=1024)
def read_authority(value: str) -> Authority:
    """
    The host and the port that the value of a Host header names.

    @raise Malformed: it names no host; that is not remembered.
    """
    found = HOST.fullmatch(value)
    if found is not None:
        return _authority(found[1], found[2])
    found = ESCAPED_HOST.fullmatch(value)
    if found is None:
        raise Malformed(f"not a host: {value[:200]!r}")
    return _authority(f"[{unquote(found[1])}]", found[2])


def is_escaped(headers: Headers) -> bool:
    """
    Whether Host, which L{read_host} has read, is an address with its colons escaped. Others would
    not take it for that one, so it may be no other than the connection's.
    """
    return "%" in headers.first.get("host", "")


def written_host(request: Request) -> str:
    """The address that a request is for, as Host has it (RFC 3986, section 3.2.2)."""
    return f"[{request.host}]" if request.port is None else f"[{request.host}]:{request.port}"


def escaped(text: str) -> str:
    """A target of which everything is escaped that has to be (RFC 3986, section 2.1)."""
    return _RAW.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _agree(named: Authority, target: Target) -> bool:
    if target.form is Form.AUTHORITY:
        return named[0] == target.host and named[1] in (None, target.port)
    return named[0] == target.host and (named[1] or HTTP_PORT) == (target.port or HTTP_PORT)


def _authority(host: str, port: str | None) -> Authority:
    """@raise Malformed: no such port, or an address in a form that readers disagree about."""
    number = None if port is None else int(port)
    if number is not None and not 1 <= number <= 65535:
        raise Malformed(f"not a port: {number}")
    try:
        return _canonical(host), number
    except AddressValueError as error:
        raise Malformed(f"not an address: {host!r} ({error})") from None


def _canonical(host: str) -> str:
    """@raise AddressValueError: it looks like an address, and is none."""
    if host[0] == "[":
        return str(IPv6Address(host[1:-1]))
    if _NUMBER.fullmatch(host):
        return str(IPv4Address(host))
    return host.lower().removesuffix(".")
