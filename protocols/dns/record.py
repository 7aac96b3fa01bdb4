"""
Records: what is between the sections' counts.

The kinds that most messages have are read by the table C{SHAPES}. Whether the data
of any other one is as its RFC says is asked of dnspython, and what it would write
has to be what came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from struct import Struct
from typing import NamedTuple

from dns.exception import DNSException
from dns.rdata import GenericRdata, Rdata, from_wire
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from protocols.dns import name as names
from protocols.dns.name import Names
from protocols.dns.numbers import OPT
from protocols.dns.refusal import Refusal

FIXED = Struct("!HHIH")
"""Kind, class, time to live, length."""

_MOST_SECONDS = 2**31 - 1
"""RFC 2181, section 8: more is none."""

MOST_DATA = 65535
"""Bytes of a record's data."""


class Record(NamedTuple):
    """
    A resource record.

    @ivar kind: its type.
    @ivar seconds: its time to live.
    @ivar before: of its data, what is before the names in it: all, if there are none.
    @ivar targets: these names.
    @ivar after: what is behind them.
    """

    owner: bytes
    kind: int
    class_: int
    seconds: int
    before: bytes
    targets: tuple[bytes, ...] = ()
    after: bytes = b""

    @property
    def data(self) -> bytes:
        """Its data, without pointers."""
        return b"".join((self.before, *self.targets, self.after))


_record = partial(tuple.__new__, Record)
"""Makes one of all of its parts, in a third of the time that C{Record()} takes."""


class Shape(NamedTuple):
    """
    What the data of a kind is like.

    @ivar before: bytes before the names.
    @ivar names: so many of them.
    @ivar least: bytes behind them, at least.
    @ivar most: and at most.
    @ivar pointers: they may be compressed (RFC 3597, section 4).
    @ivar compress: and are so by us: what everybody has to understand (RFC 1035).
    """

    before: int = 0
    names: int = 0
    least: int = 0
    most: int = 0
    pointers: bool = False
    compress: bool = False


_ONE_NAME = Shape(names=1, pointers=True, compress=True)

SHAPES: Mapping[int, Shape] = {
    RdataType.A: Shape(before=4),
    RdataType.AAAA: Shape(before=16),
    **dict.fromkeys(
        (RdataType.NS, RdataType.CNAME, RdataType.PTR, RdataType.MB, RdataType.MG, RdataType.MR),
        _ONE_NAME,
    ),
    RdataType.SOA: Shape(names=2, least=20, most=20, pointers=True, compress=True),
    RdataType.MX: Shape(before=2, names=1, pointers=True, compress=True),
    RdataType.MINFO: Shape(names=2, pointers=True, compress=True),
    RdataType.RP: Shape(names=2, pointers=True),
    RdataType.AFSDB: Shape(before=2, names=1, pointers=True),
    RdataType.RT: Shape(before=2, names=1, pointers=True),
    RdataType.PX: Shape(before=2, names=2, pointers=True),
    RdataType.SRV: Shape(before=6, names=1, pointers=True),
    RdataType.KX: Shape(before=2, names=1, pointers=True),
    RdataType.DNAME: Shape(names=1),
    RdataType.RRSIG: Shape(before=18, names=1, least=1, most=MOST_DATA),
    RdataType.SIG: Shape(before=18, names=1, least=1, most=MOST_DATA, pointers=True),
    RdataType.TSIG: Shape(names=1, least=16, most=MOST_DATA),
}


_Parts = tuple[bytes, tuple[bytes, ...], bytes]

_NO_NAMES: tuple[bytes, ...] = ()


def read_record(
    data: bytes, at: int, known: Names, unknown: bool, update: bool
) -> tuple[Record, int]:
    """
    The record at C{at}, and where it ends.

    @param unknown: one of a kind that nobody here knows may pass.
    @param update: it is one of an update, in which those of the classes ANY and NONE have no data.
    @raise Refusal: there is none, or it may not pass.
    @raise IndexError: the message ends before it does.
    """
    owner, at = known.read(data, at)
    at += FIXED.size
    if at > len(data):
        raise IndexError
    kind, class_, seconds, length = FIXED.unpack_from(data, at - FIXED.size)
    end = at + length
    if end > len(data):
        raise IndexError
    if seconds > _MOST_SECONDS and kind != OPT:
        seconds = 0
    if update and not length and class_ in (RdataClass.ANY, RdataClass.NONE):  # RFC 2136, 2.4
        return Record(owner, kind, class_, seconds, b""), end
    shape = SHAPES.get(kind)
    if shape is None:
        read = _OTHER.get(kind, _asked)
        before, targets, after = read(data, at, end, known, (kind, class_, unknown))
    elif not shape.names:
        if length != shape.before:
            raise _wrong(kind)
        return _record((owner, kind, class_, seconds, data[at:end], _NO_NAMES, b"")), end
    else:
        before, targets, after = _shaped(data, at, end, known, shape, kind)
    return _record((owner, kind, class_, seconds, before, targets, after)), end


def _shaped(data: bytes, at: int, end: int, known: Names, shape: Shape, kind: int) -> _Parts:
    begin, at = at, at + shape.before
    before, found = data[begin:at], []
    for _ in range(shape.names):
        if at >= end:
            raise _wrong(kind)
        begin = at
        name, at = known.read(data, at)
        if not shape.pointers and len(name) != at - begin:
            raise Refusal(f"a compressed name in the data of {kind_text(kind)}")
        found.append(name)
    if not shape.least <= end - at <= shape.most:
        raise _wrong(kind)
    return before, tuple(found), data[at:end]


def _strings(data: bytes, at: int, end: int, known: Names, about: tuple[int, int, bool]) -> _Parts:
    """Character strings, one or more (RFC 1035, section 3.3.14)."""
    begin = at
    while at < end:
        at += 1 + data[at]
    if at != end or begin == end:
        raise _wrong(about[0])
    return data[begin:end], _NO_NAMES, b""


def _naptr(data: bytes, at: int, end: int, known: Names, about: tuple[int, int, bool]) -> _Parts:
    """Two numbers, three strings, and a name (RFC 3403, section 4.1)."""
    begin, at = at, at + 4
    for _ in range(3):
        at += 1 + data[at]
    if at >= end:
        raise _wrong(about[0])
    name, after = known.read(data, at)
    if after != end:
        raise _wrong(about[0])
    return data[begin:at], (name,), b""


def _bytes(data: bytes, at: int, end: int, known: Names, about: tuple[int, int, bool]) -> _Parts:
    """Whatever is in there: it was, or will be, read elsewhere."""
    return data[at:end], _NO_NAMES, b""


_NAMED: Mapping[int, tuple[int, int]] = {
    RdataType.NSEC: (0, 1),
    RdataType.SVCB: (2, 1),
    RdataType.HTTPS: (2, 1),
    RdataType.LP: (2, 1),
}
"""
Where in their data those that dnspython is asked about have names, and how many: BIND lets pointers
lead there, though these are not compressed themselves.
"""


def _asked(data: bytes, at: int, end: int, known: Names, about: tuple[int, int, bool]) -> _Parts:
    """dnspython has to know it, and to write it as it came."""
    kind, class_, unknown = about
    before, names_there = _NAMED.get(kind, (0, 0))
    if names_there:
        _shaped(data, at, end, known, Shape(before, names_there, most=MOST_DATA), kind)
    came = data[at:end]
    found = parsed(kind, class_, came)
    if found is None:
        if not unknown:
            reason = f"a record of the unknown type {kind}, class {class_}"
            raise Refusal(reason, by="unknown_types")
    elif found.to_wire() != came:
        raise _wrong(kind)
    return came, _NO_NAMES, b""


_KNOWN = frozenset(map(int, RdataType))

_CLASSES = {
    **{int(each): each for each in (RdataClass.IN, RdataClass.CH, RdataClass.HS)},
    int(RdataClass.NONE): RdataClass.IN,  # in updates: RFC 2136, section 2.5.4
}
"""As whose the data is read. dnspython remembers every pair of type and class it was asked for."""


def parsed(kind: int, class_: int, data: bytes) -> Rdata | None:
    """
    The data of a record, by dnspython; C{None} if nobody here knows such records.

    @raise Refusal: it is not what its RFC says.
    """
    read_as = _CLASSES.get(class_)
    if kind not in _KNOWN or read_as is None:
        return None
    try:
        found = from_wire(read_as, RdataType(kind), data, 0, len(data))
        return None if isinstance(found, GenericRdata) else found
    except (DNSException, ValueError, UnicodeError):  # not all of it is of its own kind
        raise _wrong(kind) from None


_OTHER: Mapping[int, Callable[[bytes, int, int, Names, tuple[int, int, bool]], _Parts]] = {
    RdataType.TXT: _strings,
    RdataType.SPF: _strings,
    RdataType.NAPTR: _naptr,
    RdataType.NULL: _bytes,  # RFC 1035, section 3.3.10: anything
    RdataType.OPT: _bytes,  # see L{protocols.dns.edns}
}


def _wrong(kind: int) -> Refusal:
    return Refusal(f"the data of a {kind_text(kind)} record is not like that of one")


def write_record(out: bytearray, record: Record, places: dict[bytes, int]) -> None:
    """
    Write a record.

    @param places: see L{names.put<protocols.dns.name.put>}.
    """
    names.put(out, record.owner, places)
    at = len(out) + FIXED.size
    before = record.before
    if not record.targets:
        out += FIXED.pack(record.kind, record.class_, record.seconds, len(before))
        out += before
        return
    shape = SHAPES.get(record.kind)
    compress = shape is not None and shape.compress
    out += FIXED.pack(record.kind, record.class_, record.seconds, 0)
    out += before
    for target in record.targets:
        names.put(out, target, places, compress)
    out += record.after
    out[at - 2 : at] = (len(out) - at).to_bytes(2, "big")


@lru_cache(maxsize=256)
def kind_text(kind: int) -> str:
    """A type's name, or C{"TYPE65280"} (RFC 3597, section 5)."""
    return RdataType.to_text(RdataType.make(kind))


def class_text(class_: int) -> str:
    """A class's name, or C{"CLASS254"}."""
    return RdataClass.to_text(RdataClass.make(class_))
