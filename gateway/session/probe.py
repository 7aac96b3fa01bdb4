"""
A Probe asks a server for its certificate, by a connection of its own.

The client's connection is not touched: what is decided by the certificate can
still be to leave it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from gateway.agreement import Agreed, Insecure
from gateway.interfaces import SERVER, Address, Side, Unreachable
from gateway.policy.service import Target
from gateway.policy.tls import Terms
from gateway.session.equipment import Equipment
from gateway.tls.credentials import Credentials, Whom
from gateway.wire.connector import Opening, Origin, Reached
from gateway.wire.secure import SecureWire
from gateway.wire.wire import Wire


class Probe:
    """
    One question to one server. It is the owner of its wire.

    @param credentials: of the session's policy.
    """

    active = 0.0

    def __init__(
        self, equipment: Equipment, credentials: Credentials, whom: Whom, terms: Terms
    ) -> None:
        self._equipment = equipment
        self._credentials = credentials
        self._whom = whom
        self._terms = terms
        self._opening: Opening | None = None
        self._reached: Deferred[Reached] = Deferred()
        self._wire: SecureWire | None = None

    def ask(
        self,
        targets: Sequence[Target | Address],
        origin: Origin,
        server_name: str,
    ) -> Deferred[Agreed]:
        """
        Ask.

        @param targets: where the server is.
        @param origin: where the connection comes from.
        @param server_name: what it is told; empty: nothing.
        @return: fires with what was agreed, flaws and all; fails with L{Unreachable} or
            L{Insecure}. Cancel it to give up.
        """
        answer = Deferred.fromCoroutine(self._ask(targets, origin, server_name))
        # Not the session's own timer: it may end before, and nobody would look at the clock.
        call = self._equipment.clock.callLater(self._terms.handshake_seconds, answer.cancel)

        def over(result: Any) -> Any:
            if call.active():
                call.cancel()
            return result

        return answer.addBoth(over)

    async def _ask(
        self, targets: Sequence[Target | Address], origin: Origin, server_name: str
    ) -> Agreed:
        try:
            await self._connect(targets, origin)
            assert self._wire is not None
            endpoint = self._credentials.towards_server(self._whom, server_name, self._terms)
            await self._wire.begin(endpoint, b"")
            return self._credentials.agreed_with_server(endpoint, self._whom)
        except CancelledError:
            seconds = self._terms.handshake_seconds
            raise Insecure(
                f"TLS with the server: time limit: handshake_seconds = {seconds:g}"
            ) from None
        finally:
            self._end()

    async def _connect(self, targets: Sequence[Target | Address], origin: Origin) -> None:
        self._opening = self._equipment.connector.open(
            targets, origin, self._reached.callback, self._missed
        )
        reached = await self._reached
        self._opening = None
        equipment = self._equipment
        wire = Wire(equipment.poller, equipment.ticker, reached.socket, SERVER, self)
        self._wire = SecureWire(wire, self, lambda call: equipment.clock.callLater(0, call))

    def _missed(self, why: str) -> None:
        self._reached.errback(Unreachable(why))

    def _end(self) -> None:
        if self._opening is not None:
            self._opening.abandon()
        if self._wire is not None:
            self._wire.close()

    # What the wire tells, after the handshake: nothing of it matters

    def wire_received(self, side: Side, data: bytes) -> None:
        """Nobody asked for more."""

    def wire_ended(self, side: Side) -> None:
        """It is over in any case."""

    def wire_lost(self, side: Side, error: OSError) -> None:
        """It is over in any case."""

    def wire_full(self, side: Side) -> None:
        """Nothing is sent."""

    def wire_choked(self, side: Side) -> None:
        """It is over in any case."""

    def wire_drained(self, side: Side) -> None:
        """It is over in any case."""
