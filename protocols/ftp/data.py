"""The DataInspector: lets one transfer's bytes through, one way, and counts them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.agreement import Agreed, Insecure, Invalid
from gateway.inspector import Inspector, Terms
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Denied,
    IBody,
    ISession,
    ISink,
    Outcome,
    Side,
    Verdict,
)
from protocols.ftp.transfer import Transfer
from protocols.ftp.verbs import Flow
from protocols.tls.upgrade import ALL, Pair

LONGEST = 3600.0
"""Seconds for a handshake, where answers may take as long as they like."""


class _Held(NamedTuple):
    """
    What came before it was known what for, or before TLS: the end, if there are no data.

    @ivar taken: fires with whether it is what it seems, and not the beginning of TLS.
    """

    side: Side
    data: bytes
    taken: Deferred[Any]


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
        self._held: list[_Held] = []
        self._flows = False
        self._finished = False
        self._body: IBody | None = None

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return self._transfer.about

    def started(self) -> Deferred[Any] | None:
        """One of the two is here; reach the other one."""
        self._transfer.came(self.session, self._begin)
        if self._transfer.flow is not None:
            self._begin()
        return self._transfer.link().addCallback(lambda _: self._go_on())

    def _begin(self) -> None:
        """Bytes may flow."""
        settings, flow = self._transfer.settings, self._transfer.flow
        service = settings.stack_upload if flow is Flow.UPLOAD else settings.stack_download
        if service is not None and flow is not Flow.LISTING and self._body is None:
            envelope = self._transfer.envelope()
            self._body = self.session.stack(service, Passed(self), envelope)
        self._go_on()

    def _go_on(self) -> None:
        """Both sides may be there, and it may be known what for."""
        if self._transfer.flow is None or not self._transfer.linked or self._flows:
            return
        if self._transfer.protected is None:
            self._flow()
        else:
            self._encrypt(self._transfer.protected)

    def _flow(self, plain: Callable[[_Held], bool] = lambda _: True) -> None:
        """
        What was held flows, and what comes.

        @param plain: whether what was held is what it seems, and not the beginning of TLS.
        """
        self._flows = True
        held, self._held = self._held, []
        for each in held:
            each.taken.callback(plain(each))

    # TLS goes on with what was agreed on the control connection: with the server first

    def _encrypt(self, protected: Pair) -> None:
        server = self._side(SERVER)
        if any(each.side is server for each in self._held):
            self.session.deny("the server sent something else than TLS where that was to be spoken")
            return
        agreed = self._secure(server, protected.server, accept=ALL)
        agreed.addCallbacks(partial(self._encrypt_client, protected), self._insecure)

    def _encrypt_client(self, protected: Pair, server: Agreed) -> None:
        """
        The server's side is done. It is whom the control connection is with: nothing else is asked
        of a certificate here, as the policy has been content with that one.
        """
        transfer, client = self._transfer, self._side(CLIENT)
        transfer.agreed[SERVER] = server
        if not server.resumed and server.chain[:1] != protected.server.chain[:1]:
            self.session.deny("the server has another certificate than on the control connection")
            return
        hello = [each.data for each in self._held if each.side is client]
        if not all(hello):
            self.session.deny("the client ended before it had spoken TLS")
            return
        agreed = self._secure(client, protected.client, b"".join(hello))
        agreed.addCallbacks(partial(transfer.agreed.__setitem__, CLIENT), self._insecure)
        self._flow(lambda held: held.side is not client)

    def _secure(
        self, side: Side, former: Agreed, hello: bytes = b"", accept: Collection[Invalid] = ()
    ) -> Deferred[Agreed]:
        # A server begins when it has found the file, which may take it as long as an answer.
        terms = Terms(handshake_seconds=self._transfer.settings.reply_seconds or LONGEST)
        secured: Deferred[Agreed] = self.session.secure(
            side, hello, terms=terms, resume=former, accept=accept
        )
        return secured

    def _side(self, who: Side) -> Side:
        """Where one of the control connection's sides is here."""
        return self._transfer.who(who)  # the two are the same way round, or both the other one

    def _insecure(self, failure: Failure) -> None:
        """TLS with one of the two could not be agreed."""
        if not isinstance(failure.value, Insecure):
            failure.raiseException()
        self.session.close(str(failure.value), Outcome.FAILED)

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """The next piece of a file or a listing."""
        if not self._flows:
            return self._hold(side, data, lambda: self._pass(side, data))
        return self._pass(side, data)

    def ended(self, side: Side) -> Deferred[Any] | None:
        """A side has sent all."""
        self._transfer.ended(side)
        if not self._flows:
            return self._hold(side, b"", lambda: self._end(side))
        self._end(side)
        return None

    def _hold(self, side: Side, data: bytes, then: Callable[[], Any]) -> Deferred[Any]:
        taken: Deferred[Any] = Deferred()
        taken.addCallback(lambda plain: then() if plain else None)
        self._held.append(_Held(side, data, taken))
        return taken

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
            return
        self._transfer.cut = self.session.cut(side)
        if self._body is not None:
            self._body.end()
        else:
            self.finish()

    def finish(self) -> None:
        """The file is complete."""
        self._finished = True
        receiver = self._transfer.sender.other
        self.session.end(receiver)
        self.session.flushed(receiver).addCallback(lambda _: self._transfer.delivered())

    def lost(self, side: Side, verdict: Verdict) -> None:
        """
        A sender that has said its end has said all, whatever it does then: a client that closes
        before it has read its tickets (RFC 8446, section 4.6.1) resets the connection.
        """
        if self._finished and side is self._transfer.sender:
            self.session.done()

    def closed(self, verdict: Verdict) -> None:
        """Tell the control connection."""
        self._held.clear()  # what is held knows this
        self._transfer.closed(verdict)
