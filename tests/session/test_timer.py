"""What inspectors want to happen later."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, Denied, Outcome
from gateway.session.ticker import TICK, Ticker
from gateway.session.timer import Timer
from tests.session.scene import Scene, asynchronous, receive_all


class Owner:
    """As much of a session as a timer needs."""

    def __init__(self) -> None:
        self.timers: frozenset[Timer] = frozenset()
        self.told: list[str] = []
        self.ending = False

    def deny(self, reason: str, reply: bytes = b"") -> None:
        self.told.append(f"denied: {reason}")

    def give_up(self, error: Any) -> None:
        self.told.append("gave up")

    def break_off(self, failure: Failure) -> None:
        self.told.append(f"bug: {failure.value!r}")


class TimerTests(SynchronousTestCase):
    """C{Timer}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ticker = Ticker(self.clock)  # type: ignore[arg-type]
        self.owner = Owner()

    def after(self, seconds: float, call: Any) -> Timer:
        return Timer(self.owner, self.ticker, seconds, call)

    def pass_by(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK)):
            self.clock.advance(TICK)

    def test_in_time(self) -> None:
        """It comes once: not before its time, and little after it."""
        self.after(3, lambda: self.owner.told.append("now"))
        self.pass_by(3)
        self.assertEqual(self.owner.told, [])
        self.pass_by(0.5)
        self.assertEqual(self.owner.told, ["now"])
        self.pass_by(9)
        self.assertEqual(self.owner.told, ["now"])
        self.assertFalse(self.owner.timers)

    def test_cancelled(self) -> None:
        """What was cancelled does not come; to cancel twice is harmless."""
        timer = self.after(1, lambda: self.owner.told.append("now"))
        timer.cancel()
        timer.cancel()
        self.pass_by(3)
        self.assertEqual(self.owner.told, [])
        self.assertFalse(self.owner.timers)

    def test_cancelled_in_the_same_tick(self) -> None:
        """Of two that come at the same time, the first can cancel the other."""
        both: list[Timer] = []

        def first() -> None:
            self.owner.told.append("one of them")
            for timer in both:
                timer.cancel()

        both += [self.after(1, first), self.after(1, first)]
        self.pass_by(3)
        self.assertEqual(self.owner.told, ["one of them"])

    def test_denies(self) -> None:
        """What is raised is taken as if it had been raised on receiving."""

        def deny() -> None:
            raise Denied("too slow")

        self.after(1, deny)
        self.after(2, lambda: 1 // 0)
        self.pass_by(4)
        self.assertEqual(self.owner.told[0], "denied: too slow")
        self.assertIn("bug: ZeroDivisionError", self.owner.told[1])


class SessionTimerTests(TestCase):
    """C{session.after} and C{session.close} with an outcome, for real."""

    timeout = 30

    @asynchronous
    async def test_too_slow(self) -> None:
        """An inspector that has waited long enough says so to the client, and how it ended."""

        class Impatient(Inspector):
            def started(self) -> None:
                since, date = self.session.now, self.session.date()

                def enough() -> None:
                    assert self.session.now - since >= 0.5
                    assert self.session.date() > date
                    self.session.send(CLIENT, b"too slow")
                    self.session.close("time limit: patience", Outcome.FAILED)

                self.session.after(0.5, enough)
                self.session.after(60, lambda: 1 // 0)

        scene = Scene(self, Impatient)
        client = scene.connect()
        self.assertEqual(await receive_all(client), b"too slow")
        client.close()
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "failed")
        self.assertEqual(flow["gateway"]["reason"], "time limit: patience")

    @asynchronous
    async def test_not_after_the_end(self) -> None:
        """Nothing comes when the session is over, and nothing keeps it."""
        late: list[str] = []
        timers: list[Any] = []
        sessions: list[Any] = []

        class Patient(Inspector):
            def started(self) -> None:
                sessions.append(self.session)
                timers.append(self.session.after(0, lambda: late.append("late")))
                self.session.close("enough")
                timers.append(self.session.after(0, lambda: late.append("later")))

        scene = Scene(self, Patient)
        client = scene.connect()
        await receive_all(client)
        client.close()
        session = await scene.over()
        self.assertEqual(session["gateway"]["verdict"], "closed")
        timers.append(sessions[0].after(0, lambda: late.append("too late")))
        for timer in timers:
            timer.check_time()
        self.assertEqual(late, [])
