"""The DataInspector: lets one transfer's bytes through, one way, and counts them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.inspector import Inspector
from gateway.interfaces import Denied, IBody, ISession, ISink, Outcome, Side, Verdict
from protocols.ftp.transfer import Transfer
from protocols.ftp.verbs import Flow


@implementer(ISink)
class Passed:
    """Takes what a stacked inspector lets through of a file."""

    def __init__(self, inspector: DataInspector) -> None:
        self._inspector = inspector

    def received(self, data: bytes) -> None:
        """To whom the file is meant for."""
        self._inspector.send(data)

    def ended(self) -> None:
        """That was all."""
        self._inspector.finish()

    def flushed(self) -> Deferred[None]:
        """See L{ISink.flushed}."""
        return self._inspector.flushed()

    def denied(self, reason: str, reply: bytes, outcome: Outcome) -> None:
        """The file may not pass."""
        self._inspector.refuse(reason, reply)


class DataInspector(Inspector):
    """
    Bytes wait until it is known which way they may go. What goes the other way
    is denied.
    """

    def __init__(self, session: ISession, transfer: Transfer) -> None:
        super().__init__(session)
        self._transfer = transfer
        self._held: list[Deferred[None]] = []
        self._body: IBody | None = None

    def started(self) -> Deferred[Any] | None:
        """One of the two is here; reach the other one."""
        self._transfer.came(self.session, self._begin)
        if self._transfer.flow is not None:
            self._begin()
        return self._transfer.link()

    def _begin(self) -> None:
        """Bytes may flow."""
        settings, flow = self._transfer.settings, self._transfer.flow
        service = settings.stack_upload if flow is Flow.UPLOAD else settings.stack_download
        if service is not None and flow is not Flow.LISTING and self._body is None:
            envelope = self._transfer.envelope()
            self._body = self.session.stack(service, Passed(self), envelope)
        held, self._held = self._held, []
        for waiting in held:
            waiting.callback(None)

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """The next piece of a file or a listing."""
        if self._transfer.flow is None:
            return self._hold(lambda: self._pass(side, data))
        return self._pass(side, data)

    def ended(self, side: Side) -> Deferred[Any] | None:
        """A side has sent all."""
        self._transfer.ended(side)
        if self._transfer.flow is None:
            return self._hold(lambda: self._end(side))
        self._end(side)
        return None

    def _hold(self, then: Any) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        waiting.addCallback(lambda _: then())
        self._held.append(waiting)
        return waiting

    def _pass(self, side: Side, data: bytes) -> Deferred[Any] | None:
        if side is not self._transfer.sender:
            raise Denied(f"data against the direction of {self._transfer.command}")
        passing = self._transfer.admit(len(data))
        if passing < len(data):
            self._forward(data[:passing])
            raise self._transfer.exceeded()
        return self._forward(data)

    def _forward(self, data: bytes) -> Deferred[Any] | None:
        if self._body is not None:
            return self._body.send(data)
        self.send(data)
        return None

    def send(self, data: bytes) -> None:
        """To the side that does not send."""
        self._transfer.passed += len(data)
        self.session.send(self._transfer.sender.other, data)

    def flushed(self) -> Deferred[None]:
        """Fires when the side that does not send has what was sent to it."""
        return self.session.flushed(self._transfer.sender.other)

    def refuse(self, reason: str, words: bytes) -> None:
        """
        The stacked inspector does not let it pass. The side that does not send sees a reset, so
        that it takes nothing for a whole file.

        @param words: for the client.
        """
        self._transfer.refuse(words)
        self.session.deny(reason)

    def _end(self, side: Side) -> None:
        if side is not self._transfer.sender:
            self.session.end(side.other)
        elif self._body is not None:
            self._body.end()
        else:
            self.finish()

    def finish(self) -> None:
        """The file is complete."""
        receiver = self._transfer.sender.other
        self.session.end(receiver)
        self.session.flushed(receiver).addCallback(lambda _: self._transfer.delivered())

    def closed(self, verdict: Verdict) -> None:
        """Tell the control connection."""
        self._held.clear()  # what is held knows this
        self._transfer.closed(verdict)
