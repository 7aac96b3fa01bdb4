"""
Arrivals: clients that have shaken hands with their servers, as the usher brings them.

What a L{Listener<gateway.admission.listener.Listener>} is for those that the gateway has accepted.
No server has heard of its client's acknowledgement before the usher has heard the answer, so
limits are asked first.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from gateway.admission.admission import TCP, Admission
from gateway.admission.listener import AT_ONCE
from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.companion import CompanionError, first_words
from gateway.kernel.handshake.words import (
    Brought,
    decided,
    read_brought,
    said,
    take,
)
from gateway.kernel.packets import DESCRIPTORS, parsed
from gateway.observe.identity import Identity
from gateway.observe.log import PrintableLogger
from gateway.observe.metrics import Refusal

log = PrintableLogger()

LEAVE_SECONDS = 0.5
"""For an usher to say that it brings nobody any more; it does nothing that takes long."""

AGAIN = 1.0
"""Seconds between two attempts to reach an usher that is a service of its own."""

Message = dict[str, Any]


class UsherError(Exception):
    """There is no usher; the message is for the operator."""


@implementer(IReadDescriptor)
class Arrivals:
    """
    The gateway's end of the connection to its usher.

    @param worker: which one this process is, and of how many.
    @param again: connects anew to an usher that is a service of its own; C{None} if it ends with
        this process.
    """

    def __init__(
        self,
        reactor: Any,
        admission: Admission,
        again: Callable[[], socket.socket] | None,
        worker: tuple[int, int] = (0, 1),
    ) -> None:
        self._reactor = reactor
        self._admission = admission
        self._again = again
        self._worker = worker
        self._connection: socket.socket | None = None
        self._accepting = self._missed = False
        self._call: Any = None

    # The beginning

    def greet(self, connection: socket.socket) -> None:
        """
        Wait for an usher's first words. It blocks: for before the reactor runs.

        @raise UsherError: it can't do its work; its standard error says why.
        """
        try:
            first_words(connection)
        except CompanionError as error:
            connection.close()
            raise UsherError(str(error)) from None
        self._begin(connection)

    def reach(self) -> None:
        """Connect to an usher that is a service, now or as soon as it is there."""
        assert self._again is not None
        try:
            self._begin(self._again())
        except OSError as error:
            if not self._missed:
                log.error(
                    "the usher can't be reached: {why}; until it is there, clients of services "
                    'with handshake = "through" are not connected. See "systemctl status '
                    'tproxygw-usher"',
                    why=error.strerror,
                )
            self._missed = True
            self._await()

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._missed = False
        if self._accepting:
            self._want()

    def accept(self) -> None:
        """Take who is brought, from now on."""
        self._accepting = True
        if self._connection is not None:
            self._want()

    def _want(self) -> None:
        """Say so."""
        index, count = self._worker
        steer = self._admission.policy.workers.steer
        self._say(said({"worker": index, "of": count, "steer": steer}))
        self.resume()

    def resume(self) -> None:
        """There is room again."""
        if self._connection is not None:
            self._reactor.addReader(self)

    # As a descriptor, for the reactor

    def fileno(self) -> int:
        """Of the connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def logPrefix(self) -> str:
        """For the log."""
        return "usher"

    def connectionLost(self, reason: Any) -> None:
        """The reactor saw that it is over."""
        self._break("it has ended")

    def doRead(self) -> None:
        """The usher has brought somebody, or is gone."""
        register = self._admission.register
        try:
            for _ in range(AT_ONCE):
                if self._connection is None:
                    return
                if not register.claim():
                    self._reactor.removeReader(self)
                    register.wait(self)
                    return
                self._hear(*take(self._connection))
        except BlockingIOError:
            pass
        except (EOFError, OSError, ValueError) as error:
            self._break(str(error) or "it has ended")
        finally:
            register.unclaim()

    def _hear(self, data: bytes, descriptors: Sequence[int]) -> None:
        """
        @raise ValueError: an usher says nothing like that.
        """
        if len(descriptors) == DESCRIPTORS:
            self._bring(data, *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        told = parsed(data)
        if "began" in told:  # perhaps another process, in the place of one that was killed
            if self._accepting:
                self._want()
        elif "left" in told:
            self._accepting = False
        else:
            self._missing(told)

    def _missing(self, told: Message) -> None:
        """
        @raise ValueError: an usher says nothing like that.
        """
        try:
            ends = Address(*told["client"]), Address(*told["server"])
            self._lost(*ends, str(told["missed"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the usher says what nobody understands: {error}") from None

    def _bring(self, data: bytes, near: int, far: int) -> None:
        try:
            brought = read_brought(data)
        except ValueError:
            os.close(near)
            os.close(far)
            raise
        family = sockets.family_of(brought.client.host)
        both = sockets.taken(near, family), sockets.taken(far, family)
        self._say(decided(brought.number, self._admit(both, brought)))

    def _admit(self, both: tuple[sockets.Socket, sockets.Socket], brought: Brought) -> bool:
        admission = self._admission
        policy = admission.policy
        client, server = brought.client, brought.server
        named = self._named(brought.interface) if policy.interfaces else None
        near, far = both
        try:
            return admission.admit(near, client, server, named, policy.divert.port, far)
        except Exception:  # else nobody would be brought any more
            for sock in both:
                sockets.reset(sock)
            admission.not_admitted(client, server, TCP)
            return False

    def _named(self, interface: int) -> str | None:
        """The name of an interface, if rules name it."""
        try:
            name = socket.if_indextoname(interface)
        except OSError:
            return None
        return name if name in self._admission.policy.interfaces else None

    def _lost(self, client: Address, server: Address, why: str) -> None:
        admission = self._admission
        identity = Identity(admission.register.number(), client, server, TCP, "")
        admission.refuse(identity, Refusal.HANDSHAKE, f"its ends could not be taken over: {why}")

    def _say(self, data: bytes) -> None:
        if self._connection is None:
            return
        try:
            self._connection.send(data)
        except OSError as error:
            self._break(error.strerror or str(error))

    # The end

    def _break(self, why: str) -> None:
        if self._connection is None:
            return
        log.error(
            'the usher is gone: {why}. Clients of services with handshake = "through" are not '
            "connected until {until}",
            why=why,
            until="it is back" if self._again else "the gateway is restarted",
        )
        self._close()
        self._await()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._reactor.removeReader(self)
            connection.close()

    def _await(self) -> None:
        """An usher that is a service may be back."""
        if self._again is not None:
            self._call = self._reactor.callLater(AGAIN, self.reach)

    def stop(self) -> None:
        """
        Take nobody any more; it ends an usher that was started by this process. Who has been
        brought before is taken: it blocks for the moment that the usher needs to say that this
        was all.
        """
        self._again = None
        if self._call is not None and self._call.active():
            self._call.cancel()
        if self._connection is not None and self._accepting:
            self._connection.settimeout(LEAVE_SECONDS)
            self._say(said({"leaves": True}))
        register = self._admission.register
        try:
            while self._connection is not None and self._accepting and register.claim():
                self._hear(*take(self._connection))
        except (EOFError, OSError, ValueError):
            pass
        finally:
            register.unclaim()
        self._close()
