"""The audit record of a query and its answer, in the fields of Suricata's EVE, version 3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dns.rcode import Rcode
from dns.rdataclass import RdataClass

from gateway.interfaces import Outcome
from protocols.dns.answer import Judged
from protocols.dns.exchange import Exchange
from protocols.dns.kinds import opcode_text
from protocols.dns.message import AA, QR, RA, RD, TC, Message, Question, Reading, Z
from protocols.dns.name import shown
from protocols.dns.record import Record, class_text, data_text, kind_text
from protocols.dns.refusal import Refusal
from protocols.dns.session import Session
from protocols.dns.settings import DnsSettings

VERSION = 3

_FLAGS = {"aa": AA, "tc": TC, "rd": RD, "ra": RA, "z": Z}

_LONGEST_DATA = 1024
"""Letters of a record's data in an audit record."""


class Story:
    """The audit records of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._settings: DnsSettings = session.settings

    def passed(self, exchange: Exchange, judged: Judged) -> None:
        """A query was answered."""
        gateway = {"verdict": Outcome.PASSED.value, **own(exchange.query)}
        _add_removed(gateway, (*exchange.removed, *judged.removed))
        self._record(gateway, "", judged.message, exchange.question, exchange.number)

    def denied(self, exchange: Exchange, refusal: Refusal) -> None:
        """Its answer did not pass."""
        self._unanswered(exchange, Outcome.DENIED, refusal.reason, refusal.by)

    def failed(self, exchange: Exchange, reason: str) -> None:
        """There was none."""
        self._unanswered(exchange, Outcome.FAILED, reason, "")

    def _unanswered(self, exchange: Exchange, outcome: Outcome, reason: str, by: str) -> None:
        query = exchange.query
        gateway = {"verdict": outcome.value, "reason": reason, **own(query)}
        _add_removed(gateway, exchange.removed)
        self._record(gateway, by, query, exchange.question, exchange.number)

    def refused(self, query: Message, number: int, refusal: Refusal, answer: str) -> None:
        """A query did not pass, and is answered like this."""
        gateway = {"verdict": Outcome.DENIED.value, "reason": refusal.reason, **own(query)}
        if answer:
            gateway["answer"] = answer
        self._record(gateway, refusal.by, query, query.question, number)

    def unread(self, reading: Reading | None, number: int, refusal: Refusal) -> None:
        """A message could not be read, or answers nothing."""
        gateway = {"verdict": Outcome.DENIED.value, "reason": refusal.reason}
        question = None if reading is None else reading.question
        message = None if reading is None else Message(reading.id, reading.flags, question)
        self._record(gateway, refusal.by, message, question, number)

    def _record(
        self,
        gateway: dict[str, Any],
        by: str,
        message: Message | None,
        question: Question | None,
        number: int,
    ) -> None:
        fields = told(message, question, number, self._settings.recorded_answers)
        self._session.record("dns", gateway, by, **fields)


def _add_removed(gateway: dict[str, Any], removed: Iterable[str]) -> None:
    found = list(removed)
    if found:
        gateway["removed"] = found


def told(
    message: Message | None, question: Question | None, number: int, most: int
) -> dict[str, Any]:
    """
    The fields of EVE's object C{dns}.

    @param message: the last one: the answer, or the query if there is none; C{None} if it could not
        be read.
    @param number: of the query, in its session.
    @param most: records of the answer that stand there.
    """
    fields: dict[str, Any] = {"version": VERSION, "tx_id": number}
    if message is not None:
        fields |= _header(message)
        answers = [_answer(record) for record in message.answers[:most]]
        if answers:
            fields["answers"] = answers
    if question is not None:
        fields["queries"] = [{"rrname": shown(question.name), "rrtype": kind_text(question.kind)}]
    return fields


def _header(message: Message) -> dict[str, Any]:
    flags = message.flags
    return {
        "type": "response" if flags & QR else "request",
        "id": message.id,
        "flags": f"{flags:x}",
        **({"qr": True} if flags & QR else {}),
        **{name: True for name, flag in _FLAGS.items() if flags & flag},
        "opcode": message.opcode,
        "rcode": Rcode.to_text(Rcode.make(message.rcode)),
    }


def _answer(record: Record) -> dict[str, Any]:
    found = {
        "rrname": shown(record.owner),
        "rrtype": kind_text(record.kind),
        "ttl": record.seconds,
    }
    data = data_text(record)[:_LONGEST_DATA]
    return {**found, "rdata": data} if data else found


def own(query: Message) -> dict[str, Any]:
    """What EVE has no fields for."""
    found: dict[str, Any] = {}
    if query.opcode:
        found["operation"] = opcode_text(query.opcode)
    if query.question is not None and query.question.class_ != RdataClass.IN:
        found["class"] = class_text(query.question.class_)
    return found
