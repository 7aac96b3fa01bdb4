"""
UrlList: domains and URLs from a file, in the plain formats that public block lists come in.

In each line what a L{HostList<protocols.hostlist.HostList>} may have, or one of::

    http://example.com/a.exe       this URL, with any query
    http://example.com/?a=b        this URL with this query
    example.com/folder/            all URLs that begin so
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from protocols.hostlist import Builder, HostList
from protocols.hosts import read_host
from protocols.http.policy.url import DEFAULT_PORTS, Url, canonical
from protocols.lineset import LineSet

_URL = re.compile(
    r"(?:[a-z]+://)?(?:[^/@?]*@)?(\[[^]]*\]|[^/:?]*)(?::([0-9]{1,5}))?([/?].*)?", re.I
)


class UrlList(HostList):
    """
    A list, which does not change. To look something up takes a time that
    depends on the length of the URL, not of the list.
    """

    __slots__ = ("_deepest",)

    def __init__(self, name: str, entries: LineSet, deepest: int, exact: bool) -> None:
        super().__init__(name, entries, exact)
        self._deepest = deepest

    def find(self, url: Url) -> str | None:
        """The entry that C{url} is on the list by; C{None} if it is not."""
        return self._first(self._candidates(url))

    def _candidates(self, url: Url) -> Iterator[str]:
        """Every entry that would have this URL on the list, of the kinds that are on it."""
        yield from self._of_host(url.host)
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


class _Urls:
    """
    Makes entries of URLs.

    @ivar deepest: how many "/" the URL has that has most of them.
    """

    def __init__(self) -> None:
        self.deepest = 0

    def entries(self, text: str) -> Iterator[str]:
        """
        The entry of a URL.

        @raise ValueError: it is none.
        """
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
        yield f"{host}{path}{mark}{query}"


def read_list(file: Any) -> UrlList:
    """
    Read a file.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong.
    """
    urls = _Urls()
    builder = Builder(urls.entries)
    entries = LineSet(builder.entries(file.content, file.complain))
    return UrlList(file.name, entries, urls.deepest, builder.exact)
