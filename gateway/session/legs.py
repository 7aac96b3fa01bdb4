"""Legs: the two plain sides of a released session, which the kernel may take over."""

from __future__ import annotations

from gateway.kernel.sockets import Socket
from gateway.session import gate as reason
from gateway.session.gate import Gate
from gateway.wire.poller import Poller
from gateway.wire.wire import Wire

_FULL = reason.CLIENT_FULL | reason.SERVER_FULL


class Legs:
    """
    @param wires: the client's and the server's.
    @param gates: theirs.
    """

    def __init__(self, poller: Poller, wires: tuple[Wire, Wire], gates: tuple[Gate, Gate]) -> None:
        self._poller = poller
        self._wires = wires
        self._gates = gates

    @property
    def half_closed(self) -> bool:
        """Whether one of them has ended, or is about to."""
        return not all(wire.whole for wire in self._wires)

    @property
    def standing(self) -> tuple[tuple[Socket, Socket], tuple[int, int]] | None:
        """
        Their sockets, the client's first, and how many bytes wait for each; C{None}: something of
        the inspector's is still on its way.
        """
        if any(gate.reasons & ~_FULL for gate in self._gates):
            return None
        client, server = self._wires
        return (client.socket, server.socket), (client.waiting, server.waiting)

    def hold(self) -> None:
        """Touch the sockets no more."""
        for wire, gate in zip(self._wires, self._gates, strict=True):
            gate.shut(reason.PASSING)
            self._poller.remove_writer(wire)

    def go_on(self) -> None:
        """Use them again."""
        for wire, gate in zip(self._wires, self._gates, strict=True):
            # if nothing waits, it is taken off again
            self._poller.add_writer(wire)
            gate.open(reason.PASSING)

    def let_go(self) -> None:
        """Touch them never more; they vanish. The carrier has them too: closing is not enough."""
        self.hold()
        for wire in self._wires:
            self._poller.forget(wire.fd)

    def drop(self) -> None:
        """Close them, which nobody will notice."""
        for wire in self._wires:
            wire.close()
