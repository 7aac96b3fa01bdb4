"""
A protocol of one question and one answer: what Finger and Whois have in common.

The client sends one line, the server answers with text and closes. The question is parsed and
written anew; the server is not connected to before it is allowed. Of the answer, only what a
terminal can show safely passes.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from attrs import frozen
from twisted.python.failure import Failure

from gateway.inspector import LoneEnd, Reader, StreamInspector, option
from gateway.interfaces import (
    CLIENT,
    PROTOCOL,
    SERVER,
    Denied,
    ISession,
    ITimer,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from protocols.text import Charset, PlainText

_NO_ANSWER = "The server does not answer."
_CUT_OFF = "The rest of the answer was cut off."
_BROKEN_OFF = "The server broke the answer off."
_NO_QUESTION = "Nothing was asked in time."
_TOO_LATE = "The server takes too long."


@frozen
class QuestionSettings:
    """How long question and answer may be and take, and what is put around the answer."""

    query_bytes: int = option(
        "The longest query.",
        512,
        unit="bytes",
        minimum=1,
        precedent="SMTP's command line",
    )
    query_seconds: float = option(
        "Time for a client to send its query; then it is told so. 0: no limit.",
        20.0,
        unit="seconds",
        minimum=0,
        precedent="Zorp's timeout is 30",
        in_silence=True,
    )
    answer_seconds: float = option(
        "A server that says nothing for so long is given up, and the client is told so. 0: never.",
        60.0,
        unit="seconds",
        minimum=0,
        precedent="Zorp's timeout is 30; some registries take as long",
        in_silence=True,
    )
    text_before: str = option(
        "Lines that the client gets before the answer.", "", precedent="Zorp's response_header"
    )
    text_after: str = option(
        "Lines that the client gets behind the answer.", "", precedent="Zorp's response_footer"
    )


class Question(Protocol):
    """What a client asks."""

    def line(self) -> bytes:
        """The question as it is sent, with its CRLF."""

    def fields(self) -> dict[str, Any]:
        """For the audit record."""


class QuestionInspector(StreamInspector):
    """
    One question, one answer.

    @cvar KIND: the name of the protocol, for records and for words to the client.
    @cvar MARK: what the lines of the gateway's own begin with, so that no program takes them
        for the answer.
    """

    KIND: ClassVar[str]
    MARK: ClassVar[str] = ""

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._fields: dict[str, Any] | None = None
        self._size = 0
        self._limit: ITimer | None = None

    # For the protocol

    @property
    def charset(self) -> Charset:
        """Of answers, and of the lines of the gateway's own."""
        raise NotImplementedError

    @property
    def answer_bytes(self) -> int:
        """The longest answer."""
        raise NotImplementedError

    def parse(self, line: bytes) -> Any:
        """
        The L{Question} in a line.

        @raise Denied: there is none.
        """
        raise NotImplementedError

    def check(self, question: Any) -> None:
        """@raise Denied: the settings do not allow it; with the words for the client."""
        raise NotImplementedError

    def words(self, text: str) -> bytes:
        """A line of the gateway's own, or several, as the client gets them."""
        lines = "".join(f"{self.MARK}{line}\r\n" for line in text.splitlines())
        return lines.encode(self.charset, "replace")

    # The client

    def started(self) -> None:
        """Nothing to connect for yet."""
        self._wait("query_seconds", _NO_QUESTION)

    async def from_client(self, read: Reader) -> None:
        """Read the question; if it is allowed, connect and ask it."""
        question = await self._question(read)
        self._fields = question.fields()
        try:
            self.check(question)
        except Denied as denied:
            self._record(Outcome.DENIED, denied.reason, denied.by)
            raise
        self._wait("answer_seconds", _TOO_LATE)
        self.session.connect().addErrback(self._unreachable)
        self.session.send(SERVER, question.line())

    async def _question(self, read: Reader) -> Any:
        limit: int = self.session.settings.query_bytes
        line: bytes | None = None
        try:
            line = await read.line(limit)
            return self.parse(line)
        except Denied as denied:
            if line is None:
                line = read.peek(denied.at if isinstance(denied, LoneEnd) else limit)
            self._fields = {"query": line}
            self._record(Outcome.DENIED, denied.reason, denied.by)
            words = self.words(f"That is not a {self.KIND} query.")
            raise Denied(denied.reason, words) from None

    # The server

    async def from_server(self, read: Reader) -> None:
        """Pass the readable part of the answer."""
        try:
            await self._pass(read)
        except Denied as denied:
            self._record(Outcome.DENIED, denied.reason, denied.by)
            raise

    async def _pass(self, read: Reader) -> None:
        settings: QuestionSettings = self.session.settings
        text, limit = PlainText(self.charset), self.answer_bytes
        self.session.send(CLIENT, self.words(settings.text_before))
        while await read.more():
            if self._size == limit:
                reply = b"\r\n" + self.words(f"{_CUT_OFF}\n{settings.text_after}")
                raise Denied(f"the answer is longer than {limit} bytes", reply, "answer_bytes")
            piece = await read.some(limit - self._size)
            self._size += len(piece)
            self.session.send(CLIENT, text.filter(piece))
            self._wait("answer_seconds", _TOO_LATE)
        self.session.send(CLIENT, text.end() + self.words(settings.text_after))
        self._clear()

    def _unreachable(self, failure: Failure) -> Failure | None:
        error = failure.value
        if not isinstance(error, Unreachable):
            return failure
        self._part(_NO_ANSWER, Verdict(Outcome.FAILED, f"server unreachable: {error}"))
        return None

    def lost(self, side: Side, verdict: Verdict) -> None:
        """The client is told that there is no more of the answer."""
        if side is SERVER:
            self._part(_BROKEN_OFF if self._size else _NO_ANSWER, verdict)

    def _part(self, words: str, verdict: Verdict) -> None:
        ours = b"\r\n" * bool(self._size) + self.words(words)
        self.session.send(CLIENT, ours)
        self.session.close(verdict.reason, verdict.outcome)

    # Time

    def _wait(self, setting: str, words: str) -> None:
        """Somebody has so many seconds, from now on."""
        self._clear()
        seconds: float = getattr(self.session.settings, setting)
        if seconds:
            verdict = Verdict(Outcome.FAILED, f"time limit: {setting} = {seconds:g}")
            self._limit = self.session.after(seconds, lambda: self._part(words, verdict))

    def _clear(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.cancel()

    # The record

    def closed(self, verdict: Verdict) -> None:
        """Write the audit record, if a question came and nothing was wrong with it before."""
        super().closed(verdict)
        self._limit = None
        by = PROTOCOL if verdict.outcome is Outcome.DENIED else ""
        self._record(verdict.outcome, verdict.reason, by)

    def _record(self, outcome: Outcome, reason: str, denied_by: str = "") -> None:
        fields, self._fields = self._fields, None
        if fields is None:
            return
        gateway: dict[str, Any] = {"verdict": outcome.value, "size": self._size}
        if reason:
            gateway["reason"] = reason
        self.session.record(self.KIND, gateway, denied_by, **fields)
