"""
Plans: what the policy says of many messages at once, if it says nothing else of any of them.

A plan can only say that something passes as it is. Whatever this module is not sure of is left to
L{protocols.http.policy.decisions}, where the reasons are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from protocols.http.decision import Check
from protocols.http.message import Headers
from protocols.http.policy.mediatype import NoType, media_type
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.test import RequestTest, ResponseTest


def plans_of(settings: HttpSettings) -> Plans | None:
    """The plans of a service; C{None} if each of its messages has to be judged for itself."""
    headers = (settings.request_headers, settings.response_headers)
    special = (
        any(policy.changes for policy in headers),
        settings.host_check != "off",
        settings.authentication is not None,
        settings.ports is not None,
        settings.content.judges,
        settings.request_content.judges,
        settings.stack.request,
        settings.shows_answers,
        settings.request_bodies,
        settings.times.response_bytes_per_second,
        settings.limits.response_body_bytes,
        settings.limits.chunk_bytes,
    )
    return None if any(special) else Plans(settings)


class Plans:
    """See L{protocols.http.decision.IPlans}."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self.keeps_asked: Callable[[str], bool] = settings.request_headers.passes
        self.keeps_answered: Callable[[str], bool] = settings.response_headers.passes

    def allows(self, method: str) -> bool:
        """Whether it is among the methods that are allowed."""
        return method in self._settings.methods or "*" in self._settings.methods

    def checks(self, method: str, host: str) -> tuple[Check, ...] | None:
        """See L{IPlans.checks}."""
        if self._settings.hosts is not None and host not in self._settings.hosts:
            return None
        found = list(self._checks(method, host))
        return None if None in found else tuple(check for check in found if check is not None)

    def _checks(self, method: str, host: str) -> Iterator[Check | None]:
        """What a path must not be like; C{None}: that can't be told by paths."""
        if self._settings.paths is not None:
            paths = self._settings.paths
            yield lambda path: path not in paths
        for test in self._settings.request:
            if _may_match(test, method, host):
                yield None if test.path is None else test.path.finder()

    def answer(self, status: int, type: str | None) -> bool:
        """See L{IPlans.answer}."""
        return not any(_may_be_meant(test, status, type) for test in self._settings.response)


def _may_match(test: RequestTest, method: str, host: str) -> bool:
    """Whether requests of this method to this host may be what a test is about."""
    if test.method and method not in test.method:
        return False
    return test.host is None or host in test.host


def _may_be_meant(test: ResponseTest, status: int, type: str | None) -> bool:
    """The same for responses of this status and type."""
    if test.status is not None and status not in test.status:
        return False
    if test.content_type is None:
        return True
    try:
        return media_type(_said(type)) in test.content_type
    except NoType:
        return True


def _said(type: str | None) -> Headers:
    return Headers(() if type is None else (("Content-Type", type),))
