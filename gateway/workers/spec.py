"""What a nursery and a worker are told when they begin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from gateway.admission.listeners import Place
from gateway.interfaces import Address
from gateway.life.options import Places
from gateway.policy.connection import Protocol
from gateway.workers.table import COLUMNS

WORDS = 3
"""Of the version of what the supervisor, nurseries and workers say to each other."""


@frozen
class NurserySpec:
    """
    @ivar words: of the supervisor.
    @ivar fingerprint: of what is to be loaded.
    @ivar folders: L{Places}, as texts.
    @ivar sockets: for each place, the descriptors of all workers.
    @ivar table: the descriptor of the table of counts.
    @ivar count: how many workers there are to be.
    """

    words: int
    fingerprint: str
    folders: list[str]
    sockets: list[list[Any]]
    table: int
    count: int = 0

    def written(self) -> int:
        """A descriptor that it can be read from."""
        descriptor = os.memfd_create("tproxygw-nursery")
        os.write(descriptor, json.dumps(asdict(self)).encode())
        return descriptor

    @property
    def descriptors(self) -> list[int]:
        """All, in an order that L{read} knows."""
        return [self.table, *(each for *_, each_place in self.sockets for each in each_place)]

    @classmethod
    def read(cls, descriptor: int, descriptors: Sequence[int]) -> NurserySpec:
        """
        Read what was written.

        @param descriptors: what those that it tells of are in this process, in the same order.
        """
        with os.fdopen(descriptor, "rb") as file:
            file.seek(0)
            told = cls(**json.load(file))
        table, *others = descriptors
        left = iter(others)
        sockets = [[*where, [next(left) for _ in known]] for *where, known in told.sockets]
        return evolve(told, table=table, sockets=sockets)

    def places(self) -> Places:
        """Folders and sockets on this host."""
        return read_places(self.folders)


@frozen
class WorkerSpec:
    """
    @ivar index: which worker it is, from 0 on.
    @ivar column: its column in the table.
    @ivar first: the second, since the epoch, from which on it numbers its sessions.
    """

    index: int
    column: int
    first: int

    def numbers(self) -> Iterator[int]:
        """
        The ids of its sessions. If it has no more than 16384 a second, nobody else
        gives any of them, not even whoever has its column later.
        """
        return count((self.first << 20) + self.column, COLUMNS)


def write_places(places: Places) -> list[str]:
    """As texts."""
    return ["" if each is None else str(each) for each in places]


def read_places(texts: list[str]) -> Places:
    """What L{write_places} wrote."""
    directory, state, *others = (Path(text) if text else None for text in texts)
    assert directory is not None and state is not None
    return Places(directory, state, *others)


def write_place(place: Place, descriptors: list[int]) -> list[Any]:
    """As JSON can have it."""
    return [*place.address, place.protocol.value, place.interface, descriptors]


def read_place(written: list[Any]) -> tuple[Place, list[int]]:
    """What L{write_place} wrote."""
    host, port, protocol, interface, descriptors = written
    return Place(Address(host, port), Protocol(protocol), interface), descriptors
