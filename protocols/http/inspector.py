"""
HttpInspector: HTTP/1.0 and 1.1 on one session.

The client's direction is L{protocols.http.http1.asking}, the server's
L{protocols.http.http1.answering}. What both know is the L{Dialogue}.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, ISession, Outcome, Side, Verdict
from protocols.http.decision import IDecisions
from protocols.http.http1.answering import Answering
from protocols.http.http1.asking import Asking
from protocols.http.http1.dialogue import Dialogue
from protocols.http.http1.plain import Plain
from protocols.http.http1.watch import watch
from protocols.http.judging import judge
from protocols.http.policy.decisions import Decisions
from protocols.http.policy.settings import HttpSettings
from protocols.http.shared import Shared


class HttpInspector(StreamInspector):
    """Requests and responses: understood, decided, written anew."""

    Settings: ClassVar[type] = HttpSettings
    Shared: ClassVar[type] = Shared

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        decisions, shared = self.decisions(session), session.shared
        self.dialogue = Dialogue(session, decisions)
        self._plain: Plain | None = None
        if shared.tables is not None and decisions.plans is shared.plans:
            self._plain = Plain(self.dialogue, shared.tables)

    @staticmethod
    def judge(settings: HttpSettings, connection: Any, asks: Any) -> Any:
        """For C{tproxygw explain}; see L{protocols.http.judging}."""
        return judge(settings, connection.source, connection.destination, asks)

    def decisions(self, session: ISession) -> IDecisions:
        """Who decides in C{session}: the policy, by the settings of the service."""
        plans = session.shared.plans
        return Decisions(session.settings, session.server, session.compute, session.hit, plans)

    def started(self) -> None:
        """Nothing to connect for yet: in HTTP, the client speaks first."""
        watch(self.dialogue, self.reads)

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """What is plain needs no coroutine."""
        plain = self._plain
        if plain is not None:
            data = plain.asked(data) if side is CLIENT else plain.answered(data)
            if not data:
                return None
        return super().received(side, data)

    def reads(self, side: Side) -> bool:
        """See L{StreamInspector.reads}."""
        if side is SERVER and self._plain is not None and self._plain.left:
            return True
        return super().reads(side)

    def from_client(self, read: Reader) -> Coroutine[Any, Any, None]:
        """See L{Asking}."""
        return Asking(self.dialogue, read).run()

    def from_server(self, read: Reader) -> Coroutine[Any, Any, None]:
        """See L{Answering}."""
        return Answering(self.dialogue, read, self._leave, self._begin_again).run()

    def _leave(self, service: str) -> None:
        """What follows is another protocol; C{service} inspects it, if there is one."""
        if service:
            self.hand_over(service)
        else:
            self.release()

    def lost(self, side: Side, verdict: Verdict) -> Deferred[Any] | None:
        """
        A client that has nothing of the answer yet reads that there will be none. One that has some
        gets all that came, before it hears that this was not all.
        """
        dialogue = self.dialogue
        if side is CLIENT or dialogue.left:
            return None
        current, oldest = dialogue.current, dialogue.pending.oldest
        if dialogue.last or (current is not None and current.answered):
            # and complete: a reset could take it from the client
            self.session.close(verdict.reason, Outcome.FAILED)
        elif oldest is None:
            return self._outlived()
        elif not oldest.answering:
            if not dialogue.asks_again(oldest, begun=self.unread(SERVER) > 0):
                dialogue.unanswered(oldest, f"{verdict.reason}, before it had answered")
        elif oldest.delimited:
            dialogue.break_off(oldest, verdict.reason)
        else:
            return self.session.flushed(CLIENT)
        return None

    def _begin_again(self) -> None:
        """With the next server, if there is to be one."""
        self.dialogue.answering = False
        self.begin_again(SERVER)

    def _outlived(self) -> Deferred[Any] | None:
        """The server is lost, and nothing is missed: whether the client's connection goes on."""
        bond = self.dialogue.bond
        if not bond.outlived:
            return None
        bond.part(gone=True)
        self._begin_again()
        return Deferred()  # which nobody fires: another server, or the client, ends that

    def ended(self, side: Side) -> Deferred[Any] | None:
        """With a client that leaves between two requests, all is done."""
        if side is CLIENT and self.dialogue.rests:
            self.session.done()
            return None
        if side is SERVER and self._plain is not None and self._plain.left:
            self._plain.broken_off()
            return None
        return super().ended(side)

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return self.dialogue.about

    def closed(self, verdict: Verdict) -> None:
        """Record what was not completed."""
        self.dialogue.closed(verdict.reason or "the connection ended")
        super().closed(verdict)
