"""Dialogue: the queries of one client's port or connection, and their answers."""

from __future__ import annotations

from protocols.dns.answering import Answering
from protocols.dns.asking import Asking
from protocols.dns.exchange import Exchange, Pending
from protocols.dns.name import shown
from protocols.dns.record import kind_text
from protocols.dns.session import Session
from protocols.dns.settings import DnsSettings
from protocols.dns.story import Story


class Dialogue:
    """
    It is told messages, and gives back those that are to be sent. Who sends them, and when all is
    over, is for L{protocols.dns.inspector} (TCP) and L{protocols.dns.datagrams} (UDP) to say.

    @param stream: they come by TCP.
    @ivar pending: what is not answered yet.
    """

    def __init__(self, session: Session, stream: bool) -> None:
        self._session = session
        self._settings: DnsSettings = session.settings
        self._story = Story(session)
        self.pending = Pending(self._settings.exact_case)
        self._asking = Asking(session, self._story, stream)
        self._answering = Answering(session, self._asking, self.pending, self._story, stream)

    def ask(self, data: bytes) -> Exchange | bytes:
        """See L{Asking.ask}. The exchange is not pending yet."""
        return self._asking.ask(data)

    def answer(self, data: bytes) -> bytes:
        """See L{Answering.answer}."""
        return self._answering.answer(data)

    @property
    def about(self) -> str:
        """What waits, for an operator who looks into the session."""
        oldest, asked = self.pending.oldest, f"query {self._asking.count}"
        if oldest is None:
            return f"{asked}; all is answered"
        question, seconds = oldest.question, self._session.now - oldest.since
        what = f"{shown(question.name)} {kind_text(question.kind)}"
        return f"{asked}; {len(self.pending)} not answered, {what} for {seconds:.0f} s"

    def expire(self) -> list[Exchange]:
        """Forget what has waited for too long: which exchanges that were."""
        seconds = self._settings.answer_seconds
        late = self._session.now - seconds
        found = [each for each in self.pending.every if each.since <= late]
        for exchange in found:
            self.give_up(exchange, f"no answer: answer_seconds = {seconds:g}")
        return found

    def give_up(self, exchange: Exchange, reason: str) -> None:
        """There will be no answer."""
        self.pending.remove(exchange)
        self._story.failed(exchange, reason)

    def closed(self, reason: str) -> None:
        """All is over: record what was not answered."""
        for exchange in self.pending.every:
            self.give_up(exchange, reason)
        self._answering.closed()
