"""Admission: what a request may be at all, before the policy is asked."""

from __future__ import annotations

from ipaddress import ip_address

from gateway.interfaces import Address
from protocols.http.http1.framing import Framing, Kind
from protocols.http.malformed import Malformed
from protocols.http.message import Request
from protocols.http.settings import CoreSettings
from protocols.http.status import (
    EXPECTATION_FAILED,
    FORBIDDEN,
    MISDIRECTED_REQUEST,
)
from protocols.http.target import HTTP_PORT, is_address, is_escaped

# RFC 9110, sections 9.3.1, 9.3.2, 9.3.6 and 9.3.8: content has no meaning there. A server that
# does not read it takes it for the next request (CL.0).
_WITHOUT_BODY = frozenset({"GET", "HEAD", "CONNECT", "TRACE"})

_BARRED = frozenset({"websocket"})
"""Upgrades that a client can't go on without, so that it should hear why."""


def admit(request: Request, framing: Framing, settings: CoreSettings, server: Address) -> None:
    """
    See whether a well-formed request can be dealt with.

    @raise Malformed: a body where none belongs, an unknown expectation, a tunnel that is not
        allowed, or a host that is not the one that the connection goes to.
    """
    method = request.method
    if method in _WITHOUT_BODY and not framing.empty and not settings.request_bodies:
        name = "content-length" if framing.kind is Kind.LENGTH else "transfer-encoding"
        place = request.headers.place(name)
        raise Malformed(f"{method} with a body", place, by="request_bodies")
    if method == "CONNECT" and not settings.connect:
        raise Malformed("CONNECT is not allowed", None, FORBIDDEN, by="connect")
    if "expect" in request.headers.first:
        _check_expectation(request)
    if is_escaped(request.headers) and _is_other(request.host, server.host):
        reason = f"Host is {request.headers.first['host'][:200]!r}, the connection goes to {server}"
        raise Malformed(reason, request.headers.place("host"))
    if settings.host_check != "off":
        _check_host(request, server, settings.host_check == "resolve")


def _check_expectation(request: Request) -> None:
    """RFC 9110, section 10.1.1."""
    values = request.headers.every("expect")
    if len(values) > 1 or values[0].lower() != "100-continue":
        reason = f"an expectation that is not 100-continue: {values[0][:100]!r}"
        place = request.headers.place("expect", len(values) - 1)
        raise Malformed(reason, place, EXPECTATION_FAILED)


def expects(request: Request, framing: Framing) -> bool:
    """
    Whether the client waits to be asked for the body. It can't if it has none, or speaks
    HTTP/1.0, where Expect means nothing (RFC 9110, section 10.1.1).
    """
    return "expect" in request.headers.first and request.version == "1.1" and not framing.empty


def _check_host(request: Request, server: Address, lenient: bool) -> None:
    """@param lenient: a client may forget to name the port."""
    port = request.port or (server.port if lenient else HTTP_PORT)
    if request.host and (port != server.port or _is_other(request.host, server.host)):
        reason = f"Host says {request.host}:{port}, the connection goes to {server}"
        place = request.headers.place("host")
        raise Malformed(reason, place, MISDIRECTED_REQUEST, by="host_check")


def _is_other(host: str, address: str) -> bool:
    """Whether C{host} is an address, and another one."""
    return is_address(host) and ip_address(host) != ip_address(address)


def offered(
    request: Request, protocols: tuple[str, ...], framing: Framing, settings: CoreSettings
) -> tuple[str, ...]:
    """
    The protocols of an Upgrade that the server may hear of.

    None if one of them is not allowed: an offer is not obliging, so the request goes on
    without it (RFC 9110, section 7.8).

    @param protocols: what the client offers.
    @raise Malformed: the client could not go on without it.
    """
    if not protocols or request.version == "1.0" or not framing.empty:
        return ()
    denied = [name for name in protocols if name.partition("/")[0] not in settings.upgrades]
    if _BARRED.intersection(denied):
        reason = f"an upgrade to {denied[0][:100]!r} is not allowed"
        raise Malformed(reason, request.headers.place("upgrade"), FORBIDDEN, by="upgrades")
    return () if denied else protocols
