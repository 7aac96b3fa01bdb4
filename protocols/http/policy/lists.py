"""
UrlList: domains and URLs from a file, in the plain formats that public block lists come in.

In each line one of::

    0.0.0.0 ads.example.com        a hosts file (hosts(5)): this name and no other
    example.com                    this domain, and all that is below it
    .example.com                   the same
    *.example.com                  what is below it
    http://example.com/a.exe       this URL, with any query
    http://example.com/?a=b        this URL with this query
    example.com/folder/            all URLs that begin so

"#" begins a comment. A file may have lines of all kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

from protocols.hosts import above, read_host
from protocols.http.policy.url import DEFAULT_PORTS, Url, canonical
from protocols.lineset import LineSet

# What else block lists come in. Who has downloaded the wrong one wants to hear that.
_OTHER_FORMATS = {
    re.compile(rb"\|\||@@|\[Adblock|.*##"): "Adblock Plus",
    re.compile(rb"(?:address|server|local)=/"): "dnsmasq",
    re.compile(rb".*\bCNAME\b"): "a response policy zone",
    re.compile(rb"(?:<!|<html|\{|\[)", re.IGNORECASE): "HTML or JSON",
}

# Names of the host itself, in every hosts file.
_OWN_NAMES = re.compile(
    r"localhost|localhost\.localdomain|local|broadcasthost|ip6-\w+|0\.0\.0\.0|127\.0\.0\.1|::1?"
)

# What most lines are, in lists of domains and in hosts files: nothing to be found out about them.
_PLAIN = re.compile(
    rb"((?:0\.0\.0\.0|127\.0\.0\.1)[ \t]+)?((?:[a-z0-9_][a-z0-9_-]{0,62}\.){1,3}[a-z]{2,63})"
)

_NULL = frozenset({"0.0.0.0", "127.0.0.1"})
"""Where most hosts files send names."""

_URL = re.compile(
    r"(?:[a-z]+://)?(?:[^/@?]*@)?(\[[^]]*\]|[^/:?]*)(?::([0-9]{1,5}))?([/?].*)?", re.I
)


class UrlList:
    """
    A list, which does not change. To look something up takes a time that
    depends on the length of the URL, not of the list.

    @ivar name: of the file.
    """

    __slots__ = ("_deepest", "_entries", "_exact", "name")

    def __init__(self, name: str, entries: LineSet, deepest: int, exact: bool) -> None:
        self.name = name
        self._entries = entries
        self._deepest = deepest
        self._exact = exact

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return self._entries.size

    def find(self, url: Url) -> str | None:
        """The entry that C{url} is on the list by; C{None} if it is not."""
        for candidate in self._candidates(url):
            if candidate.encode() in self._entries:
                return candidate.removeprefix("=")
        return None

    def _candidates(self, url: Url) -> Iterator[str]:
        """Every entry that would have this URL on the list, of the kinds that are on it."""
        if self._exact:
            yield f"={url.host}"
        for index, domain in enumerate(above(url.host)):
            yield domain
            if index:
                yield f"*.{domain}"
        if self._deepest and url.path:
            yield from _of_path(authority(url.host, url.port), url, self._deepest)


def _of_path(host: str, url: Url, deepest: int) -> Iterator[str]:
    """The URL with and without its query, and the folders it is in, as deep as any is listed."""
    yield f"{host}{url.path}"
    if url.query:
        yield f"{host}{url.path}?{url.query}"
    end = 0
    for _ in range(deepest):
        end = url.path.find("/", end) + 1
        if not end:
            return
        yield f"{host}{url.path[:end]}"


def authority(host: str, port: int) -> str:
    """A host as entries have it: with its port if that is not a default one."""
    return host if port in DEFAULT_PORTS else f"{host} {port}"


class _Builder:
    """
    Collects the entries of a file.

    @ivar deepest: how many "/" the URL has that has most of them.
    @ivar exact: whether there are names of a hosts file.
    """

    def __init__(self) -> None:
        self.deepest = 0
        self.exact = False

    def entries(self, content: bytes, complain: Callable[[str, int, int], None]) -> Iterator[bytes]:
        for number, line in enumerate(content.splitlines(), 1):
            plain = _PLAIN.fullmatch(line)
            if plain:
                yield self._plain(plain)
                continue
            words = line.partition(b"#")[0].split()
            if not words or line.startswith(b"!"):
                continue
            try:
                yield from self._line(words)
            except ValueError as error:
                column = len(line) - len(line.lstrip()) + 1
                complain(_described(line.strip(), error), number, column)

    def _plain(self, found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            return found[2]
        self.exact = True
        return b"=" + found[2]

    def _line(self, words: list[bytes]) -> Iterator[bytes]:
        if len(words) > 1:
            self.exact = True
            yield from _hosts_line(*(word.decode() for word in words))
        elif b"/" in words[0]:
            yield self._url(words[0].decode()).encode()
        else:
            yield _domain(words[0].decode()).encode()

    def _url(self, text: str) -> str:
        found = _URL.fullmatch(text)
        if found is None:
            raise ValueError(f'"{text}" is not a URL')
        scheme_port = 443 if text.lower().startswith("https:") else 80
        host = authority(read_host(found[1]), int(found[2] or scheme_port))
        path, mark, query = (found[3] or "/").partition("#")[0].partition("?")
        path = canonical((path or "/").encode().decode("latin-1"))
        if "\n" in path:
            raise ValueError(f'"{text}" has a line end in it')
        self.deepest = max(self.deepest, path.count("/"))
        return f"{host}{path}{mark}{query}"


def _hosts_line(address: str, *names: str) -> Iterator[bytes]:
    """A line of a hosts file. The address says where to send them, and does not matter."""
    if address not in _NULL:
        ip_address(address.partition("%")[0])
    for name in names:
        if not _OWN_NAMES.fullmatch(name):
            yield f"={read_host(name)}".encode()


def _domain(text: str) -> str:
    if text.startswith("*."):
        return f"*.{read_host(text[2:])}"
    return read_host(text.removeprefix("."))


def _described(line: bytes, error: ValueError) -> str:
    """What is wrong with a line, or with the whole file."""
    for form, name in _OTHER_FORMATS.items():
        if form.match(line):
            return f"this is {name}; wanted is a list of domains or URLs, or a hosts file"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error)


def read_list(file: Any) -> UrlList:
    """
    Read a file.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong.
    """
    builder = _Builder()
    entries = LineSet(builder.entries(file.content, file.complain))
    return UrlList(file.name, entries, builder.deepest, builder.exact)
