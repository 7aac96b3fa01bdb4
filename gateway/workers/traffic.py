"""
Traffic: the sessions of one process, and all that they need.

Of the process that C{twistd} runs, if that is the only one, or of a worker.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from gateway.admission.admission import Admission
from gateway.admission.listeners import Listeners, Listening, Place
from gateway.counts import KERNEL, Counts
from gateway.kernel import descriptors
from gateway.kernel.errors import KernelError
from gateway.kernel.sockets import Socket
from gateway.life.linger import Linger
from gateway.life.loaded import Loaded
from gateway.life.options import Places
from gateway.life.releasing import Releasing
from gateway.observe.audit import Audit
from gateway.observe.metrics import Metrics
from gateway.policy.policy import Policy
from gateway.release.passage import NO_PASSAGES, NoPassages
from gateway.release.passages import Passages
from gateway.scanning.tools import room
from gateway.session.computing import Computing
from gateway.session.equipment import Equipment
from gateway.session.ticker import Ticker
from gateway.tls.keyring import Keyring
from gateway.wire import names
from gateway.wire.connector import Connector
from gateway.wire.names import Names
from gateway.wire.poller import Poller
from gateway.wire.turns import Turns
from gateway.workers.ushering import Ushering

log = Logger()

COLLECT_AFTER = 10_000
"""Objects more than there were, after which the collector of circles looks for some."""


class Traffic:
    """
    @param listening: makes the sockets of listeners, or has them.
    @param counts: what is limited.
    @param numbers: the ids of sessions; C{None}: from the clock on.
    @param alone: whether no other process accepts connections at the same places.
    @param signer: a connection to the signer that is there already.
    @param worker: which one it is, and of how many.
    @ivar admission: where sessions begin; its register has them all.
    """

    def __init__(
        self,
        reactor: Any,
        policy: Policy,
        places: Places,
        audit: Audit,
        metrics: Metrics,
        listening: Listening,
        counts: Counts,
        numbers: Iterator[int] | None = None,
        alone: bool = True,
        signer: socket.socket | None = None,
        worker: tuple[int, int] = (0, 1),
    ) -> None:
        self._reactor = reactor
        self._signer = signer
        self._places = places
        self._audit = audit
        self._metrics = metrics
        self._counts = counts
        self._ticker = Ticker(reactor, monotonic)
        self._poller = Poller(reactor)
        self._room = room(reactor, policy.spool, metrics.scans, counts)
        self._keyring = Keyring(reactor)
        self._computing = Computing(reactor)
        self._looking_up = Computing(reactor, names.THREADS, names.MOST_WAITING)
        self._releasing = Releasing(
            reactor,
            policy,
            places.carrier,
            lambda: self.admission,
            lambda: self.admission.register.give_room(),
            self._in_kernel,
            alone,
        )
        equipment = evolve(self._equipment(policy), alone=alone)
        if numbers is not None:
            equipment = evolve(equipment, numbers=numbers)
        self.admission = Admission(equipment, policy, 0)
        self._ushering = Ushering(reactor, policy, places.usher, self.admission, worker)
        self._listeners = Listeners(reactor, self.admission, listening)
        self._linger = Linger(reactor, self.settle)

    def _equipment(self, policy: Policy) -> Equipment:
        divert = policy.divert
        looked_up = Names(self._looking_up.compute)
        releasing = self._releasing
        return Equipment(
            reactor=self._reactor,
            clock=self._reactor,
            ticker=self._ticker,
            connector=Connector(
                *(self._poller, divert.upstream_mark.value, looked_up),
                releasing.ports,
                releasing.bare_mark,
            ),
            audit=self._audit,
            metrics=self._metrics,
            poller=self._poller,
            listener_mark=divert.listener_mark.value,
            upstream_mark=divert.upstream_mark.value,
            compute=self._computing.compute,
            names=looked_up,
            credentials=self._keyring.credentials,
            turns=Turns(policy.tls.handshakes_per_client),
            room=self._room,
            passages=releasing.passages or NO_PASSAGES,
            counts=self._counts,
        )

    def _in_kernel(self, more: int) -> None:
        """So many sessions more go on without this process."""
        if more > 0:
            self._counts.add(KERNEL, more)
        else:
            self._counts.less(KERNEL, -more)

    # The beginning

    def open(self, owner: tuple[int, int] | None = None) -> None:
        """
        What needs privileges that are given up afterwards.

        @param owner: the user and group that the process will switch to, if any.
        @raise OSError: a port is taken, or something else can't be had.
        @raise gateway.tls.signing.SignerError: there is nobody who signs.
        """
        policy, places = self.admission.policy, self._places
        self.admission.register.descriptors = descriptors.for_sessions()
        self._listeners.open(policy)
        self._keyring.open(places.directory, policy.tls, self._signer or places.signer)
        self._releasing.open(places.directory, places.state)
        self._ushering.open(places.directory, places.state)

    def start(self) -> None:
        """With no more privileges than traffic needs, get ready to accept. Starts threads."""
        self._computing.start()
        self._looking_up.start()

    def open_others(self, others: Iterable[tuple[Place, Socket]]) -> None:
        """Accept at these as well, until L{settle}."""
        self._listeners.open_others(others)

    def settle(self) -> None:
        """Nobody comes any more to where only a former policy brings him."""
        self._listeners.settle()

    def accept(self) -> None:
        """Accept."""
        self._listeners.resume()
        self._ushering.accept()
        self._releasing.accept()

    # Reload

    def prepare(self, loaded: Loaded, anew: bool = False) -> Deferred[None]:
        """
        Get ready for a new policy.

        @param anew: with the code that is installed now: one process can't.

        @return: fails with C{OSError}: it can't be; nothing has changed then but for L{abandon}.
        """
        if anew:
            raise KernelError(
                "only workers can be upgraded: with [workers] count = 1 it must be restarted"
            )
        self._linger.stop()  # what was to be given up may be needed
        self._listeners.open(loaded.policy)
        return succeed(None)

    def abandon(self) -> None:
        """The new policy does not come into force."""
        self._listeners.abandon(self.admission.policy)
        self._linger.begin()

    def switch(self, loaded: Loaded) -> Deferred[None]:
        """New sessions get the new policy."""
        policy = loaded.policy
        self.admission.policy = policy
        self._room.adopt(policy.spool)
        self.admission.equipment.turns.most = policy.tls.handshakes_per_client
        self._listeners.switch(policy)
        self._linger.begin()
        self.admission.register.give_room()
        self._releasing.reloaded(policy)
        return succeed(None)

    @property
    def passages(self) -> Passages | NoPassages:
        """The sessions that the kernel has."""
        return self.admission.equipment.passages

    rest = 0.0
    """For how many seconds other processes should not be asked again: there are none."""

    def give_room(self) -> None:
        """Some room may have come for more sessions."""
        self.admission.register.give_room()

    def text(self) -> Deferred[bytes]:
        """All metrics in Prometheus's text format."""
        return succeed(self._metrics.text())

    # The end

    @inlineCallbacks
    def drain(self, seconds: float | None) -> Any:
        """
        Accept no more, and let sessions end.

        @param seconds: end those that are left after so long; C{None}: never.
        """
        self._linger.stop()
        self._listeners.stop()
        self._ushering.stop()
        self._releasing.leave(stopping=seconds is not None)
        yield self._drained(seconds)
        self.admission.stop()
        self._room.stop()
        self._releasing.close()
        yield self._in_thread(self._releasing.wait)
        yield self._in_thread(self._ushering.wait)
        yield self._in_thread(self._computing.stop)

    def _drained(self, seconds: float | None) -> Deferred[None]:
        register = self.admission.register
        if seconds is None:
            return register.drain()
        register.stopping()
        running = len(register.running)
        if running:
            log.info(
                "stopping: {running} sessions have {seconds} seconds to end",
                running=running,
                seconds=seconds,
            )
        drained = register.drain()
        call = self._reactor.callLater(seconds, self.admission.stop)

        def done(result: Any) -> Any:
            if call.active():
                call.cancel()
            return result

        return drained.addBoth(done)

    @inlineCallbacks
    def close(self) -> Any:
        """There are no sessions any more."""
        yield self._in_thread(self._looking_up.stop)  # a name server may take its time
        self._ticker.stop()
        self._poller.stop()
        yield self._in_thread(self._keyring.close)

    def _in_thread(self, called: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), called)


def collect_seldom() -> None:
    """What is there now stays: the collector need not look through a large policy again."""
    gc.collect()
    gc.freeze()
    # What sessions leave behind is in no circle, so there is little to be found each time.
    gc.set_threshold(COLLECT_AFTER, 20, 20)
