"""
A Handshake takes one side of a session from plaintext to TLS.

It waits for its turn, since a client has so many handshakes at one time; then for the
certificate that a client is given; and what was agreed on with a server is looked at
before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from gateway.agreement import Agreed, Insecure, Invalid
from gateway.interfaces import CLIENT, ITimer, Side
from gateway.policy.tls import Terms
from gateway.tls.credentials import Credentials, Whom
from gateway.tls.endpoint import Endpoint
from gateway.tls.minter import Minted
from gateway.tls.signing import SignerError
from gateway.wire.secure import SecureWire
from gateway.wire.turns import Turns


@frozen
class Asked:
    """
    What L{ISession.secure<gateway.interfaces.ISession.secure>} was asked for.

    @ivar server_name: what a server is told; empty: nothing.
    @ivar whom: whom the connection is with.
    @ivar resume: what was agreed on another connection with the same peer.
    """

    side: Side
    hello: bytes
    server_name: str
    whom: Whom
    terms: Terms
    accept: frozenset[Invalid] = frozenset()
    like: Agreed | None = None
    trusted: bool = True
    resume: Agreed | None = None


class Handshake:
    """One handshake."""

    def __init__(
        self, asked: Asked, wire: SecureWire, credentials: Credentials, turns: Turns
    ) -> None:
        self._asked = asked
        self._wire = wire
        self._credentials = credentials
        self._turns = turns
        self._is_client = asked.side is not CLIENT
        self._timer: ITimer | None = None
        self._has_turn = False
        self._ours: Endpoint | None = None

    def start(self, after: Callable[[float, Callable[[], Any]], ITimer]) -> Deferred[Agreed]:
        """
        Begin, as soon as it is this one's turn.

        @param after: a session's way to have something called later.
        @return: fires with what was agreed, or fails with L{Insecure}.
        """
        asked = self._asked
        agreed: Deferred[Any] = self._turns.begin(asked.whom.client)
        agreed.addCallback(self._in_turn).addBoth(self._shaken)
        if not agreed.called or agreed.paused:
            self._timer = after(asked.terms.handshake_seconds, agreed.cancel)
        return agreed.addBoth(self._over)

    def _over(self, result: Any) -> Any:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if isinstance(result, Failure) and isinstance(result.value, Insecure):
            # their frames know the session; Python 3.12 and 3.13 keep all that resumed them
            result.cleanFailure()  # type: ignore[no-untyped-call]
            if result.value.__context__ is not None:
                result.value.__context__.__traceback__ = None
        return result

    # Callbacks, and no coroutine: each new connection has two handshakes.

    def _in_turn(self, _: None) -> Deferred[None]:
        self._has_turn = True
        return self._endpoint().addCallback(self._begin)

    def _begin(self, endpoint: Endpoint) -> Deferred[None]:
        self._ours = endpoint
        return self._wire.begin(endpoint, self._asked.hello)

    def _shaken(self, result: Failure | None) -> Agreed:
        """
        The handshake is over.

        @raise Insecure: nothing is agreed.
        """
        if self._has_turn:
            self._turns.end(self._asked.whom.client)
        if result is None:
            assert self._ours is not None
            return self._judged(self._ours)
        if isinstance(result.value, CancelledError):
            raise self._late()
        if isinstance(result.value, SignerError):
            raise Insecure(f"there is no certificate for the client: {result.value}")
        error = result.value
        assert error is not None
        raise error

    def _late(self) -> Insecure:
        seconds = self._asked.terms.handshake_seconds
        self._wire.give_up()
        return Insecure(
            f"TLS with the {self._asked.side.value}: time limit: handshake_seconds = {seconds:g}"
        )

    def _endpoint(self) -> Deferred[Endpoint]:
        """Our end; it needs a certificate if the other one is a client."""
        asked, credentials = self._asked, self._credentials
        if asked.resume is not None:
            return succeed(self._resuming(asked.resume))
        if self._is_client:
            return succeed(credentials.towards_server(asked.whom, asked.server_name, asked.terms))
        return self._minted().addCallback(
            credentials.towards_client, asked.whom.service, asked.whom.alpn, asked.terms
        )

    def _resuming(self, resume: Agreed) -> Endpoint:
        """
        Our end, where something goes on.

        @raise Insecure: the other connection is over.
        """
        asked, former = self._asked, resume.link()
        if former is None:
            raise Insecure("the connection whose TLS was to go on is over")
        self._is_client = former.is_client
        return self._credentials.going_on(former, asked.whom, asked.server_name)

    def _minted(self) -> Deferred[Minted]:
        like, trusted = self._asked.like, self._asked.trusted
        if like is not None and like.chain:
            return self._credentials.like(like.chain[0], trusted)
        return self._credentials.for_name(self._asked.whom.name, trusted)

    def _judged(self, endpoint: Endpoint) -> Agreed:
        """
        What was agreed.

        @raise Insecure: with a server that is not to be believed.
        """
        asked, credentials = self._asked, self._credentials
        if not self._is_client:
            return credentials.agreed_with_client(endpoint)
        agreed = credentials.agreed_with_server(endpoint, asked.whom)
        flaws = [str(flaw) for flaw in agreed.flaws if flaw.kind not in asked.accept]
        if flaws:
            raise Insecure(f"the server's certificate: {'; '.join(flaws)}", agreed=agreed)
        if asked.resume is None:
            self._wire.parting = partial(credentials.keep, endpoint, asked.whom)
        return agreed
