"""
Origins: what workers come from, and what all of them are given: sockets, the table, a signer, a
carrier, an usher.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from twisted.logger import Logger

from gateway.kernel.child import Child
from gateway.life.loaded import Loaded
from gateway.life.options import Places
from gateway.policy.policy import Policy
from gateway.tls.desk import for_worker
from gateway.tls.signer import Started, start
from gateway.tls.signing import check
from gateway.workers.columns import Columns
from gateway.workers.companions import Reachable, carrier, usher
from gateway.workers.estate import Estate, left, taken
from gateway.workers.generation import Generation
from gateway.workers.groups import Groups
from gateway.workers.nursing import Nursing, Sowing
from gateway.workers.spec import WORDS, NurserySpec, write_place, write_places

log = Logger()


class Origins:
    """
    @param sessions: how many there may be.
    @param clock: seconds since the epoch.
    @ivar groups: the listening sockets.
    @ivar columns: where workers count.
    """

    def __init__(self, places: Places, sessions: int, clock: Callable[[], float]) -> None:
        self.groups = Groups()
        self.columns = Columns(sessions, clock)
        self._places = places
        self._signer: Started | None = None
        self._carrier: Reachable | None = None
        self._usher: Reachable | None = None
        self._seed: Sowing | None = None
        self._next_seed: Sowing | None = None

    def open(self, policy: Policy, count: int, owner: tuple[int, int] | None) -> None:
        """
        What needs privileges that are given up afterwards.

        @raise OSError: a port is taken, or something else can't be had.
        @raise gateway.tls.signing.SignerError: there is nobody who signs.
        """
        self.groups.open(policy, count)
        tls = policy.tls
        if tls.root and self._places.signer is None:
            self._signer = start(
                *(self._places.directory, tls.root, tls.root_certificate),
                tls.certificates_per_second,
            )
            check(self._signer.connection)
        self._carrier = carrier(policy, self._places, owner)
        self._use(usher(policy, self._places, owner))
        self._seed = Sowing(owner)

    def _use(self, usher: Reachable | None) -> None:
        """Workers are told where it is."""
        self._usher = usher
        if usher is not None:
            self._places = self._places._replace(usher=usher.socket)

    def inherit(self, told: Estate) -> None:
        """A predecessor has left it."""
        self.groups.inherit(told["groups"])
        self.columns.inherit(told["columns"])
        self._seed = Sowing.inherited(told["seed"])
        if told["signer"] is not None:
            connection, process = told["signer"]
            self._signer = Started(Child(process), socket.socket(fileno=taken(connection)))
        self._carrier = Reachable.inherited(told.get("carrier"))
        self._use(Reachable.inherited(told.get("usher")))

    def bequeath(self) -> Estate:
        """For L{inherit}."""
        signer, seed = self._signer, self._seed
        assert seed is not None
        return {
            "groups": self.groups.bequeath(),
            "columns": self.columns.bequeath(),
            "seed": seed.bequeath(),
            "usher": self._usher and self._usher.bequeath(),
            "signer": signer and [left(signer.connection.fileno()), signer.process.pid],
            "carrier": self._carrier and self._carrier.bequeath(),
        }

    def inherited(self, loaded: Loaded, told: Estate) -> Generation:
        """A generation that a predecessor has left."""
        generation = self.generation(loaded, told["count"])
        if told["nursing"] is not None:
            connection = socket.socket(fileno=taken(told["nursing"]))
            generation.inherit(Nursing(connection, self._for_worker))
        return generation

    @property
    def _for_worker(self) -> Callable[[], socket.socket] | None:
        """Makes a connection to the signer for one worker more."""
        signer = self._signer
        return None if signer is None else lambda: for_worker(signer.connection)

    def generation(self, loaded: Loaded, count: int) -> Generation:
        """A generation to come."""
        seed = self._next_seed or self._seed
        assert seed is not None
        return Generation(loaded, count, partial(self._nursery, seed, count))

    def _nursery(self, seed: Sowing, count: int, loaded: Loaded) -> Nursing:
        """One of C{seed}; or of another one, if that has been killed."""
        if not seed.is_alive:
            if self._seed is None or not self._seed.is_alive:
                log.error("the process that workers come from was killed; there is another one")
                self._seed = Sowing.anew()
            seed = self._seed
        spec = NurserySpec(
            WORDS,
            loaded.fingerprint,
            write_places(self._places_of_workers),
            [write_place(*each) for each in self.groups.descriptors()],
            self.columns.table.descriptor,
            count,
        )
        return seed.nursery(spec, self._for_worker)

    @property
    def _places_of_workers(self) -> Places:
        """With the carrier that was started for them."""
        own = self._carrier
        return self._places if own is None else self._places._replace(carrier=own.socket)

    # All of these block:

    def renew(self) -> None:
        """
        Let generations come from the code that is installed now. L{settle} follows.

        @raise gateway.workers.nursing.NurseryError: they can't.
        """
        self._next_seed = Sowing.anew()

    def settle(self, renewed: bool) -> None:
        """It is so from now on, or stays as it was."""
        seed, self._next_seed = self._next_seed, None
        if seed is not None and renewed:
            seed, self._seed = self._seed, seed
        if seed is not None:
            seed.close()

    def close(self) -> None:
        """There are no workers any more."""
        if self._seed is not None:
            self._seed.close()
        if self._signer is not None:
            self._signer.connection.close()
            self._signer.process.wait()
        if self._carrier is not None:
            self._carrier.close()
        if self._usher is not None:
            self._usher.close()
