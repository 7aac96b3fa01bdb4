"""
The Origin: whether a request is meant for this console, and comes from a page of it.

A page of somebody else's can have its own name point to this host (DNS rebinding), and can send
requests here with the operator's cookies (CSRF). Neither can choose what is looked at here:
C{Host}, C{Origin} and C{Sec-Fetch-Site} are the browser's own words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv6Address, ip_address

from gateway.console.request import Refusing, Visit
from gateway.policy.notation import ENDPOINT, PORT

LOCALHOST = "localhost"

OURS = "x-tproxygw"
"""A header that no other page can send: a browser would ask first, and is not answered."""


def check_host(visit: Visit, names: Collection[str]) -> None:
    """
    Whether C{Host} is a name of this console.

    @raise Refusing: it is not.
    """
    host = _host(visit.headers.get("host", ""))
    if not host or host not in _ours(visit.local, names):
        raise Refusing(
            421, "this console is not called so: see `names` in the [console] table of gateway.toml"
        )


def check_page(visit: Visit) -> None:
    """
    Whether a browser that sent this sent it for a page of this console.

    @raise Refusing: it did not, or nothing shows that it did.
    """
    headers = visit.headers
    origin = f"{'https' if visit.secure else 'http'}://{headers['host'].lower()}"
    if "origin" in headers and headers["origin"].lower() != origin:
        raise Refusing(403, "this comes from a page of somebody else's")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Refusing(403, "this comes from a page of somebody else's")
    if "authorization" not in headers and OURS not in headers:
        raise Refusing(403, f"the header {OURS} is missing")


def check_written(headers: Mapping[str, str]) -> None:
    """
    Whether a browser says that it is our page that changes something. Programs that come with a
    token have no origin.

    @raise Refusing: it does not say so.
    """
    if "authorization" not in headers and "origin" not in headers:
        raise Refusing(403, "the header Origin is missing")


def _host(text: str) -> str:
    """A host without its port, in small letters, addresses in their canonical form."""
    found = ENDPOINT.fullmatch(text.lower())
    if found is None or (found["port"] is not None and not PORT.fullmatch(found["port"])):
        return ""
    return _canonical(found["six"] if found["six"] is not None else found["host"])


def _ours(local: str, names: Collection[str]) -> set[str]:
    """All names of a console at this address."""
    own = _canonical(local)
    known = {own, *names}
    if ip_address(own).is_loopback:
        known.add(LOCALHOST)
    return known


def _canonical(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host.removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
