"""
Passage: how one session that was released passes: in the gateway itself, or in the kernel.

The life of a passage::

    WAITING     the session goes on in the gateway; it is asked for soon
    ASKED       the carrier has the sockets; nobody else may touch them
    OVERLAP     the kernel forwards, and the gateway still relays what was on its way
    LEAVING     the gateway has nothing to do any more, and the carrier makes the sockets vanish
    CARRIED     the kernel has it; there are no sockets
    STAYS       the gateway has it to its end
    OVER        the carrier has told how it ended; or another process accounts for it
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from gateway.interfaces import ITimer, Outcome, Verdict
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Released
from gateway.release.carriage import Message
from gateway.release.told import Told

AGAIN = 1.0
"""Seconds between two attempts, while bytes of the inspector's wait or too much is on its way."""

TRIES = 10

PATIENCE = 5.0
"""Seconds that the carrier has for an answer."""

LOST = "lost"
"""How a session ended of which the carrier knows nothing."""

USER_SPACE, KERNEL = "user space", "kernel"


class State(Enum):
    """Where in its life a passage stands."""

    WAITING = "waiting"
    ASKED = "asked"
    OVERLAP = "overlap"
    LEAVING = "leaving"
    CARRIED = "carried"
    STAYS = "stays"
    OVER = "over"

    __hash__ = object.__hash__


_HELD = frozenset({State.ASKED, State.OVERLAP, State.LEAVING, State.CARRIED})


class Legs(Protocol):
    """The two sides of a session, see L{gateway.session.legs.Legs}."""

    @property
    def half_closed(self) -> bool:
        """Whether one of them has ended."""

    @property
    def standing(self) -> tuple[tuple[Socket, Socket], tuple[int, int]] | None:
        """
        Their sockets, the client's first, and how many bytes wait for each; C{None}: something of
        the inspector's is still on its way.
        """

    def hold(self) -> None:
        """Touch the sockets no more."""

    def go_on(self) -> None:
        """Use them again."""

    def let_go(self) -> None:
        """Touch them never more; they vanish."""

    def drop(self) -> None:
        """Close them, which nobody will notice."""


class Passenger(Protocol):
    """A session that was released, as its passage sees it."""

    def told(self) -> Told:
        """For the next gateway."""

    def carried(self, verdict: Verdict) -> None:
        """It is over."""

    def left(self) -> None:
        """It goes on, and somebody else accounts for it."""

    def after(self, seconds: float, call: Any) -> ITimer:
        """See L{gateway.interfaces.ISession.after}."""


class Conveyor(Protocol):
    """What passages ask for, see L{gateway.release.passages.Passages}."""

    def switch(
        self, passage: Passage, legs: tuple[Socket, Socket], pending: tuple[int, int]
    ) -> None:
        """Have the carrier begin."""

    def let_go(self, passage: Passage) -> None:
        """The gateway has nothing to do with the sockets any more."""

    def kill(self, passage: Passage) -> None:
        """End it, if there is a carrier that can."""

    def left(self, passage: Passage) -> None:
        """It is the kernel's alone."""

    def over(self, passage: Passage, was_carried: bool) -> None:
        """
        Nothing is asked any more.

        @param was_carried: it had no sockets.
        """


class NoPassage:
    """Of a session that was not released, or where the kernel is not asked."""

    carries = False
    holds = False
    bytes = 0, 0
    released: Released | None = None

    def end(self, verdict: Verdict) -> bool:
        """Whether the verdict has to wait."""
        return False


NO_PASSAGE = NoPassage()


class NoPassages:
    """
    Where the kernel is not asked.

    @cvar asked: whether it is.
    """

    asked = False
    carried = 0

    def begin(self, session: Passenger, legs: Legs) -> NoPassage:
        """See L{gateway.release.passages.Passages}."""
        return NO_PASSAGE

    def stays(self, why: str) -> NoPassage:
        """See L{gateway.release.passages.Passages}."""
        return NO_PASSAGE

    def is_bare(self, client: Socket) -> bool:
        """See L{gateway.release.passages.Passages}."""
        return False

    def count(self, wanted: Collection[int]) -> Deferred[dict[int, Any]]:
        """See L{gateway.release.passages.Passages}."""
        return succeed({})


NO_PASSAGES = NoPassages()


class Stays(NoPassage):
    """
    Of a session that stays in the gateway.

    @param why: for its record.
    """

    def __init__(self, why: str) -> None:
        self.released = Released(USER_SPACE, why)


class Passage:
    """
    One session's.

    @ivar index: what the carrier calls it.
    @ivar bytes: what the kernel has carried, to the server and to the client.
    """

    __slots__ = (
        *("_conveyor", "_legs", "_session", "_timer", "_tries", "_verdict", "_why"),
        *("bytes", "index", "state"),
    )

    def __init__(self, conveyor: Conveyor, session: Passenger, legs: Legs, seconds: float) -> None:
        self._conveyor = conveyor
        self._legs = legs
        self._session = session
        self._verdict: Verdict | None = None
        self._tries = 0
        self._why = "it was over before"
        self.bytes = (0, 0)
        self.index = -1
        self.state = State.WAITING
        self._timer = session.after(seconds, self._ask)

    def told(self) -> Told:
        """See L{Passenger.told}."""
        return self._session.told()

    # What the session asks

    @property
    def holds(self) -> bool:
        """Whether its end is not the session's own to make: the carrier has to be asked."""
        return self.state in _HELD

    @property
    def carries(self) -> bool:
        """Whether the kernel has all of it, and sees when it is idle."""
        return self.state is State.CARRIED

    @property
    def released(self) -> Released:
        """For its record."""
        if self.index >= 0:
            return Released(KERNEL, "")
        return Released(USER_SPACE, self._why)

    def end(self, verdict: Verdict) -> bool:
        """
        End it.

        @return: whether that takes a moment: L{Passenger.carried} is called then.
        """
        if not self.holds:
            return False
        if self._verdict is None:
            self._verdict = verdict
            self._legs.let_go()
            self._conveyor.kill(self)
            self._timer.cancel()
            self._timer = self._session.after(PATIENCE, self._finish)
        return True

    # On the way

    def _ask(self) -> None:
        """Have the carrier begin, if the session stands still enough."""
        if self._legs.half_closed:
            self._stay("one side has ended already")
            return
        standing = self._legs.standing
        if standing is None:
            self._try_again("the inspector was not done")
            return
        self.state = State.ASKED
        self._legs.hold()
        legs, pending = standing
        self._timer = self._session.after(PATIENCE, self._missed)
        self._conveyor.switch(self, legs, pending)

    def _try_again(self, why: str) -> None:
        self._tries += 1
        if self._tries < TRIES:
            self._why = why
            self.state = State.WAITING
            self._timer = self._session.after(AGAIN, self._ask)
        else:
            self._stay(why)

    def _stay(self, why: str) -> None:
        self._why = why
        self.state = State.STAYS

    def switched(self, answer: Message | None) -> None:
        """What the carrier has answered."""
        if self.state is not State.ASKED:
            return
        if answer is None:
            self._missed()
            return
        if self._verdict is None:
            self._timer.cancel()
        if "index" in answer:
            self.index = int(answer["index"])
            self.state = State.OVERLAP
            if self._verdict is not None:
                self._conveyor.kill(self)
            else:
                self._legs.go_on()
        elif self._verdict is not None:
            self._finish()
        else:
            self._refused(str(answer["stays"]), bool(answer.get("again")))

    def _refused(self, why: str, again: bool) -> None:
        self._legs.go_on()
        if again:
            self._try_again(why)
        else:
            self._stay(why)

    def _missed(self) -> None:
        """Nobody knows what the carrier has done with the sockets."""
        if self.state is State.ASKED:
            self._why = "the carrier did not answer"
            if self._verdict is None:
                self._verdict = Verdict(
                    Outcome.FAILED, "the carrier ended while it took the session over"
                )
                self._legs.let_go()
            self._finish()

    # What the carrier tells

    def settled(self) -> None:
        """The sockets have nothing to deliver any more."""
        if self.state is State.OVERLAP:
            self.state = State.LEAVING
            if self._verdict is None:
                self._legs.let_go()
                self._conveyor.let_go(self)

    def gone(self) -> None:
        """The sockets will close without a word."""
        if self.state is State.LEAVING:
            self.state = State.CARRIED
            self._legs.drop()
            self._conveyor.left(self)

    def begun_anew(self) -> None:
        """The carrier was killed, and another one knows only what the kernel has."""
        self.gone()

    def left(self) -> None:
        """Somebody else accounts for it."""
        self.state = State.OVER
        self._timer.cancel()
        self._session.left()

    def over(self, message: Message) -> None:
        """It has ended."""
        self.bytes = message["bytes_to_server"], message["bytes_to_client"]
        self._verdict = self._verdict or verdict_of(message, self.told().idle)
        self._finish()

    def _finish(self) -> None:
        if self.state is State.OVER:
            return
        carried, self.state = self.carries, State.OVER
        self._conveyor.over(self, carried)
        assert self._verdict is not None
        self._session.carried(self._verdict)


def verdict_of(message: Message, idle: float) -> Verdict:
    """How a session has ended, in the words of the others."""
    return {
        "passed": Verdict(Outcome.PASSED),
        "reset": Verdict(Outcome.RESET, f"reset by the {message.get('by')}"),
        "idle": Verdict(Outcome.FAILED, f"time limit: idle_seconds = {idle:g}"),
        "killed": Verdict(Outcome.FAILED, "the carrier ended while it took the session over"),
        LOST: Verdict(Outcome.FAILED, "the carrier does not know it any more"),
    }[message["how"]]
