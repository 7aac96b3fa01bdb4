"""
Listeners: all that a policy needs, opened before the divert sends anybody there.

There is one for each IP version, each protocol that rules name, and each
interface that rules name (and one for all other interfaces), because a socket
doesn't say by which interface a connection came in, and user space must decide
as the kernel did.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
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


Listening = Callable[[Policy, Place], Socket]
"""Makes the socket of a listener, or has it. Raises C{OSError}."""


class Listeners:
    """The listeners of one process."""

    def __init__(self, reactor: Any, admission: Admission, listening: Listening) -> None:
        self._reactor = reactor
        self._admission = admission
        self._listening = listening
        self._open: dict[Place, Listener | DatagramListener] = {}

    def open(self, policy: Policy) -> None:
        """
        Open those that C{policy} needs and that are not there. They accept
        after L{resume}.

        @raise OSError: a port is taken, or privileges are missing.
        """
        for place in places(policy):
            if place not in self._open:
                try:
                    self._open[place] = self._listen(policy, place)
                except OSError as error:
                    if error.errno != errno.EAFNOSUPPORT:
                        raise
                    log.info("not listening at {host}: no IPv6 here", host=place.address.host)

    def _listen(self, policy: Policy, place: Place) -> Listener | DatagramListener:
        sock = self._listening(policy, place)
        kind = DatagramListener if place.protocol is Protocol.UDP else Listener
        return kind(self._reactor, sock, self._admission, place.interface)

    def resume(self) -> None:
        """Accept."""
        for listener in self._open.values():
            listener.resume()

    def close_unneeded(self, policy: Policy) -> None:
        """Close those that C{policy} does not need."""
        for place in self._open.keys() - places(policy):
            self._open.pop(place).stop()

    def stop(self) -> None:
        """Accept no more."""
        for listener in self._open.values():
            listener.stop()
        self._open.clear()


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
