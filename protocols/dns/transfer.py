"""Transfers: answers in many messages (RFC 5936, RFC 1995), and which one is the last."""

from __future__ import annotations

from dns.rdatatype import RdataType

from protocols.dns.message import Message
from protocols.dns.record import Record
from protocols.dns.refusal import Refusal


class Transfer:
    """
    The answer to an AXFR or IXFR query.

    A zone begins and ends with its SOA record. Differences begin with the new one, and each of them
    with that before and that after; the new one stands at their end once more.
    """

    __slots__ = ("_count", "_differences", "_first", "_incremental", "over")

    def __init__(self, kind: int) -> None:
        self._incremental = kind == RdataType.IXFR
        self._first: bytes | None = None
        self._count = 0
        self._differences = 0
        self.over = False

    def takes(self, message: Message) -> None:
        """
        One more message.

        @raise Refusal: it is none of a transfer.
        """
        if message.rcode or (self._first is None and not message.answers):
            self.over = True  # refused, or a server that has no such zone
            return
        for record in message.answers:
            if self.over:
                raise Refusal("records behind the end of a zone transfer")
            self._take(record)
        if self._incremental and self._count == 1:
            self.over = True  # nothing new

    def _take(self, record: Record) -> None:
        self._count += 1
        is_soa = record.kind == RdataType.SOA
        serial = record.after[:4]
        if self._first is None:
            if not is_soa:
                raise Refusal("a zone transfer that does not begin with the SOA record")
            self._first = serial
        elif self._incremental and self._count == 2 and is_soa and serial != self._first:
            self._differences = 1
        elif not is_soa:
            return
        elif not self._differences:
            self.over = True
        else:
            # old, new, old, new, …: at an odd place begins another difference, or nothing
            self._differences += 1
            self.over = self._differences % 2 == 1 and serial == self._first
