"""The audit record of a query and its answer, in the fields of Suricata's EVE, version 3."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address
from json import dumps
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from dns.rcode import Rcode

from gateway.interfaces import Outcome
from protocols.dns.answer import Judged
from protocols.dns.exchange import Exchange
from protocols.dns.kinds import opcode_text
from protocols.dns.message import AA, OPCODE, QR, RA, RD, TC, Message, Question, Reading, Z
from protocols.dns.name import REMEMBERED, shown
from protocols.dns.numbers import AAAA, IN, TXT, A
from protocols.dns.record import Record, class_text, kind_text, parsed
from protocols.dns.refusal import Refusal
from protocols.dns.session import Session
from protocols.dns.settings import DnsSettings

VERSION = 3

_FLAGS = {"qr": QR, "aa": AA, "tc": TC, "rd": RD, "ra": RA, "z": Z}

_PASSED = f'"verdict":"{Outcome.PASSED.value}"'

_ANSWERS = '"answers"'

_LONGEST_DATA = 1024
"""Letters of a record's data in an audit record."""


class Story:
    """The audit records of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._settings: DnsSettings = session.settings

    def passed(self, exchange: Exchange, judged: Judged) -> None:
        """A query was answered. Of these there are many: they are written at once, as JSON."""
        gateway = own(exchange.query)
        _add_removed(gateway, (*exchange.removed, *judged.removed))
        text = f",{dumps(gateway)[1:-1]}" if gateway else ""
        message, most = judged.message, self._settings.recorded_answers
        fields = prepared(message, exchange.question, exchange.number, most)
        self._session.record_prepared("dns", fields, _PASSED + text)

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
        self._session.record("dns", gateway, by, **told(message, question, number))


def _add_removed(gateway: dict[str, Any], removed: Iterable[str]) -> None:
    found = list(removed)
    if found:
        gateway["removed"] = found


def told(message: Message | None, question: Question | None, number: int) -> dict[str, Any]:
    """
    The fields of EVE's object C{dns} for a query without an answer.

    @param message: C{None} if it could not be read.
    @param number: of the query, in its session.
    """
    fields: dict[str, Any] = {"version": VERSION, "tx_id": number}
    if message is not None:
        fields |= {"id": message.id, **_header(message.flags, message.rcode)}
    if question is not None:
        fields["queries"] = [{"rrname": shown(question.name), "rrtype": kind_text(question.kind)}]
    return fields


def prepared(message: Message, question: Question, number: int, most: int) -> str:
    """
    The members of that object for an answer.

    @param most: records of the answer that stand there.
    """
    answers = ",".join(map(_answer, message.answers[:most]))
    return (
        f'"version":{VERSION},"tx_id":{number},"id":{message.id},'
        f"{_header_text(message.flags, message.rcode)},"
        f'"queries":[{{"rrname":{_quoted(question.name)},'
        f'"rrtype":"{kind_text(question.kind)}"}}]'
        f"{f',{_ANSWERS}:[{answers}]' if answers else ''}"
    )


def _header(flags: int, rcode: int) -> dict[str, Any]:
    return {
        "type": "response" if flags & QR else "request",
        "flags": f"{flags:x}",
        **{name: True for name, flag in _FLAGS.items() if flags & flag},
        "opcode": (flags & OPCODE) >> 11,
        "rcode": Rcode.to_text(Rcode.make(rcode)),
    }


@lru_cache(maxsize=256)
def _header_text(flags: int, rcode: int) -> str:
    """The same as members of a JSON object; of most answers it is the same."""
    return dumps(_header(flags, rcode))[1:-1]


@lru_cache(maxsize=REMEMBERED)
def _quoted(name: bytes) -> str:
    """A name as JSON."""
    return quoted(shown(name))


def _answer(record: Record) -> str:
    data = data_text(record)[:_LONGEST_DATA]
    rest = f',"rdata":{quoted(data)}' if data else ""
    return (
        f'{{"rrname":{_quoted(record.owner)},"rrtype":"{kind_text(record.kind)}",'
        f'"ttl":{record.seconds}{rest}}}'
    )


def own(query: Message) -> dict[str, Any]:
    """What EVE has no fields for."""
    found: dict[str, Any] = {}
    if query.opcode:
        found["operation"] = opcode_text(query.opcode)
    if query.question is not None and query.question.class_ != IN:
        found["class"] = class_text(query.question.class_)
    return found


def data_text(record: Record) -> str:
    """A record's data, as records of the audit have it; empty if nobody can read it."""
    kind = record.kind
    if not record.before and not record.targets:  # in updates
        return ""
    if kind == A:
        first, second, third, last = record.before
        return f"{first}.{second}.{third}.{last}"
    if kind == AAAA:
        return str(IPv6Address(record.before))
    if len(record.targets) == 1 and not record.before and not record.after:
        return shown(record.targets[0])
    if kind == TXT:
        return _joined(record.before)
    try:
        return str(parsed(kind, record.class_, record.data) or "")
    except Refusal:
        return ""


def _joined(data: bytes) -> str:
    """The strings of a TXT record, one after the other, as their readers take them."""
    at, found = 0, []
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(found).decode("utf-8", "backslashreplace")
