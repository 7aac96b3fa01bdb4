"""
Entity: a body together with the headers that are about it, for a stacked service.

As in a MIME entity (RFC 2045, section 3), which is where HTTP has them from (RFC 9110, section
8.3): header lines, an empty line, the body. What the service sends back begins likewise, so
that one that makes another body of it can say what that is.
"""

from __future__ import annotations

from gateway.interfaces import ISession, Outcome
from protocols.http.decision import Stacked
from protocols.http.fields import parse
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request, Response
from protocols.http.settings import CoreSettings
from protocols.http.singular import check_singular
from protocols.http.stacked import Outlet, Sink, Ways

EMPTY = b"\r\n"
END = b"\r\n\r\n"


def is_about_body(name: str) -> bool:
    """Whether a header is about the body, and not about how it is sent."""
    key = name.lower()
    return key.startswith("content-") and key != "content-length"


def sink_of(
    message: Request | Response, way: Ways, outlet: Outlet, session: ISession, stack: Stacked
) -> tuple[Sink, bytes]:
    """
    Where what a stacked service lets through goes.

    @param message: as it leaves, if the service does not change what it is.
    @param way: how it leaves.
    @param stack: who wants it inspected, and by whom.
    @return: and what the service gets before the body: nothing, if it would not change it.
    """
    settings: CoreSettings = session.settings
    if not settings.stack.headers or session.keeps(stack.service):
        return Sink(way(message), outlet, stack.by), b""
    lines = message.headers.only(is_about_body).lines().encode("latin-1")
    return Entity(message, way, outlet, settings.limits, stack.by), lines + EMPTY


class Entity(Sink):
    """Takes header lines first, which replace those of the message that are about its body."""

    def __init__(
        self, message: Request | Response, way: Ways, outlet: Outlet, limits: Limits, by: str
    ) -> None:
        super().__init__(None, outlet, by)
        self._message = message
        self._make = way
        self._limits = limits
        self._begun: bytes | None = b""

    def received(self, data: bytes) -> None:
        """See L{Sink.received}."""
        if self._begun is None or self._refused is not None:
            super().received(data)
            return
        self._begun += data
        try:
            self._begin(self._begun)
        except Malformed as malformed:
            self._break_off(f"the headers of a stacked service: {malformed.reason}")

    def ended(self) -> None:
        """See L{Sink.ended}."""
        if self._begun is None or self._refused is not None:
            super().ended()
        else:
            self._break_off("a stacked service ended within the headers")

    def _break_off(self, why: str) -> None:
        self.denied(why, b"", Outcome.DENIED)

    def _begin(self, begun: bytes) -> None:
        """
        Go on to the body if the headers are complete.

        @raise Malformed: they are none, or too many, or not about the body.
        """
        end = 0 if begun.startswith(EMPTY) else begun.find(END) + len(EMPTY)
        if begun[end : end + len(EMPTY)] == EMPTY:
            headers = parse(begun[:end].decode("latin-1"), self._limits, 0)
            self._begun = None
            self._way = self._make(self._message.with_headers(self._replaced(headers)))
            self.received(begun[end + len(EMPTY) :])
        elif len(begun) > self._limits.head_bytes:
            raise Malformed(f"more than {self._limits.head_bytes} bytes")

    def _replaced(self, new: Headers) -> Headers:
        """
        The message's headers with these.

        @raise Malformed: one is not about the body, or contradicts another one.
        """
        check_singular(new)
        for name, _ in new:
            if not is_about_body(name):
                raise Malformed(f"{name!r} is not about the body")
        headers = self._message.headers
        if new == headers.only(is_about_body):
            return headers
        return Headers((*headers.only(lambda name: not is_about_body(name)), *new))
