"""
Tables: what is known beforehand of a service's plain messages, for all of its sessions.

Each of them is bounded, and begins anew when it is full. What a peer sends stays in none of
them but names of headers, hosts, statuses and media types, all of them short.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from protocols.http.decision import Check, IPlans
from protocols.http.http1.shape import Shapes
from protocols.http.http1.transfer import SMALL
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.target import read_authority

MOST_HOSTS = 1024
LONGEST_HOST = 255
MOST_ENDINGS = 256
LONGEST_TYPE = 128

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# Besides these names: what frames messages in other ways, changes protocols, proves who asks.
_NOT_ASKED = frozenset(
    {
        "authorization",
        "content_length",
        "expect",
        "http2-settings",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "transfer_encoding",
        "upgrade",
    }
)
_NOT_ANSWERED = frozenset(
    {
        "http2-settings",
        "location",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "www-authenticate",
    }
)


class HostPlan(NamedTuple):
    """
    What is known of requests to one host.

    @ivar checks: by the method: what a path has to be clear of. A method that is missing is not
        plain.
    @ivar fields: the beginning of their records.
    """

    checks: dict[str, tuple[Check, ...]]
    fields: str


class Tables:
    """
    @ivar limits: of the service.
    @ivar most: bytes that a head may have so that no limit of a part of it can be exceeded.
    @ivar most_asked: bytes that the body of a request may have.
    @ivar asked: the shapes of requests.
    @ivar answered: those of responses.
    """

    def __init__(self, limits: Limits, plans: IPlans) -> None:
        self.limits = limits
        self.most = min(limits.request_line_bytes, limits.header_line_bytes, limits.head_bytes)
        self.most_asked = min(SMALL, limits.request_body_bytes or SMALL)
        self.asked = Shapes(_NOT_ASKED, frozenset({"host"}), limits.headers, plans.keeps_asked)
        self.answered = Shapes(_NOT_ANSWERED, frozenset(), limits.headers, plans.keeps_answered)
        self._plans = plans
        self._methods = [
            method
            for method in METHODS
            if plans.allows(method) and len(method) <= limits.method_bytes
        ]
        self._hosts: dict[str, HostPlan | None] = {}
        self._endings: dict[tuple[str, str | None], str | None] = {}

    def host(self, value: str) -> HostPlan | None:
        """What is known by the value of a Host header; C{None}: it is not plain."""
        if value in self._hosts:
            return self._hosts[value]
        if len(value) > LONGEST_HOST:
            return None
        if len(self._hosts) >= MOST_HOSTS:
            self._hosts.clear()
        plan = self._hosts[value] = self._host(value)
        return plan

    def _host(self, value: str) -> HostPlan | None:
        if "%" in value:
            return None
        try:
            host, port = read_authority(value)
        except Malformed:
            return None
        checks = {}
        for method in self._methods:
            found = self._plans.checks(method, host)
            if found is not None:
                checks[method] = found
        named = f'"hostname":{quoted(host)},'
        return HostPlan(checks, named if port is None else f'{named}"http_port":{port},')

    def ending(self, status: str, type: str | None) -> str | None:
        """
        What is in the record of an answer with this status and C{Content-Type}, between the version
        and the length; C{None}: such an answer is not plain.
        """
        key = status, type
        if key in self._endings:
            return self._endings[key]
        if type is not None and len(type) > LONGEST_TYPE:
            return None
        if len(self._endings) >= MOST_ENDINGS:
            self._endings.clear()
        ending = self._endings[key] = self._ending(int(status), type)
        return ending

    def _ending(self, status: int, type: str | None) -> str | None:
        if not self._plans.answer(status, type):
            return None
        said = (type or "").partition(";")[0].strip(" ")
        return (f'"http_content_type":{quoted(said)},' if said else "") + f'"status":{status}'
