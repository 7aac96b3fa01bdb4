"""
Mixed pages: requests and answers of many shapes, as browsers, tools and servers have them.

On one shape everything looks good. What is asked is told by the number in the request's
path, so that the server needs to look at nothing else. Of a hundred exchanges about ten are
forms that are sent, twelve find that nothing has changed (304), fifteen answers come in chunks,
and a seventh of those with a length in two segments.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache

KINDS = 500
"""Numbers behind which everything comes again."""

END = b"</html>\n"
SIZE = 1024

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
    "curl/7.88.1",
    "Debian APT-HTTP/1.3 (2.6.1)",
    "python-requests/2.32",
)
ACCEPTS = ("text/html,*/*;q=0.8", "*/*", "image/avif,image/webp,*/*")
TYPES = ("text/html; charset=utf-8", "image/png", "text/css", "application/javascript")

NUMBER = re.compile(rb"[A-Z]+ /page/([0-9]+)/")
LAST_CHUNK = b"0\r\n\r\n"

Fields = list[tuple[str, str]]


def _drawn(number: int, side: str) -> random.Random:
    """The same dice for the same number, on both sides of the network."""
    return random.Random(f"{side}{number % KINDS}")


def _some(dice: random.Random, *fields: tuple[str, str, float]) -> Fields:
    """Some of these fields, each with its probability."""
    return [(name, value) for name, value, often in fields if dice.random() < often]


def _written(first: str, fields: Fields, body: bytes = b"") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{first}\r\n{lines}\r\n".encode() + body


def request(number: int, host: str, connection: int) -> bytes:
    """What is asked with this number."""
    template = _request(number % KINDS, host)
    return template.replace(b"@", b"%d" % number).replace(b"~", b"%x" % connection)


@lru_cache(maxsize=KINDS)
def _request(kind: int, host: str) -> bytes:
    """With "@" where the number is, and "~" where the connection's is."""
    dice = _drawn(kind, "request")
    fields = [
        ("Host", host),
        ("User-Agent", dice.choice(AGENTS)),
        ("Accept", dice.choice(ACCEPTS)),
        ("Accept-Language", "en-US,en;q=0.5"),
        ("Accept-Encoding", "gzip, deflate"),
        *_some(
            dice,
            ("Referer", f"http://{host}/page/@/", 0.6),
            ("Cookie", "session=~; seen=@", 0.5),
            ("If-None-Match", '"@"', 0.2),
            ("If-Modified-Since", "Mon, 23 Nov 2026 08:00:00 GMT", 0.2),
            ("DNT", "1", 0.2),
            ("Cache-Control", "max-age=0", 0.15),
            ("Upgrade-Insecure-Requests", "1", 0.3),
            ("X-Requested-With", "XMLHttpRequest", 0.1),
            ("Connection", "keep-alive", 0.85),
        ),
    ]
    method, body = "GET", b""
    if dice.random() < 0.1:
        method, body = "POST", b"name=value&" * dice.randrange(5, 50)
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        fields += [kind, ("Content-Length", str(len(body)))]
    return _written(f"{method} /page/@/?q=@ HTTP/1.1", fields, body)


def answer(asked: bytes) -> Sequence[bytes]:
    """The segments of the answer to this."""
    found = NUMBER.match(asked)
    return _answer(int(found[1]) % KINDS if found else 0)


@lru_cache(maxsize=KINDS)
def _answer(number: int) -> Sequence[bytes]:
    dice = _drawn(number, "answer")
    server = dice.choice(("nginx", "Apache/2.4.57 (Debian)"))
    fields = [
        ("Date", f"Mon, 30 Nov 2026 01:00:{number % 60:02d} GMT"),
        ("Server", server),
        *_some(
            dice,
            ("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT", 0.6),
            ("ETag", f'"{number}"', 0.6),
            ("Cache-Control", "no-cache", 0.4),
            ("Vary", "Accept-Encoding", 0.3),
            ("Set-Cookie", f"seen={number}; Path=/", 0.2),
            ("Accept-Ranges", "bytes", 0.3),
            ("X-Powered-By", "PHP/8.2", 0.1),
            ("Connection", "Keep-Alive" if "Apache" in server else "keep-alive", 0.9),
        ),
    ]
    kind = dice.random()
    if kind < 0.12:
        return (_written("HTTP/1.1 304 Not Modified", fields),)
    fields.append(("Content-Type", dice.choice(TYPES)))
    body = END.rjust(SIZE, b"x")
    if kind < 0.27:
        chunks = b"%x\r\n%s\r\n%s" % (SIZE, body, LAST_CHUNK)
        return (_written("HTTP/1.1 200 OK", [*fields, ("Transfer-Encoding", "chunked")], chunks),)
    head = _written("HTTP/1.1 200 OK", [*fields, ("Content-Length", str(SIZE))])
    return (head, body) if dice.random() < 1 / 7 else (head + body,)


def is_answer(reply: bytes) -> bool:
    """Whether this is an answer, to its end."""
    if reply.startswith(b"HTTP/1.1 304 "):
        return reply.endswith(b"\r\n\r\n")
    return reply.startswith(b"HTTP/1.1 200 ") and reply.endswith((END, END + b"\r\n" + LAST_CHUNK))
