"""The sessions that run, as whoever asks about them sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gateway.observe.identity import Identity
from gateway.observe.snapshot import Snapshot
from gateway.observe.story import Story


class Running(Protocol):
    """One of them, see L{gateway.admission.register.Running}."""

    @property
    def identity(self) -> Identity:
        """Who it is."""

    def snapshot(self) -> Snapshot:
        """What there is to see of it."""

    def story(self) -> Story:
        """All that there is to tell of it."""

    def kill(self, why: str) -> None:
        """End it now, with a reset to both sides."""


class Register(Protocol):
    """
    Where they are, see L{gateway.admission.register.Register}.

    @ivar draining: none is to begin any more: connections wait.
    """

    draining: bool

    @property
    def running(self) -> Mapping[int, Running]:
        """They, by id."""

    @property
    def most(self) -> int:
        """How many there may be."""

    @property
    def room(self) -> bool:
        """Whether one more is accepted."""

    def give_room(self) -> None:
        """Some room may have come: connections that wait may go on."""
