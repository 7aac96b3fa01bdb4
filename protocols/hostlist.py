"""
HostList: domains from a file, in the plain formats that public block lists come in.

In each line one of::

    0.0.0.0 ads.example.com        a hosts file (hosts(5)): this name and no other
    example.com                    this domain, and all that is below it
    .example.com                   the same
    *.example.com                  what is below it

"#" begins a comment. A file may have lines of all kinds; URLs too, which mean
something only to who sees URLs (L{protocols.http.policy.lists}).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

from protocols.hosts import above, read_host
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


class HostList:
    """
    A list, which does not change. To look something up takes a time that
    depends on how long the name is, not the list.

    @ivar name: of the file.
    """

    __slots__ = ("_entries", "_exact", "name")

    def __init__(self, name: str, entries: LineSet, exact: bool) -> None:
        self.name = name
        self._entries = entries
        self._exact = exact

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return self._entries.size

    def find_host(self, host: str) -> str | None:
        """The entry that a host, in small letters, is on the list by; C{None} if it is not."""
        return self._first(self._of_host(host))

    def _first(self, candidates: Iterator[str]) -> str | None:
        for candidate in candidates:
            if candidate.encode() in self._entries:
                return candidate.removeprefix("=")
        return None

    def _of_host(self, host: str) -> Iterator[str]:
        """Every entry that would have this host on the list, of the kinds that are on it."""
        if self._exact:
            yield f"={host}"
        for index, domain in enumerate(above(host)):
            yield domain
            if index:
                yield f"*.{domain}"


def no_url(text: str) -> Iterator[str]:
    """A URL says nothing of a whole host."""
    yield from ()


class Builder:
    """
    Collects the entries of a file.

    @param url: the entries that a URL makes.
    @ivar exact: whether there are names of a hosts file.
    """

    def __init__(self, url: Callable[[str], Iterator[str]] = no_url) -> None:
        self.exact = False
        self._url = url

    def entries(self, content: bytes, complain: Callable[[str, int, int], None]) -> Iterator[bytes]:
        """
        The entries of a whole file.

        @param complain: told what is wrong, in which line and column; the others are read on.
        """
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
            for entry in self._url(words[0].decode()):
                yield entry.encode()
        else:
            yield _domain(words[0].decode()).encode()


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


def read_host_list(file: Any) -> HostList:
    """
    Read a file.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong.
    """
    builder = Builder()
    entries = LineSet(builder.entries(file.content, file.complain))
    return HostList(file.name, entries, builder.exact)
