"""The table C{[http]}: what may be asked and answered, and how HTTP is spoken."""

from __future__ import annotations

from attrs import frozen

from gateway.inspector import option
from protocols.hosts import Hosts, read_hosts
from protocols.http.grammar import TOKEN
from protocols.http.policy.authentication import AuthenticationSettings
from protocols.http.policy.content import AnswerPolicy, ContentPolicy
from protocols.http.policy.headers import HeaderPolicy
from protocols.http.policy.pages import Pages
from protocols.http.policy.patterns import Numbers, Texts, read_paths, read_ports
from protocols.http.policy.test import RequestTest, ResponseTest
from protocols.http.settings import CoreSettings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Of RFC 9110, section 9, and RFC 5789. CONNECT has settings of its own; TRACE tells secrets."""


def read_methods(methods: frozenset[str]) -> frozenset[str]:
    """
    Read the setting.

    @raise ValueError: one is no method, or is not allowed in this way.
    """
    for method in methods:
        if not TOKEN.fullmatch(method):
            raise ValueError(f'"{method}" is not a method')
        if method == "CONNECT":
            raise ValueError("CONNECT is allowed by connect = true")
        if method != method.upper() and method.upper() in METHODS:
            raise ValueError(f'"{method}": methods are case-sensitive, "{method.upper()}"')
    return methods


@frozen
class HttpSettings(CoreSettings):
    """What may be asked, of whom, by whom, and what may be answered."""

    methods: frozenset[str] = option(
        'Which methods are allowed; "*": any but CONNECT.',
        METHODS,
        read=read_methods,
        precedent="TRACE is off in Apache's hardening guides",
    )
    hosts: Hosts | None = option(
        'Which hosts may be asked: a name, ".example.com" for it and all below, or "~" and a '
        "regular expression for the whole name. Left out: all.",
        None,
        read=read_hosts,
    )
    paths: Texts | None = option(
        'Which paths may be asked for: "*" is anything; "~" begins a regular expression for the '
        "whole path. Left out: all.",
        None,
        read=read_paths,
    )
    ports: Numbers | None = option(
        'Which ports of servers may be asked: [80, "8000-8099"]. Left out: all that the service\'s '
        "rules name.",
        None,
        read=read_ports,
    )
    connect_ports: Numbers | None = option(
        'Which ports CONNECT may ask for: [443, "8000-8099"]. Left out: 443.',
        None,
        read=read_ports,
        precedent="Squid's SSL_ports",
    )
    invalid_escapes: bool = option(
        'Whether paths may have "%" without two hexadecimal digits after it, a NUL (%00), '
        "at which some servers cut them off, or overlong UTF-8 (%C0%AE), a dot to some.",
        False,
        precedent="Zorp's permit_invalid_hex_escape",
    )
    request: tuple[RequestTest, ...] = option(
        "Tests of requests, in the order of the file: the first one that matches decides. What "
        "none matches is allowed.",
        (),
    )
    response: tuple[ResponseTest, ...] = option(
        "Tests of responses, in the order of the file. What none matches is allowed.", ()
    )
    request_headers: HeaderPolicy = option(
        "Which headers of requests pass, and how. What frames a message, and Host, always passes.",
        HeaderPolicy(),
    )
    response_headers: HeaderPolicy = option(
        "Which headers of responses pass, and how.", HeaderPolicy()
    )
    content: AnswerPolicy = option("Which media types may be answered.", AnswerPolicy())
    request_content: ContentPolicy = option(
        "Which media types bodies of requests may have. What is refused is answered with 415.",
        ContentPolicy(),
    )
    authentication: AuthenticationSettings | None = option(
        "Who may ask, by name and password (Basic, RFC 7617). Without this table, anybody.", None
    )
    pages: Pages = option("What clients read that are refused.", Pages())

    @property
    def shows_answers(self) -> bool:
        """Whether a stacked service sees, or may be chosen to see, bodies of answers."""
        return bool(self.stack.response) or any(test.action == "stack" for test in self.response)
