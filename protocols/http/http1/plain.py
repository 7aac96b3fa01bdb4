"""
Plain: requests and answers that come as a whole, and with which nothing has to be done.

Everything here may only say "this passes, as it is". Whatever it is not sure of it leaves to
C{asking} and C{answering}, which read the same bytes, and say what is wrong if something is: no
reason, no place and no refusal is in this module, so that each of them exists once. It is held by
C{tests/protocols/http/test_plain.py}: with and without it, conversations are the same.

A plain request is known by its shape (L{protocols.http.http1.shape}) and passes by the plans of the
policy (L{protocols.http.decision.IPlans}); one at a time, with all of its body in one segment. Of a
plain answer, the body may come later if its length is known. No coroutine is made or resumed for
them, and their headers are not understood one by one.
"""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from twisted.python.failure import Failure

from gateway.interfaces import CLIENT, SERVER, Address, ISession, Unreachable
from protocols.http.http1.dialogue import Dialogue
from protocols.http.http1.head import END, request_of, response_of
from protocols.http.http1.shape import Head
from protocols.http.http1.tables import HostPlan, Tables
from protocols.http.message import Request, Response
from protocols.http.transaction import PASSED, Transaction

# REQUEST_LINE and ORIGIN_FORM, but for paths that are compared in another form than they are
# written in (escapes, parameters, empty and dot segments).
_segment = r"(?![./])[\x21\x24\x26-\x2e\x30-\x3a\x3d\x40-\x5b\x5d-\x7e]*+"
_query = r"(?:[\x21\x24\x26-\x3b\x3d\x3f-\x5b\x5d-\x7e]|%[0-9A-Fa-f]{2})*+"
_REQUEST = re.compile(rf"([A-Z]+) ((/(?:{_segment}/)*+(?!\.){_segment})(?:\?{_query})?) HTTP/1\.1")

# STATUS_LINE, without those that mean more than an answer.
_STATUS = re.compile(r"HTTP/1\.1 ((?:20[0-4]|304|4[0-9][0-9]|5[0-9][0-9])) [\x20-\x7e]*+")

_LENGTH = re.compile("0|[1-9][0-9]{0,17}")
_CHUNK = re.compile(rb"([1-9a-f][0-9a-f]{0,7})\r\n")
_LAST_CHUNK = b"0\r\n\r\n"

_END_SIZE = len(END)

_BODILESS = frozenset({"204", "304"})
_WITHOUT_BODY = frozenset({"GET", "HEAD"})

LONGEST = 512
"""Characters of a value in a prepared record."""

NOT_PLAIN = -1

CUT_OFF = "the server ended in the middle of a message"


class Counted:
    """A body of which only its size is known. See L{protocols.http.body.Body}."""

    __slots__ = ("size",)
    before = after = b""
    ready = False

    def __init__(self, size: int) -> None:
        self.size = size

    def at_once(self, most: int) -> bytes | None:
        """It has been sent."""
        return None

    async def piece(self) -> bytes:
        """It has been sent."""
        return b""


class PlainTransaction(Transaction):
    """
    One with a plain request. What was said is understood if somebody wants to know it.

    @ivar method: of the request.
    @ivar uploaded: bytes of its body, which is sent with it.
    @ivar ending: of the record: see L{Tables.ending}.
    """

    asked = persistent = True

    def __init__(
        self, began: float, said: bytes, head: Head, line: tuple[str, str], plan: HostPlan
    ) -> None:
        """
        @param said: the head of the request, as it came.
        @param line: method and target.
        """
        self.began = self.since = began
        self.request_head = len(said)
        self.method, self.target = line
        self.ending = ""
        self.uploaded = 0
        self._said = said
        self._answer = b""
        self._head = head
        self._plan = plan

    def answers(self, said: bytes, status: str, ending: str) -> None:
        """The head of its answer came."""
        self._answer = said
        self.ending = ending
        self.status = int(status)
        self.response_head = len(said)
        self.answering = self.delimited = True

    def read_request(self) -> Request:
        """See L{Transaction.read_request}."""
        return request_of(self._said)

    def read_response(self) -> Response | None:
        """See L{Transaction.read_response}."""
        if not self._answer:
            return None
        assert self.request is not None
        return response_of(self._answer, self.request)

    def fields(self, length: int) -> str | None:
        """
        The fields of its record, prepared; C{None} if one of them is too long for that.

        @param length: of the answer's content.
        """
        shape, values = self._head.shape, self._head.values
        agent = values[shape.agent] if shape.agent >= 0 else ""
        referer = values[shape.referer] if shape.referer >= 0 else ""
        if max(len(self.target), len(agent), len(referer)) > LONGEST:
            return None
        agent = f'"http_user_agent":{quoted(agent)},' if agent else ""
        referer = f'"http_refer":{quoted(referer)},' if referer else ""
        return (
            f'{self._plan.fields}"url":{quoted(self.target)},{agent}{referer}'
            f'"http_method":"{self.method}","protocol":"HTTP/1.1",{self.ending},"length":{length}'
        )


class Plain:
    """
    The plain messages of one session.

    @ivar left: bytes that a plain answer still has to have.
    """

    __slots__ = ("_dialogue", "_pending", "_session", "_tables", "left")

    def __init__(self, dialogue: Dialogue, tables: Tables) -> None:
        self._dialogue = dialogue
        self._pending = dialogue.pending
        self._session: ISession = dialogue.session
        self._tables = tables
        self.left = 0

    # What the client says

    def asked(self, data: bytes) -> bytes:
        """
        The client says C{data}.

        @return: what is to be read in the general way: all of it, or nothing.
        """
        dialogue, tables = self._dialogue, self._tables
        if dialogue.asking or self._pending.queue or dialogue.last or dialogue.bond.ended:
            return data
        size = data.find(END) + _END_SIZE
        if not _END_SIZE < size <= tables.most or dialogue.is_last:
            return data
        said = data if size == len(data) else data[:size]
        head = tables.asked.read(said)
        found = None if head is None else _REQUEST.fullmatch(head.lines[0])
        if head is None or found is None:
            return data
        method, target, path = found.groups()
        plan = tables.host(head.values[head.shape.host])
        checks = None if plan is None else plan.checks.get(method)
        if plan is None or checks is None:
            return data
        for check in checks:
            if check(path):
                return data
        length = _asked_length(head, method, len(data) - size)
        onward = head.shape.onward(data, head)
        if length == NOT_PLAIN or length > tables.most_asked or onward is None:
            return data
        transaction = PlainTransaction(self._session.now, said, head, (method, target), plan)
        transaction.uploaded = length
        dialogue.count += 1
        if dialogue.route.reached is None:
            self._connect(transaction, onward)
        else:
            self._send(transaction, onward)
        return b""

    def _send(self, transaction: PlainTransaction, onward: bytes) -> None:
        transaction.address = self._dialogue.route.elsewhere
        if transaction.uploaded:
            transaction.request_body = Counted(transaction.uploaded)
        self._pending.queue.append(transaction)
        self._session.send(SERVER, onward)

    def _connect(self, transaction: PlainTransaction, onward: bytes) -> None:
        dialogue = self._dialogue
        dialogue.current = transaction
        dialogue.asking = True
        connected = dialogue.route.connect()
        connected.addCallbacks(
            self._reached,
            self._missed,
            callbackArgs=(transaction, onward),
            errbackArgs=(transaction,),
        )

    def _reached(self, reached: Address, transaction: PlainTransaction, onward: bytes) -> Any:
        dialogue = self._dialogue
        dialogue.route.arrived(reached)
        dialogue.current = None
        transaction.since = self._session.now
        self._send(transaction, onward)
        dialogue.connected()
        return reached

    def _missed(self, failure: Failure, transaction: PlainTransaction) -> Failure | None:
        if not isinstance(failure.value, Unreachable):
            return failure
        self._dialogue.current = None
        self._dialogue.unreachable(transaction, failure.value)
        return None

    # What the server says

    def answered(self, data: bytes) -> bytes:
        """
        The server says C{data}.

        @return: what is to be read in the general way: all of it, what is behind the end of a plain
            answer, or nothing.
        """
        if self.left:
            return self._more(data)
        queue, tables = self._pending.queue, self._tables
        if self._dialogue.answering or not queue:
            return data
        transaction = queue[0]
        if type(transaction) is not PlainTransaction:
            return data
        size = data.find(END) + _END_SIZE
        if not _END_SIZE < size <= tables.most:
            return data
        said = data[:size]
        head = tables.answered.read(said)
        found = None if head is None else _STATUS.fullmatch(head.lines[0])
        if head is None or found is None:
            return data
        content = _answered_content(head, found[1], transaction.method, data)
        type_at = head.shape.type
        ending = tables.ending(found[1], head.values[type_at] if type_at >= 0 else None)
        onward = head.shape.onward(data, head)
        if content is None or ending is None or onward is None:
            return data
        transaction.answers(said, found[1], ending)
        came, self.left = content
        if self.left:
            transaction.response_body = Counted(came)
            self._session.send(CLIENT, onward)
        else:
            self._session.send(CLIENT, onward)
            self._complete(transaction, came, wake=True)
        return b""

    def _more(self, data: bytes) -> bytes:
        """More of an answer's body. What is behind it answers nothing, as the next is not asked."""
        transaction = self._pending.queue[0]
        rest = data[self.left :]
        if rest:
            data = data[: self.left]
        self.left -= len(data)
        body = transaction.response_body
        assert isinstance(transaction, PlainTransaction) and isinstance(body, Counted)
        body.size += len(data)
        self._session.send(CLIENT, data)
        if not self.left:
            self._complete(transaction, body.size, wake=not rest)
        return rest

    def _complete(self, transaction: PlainTransaction, length: int, wake: bool) -> None:
        """An answer was sent to its end. See C{Answering._answered}."""
        dialogue, pending = self._dialogue, self._pending
        transaction.answered = True
        dialogue.rested = self._session.now
        dialogue.bond.fresh = False
        if pending.queue:  # else the session has ended meanwhile
            pending.remove()
        self._record(transaction, length)
        if wake and pending.awaited:
            pending.wake()

    def _record(self, transaction: PlainTransaction, length: int) -> None:
        fields = None if transaction.address is not None else transaction.fields(length)
        if transaction.recorded:
            return
        if fields is None:
            transaction.response_body = transaction.response_body or Counted(length)
            self._dialogue.record(transaction, PASSED)
            return
        transaction.recorded = True
        asked = transaction.uploaded
        self._session.record_prepared(
            "http",
            fields,
            f'"verdict":"passed",{_requested(asked)}'
            f'"request_bytes":{transaction.request_head + asked},'
            f'"response_bytes":{transaction.response_head + length}',
        )

    # How it ends

    def broken_off(self) -> None:
        """
        The server has ended, within a plain answer.

        @raise Denied: see L{Dialogue.break_off}.
        """
        self.left = 0
        self._dialogue.bond.ended = True
        self._dialogue.break_off(self._pending.queue[0], CUT_OFF)


def _requested(length: int) -> str:
    return f'"request_length":{length},' if length else ""


def _asked_length(head: Head, method: str, came: int) -> int:
    """How long a request's body is, if all of it has come; or L{NOT_PLAIN}."""
    at = head.shape.length
    if at < 0:
        return NOT_PLAIN if came else 0
    if head.values[at] != str(came) or (came and method in _WITHOUT_BODY):
        return NOT_PLAIN
    return came


def _answered_content(head: Head, status: str, method: str, data: bytes) -> tuple[int, int] | None:
    """How much of an answer's content has come, and is still to come; C{None}: it is not plain."""
    shape, values = head.shape, head.values
    came = len(data) - head.size
    bodiless = status in _BODILESS or method == "HEAD"
    if shape.coding >= 0:
        if shape.length >= 0 or values[shape.coding] != "chunked" or bodiless:
            return None
        size = _chunked_size(data, head.size)
        return None if size == NOT_PLAIN else (size, 0)
    said = values[shape.length] if shape.length >= 0 else ""
    if said and _LENGTH.fullmatch(said) is None:
        return None
    if bodiless:
        return None if came or (status == "204" and said not in ("", "0")) else (0, 0)
    left = int(said) - came if said else NOT_PLAIN
    return None if left < 0 else (came, left)


def _chunked_size(data: bytes, at: int) -> int:
    """The size of what is in chunks as the gateway writes them, to their end; or L{NOT_PLAIN}."""
    size = 0
    while found := _CHUNK.match(data, at):
        length = int(found[1], 16)
        size += length
        at = found.end() + length
        if data[at : at + 2] != b"\r\n":
            return NOT_PLAIN
        at += 2
    return size if data[at:] == _LAST_CHUNK else NOT_PLAIN
