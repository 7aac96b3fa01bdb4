"""
The inspector of DNS by UDP.

A client's port is a session as long as queries of it wait for their answers, and a
moment longer: a resolver takes another port for each query.
"""

from __future__ import annotations

from typing import ClassVar

from zope.interface import implementer

from gateway.interfaces import (
    CLIENT,
    SERVER,
    IDatagramInspector,
    IDatagramSession,
    ITimer,
    Outcome,
    Side,
    Verdict,
)
from protocols.dns.answering import Unasked
from protocols.dns.dialogue import Dialogue
from protocols.dns.refusal import Refusal
from protocols.dns.settings import DnsSettings
from protocols.dns.shared import Shared


@implementer(IDatagramInspector)
class DnsDatagrams:
    """The queries of one port, and their answers. A message that is refused ends no session."""

    Settings: ClassVar[type] = DnsSettings
    Shared: ClassVar[type] = Shared
    brief: ClassVar[bool] = True

    def __init__(self, session: IDatagramSession) -> None:
        self.session = session
        self._settings: DnsSettings = session.settings
        self._dialogue = Dialogue(session, stream=False)
        self._connected = False
        self._active = 0.0
        self._timer: ITimer | None = None

    def started(self) -> None:
        """Nothing is connected before something was asked that may be."""

    def received(self, side: Side, datagram: bytes) -> None:
        """A query, or an answer."""
        self._active = self.session.now
        if side is CLIENT:
            self._asked(datagram)
        else:
            self._answered(datagram)
        self._wait()

    def _asked(self, datagram: bytes) -> None:
        try:
            asked = self._dialogue.ask(datagram)
        except Refusal:
            return  # it is recorded; nobody could be answered
        if isinstance(asked, bytes):
            self.session.send(CLIENT, asked)
            return
        pending = self._dialogue.pending
        pending.put(asked)
        oldest = pending.oldest
        if oldest is not None and len(pending) > self._settings.pending:
            self._dialogue.give_up(oldest, f"more than pending = {self._settings.pending} wait")
        if not self._connected:
            self._connected = True
            self.session.connect()
        self.session.send(SERVER, asked.onward)

    def _answered(self, datagram: bytes) -> None:
        try:
            self.session.send(CLIENT, self._dialogue.answer(datagram))
        except Unasked:
            return  # it is recorded; the right one may still come

    # Time

    def _wait(self) -> None:
        """Look again when the session may be over."""
        rest = self._settings.rest_seconds
        if not rest and not len(self._dialogue.pending):
            self._over()
        elif self._timer is None:
            self._timer = self.session.after(rest or self._settings.answer_seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        self._dialogue.expire()
        idle = self.session.now - self._active
        if not len(self._dialogue.pending) and idle >= self._settings.rest_seconds:
            self._over()
        else:
            self._wait()

    def _over(self) -> None:
        self.session.close("", Outcome.PASSED)

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return self._dialogue.about

    def closed(self, verdict: Verdict) -> None:
        """Record what was not answered."""
        self._timer = None
        self._dialogue.closed(verdict.reason or verdict.outcome.value)
