"""
Decisions: what the policy says about each message of one session.

In this order, cheap and certain first: methods, ports, hosts, paths; the
tests; headers; and only what would pass is asked for a password.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred

from gateway.interfaces import Address, blamed
from protocols.http.decision import Decision, IPlans, Page, Pass, Redirect, Refuse, Stacked
from protocols.http.message import Form, Headers, Request, Response
from protocols.http.policy.authentication import Authentication, Compute
from protocols.http.policy.codings import readable
from protocols.http.policy.headers import HeaderPolicy
from protocols.http.policy.mediatype import NoType
from protocols.http.policy.part import is_part
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.test import CHANGES, Test, request_of
from protocols.http.policy.url import NOWHERE, Url, has_bad_escape, is_deceptive
from protocols.http.status import (
    BAD_GATEWAY,
    BAD_REQUEST,
    FORBIDDEN,
    PARTIAL_CONTENT,
    REQUEST_HEADER_FIELDS_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
)

ANY = "*"
"""In place of a method: all of them but CONNECT."""

TUNNEL_PORTS = frozenset({443})
"""What CONNECT may ask for if nobody says otherwise."""


def at_once(function: Callable[[], bool]) -> Deferred[bool]:
    """Compute it now, while nothing else is done."""
    return maybeDeferred(function)


def uncounted(place: str) -> None:
    """Nobody counts."""


class Tested(NamedTuple):
    """
    The word of a list of tests.

    @ivar headers: as the tests want them.
    @ivar decided: how it ends here, if it does.
    @ivar stack: who inspects the body; C{None}: none of them says so.
    @ivar wait: how many seconds the server may say nothing; 0: none of them says so.
    """

    headers: Headers
    decided: Refuse | Redirect | None = None
    stack: Stacked | None = None
    wait: float = 0.0


class Decisions:
    """
    See L{protocols.http.decision.IDecisions}.

    @param server: the original destination.
    @param compute: has a password compared without stopping the gateway.
    @param hit: counts a test or a list that has matched.
    @param plans: what the same settings say of many messages at once.
    """

    def __init__(
        self,
        settings: HttpSettings,
        server: Address,
        compute: Compute = at_once,
        hit: Callable[[str], None] = uncounted,
        plans: IPlans | None = None,
    ) -> None:
        self.plans = plans
        self._settings = settings
        self._hit = hit
        self._server = server
        self._last: tuple[Request | None, Url] = None, NOWHERE
        asked = settings.authentication
        self._authentication = None if asked is None else Authentication(asked, compute)

    # Requests

    def request(
        self, request: Request, server: Address, client: Address
    ) -> Decision | Deferred[Decision]:
        """May it be asked?"""
        url = Url.of(request, server)
        self._last = request, url
        refusal = self._basic(request, url)
        if refusal is not None:
            return refusal
        decision = self._asked(request, url)
        if self._authentication is not None and isinstance(decision, Pass):
            return Deferred.fromCoroutine(_known(self._authentication, request, decision))
        return decision

    def _basic(self, request: Request, url: Url) -> Refuse | None:
        """What is not allowed whatever the tests say."""
        settings = self._settings
        if request.target.form is Form.AUTHORITY:
            return self._tunnel(request, url)
        if request.method not in settings.methods and ANY not in settings.methods:
            return _refuse(f"the method {request.method} is not allowed", "methods")
        if settings.ports is not None and url.port not in settings.ports:
            return _refuse(f"port {url.port} is not allowed", "ports")
        if "%" in request.target.path and not settings.invalid_escapes:
            wrong = _wrong_escapes(request, url)
            if wrong is not None:
                return _refuse(wrong, "invalid_escapes", BAD_REQUEST)
        if settings.paths is not None and url.path not in settings.paths:
            return _refuse(f"the path {url.path!r} is not allowed", "paths")
        return self._host(request, url)

    def _tunnel(self, request: Request, url: Url) -> Refuse | None:
        if not self._settings.connect:
            return _refuse("CONNECT is not allowed", "connect")
        ports = self._settings.connect_ports
        if url.port not in (TUNNEL_PORTS if ports is None else ports):
            return _refuse(f"CONNECT to port {url.port} is not allowed", "connect_ports")
        return self._host(request, url)

    def _host(self, request: Request, url: Url) -> Refuse | None:
        if self._settings.hosts is not None and url.host not in self._settings.hosts:
            return _refuse(f"the host {url.host!r} is not allowed", "hosts")
        return None

    def _tested(self, tests: Iterable[Test], message: Request | Response, url: Url) -> Tested:
        """The word of the tests."""
        headers, wait = message.headers, 0.0
        stack: Stacked | None = None
        for test in tests:
            try:
                if not test.matches(message, url):
                    continue
            except NoType as wrong:
                return Tested(headers, _untold(test, wrong, message))
            for each in test.counted(url):
                self._hit(each)
            if test.action in CHANGES:
                headers = test.change(headers)
            elif test.action == "stack":
                stack = stack or Stacked(test.service, test.by)
            elif test.action == "wait":
                wait = wait or test.seconds or 0.0
            else:
                decided = self._decided(test, request_of(message), url)
                return Tested(headers, decided, stack, wait)
        return Tested(headers, None, stack, wait)

    def _decided(self, test: Test, request: Request, url: Url) -> Refuse | Redirect | None:
        """What a test says that ends the list; C{None}: it is allowed."""
        if test.action == "allow":
            return None
        if test.action == "close":
            return Refuse(FORBIDDEN, test.why(url), close=True, silent=True, by=test.by)
        if test.action == "redirect":
            return test.redirection(request, url)
        return test.refusal(request, url, self._settings.pages)

    def _asked(self, request: Request, url: Url) -> Decision:
        """The word of the tests, of the headers and of what is in the body."""
        headers, decided, stack, wait = self._tested(self._settings.request, request, url)
        if decided is not None:
            return decided
        policy = self._settings.request_headers
        long = policy.too_long(headers) if policy.limit else None
        if long is not None:
            reason, status = _too_long(long, policy), REQUEST_HEADER_FIELDS_TOO_LARGE
            return _refuse(reason, "request_headers.limit", status)
        stack = stack or self._settings.stack.of_requests
        if self._settings.stack.refuses_part(stack) and is_part(headers):
            return _refuse("a part of a body, which can't be inspected", "stack.ranges")
        content, answers = self._settings.request_content, self._settings.content
        wrong = content.head(request) if content.judges else None
        if wrong is not None:
            return _refuse(*wrong, UNSUPPORTED_MEDIA_TYPE)
        headers = policy.apply(headers)
        if answers.looks:
            headers = answers.asked(headers)
        headers = self._judgeable(headers)
        look = content.wants(request) if content.looks else 0
        return Pass(request.with_headers(headers), look, stack=stack, wait=wait)

    def _judgeable(self, headers: Headers) -> Headers:
        """A request's headers, so that who is shown the body of the answer can judge it."""
        stack = self._settings.stack
        if stack.hides_ranges:
            headers = headers.without("range", "if-range")
        codings = headers.members("accept-encoding")
        if codings and not stack.codings and self._settings.shows_answers:
            headers = headers.with_("Accept-Encoding", readable(codings))
        return headers

    # Responses

    def response(self, response: Response) -> Decision:
        """May it be answered?"""
        tests = self._settings.response
        url = self._url(response.request) if tests else NOWHERE
        headers, decided, stack, wait = self._tested(tests, response, url)
        if decided is not None:
            return decided
        stack = stack or self._settings.stack.of_responses
        if response.status == PARTIAL_CONTENT and self._settings.stack.refuses_part(stack):
            reason = "a part of a body, which can't be inspected (206)"
            return _refuse(reason, "stack.ranges", BAD_GATEWAY)
        content = self._settings.content
        wrong = content.head(response) if content.judges else None
        if wrong is not None:
            return _refuse(*wrong)
        policy = self._settings.response_headers
        long = policy.too_long(headers) if policy.limit else None
        if long is not None:
            return _refuse(_too_long(long, policy), "response_headers.limit", BAD_GATEWAY)
        headers = policy.apply(self._promised(headers))
        look = content.wants(response) if content.looks else 0
        return Pass(response.with_headers(headers), look, stack=stack, wait=wait)

    def _promised(self, headers: Headers) -> Headers:
        """A response's headers (or trailers), which promise nothing that does not pass."""
        if self._settings.stack.hides_ranges and "accept-ranges" in headers:
            return headers.with_("Accept-Ranges", "none")
        content = self._settings.content
        return content.answered(headers) if content.looks else headers

    def _url(self, request: Request) -> Url:
        """That of a request: nearly always the last one that was decided."""
        last, url = self._last
        return url if last is request else Url.of(request, self._server)

    def content(self, message: Request | Response, beginning: bytes) -> Refuse | None:
        """What the body is by its first bytes."""
        settings = self._settings
        if isinstance(message, Request):
            wrong = settings.request_content.body(message, beginning)
            return None if wrong is None else _refuse(*wrong, UNSUPPORTED_MEDIA_TYPE)
        wrong = settings.content.body(message, beginning)
        return None if wrong is None else _refuse(*wrong)

    def further_asked(self, headers: Headers) -> Headers | Refuse:
        """Which trailers of a request pass."""
        policy, status = self._settings.request_headers, REQUEST_HEADER_FIELDS_TOO_LARGE
        return _further(policy, headers, "request_headers.limit", status)

    def further_answered(self, headers: Headers) -> Headers | Refuse:
        """Which trailers of a response pass; and which headers of a 1xx one."""
        headers = self._promised(headers)
        policy = self._settings.response_headers
        return _further(policy, headers, "response_headers.limit", BAD_GATEWAY)

    # Pages

    def page(
        self,
        status: int,
        reason: str,
        request: Request | None,
        about: int = 0,
        words: str = "",
    ) -> Page:
        """What the client reads with an answer of the gateway's own."""
        return self._settings.pages.page(status, request, words, reason=reason, about=about)


async def _known(authentication: Authentication, request: Request, decision: Pass) -> Decision:
    """What would pass does so if it is known who asks."""
    refusal = await authentication.refusal(request)
    if refusal is not None:
        return refusal
    assert isinstance(decision.message, Request)
    message = authentication.hidden(decision.message)
    return decision._replace(message=message, user=authentication.user)


def _untold(test: Test, wrong: NoType, message: Request | Response) -> Refuse:
    """Nobody can say whether C{message} is what C{test} is about."""
    status = UNSUPPORTED_MEDIA_TYPE if isinstance(message, Request) else FORBIDDEN
    return Refuse(status, f"{test.place}: {wrong}" if test.place else str(wrong), by=test.by)


def _refuse(reason: str, by: str, status: int = FORBIDDEN) -> Refuse:
    """By the setting of that name."""
    return Refuse(status, blamed(reason, by), by=by)


def _further(policy: HeaderPolicy, headers: Headers, by: str, status: int) -> Headers | Refuse:
    long = policy.too_long(headers)
    return policy.reduced(headers) if long is None else _refuse(_too_long(long, policy), by, status)


def _too_long(name: str, policy: HeaderPolicy) -> str:
    return f"the header {name!r} is longer than {policy.limit[name]} bytes"


def _wrong_escapes(request: Request, url: Url) -> str | None:
    """
    What servers may read differently; there is no other way than by escapes. In a query, which is
    compared as it is sent, a "%" may be one.
    """
    if has_bad_escape(request.target.path):
        return "an invalid hexadecimal escape in the path"
    if is_deceptive(request.target.path, url.path):
        return "a NUL or overlong UTF-8 in the path"
    return None
