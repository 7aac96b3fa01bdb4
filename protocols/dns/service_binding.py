"""HTTPS and SVCB records (RFC 9460): the addresses that they hint at, and keys for ECH."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from dns.rdatatype import RdataType

from protocols.dns.record import Record

BINDINGS = (RdataType.SVCB, RdataType.HTTPS)

_MANDATORY = 0
_IPV4_HINT = 4
_ECH = 5
_IPV6_HINT = 6

_PARAMETER = Struct("!HH")

_SIZES = {_IPV4_HINT: 4, _IPV6_HINT: 16}


def hints(record: Record) -> Iterator[bytes]:
    """The addresses that a record, which dnspython has accepted, has hints of."""
    _, parameters = _parts(record)
    for key, value in parameters:
        size = _SIZES.get(key)
        if size is not None:
            yield from (value[at : at + size] for at in range(0, len(value), size))


def has_ech(record: Record) -> bool:
    """Whether it has keys for encrypted ClientHellos."""
    return any(key == _ECH for key, _ in _parts(record)[1])


def without_ech(record: Record) -> Record:
    """The same record without them."""
    head, parameters = _parts(record)
    kept = [(key, _optional(value) if key == _MANDATORY else value) for key, value in parameters]
    # an empty list of what is mandatory is none (section 8)
    written = (
        _PARAMETER.pack(key, len(value)) + value
        for key, value in kept
        if key != _ECH and (value or key != _MANDATORY)
    )
    return record._replace(before=head + b"".join(written))


def _optional(keys: bytes) -> bytes:
    """The keys that are mandatory, without that of ECH."""
    each = (keys[at : at + 2] for at in range(0, len(keys), 2))
    return b"".join(key for key in each if int.from_bytes(key, "big") != _ECH)


def _parts(record: Record) -> tuple[bytes, list[tuple[int, bytes]]]:
    """What is before the parameters, and these."""
    data, at = record.before, 2
    while data[at]:
        at += 1 + data[at]
    at += 1
    head, found = data[:at], []
    while at < len(data):
        key, length = _PARAMETER.unpack_from(data, at)
        at += _PARAMETER.size
        found.append((key, data[at : at + length]))
        at += length
    return head, found
