"""
Tests of requests and responses: the lists C{[[http.request]]} and C{[[http.response]]}.

Within a list, the order of the file counts: the first test that matches and
allows, denies, redirects or closes ends it; those that change headers, or say who inspects the
body, don't.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Literal

from attrs import field, frozen

from gateway.inspector import option, written_at
from gateway.interfaces import PROTOCOL
from protocols.hosts import Hosts, read_hosts
from protocols.http.decision import Redirect, Refuse
from protocols.http.message import Headers, Request, Response
from protocols.http.policy.length import length
from protocols.http.policy.lists import UrlList, read_list
from protocols.http.policy.mediatype import media_type
from protocols.http.policy.pages import Pages, Template, read_template
from protocols.http.policy.patterns import (
    Numbers,
    Texts,
    read_free_name,
    read_paths,
    read_statuses,
    read_texts,
    read_types,
    read_values,
    spellings,
)
from protocols.http.policy.url import Url
from protocols.http.status import FORBIDDEN, FOUND, REDIRECTIONS

Action = Literal["allow", "deny", "redirect", "close", "drop-header", "set-header", "stack", "wait"]

CHANGES = ("drop-header", "set-header")

GOES_ON = ("allow", *CHANGES, "stack", "wait")
"""Actions with which a message passes."""

Names = tuple[tuple[tuple[str, ...], Texts], ...]
"""Names of headers in all spellings, and what the value of one has to be like."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "redirect": ("location",),
    "drop-header": ("name",),
    "set-header": ("name", "value"),
    "stack": ("service",),
    "wait": ("seconds",),
}
"""Which keys an action can't do without, and no other action has."""


@frozen
class Test:
    """
    What a request must be, and what becomes of it then. What is left out matches anything.
    """

    method: frozenset[str] = option("One of these methods.", frozenset())
    host: Hosts | None = option(
        'One of these hosts: a name, ".example.com" for it and all below, or "~" and a regular '
        "expression for the whole name.",
        None,
        read=read_hosts,
    )
    path: Texts | None = option(
        'A path that is like one of these: "*" is anything; "~" begins a regular expression for '
        "the whole path. It is compared with escapes decoded and dot segments resolved.",
        None,
        read=read_paths,
    )
    query: Texts | None = option(
        'A query (what is after "?", as it is sent) that is like one of these.',
        None,
        read=read_texts,
    )
    header: Mapping[str, Texts] = option(
        'Headers that are like this: a value with "*" for anything, or "~" and a regular '
        "expression. Of several of one name, one must be. A missing header is an empty one.",
        {},
        read=read_values,
    )
    version: frozenset[Literal["1.0", "1.1"]] = option(
        "One of these versions of HTTP, which the message says that it has.", frozenset()
    )
    content_type: Texts | None = option(
        'One of these media types, by the message\'s header; "image/*" is any image.',
        None,
        read=read_types,
    )
    longer_than: int | None = option(
        "A body longer than this; one whose length is not said beforehand is.",
        None,
        unit="bytes",
        minimum=0,
    )
    action: Action = option("What to do with it.", "deny")
    answer: int | None = option(
        "With deny: the status of the answer, 403 by default. With redirect: 301, 302 (the "
        "default), 303, 307 or 308.",
        None,
        minimum=300,
        maximum=599,
    )
    reason: str = option("Why; for audit records.", "")
    message: str = option("With deny: what the client reads about it.", "")
    page: Template | None = option(
        "With deny: the page in HTML that the client reads, instead of that of http.pages.",
        None,
        file=read_template,
    )
    location: str = option(
        'With redirect: where to. "$host" and "$target" stand for what was asked for.', ""
    )
    name: str = option("With drop-header and set-header: the name of the header.", "")
    value: str | None = option("With set-header: its value.", None)
    service: str = option(
        "With stack: the service that inspects the body. Of several tests, the first one counts.",
        "",
        names_service=True,
        precedent="Zorp's HTTP_STK_POLICY",
    )
    seconds: float | None = option(
        "With wait: how long the server may say nothing, before its answer and within it, in place "
        "of times.response_seconds and times.silence_seconds. Of several tests, the first one "
        "counts, and one of responses rather than one of requests.",
        None,
        unit="seconds",
        minimum=1,
        in_silence=True,
    )
    place: str = written_at()
    _names: Names = field(init=False, repr=False, eq=False)
    _checks: tuple[Callable[[Any, Url], bool], ...] = field(init=False, repr=False, eq=False)

    @_names.default
    def _all_names(self) -> Names:
        """Those of C{header}."""
        return _spelt(self.header)

    @_checks.default
    def _choose_checks(self) -> tuple[Callable[[Any, Url], bool], ...]:
        """Only for what is not left out: most tests say one or two things."""
        choice = (
            (self._is_method, self.method),
            (self._is_host, self.host is not None),
            (self._is_path, self.path is not None),
            (self._is_query, self.query is not None),
            (self._has_headers, self.header),
            (self._is_version, self.version),
            (self._is_longer, self.longer_than is not None),
            (self._is_type, self.content_type is not None),
        )
        return tuple(check for check, wanted in choice if wanted)

    def __attrs_post_init__(self) -> None:
        """
        Whether the keys go together.

        @raise ValueError: they don't.
        """
        needed = NEEDS.get(self.action, ())
        for key, value in {
            "location": self.location or None,
            "name": self.name or None,
            "value": self.value,
            "service": self.service or None,
            "seconds": self.seconds,
        }.items():
            if value is not None and key not in needed:
                raise ValueError(f'"{key}" means nothing with action = "{self.action}"')
            if value is None and key in needed:
                raise ValueError(f'action = "{self.action}" needs "{key}"')
        _check_answer(self)
        if self.name:
            Headers().with_(read_free_name(self.name), self.value or "")

    def matches(self, message: Request | Response, url: Url) -> bool:
        """
        Whether a message is what this test is about.

        @raise NoType: it may be, but says no type, and the test goes by types.
        """
        for check in self._checks:  # noqa: SIM110  (a generator costs more than most checks)
            if not check(message, url):
                return False
        return True

    def listed(self, url: Url) -> str:
        """By what entry of a list, if so."""
        return ""

    def _is_method(self, message: Request | Response, url: Url) -> bool:
        return request_of(message).method in self.method

    def _is_host(self, message: Request | Response, url: Url) -> bool:
        return self.host is not None and url.host in self.host

    def _is_path(self, message: Request | Response, url: Url) -> bool:
        return self.path is not None and url.path in self.path

    def _is_query(self, message: Request | Response, url: Url) -> bool:
        return self.query is not None and url.query in self.query

    def _has_headers(self, message: Request | Response, url: Url) -> bool:
        return _have(message.headers, self._names)

    def _is_version(self, message: Request | Response, url: Url) -> bool:
        return message.version in self.version

    def _is_type(self, message: Request | Response, url: Url) -> bool:
        found = media_type(message.headers)
        return self.content_type is not None and found in self.content_type

    def _is_longer(self, message: Request | Response, url: Url) -> bool:
        return self.longer_than is not None and length(message) > self.longer_than

    # What becomes of it

    def change(self, headers: Headers) -> Headers:
        """The headers as this test wants them."""
        headers = headers.without(*spellings(self.name)[self.action == "set-header" :])
        if self.action == "set-header":
            return headers.with_(self.name, self.value or "")
        return headers

    def refusal(self, request: Request, url: Url, pages: Pages) -> Refuse:
        """The answer to the client."""
        status = self.answer or FORBIDDEN
        page = pages.page(status, request, self.message, self.page)
        return Refuse(status, self.why(url), page=page, by=self.by)

    def redirection(self, request: Request, url: Url) -> Redirect:
        """Where the client is sent."""
        target = request.target
        asked = target.path if target.query is None else f"{target.path}?{target.query}"
        location = self.location.replace("$target", asked)
        host = f"[{url.host}]" if ":" in url.host else url.host
        location = location.replace("$host", host)
        return Redirect(location, self.why(url), self.answer or FOUND, self.by)

    @property
    def by(self) -> str:
        """Where it is written, without the column, as records and metrics have it."""
        return ":".join(self.place.split(":")[:2]) or PROTOCOL

    def counted(self, url: Url) -> tuple[str, ...]:
        """What is counted when it matches: it, unless it denies, which its record counts."""
        return (self.by,) if self.action in GOES_ON else ()

    def why(self, url: Url) -> str:
        """For the audit record."""
        said = self.reason or self.listed(url) or f"a test with action = {self.action!r}"
        return f"{self.place}: {said}" if self.place else said


def _check_answer(test: Test) -> None:
    """
    Whether what is said to the client can be.

    @raise ValueError: it can't.
    """
    if test.action != "deny" and (test.message or test.page is not None):
        raise ValueError(f'"message" and "page" mean nothing with action = "{test.action}"')
    if test.action not in ("deny", "redirect") and test.answer is not None:
        raise ValueError(f'"answer" means nothing with action = "{test.action}"')
    if test.action == "redirect" and (test.answer or FOUND) not in REDIRECTIONS:
        raise ValueError(f"{test.answer} is no redirection: 301, 302, 303, 307 or 308")
    if test.action == "deny" and (test.answer or FORBIDDEN) < 400:
        raise ValueError(f"{test.answer} is no refusal: 400 to 599")
    if not test.location.isascii() or not test.location.isprintable() or " " in test.location:
        raise ValueError(f'"{test.location}" is not a URL')


@frozen
class RequestTest(Test):
    """A table of C{[[http.request]]}."""

    lists: tuple[UrlList, ...] = option(
        "On one of these lists: files with a domain or a URL a line, or hosts files.",
        (),
        file=read_list,
    )

    def matches(self, message: Request | Response, url: Url) -> bool:
        """See L{Test.matches}."""
        return super().matches(message, url) and (not self.lists or self.listed(url) != "")

    def listed(self, url: Url) -> str:
        """The entry that C{url} is on a list by, in words; empty if it is on none."""
        for each in self.lists:
            entry = each.find(url)
            if entry is not None:
                return f'{url.host} is in {each.name} as "{entry}"'
        return ""

    def counted(self, url: Url) -> tuple[str, ...]:
        """See L{Test.counted}. And the first list that C{url} is on."""
        found = (each.name for each in self.lists if each.find(url) is not None)
        return (*super().counted(url), *islice(found, 1))


@frozen
class ResponseTest(Test):
    """A table of C{[[http.response]]}: method, host, path and query are those of the request."""

    status: Numbers | None = option(
        'One of these statuses: [404, "5xx"].', None, read=read_statuses
    )
    request_header: Mapping[str, Texts] = option(
        "Headers of the request, as the client sent it, that are like this.",
        {},
        read=read_values,
    )
    _asked: Names = field(init=False, repr=False, eq=False)

    @_asked.default
    def _all_asked(self) -> Names:
        """Those of C{request_header}."""
        return _spelt(self.request_header)

    def matches(self, message: Request | Response, url: Url) -> bool:
        """See L{Test.matches}."""
        assert isinstance(message, Response)
        if self.status is not None and message.status not in self.status:
            return False
        if self._asked and not _have(message.request.headers, self._asked):
            return False
        return super().matches(message, url)


def _spelt(values: Mapping[str, Texts]) -> Names:
    """With what a server may take for the same names."""
    return tuple((spellings(name), wanted) for name, wanted in values.items())


def _have(headers: Headers, names: Names) -> bool:
    return all(
        any(value in wanted for value in _values(headers, each) or [""]) for each, wanted in names
    )


def _values(headers: Headers, names: tuple[str, ...]) -> list[str]:
    return [value for name in names for value in headers.every(name)]


def request_of(message: Request | Response) -> Request:
    """A request, or that which a response answers."""
    return message if isinstance(message, Request) else message.request
