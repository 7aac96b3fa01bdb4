"""What would become of a request: for the operator who asks before it happens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve

from gateway.interfaces import Address
from protocols.http.decision import Pass, Redirect, Refuse
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request
from protocols.http.policy.decisions import Decisions
from protocols.http.policy.settings import HttpSettings
from protocols.http.target import read_host, read_target

Judged = tuple[str, str, str]


def judge(
    settings: HttpSettings, client: Address, server: Address, asks: Any
) -> Iterable[Judged] | None:
    """
    What becomes of the request that C{asks} for a URL; C{None} if it asks for none. Who is to
    log in is supposed to have done so; a body, and the answer, are not known.
    """
    if not asks.url:
        return None
    what = f"{asks.method} {asks.url}"
    try:
        request = _request(asks)
    except (Malformed, ValueError) as error:
        return [(what, f"is no request: {error}", "")]
    matched: list[str] = []
    without = evolve(settings, authentication=None)
    decision = Decisions(without, server, hit=matched.append).request(request, server, client)
    found = [(what, "matches, and goes on", place) for place in matched]
    if isinstance(decision, Refuse):
        how = "the connection is reset" if decision.silent else f"denied, {decision.status}"
        return [*found, (what, f"{how}: {decision.reason}", decision.by)]
    if isinstance(decision, Redirect):
        how = f"{decision.status}, sent to {decision.location}: {decision.reason}"
        return [*found, (what, how, decision.by)]
    assert isinstance(decision, Pass)
    return [*found, *_passing(what, settings, decision)]


def _request(asks: Any) -> Request:
    """
    As a client would send it.

    @raise ValueError: it can't be sent; or L{Malformed}.
    """
    parts = urlsplit(asks.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a URL like http://www.example.org/path")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tunnel = asks.method == "CONNECT"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    named = f"{host}:{port}" if tunnel or parts.port else host
    target = read_target(asks.method, named if tunnel else path, 0)
    headers = Headers((("Host", named), *asks.headers))
    return Request(asks.method, target, "1.1", headers, *read_host(headers, "1.1", target))


def _passing(what: str, settings: HttpSettings, decision: Pass) -> Iterable[Judged]:
    if settings.authentication is not None:
        yield what, "who asks has to log in", "authentication"
    if decision.stack is not None:
        yield what, f'its body goes through service "{decision.stack.service}"', decision.stack.by
    if decision.look:
        yield what, "passes, if the beginning of its body is what it should be", "request_content"
    else:
        yield what, "passes", ""
