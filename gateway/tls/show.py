"""What a client would be given in a server's place, and why: for the operator."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from gateway.agreement import Agreed, Certificate, Invalid
from gateway.policy.tls import Terms, Tls
from gateway.tls.credentials import Credentials, Whom
from gateway.tls.endpoint import Endpoint
from gateway.tls.system import system_roots
from gateway.tls.template import Template, like

PATIENCE = 10.0
MOST_NAMES = 10

AS_THEY_ARE = frozenset({Invalid.EXPIRED, Invalid.NAME})
"""Flaws that a client sees for itself in a certificate of the trusted root."""


class NotShown(Exception):
    """The server could not be asked; the message is for the operator."""


def shown(settings: Tls, host: str, port: int, name: str, clock: Callable[[], float]) -> str:
    """
    Ask a server for its certificate, and tell what a client would be given.

    @param settings: the C{[tls]} table of gateway.toml.
    @param name: what is asked for.
    @param clock: seconds since the beginning of 1970.
    @raise NotShown: there is no server, or none that speaks TLS.
    """
    credentials = Credentials(settings, system_roots(), None, clock)
    whom = Whom("", f"{host}:{port}", "", name, ())
    endpoint = credentials.towards_server(whom, "" if _is_address(name) else name, Terms())
    try:
        with socket.create_connection((host, port), PATIENCE) as sock:
            address = sock.getpeername()[0]
            _shake(endpoint, sock)
    except OSError as error:
        raise NotShown(f"{host}: {error.strerror or error}") from None
    agreed = credentials.agreed_with_server(endpoint, whom)
    rows = [("server", f"{name} at {address}, port {port}"), *_rows(agreed, clock())]
    width = max(len(heading) for heading, _ in rows)
    return "\n".join(f"{heading:{width}}  {text}" for heading, text in rows)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _shake(endpoint: Endpoint, sock: socket.socket) -> None:
    """
    Agree.

    @raise NotShown: the server did not.
    """
    sock.sendall(endpoint.start())
    while not endpoint.agreed:
        data = sock.recv(65536)
        endpoint.receive(data)
        sock.sendall(endpoint.take())
        if endpoint.broken or not data:
            why = endpoint.broken.reason if endpoint.broken else "it ended the connection"
            raise NotShown(f"the server does not agree on TLS: {why}")


def _rows(agreed: Agreed, now: float) -> Iterator[tuple[str, str]]:
    yield "agreed", ", ".join(filter(None, (agreed.version, agreed.cipher, agreed.group)))
    if agreed.wants_certificate:
        yield "", "it asks for a certificate of the client, and gets none"
    if not agreed.chain:
        return
    leaf = agreed.chain[0]
    yield "certificate", leaf.subject or "(no subject)"
    yield "", f"for {_names(leaf.names + leaf.addresses)}"
    yield "", f"from {_date(leaf.not_before)} until {_date(leaf.not_after)}"
    yield "issuer", leaf.issuer
    if not agreed.flaws:
        yield "believed", "yes"
    heading = "not believed"
    for flaw in agreed.flaws:
        yield heading, str(flaw)
        heading = ""
    yield from _given(leaf, like(leaf, now), {flaw.kind for flaw in agreed.flaws})


def _given(leaf: Certificate, template: Template, flaws: set[Invalid]) -> Iterator[tuple[str, str]]:
    """What a client would get, where such servers are shown (C{invalid = "show"})."""
    trusted = flaws <= AS_THEY_ARE
    begin, end = (datetime.fromtimestamp(each, UTC) for each in (template.begin, template.end))
    yield "a client gets", f"a certificate for {_names(template.names + template.addresses)}"
    yield "", f"from {_date(begin)} until {_date(end)}, or as long as the root"
    if trusted:
        yield "", "by the root that clients trust"
        if flaws:
            yield "", "so that it sees by itself what is wrong"
    else:
        yield "", "by the root that nobody trusts, since nobody should believe this server"


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(names[:MOST_NAMES]) or "nobody") + more


def _date(when: datetime | None) -> str:
    return "?" if when is None else f"{when:%Y-%m-%d %H:%M}"
