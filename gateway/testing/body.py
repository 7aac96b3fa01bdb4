"""FakeBody: a body for the inspector of another service."""

from __future__ import annotations

from attrs import define
from zope.interface import implementer

from gateway.envelope import NO_ENVELOPE, Envelope
from gateway.interfaces import IBody, ISink


@implementer(IBody)
@define
class FakeBody:
    """A body for the inspector of another service; here, it passes as it is."""

    service: str
    sink: ISink
    envelope: Envelope = NO_ENVELOPE
    data: bytes = b""
    ended: bool = False
    cancelled: bool = False

    def send(self, data: bytes) -> None:
        """See L{IBody.send}."""
        self.data += data
        self.sink.received(data)

    def end(self) -> None:
        """See L{IBody.end}."""
        self.ended = True
        self.sink.ended()

    def cancel(self) -> None:
        """See L{IBody.cancel}."""
        self.cancelled = True
