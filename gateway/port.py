"""A listening TCP port of the gateway's own, that a reload may move."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError

from gateway.policy.notation import read_address


class MovablePort:
    """
    The new place is listened at before the former one is given up.

    @param key: of the place in gateway.toml, for the operator.
    @param factory: answers there.
    @param place: address and port; empty: none.
    """

    def __init__(self, reactor: Any, key: str, factory: Any, place: str) -> None:
        self._reactor = reactor
        self._key = key
        self._factory = factory
        self._place = self._next = place
        self._port: Any = None
        self._coming: Any = None

    @property
    def is_open(self) -> bool:
        """Whether somebody could connect."""
        return self._port is not None

    def open(self) -> None:
        """
        Listen, if there is a place for it.

        @raise OSError: the place is taken.
        """
        self._port = self._listen(self._place)

    def prepare(self, place: str) -> None:
        """
        It is to be elsewhere. After this L{adopt} or L{abandon} is called.

        @raise OSError: the place is taken. Nothing has changed.
        """
        if place != self._place:
            self._coming = self._listen(place)
        self._next = place

    def abandon(self) -> None:
        """It stays where it is."""
        coming, self._coming = self._coming, None
        self._next = self._place
        if coming is not None:
            coming.stopListening()

    def adopt(self) -> bool:
        """
        It is elsewhere from now on, or is not. Connections that are there stay.

        @return: whether it has moved.
        """
        if self._next == self._place:
            return False
        former, self._port, self._coming = self._port, self._coming, None
        self._place = self._next
        if former is not None:
            former.stopListening()
        return True

    def stop(self) -> Any:
        """Listen no more, nor anywhere else. Fires when that is so."""
        self.abandon()
        port, self._port = self._port, None
        return None if port is None else port.stopListening()

    def _listen(self, place: str) -> Any:
        if not place:
            return None
        host, number = read_address(place)
        try:
            return self._reactor.listenTCP(number, self._factory, interface=host)
        except CannotListenError as error:
            why = error.socketError
            raise OSError(
                getattr(why, "errno", None),
                f"gateway.toml: {self._key}: can't listen at {place}: "
                f"{getattr(why, 'strerror', None) or why}; choose another place, or stop who has "
                "this one",
            ) from error
