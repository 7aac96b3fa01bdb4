"""
Message: one message of DNS, as it is read, and as it is written anew (RFC 1035, section 4).

Every byte of what comes has a meaning, or the message is refused. What leaves is
written from that meaning alone.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from dns.rdatatype import RdataType

from protocols.dns import name as names
from protocols.dns.edns import Edns
from protocols.dns.name import Names
from protocols.dns.numbers import OPT, QUERY, SIG, TSIG, UPDATE
from protocols.dns.record import Record, read_record, write_record
from protocols.dns.refusal import Refusal

HEADER = Struct("!HHHHHH")
"""Identifier, flags, and the counts of the four sections."""

QUESTION = Struct("!HH")
"""Type and class."""

LONGEST = 65535
"""Bytes of a message."""

QR = 0x8000
AA = 0x0400
TC = 0x0200
RD = 0x0100
RA = 0x0080
Z = 0x0040
AD = 0x0020
CD = 0x0010

OPCODE = 0x7800
_RCODE = 0x000F

TRANSFERS = (RdataType.AXFR, RdataType.IXFR)

SIGNED = (RdataType.TSIG, RdataType.SIG)
"""Signatures of whole messages (RFC 8945; RFC 2931: a SIG record in the last place)."""


class Question(NamedTuple):
    """What is asked for."""

    name: bytes
    kind: int
    class_: int

    def write(self, out: bytearray, places: dict[bytes, int]) -> None:
        """Write it."""
        names.put(out, self.name, places)
        out += QUESTION.pack(self.kind, self.class_)


class Message(NamedTuple):
    """
    A message.

    @ivar id: its identifier.
    @ivar flags: of the header, opcode and the lower bits of the rcode among them.
    @ivar question: C{None} in errors, and behind the first message of a zone transfer.
    @ivar edns: what its OPT record says, if it has one.
    @ivar signature: its TSIG or SIG(0) record, if it has one.
    """

    id: int
    flags: int
    question: Question | None
    answers: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    additionals: tuple[Record, ...] = ()
    edns: Edns | None = None
    signature: Record | None = None

    @property
    def opcode(self) -> int:
        """What kind of message it is."""
        return (self.flags & OPCODE) >> 11

    @property
    def rcode(self) -> int:
        """How it went, with the upper bits of EDNS."""
        return self.flags & _RCODE | (self.edns.rcode << 4 if self.edns else 0)

    def write(self) -> bytes:
        """
        As it is sent.

        @raise Refusal: it would be too long.
        """
        id, flags, question, answers, authorities, additionals, edns, signature = self
        beside = len(additionals) + (edns is not None) + (signature is not None)
        counts = question is not None, len(answers), len(authorities), beside
        out = bytearray(HEADER.pack(id, flags & ~Z, *counts))
        places: dict[bytes, int] = {}
        if question is not None:
            question.write(out, places)
        for record in (*answers, *authorities, *additionals):
            write_record(out, record, places)
        if edns is not None:
            edns.write(out)
        if signature is not None:
            write_record(out, signature, places)
        if len(out) > LONGEST:
            raise Refusal(f"a message of {len(out)} bytes, without the pointers that it came with")
        return bytes(out)


class Reading:
    """
    A message that is being read: its header and question first, as who is to be answered has to
    be known before anything else is found wrong.

    @ivar id: the identifier; 0 if the header is not whole.
    @ivar flags: of the header.
    @ivar opcode: what kind of message it is.
    @ivar question: if there is one.
    @ivar data: all of it.
    @raise Refusal: it has no header, or no question that can be read.
    """

    __slots__ = ("_at", "_counts", "_names", "data", "flags", "id", "opcode", "question")

    def __init__(self, data: bytes) -> None:
        if len(data) < HEADER.size:
            raise Refusal(f"a message of {len(data)} bytes")
        self.data = data
        self._names = Names()
        self.id, self.flags, questions, *self._counts = HEADER.unpack_from(data)
        self.opcode: int = (self.flags & OPCODE) >> 11
        self.question: Question | None = None
        self._at = HEADER.size
        if questions > 1:
            raise Refusal(f"{questions} questions in one message")
        if questions:
            try:
                self.question = self._question()
            except IndexError:
                raise Refusal("a message that ends in its question") from None

    def _question(self) -> Question:
        name, at = self._names.read(self.data, self._at)
        if len(name) != at - self._at:  # nothing that it could point to
            raise Refusal("a compressed name in the question")
        self._at = at + QUESTION.size
        if self._at > len(self.data):
            raise IndexError
        return Question(name, *QUESTION.unpack_from(self.data, at))

    @property
    def size(self) -> int:
        """Bytes of it."""
        return len(self.data)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many records the header says that there are in each section."""
        answers, authorities, additionals = self._counts
        return answers, authorities, additionals

    def message(self, most: int, unknown: bool = False) -> Message:
        """
        All of it.

        @param most: records that it may have.
        @param unknown: records of unknown types may pass.
        @raise Refusal: it is not a message.
        """
        total = sum(self._counts)
        if total > most:
            raise Refusal(f"a message with {total} records", by="records")
        try:
            answers, authorities, additionals = [
                self._section(count, unknown) if count else [] for count in self._counts
            ]
        except IndexError:
            raise Refusal("a message that ends before its records do") from None
        if self._at != len(self.data):
            raise Refusal(f"{len(self.data) - self._at} bytes behind the last record")
        edns, signature, opcode = None, None, self.opcode
        if additionals:
            signature = _signature(additionals)
            if signature is not None:
                additionals = additionals[:-1]
            edns, additionals = _edns(additionals)
        return Message(
            self.id,
            self.flags,
            self.question,
            _plain(answers, opcode),
            _plain(authorities, opcode),
            _plain(additionals, opcode),
            edns,
            signature,
        )

    def _section(self, count: int, unknown: bool) -> list[Record]:
        found, data, known = [], self.data, self._names
        update = self.opcode == UPDATE
        for _ in range(count):
            record, self._at = read_record(data, self._at, known, unknown, update)
            found.append(record)
        return found


def _signature(additionals: list[Record]) -> Record | None:
    last = additionals[-1]
    if last.kind == TSIG or (last.kind == SIG and last.before[:2] == b"\0\0"):
        return last
    return None


def _edns(additionals: list[Record]) -> tuple[Edns | None, list[Record]]:
    """
    Take the OPT record out.

    @raise Refusal: there are two (RFC 6891, section 6.1.1).
    """
    found = [record for record in additionals if record.kind == OPT]
    if not found:
        return None, additionals
    if len(additionals) == 1:
        return Edns.parse(found[0]), []
    if len(found) > 1:
        raise Refusal("two OPT records in one message")
    rest = [record for record in additionals if record.kind != OPT]
    return Edns.parse(found[0]), rest


_ELSEWHERE = frozenset((RdataType.OPT, RdataType.TSIG))


def _plain(section: list[Record], opcode: int) -> tuple[Record, ...]:
    """@raise Refusal: what is about the whole message stands among the records."""
    for record in section:
        if record.kind in _ABOUT_ALL and (record.kind in _ELSEWHERE or opcode != UPDATE):
            raise Refusal(f"a record of type {record.kind} where none belongs")
    return tuple(section)


META = frozenset((RdataType.ANY, RdataType.AXFR, RdataType.IXFR, RdataType.MAILA, RdataType.MAILB))
"""
What is asked for and never there (RFC 6895, section 3.1). Only updates have records of the type
ANY (RFC 2136, section 2.4).
"""

_ABOUT_ALL = _ELSEWHERE | META


def check_query(message: Message) -> None:
    """
    Whether a client may send it.

    @raise Refusal: it has what belongs into answers.
    """
    question = message.question
    if question is None:
        raise Refusal("a query without a question")
    if message.opcode != QUERY:
        return
    transfer = question.kind == RdataType.IXFR
    if message.answers or message.additionals or (message.authorities and not transfer):
        raise Refusal("a query with records")
    if transfer and [each.kind for each in message.authorities] != [RdataType.SOA]:
        raise Refusal("an IXFR query without the client's SOA record")
