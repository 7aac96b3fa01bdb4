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
from gateway.port import MovablePort

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
        self._port = MovablePort(reactor, "console.listen", self._entrance, settings.listen)

    def open(self) -> None:
        """
        Listen, if the policy says so.

        @raise OSError: the place is taken.
        """
        self._port.open()

    def start(self) -> None:
        """Begin to look at the gateway."""
        if self._port.is_open and self._following is None:
            self._following = self._questions.follow({"denied": True}, self._refused, MOST_AND_OWN)
            self._pulse.start()

    def prepare(self, settings: ConsoleSettings) -> None:
        """
        Another policy comes. After this L{adopt} or L{abandon} is called.

        @raise OSError: the place where it has us listen is taken. Nothing has changed.
        """
        self._port.prepare(settings.listen)

    def abandon(self) -> None:
        """It does not come."""
        self._port.abandon()

    def adopt(self, settings: ConsoleSettings) -> None:
        """It is in force now."""
        encrypted = settings.certificate is not None
        turned = encrypted is not (self._settings.certificate is not None)
        self._settings = settings
        self._door.adopt(settings)
        self._site.bounds = _bounds(settings)
        self._entrance.renew(settings)
        if self._port.adopt() or turned:
            self._site.stop()
        if self._port.is_open:
            self.start()
        else:
            self._rest()

    def stop(self) -> Any:
        """Listen no more. Fires when that is so."""
        self._rest()
        self._site.stop()
        return self._port.stop()

    def _rest(self) -> None:
        self._pulse.stop()
        if self._following is not None:
            self._following.stop()
            self._following = None


def _bounds(settings: ConsoleSettings) -> Bounds:
    return Bounds(settings.clients, settings.request_bytes, settings.request_seconds)
