"""The Console as a whole: it listens while the policy says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.console.asking import Asking
from gateway.console.desk import Desk
from gateway.console.door import Door
from gateway.console.pulse import Pulse
from gateway.console.refused import LastRefused
from gateway.console.secure import Entrance
from gateway.console.site import Bounds, ConsoleSite
from gateway.control.following import MOST_AND_OWN, Following
from gateway.control.question import Asker
from gateway.policy.console import ConsoleSettings
from gateway.policy.notation import read_address

ITSELF = Asker("the console")


class Console:
    """
    @param seconds: a monotonic clock.
    @param secret: makes a text that nobody can guess.
    """

    def __init__(
        self,
        reactor: Any,
        settings: ConsoleSettings,
        questions: Asking,
        seconds: Callable[[], float],
        secret: Callable[[], str],
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._questions = questions
        self._refused = LastRefused()
        self._door = Door(settings, seconds, secret)
        self._pulse = Pulse(
            reactor, lambda: questions.ask({"ask": "status"}, ITSELF), self._refused
        )
        self._desk = Desk(
            *(reactor, self._door, questions, self._pulse),
            lambda: self._settings.names,
        )
        self._site = ConsoleSite(reactor, _bounds(settings), self._desk.answer)
        self._entrance = Entrance(self._site, settings)
        self._following: Following | None = None
        self._port: Any = None
        self._coming: Any = None

    def open(self) -> None:
        """
        Listen, if the policy says so.

        @raise OSError: the place is taken.
        """
        self._port = self._listen(self._settings)

    def start(self) -> None:
        """Begin to look at the gateway."""
        if self._port is not None and self._following is None:
            self._following = self._questions.follow({"denied": True}, self._refused, MOST_AND_OWN)
            self._pulse.start()

    def prepare(self, settings: ConsoleSettings) -> None:
        """
        Another policy comes. After this L{adopt} or L{abandon} is called.

        @raise OSError: the place where it has us listen is taken. Nothing has changed.
        """
        if settings.listen != self._settings.listen:
            self._coming = self._listen(settings)

    def abandon(self) -> None:
        """It does not come."""
        if self._coming is not None:
            self._coming.stopListening()
            self._coming = None

    def adopt(self, settings: ConsoleSettings) -> None:
        """It is in force now."""
        former, port = self._port, self._port
        if settings.listen != self._settings.listen:
            port, self._coming = self._coming, None
        self._port = port
        encrypted = settings.certificate is not None
        moved = former is not port or encrypted is not (self._settings.certificate is not None)
        self._settings = settings
        self._door.adopt(settings)
        self._site.bounds = _bounds(settings)
        self._entrance.renew(settings)
        if former is not None and former is not port:
            former.stopListening()
        if moved:
            self._site.stop()
        if port is None:
            self._rest()
        else:
            self.start()

    def stop(self) -> Any:
        """Listen no more. Fires when that is so."""
        self._rest()
        port, self._port = self._port, None
        self._site.stop()
        return None if port is None else port.stopListening()

    def _rest(self) -> None:
        self._pulse.stop()
        if self._following is not None:
            self._following.stop()
            self._following = None

    def _listen(self, settings: ConsoleSettings) -> Any:
        if not settings.listen:
            return None
        host, number = read_address(settings.listen)
        return self._reactor.listenTCP(number, self._entrance, interface=host)


def _bounds(settings: ConsoleSettings) -> Bounds:
    return Bounds(settings.clients, settings.request_bytes, settings.request_seconds)
