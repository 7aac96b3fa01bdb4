"""
Listeners: all that a policy needs, opened before the divert sends anybody there.

There is one for each IP version, each protocol that rules name, and each
interface that rules name (and one for all other interfaces), because a socket
doesn't say by which interface a connection came in, and user space must decide
as the kernel did.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from twisted.logger import Logger

from gateway.admission.admission import Admission
from gateway.admission.datagram import DatagramListener
from gateway.admission.listener import Listener
from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.policy.connection import Protocol
from gateway.policy.policy import Policy
from gateway.policy.service import Action

log = Logger()

EVERYWHERE = ("0.0.0.0", "::")


class Place(NamedTuple):
    """Where to listen, and for connections of which interface."""

    address: Address
    protocol: Protocol
    interface: str | None


AnyListener = Listener | DatagramListener

Listening = Callable[[Policy, Place], Socket]
"""Makes the socket of a listener, or has it. Raises C{OSError}."""


class Listeners:
    """
    The listeners of one process.

    What a policy needs no more is I{former}: connections whose handshake is not over still come
    there, and are accepted, until L{settle}.
    """

    def __init__(self, reactor: Any, admission: Admission, listening: Listening) -> None:
        self._reactor = reactor
        self._admission = admission
        self._listening = listening
        self._open: dict[Place, AnyListener] = {}
        self._former: dict[Place, AnyListener] = {}
        self._others: list[AnyListener] = []

    def open(self, policy: Policy) -> None:
        """
        Open those that C{policy} needs and that are not there. They accept
        after L{resume}.

        @raise OSError: a port is taken, or privileges are missing.
        """
        for place in places(policy):
            if place in self._open or place in self._former:
                continue
            check_free(place, (*self._open, *self._former))
            try:
                self._open[place] = self._listen(place, self._listening(policy, place))
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                log.info("not listening at {host}: no IPv6 here", host=place.address.host)

    def open_others(self, others: Iterable[tuple[Place, Socket]]) -> None:
        """Accept at these as well, after L{resume} and until L{settle}: nobody else does."""
        self._others += [self._listen(*each) for each in others]

    def _listen(self, place: Place, sock: Socket) -> AnyListener:
        kind = DatagramListener if place.protocol is Protocol.UDP else Listener
        return kind(self._reactor, sock, self._admission, place.interface)

    def resume(self) -> None:
        """Accept."""
        for listener in (*self._open.values(), *self._others):
            listener.resume()

    def abandon(self, policy: Policy) -> None:
        """Close what was opened for another policy than this one, which stays in force."""
        for place in self._open.keys() - places(policy):
            self._open.pop(place).stop()

    def switch(self, policy: Policy) -> None:
        """Accept for this policy; what it does not need is former."""
        there, needed = {**self._former, **self._open}, places(policy)
        self._open = {place: there[place] for place in there if place in needed}
        self._former = {place: there[place] for place in there if place not in needed}
        self.resume()

    def settle(self) -> None:
        """Nobody comes to what is former any more."""
        for listener in (*self._former.values(), *self._others):
            listener.stop()
        self._former.clear()
        self._others.clear()

    def stop(self) -> None:
        """Accept no more."""
        self.settle()
        for listener in self._open.values():
            listener.stop()
        self._open.clear()


def check_free(place: Place, there: Iterable[Place]) -> None:
    """
    Make sure that C{place} is none of those that are C{there}, for another interface: of what
    waits there nobody could tell by which interface it came.

    @raise OSError: it is one of them.
    """
    for other in there:
        if (other.address, other.protocol) == (place.address, place.protocol):
            raise OSError(
                errno.EADDRINUSE,
                f"gateway.toml: divert.port: port {place.address.port} is for connections by "
                f"{_by(other)} until now, and would be for those by {_by(place)}: choose another "
                "divert.port, so that no port is in both ranges, or restart",
            )


def _by(place: Place) -> str:
    return "other interfaces" if place.interface is None else place.interface


def listen(policy: Policy, place: Place, group: bool = False) -> Socket:
    """
    A new socket for a listener at C{place}.

    @param group: it is one of several there.
    @raise OSError: the port is taken, or privileges are missing.
    """
    mark = policy.divert.listener_mark.value
    try:
        if place.protocol is Protocol.UDP:
            return sockets.listen_datagrams(place.address, mark, group)
        return sockets.listen(place.address, mark, policy.limits.backlog, group)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        where = f"{place.protocol.value} {place.address}"
        raise OSError(error.errno, f"can't listen at {where}: {error.strerror}") from None


def places(policy: Policy) -> set[Place]:
    """Where a policy needs listeners. TCP is always there, for the port to be ours."""
    protocols = {Protocol.TCP} | {
        rule.protocol
        for rule in policy.rules
        if policy.services[rule.service].action is Action.INSPECT
    }
    return {
        Place(Address(host, policy.divert.port + index), protocol, interface)
        for index, interface in enumerate((None, *policy.interfaces))
        for protocol in protocols
        for host in EVERYWHERE
    }
