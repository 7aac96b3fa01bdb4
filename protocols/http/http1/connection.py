"""
Connection: what is about this connection alone (RFC 9110, section 7.6.1), and
whether it goes on after a message (RFC 9112, section 9.3).

The gateway has one connection to the server at a time for each of a client, so that headers
about it mean the same on both, unless the client's outlives the server's (L{kept_alive}).
"""

from __future__ import annotations

import re

from protocols.http.grammar import TOKEN
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request, Response

# What Connection can't name: whoever reads such a message first would take away what the next
# one goes by. RFC 9110, section 7.6.1, says so of all that is for the recipient of the content.
_END_TO_END = frozenset(
    {
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "location",
        "range",
        "set-cookie",
        "trailer",
        "transfer-encoding",
        "www-authenticate",
    }
)

_NONE: frozenset[str] = frozenset()

# The options that are not names of headers.
_WORDS = frozenset({"close", "keep-alive"})

_PLAIN = {word: frozenset({word.lower()}) for word in ("close", "keep-alive", "Keep-Alive")}

_PROOFS = frozenset(
    {"authorization", "proxy-authenticate", "proxy-authorization", "www-authenticate"}
)

# Schemes by which not a request is proved to be somebody's, but the connection (RFC 4559).
_TYING = re.compile(r"(?:^|,)[ \t]*(?:ntlm|negotiate|nego2)(?![^ \t,])", re.IGNORECASE)

_OTHERS = frozenset({"upgrade", "te", "http2-settings", "proxy-connection"})
"""What has to be looked at besides C{Connection}; most messages have none of them."""


def options(headers: Headers) -> frozenset[str]:
    """
    What Connection says, in small letters.

    @raise Malformed: it is no list of tokens, or names a header that is not about the connection.
    """
    value = headers.first.get("connection")
    if value is None:
        return _NONE
    if value in _PLAIN and not (headers.repeated and headers.several("connection")):
        return _PLAIN[value]
    named = frozenset(member.lower() for member in headers.members("connection"))
    for option in named:
        if not TOKEN.fullmatch(option):
            reason = f"not a connection option: {option[:100]!r}"
            raise Malformed(reason, _place(headers, option))
    wrong = named & _END_TO_END
    if wrong:
        reason = f"Connection names the header {min(wrong)!r}, which is for the other end"
        raise Malformed(reason, _place(headers, min(wrong)))
    return named


def _place(headers: Headers, option: str) -> int | None:
    """Where the Connection header is that has this option."""
    values = headers.every("connection")
    number = next(each for each, value in enumerate(values) if option in value.lower())
    return headers.place("connection", number)


def is_persistent(message: Request | Response, named: frozenset[str]) -> bool:
    """Whether the sender of a message expects another one after it."""
    if message.version == "1.1":
        return "close" not in named
    return "keep-alive" in named and "close" not in named


def upgrades(headers: Headers, named: frozenset[str]) -> tuple[str, ...]:
    """The protocols that Upgrade names, in small letters, if Connection says that it counts."""
    if "upgrade" not in named:
        return ()
    return tuple(member.lower() for member in headers.members("upgrade"))


def onward(headers: Headers, named: frozenset[str], upgrade: bool) -> Headers:
    """
    The headers for the next one: without those that were for us.

    Keep-Alive stays: the client should know how long the server waits for it.

    @param upgrade: whether the offer or acceptance of another protocol is passed on.
    """
    if _OTHERS.isdisjoint(headers.first):
        value = headers.first.get("connection")
        single = not (headers.repeated and headers.several("connection"))
        if value is None or (value in _WORDS and single):
            return headers  # a single word, if any, is all there is, as in nearly every message
    trailers = "te" in named and headers.first.get("te") == "trailers"
    dropped = (named | _OTHERS) - {"keep-alive", "connection"}
    if upgrade:
        dropped -= {"upgrade"}
    if trailers:
        dropped -= {"te"}
    kept = headers.only(lambda name: name.lower() not in dropped)
    left = _left(named, upgrade, trailers)
    if not left:
        return kept.only(lambda name: name.lower() != "connection")
    return kept.replaced("Connection", left)


def _left(named: frozenset[str], upgrade: bool, trailers: bool) -> str:
    """What Connection says after that."""
    words = sorted(named & _WORDS)
    words += ["Upgrade"] * upgrade
    words += ["TE"] * trailers
    return ", ".join(words)


def ties(headers: Headers) -> bool:
    """Whether client and server prove who they are once for their connection."""
    if _PROOFS.isdisjoint(headers.first):
        return False
    return any(_TYING.search(value) for name in _PROOFS for value in headers.every(name))


def kept_alive(headers: Headers, explicit: bool) -> Headers:
    """
    Without the announcement that this is the last message: it is, for the server only.

    @param explicit: the reader, or who wrote this, speaks HTTP/1.0: so it has to be said.
    """
    left = [word for word in headers.members("connection") if word.lower() not in _WORDS]
    left += ["keep-alive"] * explicit
    if not left:
        return headers.only(lambda name: name.lower() not in ("connection", "keep-alive"))
    kept = headers.only(lambda name: name.lower() != "keep-alive")
    return kept.replaced("Connection", ", ".join(left))


def closing(headers: Headers) -> Headers:
    """With the announcement that this is the last message."""
    kept = headers.only(lambda name: name.lower() != "keep-alive")
    return kept.replaced("Connection", "close")
