"""Replies: the answers that the gateway gives itself."""

from __future__ import annotations

from collections.abc import Sequence

from dns.rcode import Rcode
from dns.rdatatype import RdataType

from protocols.dns.edns import BLOCKED, DO, NUMBERS, SMALLEST, Edns
from protocols.dns.message import CD, OPCODE, QR, RA, RD, TC, Message, Question
from protocols.dns.record import Record

EXTENDED_ERROR = NUMBERS["extended-error"]

_SIZES = {RdataType.A: 4, RdataType.AAAA: 16}


def reply(
    query: Message,
    rcode: int = Rcode.NOERROR,
    answers: tuple[Record, ...] = (),
    *,
    blocked: bool = False,
    size: int = SMALLEST,
    seconds: int = 0,
) -> Message:
    """
    An answer to a query. It has an OPT record if the query had one (RFC 6891, section 6.1.1):
    systemd-resolved throws away what has none.

    @param blocked: say so (RFC 8914).
    @param size: bytes of a datagram that are taken here.
    @param seconds: so long it may be remembered that there is nothing (RFC 2308); 0: it may not.
    """
    edns = None
    if query.edns is not None:
        options = ((EXTENDED_ERROR, BLOCKED.to_bytes(2, "big")),) if blocked else ()
        edns = Edns(size, rcode >> 4, flags=query.edns.flags & DO, options=options)
    flags = query.flags & (OPCODE | RD | CD) | QR | RA | rcode & 0xF
    nothing = seconds and not answers and rcode in (Rcode.NOERROR, Rcode.NXDOMAIN)
    authority = _nothing(query.question, seconds) if nothing and query.question else ()
    return Message(query.id, flags, query.question, answers, authority, edns=edns)


_MASTER = b"\7blocked\7invalid\0"
_PERSON = b"\6nobody\7invalid\0"


def _nothing(question: Question, seconds: int) -> tuple[Record, ...]:
    """The SOA record without which nobody remembers that there is nothing: of nobody's zone."""
    numbers = b"".join(each.to_bytes(4, "big") for each in (1, 3600, 600, 86400, seconds))
    kind, targets = int(RdataType.SOA), (_MASTER, _PERSON)
    return (Record(question.name, kind, question.class_, seconds, b"", targets, numbers),)


def addresses(question: Question, packed: Sequence[bytes], seconds: int) -> tuple[Record, ...]:
    """The records of those addresses that are of the type that was asked for."""
    size = _SIZES.get(RdataType.make(question.kind))
    return tuple(
        Record(question.name, question.kind, question.class_, seconds, each)
        for each in packed
        if len(each) == size
    )


def truncated(message: Message) -> Message:
    """An answer that says: ask again by TCP (RFC 2181, section 9: without what is not whole)."""
    empty: tuple[Record, ...] = ()
    flags = message.flags | TC
    return message._replace(flags=flags, answers=empty, authorities=empty, additionals=empty)


def error(id: int, flags: int, question: Question | None, rcode: int) -> Message:
    """An answer to what could not be read to its end."""
    return Message(id, flags & (OPCODE | RD | CD) | QR | RA | rcode & 0xF, question)
