"""
AddressList: addresses and domains from a file, hundreds of thousands of them.

In each line one of::

    bob@example.net      this address
    bob@                 this local part, in any domain
    example.net          all addresses of this domain
    @example.net         the same
    .example.net         all addresses of domains below it

"#" begins a comment. Letters are small or not: they are compared in small ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from protocols.lineset import LineSet
from protocols.smtp.grammar.address import (
    AddressError,
    Mailbox,
    canonical,
    is_domain,
    literal,
    parse_mailbox,
    written_local,
)

# What most lines are: nothing to be found out about them.
_PLAIN = re.compile(
    rb"(?:[a-z0-9_+-]{1,30}(?:\.[a-z0-9_+-]{1,30})?@)?"
    rb"(?:[a-z0-9]{1,30}(?:-[a-z0-9]{1,30})?\.){1,3}[a-z]{2,63}"
)


class AddressList:
    """
    A list, which does not change. To look something up takes a time that
    depends on the address, not on the list.

    @ivar name: of the file.
    """

    def __init__(self, name: str, entries: LineSet) -> None:
        self.name = name
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return self._entries.size

    def find(self, mailbox: Mailbox) -> str | None:
        """The entry that an address is on the list by; C{None} if it is not."""
        for candidate in _candidates(mailbox):
            if candidate.encode() in self._entries:
                return candidate
        return None


def _candidates(mailbox: Mailbox) -> Iterator[str]:
    domain = canonical(mailbox.domain)
    yield mailbox.canonical
    yield f"{written_local(mailbox.local.lower())}@"
    if not domain:
        return
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f".{domain}"


def read_addresses(file: Any) -> AddressList:
    """
    Read a file of addresses and domains.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong.
    """
    return AddressList(file.name, LineSet(_entries(file.content, file.complain, _entry)))


def read_domains(file: Any) -> AddressList:
    """Read a file of domains only; the same form."""
    return AddressList(file.name, LineSet(_entries(file.content, file.complain, _domain_entry)))


def _entries(
    content: bytes, complain: Callable[[str, int, int], None], read: Callable[[str], str]
) -> Iterator[bytes]:
    addresses = read is _entry
    for number, line in enumerate(content.splitlines(), 1):
        if _PLAIN.fullmatch(line) and (addresses or b"@" not in line):
            yield line
            continue
        text = line.partition(b"#")[0].strip()
        if not text:
            continue
        try:
            yield read(text.decode()).encode()
        except ValueError as error:
            wrong = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            complain(wrong, number, len(line) - len(line.lstrip()) + 1)


def _entry(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local:
        return _domain_entry(domain)
    try:
        if not domain:
            return parse_mailbox(f"{text}a.example").canonical.removesuffix("a.example")
        return parse_mailbox(text).canonical
    except AddressError:
        raise _wrong(text) from None


def _domain_entry(text: str) -> str:
    domain = canonical(text.removeprefix("@"))
    if not is_domain(domain.removeprefix(".")):
        _check_literal(domain, text)
    return domain


def _check_literal(domain: str, text: str) -> None:
    try:
        literal(domain)
    except AddressError:
        raise _wrong(text) from None


def _wrong(text: str) -> ValueError:
    return ValueError(
        f'"{text}" is neither an address nor a domain: write "bob@a.example", "bob@", "a.example" '
        'or ".a.example"'
    )
