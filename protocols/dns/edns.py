"""EDNS: what a message says beyond its header (RFC 6891)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from protocols.dns import name as names
from protocols.dns.kinds import Choice
from protocols.dns.numbers import OPT
from protocols.dns.record import FIXED, Record
from protocols.dns.refusal import Refusal

DO = 0x8000
"""RFC 3225: the client wants to see signatures."""

_CO = 0x4000
"""RFC 9824, section 5: short proofs will do."""

SMALLEST = 512
"""Bytes of a datagram that everybody takes (RFC 1035, section 2.3.4)."""

_OPTION = Struct("!HH")

Options = tuple[tuple[int, bytes], ...]


class Edns(NamedTuple):
    """
    What the OPT record says.

    @ivar size: bytes of a datagram that its sender takes.
    @ivar rcode: the upper bits of the answer's.
    @ivar flags: DO and CO.
    @ivar options: what else, by numbers.
    """

    size: int
    rcode: int = 0
    version: int = 0
    flags: int = 0
    options: Options = ()

    @classmethod
    def parse(cls, record: Record) -> Edns:
        """
        Read an OPT record.

        @raise Refusal: it is none.
        """
        if record.owner != names.ROOT:
            raise Refusal("an OPT record that is of a name")
        rcode, version = record.seconds >> 24, record.seconds >> 16 & 0xFF
        flags = record.seconds & (DO | _CO)
        return cls(record.class_, rcode, version, flags, _options(record.before))

    def write(self, out: bytearray) -> None:
        """Write it as a record."""
        data = b""
        if self.options:
            found = (_OPTION.pack(kind, len(each)) + each for kind, each in self.options)
            data = b"".join(found)
        rest = self.rcode << 24 | self.version << 16 | self.flags
        out += names.ROOT + FIXED.pack(OPT, self.size, rest, len(data)) + data

    def only(self, passes: Callable[[int], bool]) -> Edns:
        """With these options only."""
        return self._replace(options=tuple(one for one in self.options if passes(one[0])))

    def others(self, passes: Callable[[int], bool]) -> tuple[str, ...]:
        """The other ones, in words."""
        if not self.options:
            return ()
        found = (kind for kind, _ in self.options if not passes(kind))
        return tuple(f"option {_NAMES.get(kind, kind)}" for kind in found)


def _options(data: bytes) -> Options:
    if not data:
        return ()
    at, found = 0, []
    while at < len(data):
        if at + _OPTION.size > len(data):
            raise Refusal("an EDNS option without a length")
        kind, length = _OPTION.unpack_from(data, at)
        at += _OPTION.size
        if at + length > len(data):
            raise Refusal("an EDNS option that is longer than its record")
        found.append((kind, data[at : at + length]))
        at += length
    return tuple(found)


def read_options(texts: frozenset[str | int]) -> Choice:
    """
    Read the setting: options by name or by number.

    @raise ValueError: there is no such name.
    """
    return Choice(texts, _read)


def _read(text: str | int) -> int:
    if isinstance(text, int):
        if not 0 <= text <= 0xFFFF:
            raise ValueError(f"{text} is not the number of an EDNS option")
        return text
    if text not in NUMBERS:
        raise ValueError(f'"{text}" is no EDNS option: {", ".join(NUMBERS)}, or a number')
    return NUMBERS[text]


NUMBERS = {
    "nsid": 3,
    "dau": 5,
    "dhu": 6,
    "n3u": 7,
    "client-subnet": 8,
    "expire": 9,
    "cookie": 10,
    "tcp-keepalive": 11,
    "padding": 12,
    "chain": 13,
    "key-tag": 14,
    "extended-error": 15,
    "report-channel": 18,
    "zone-version": 19,
}
"""Options by the names that IANA's registry of EDNS0 option codes gives them, in short."""

_NAMES = {number: name for name, number in NUMBERS.items()}

KEEPALIVE = NUMBERS["tcp-keepalive"]

BLOCKED = 15
"""Extended error 15: blocked by who runs the resolver (RFC 8914, section 4.16)."""
