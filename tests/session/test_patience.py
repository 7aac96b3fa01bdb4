"""Time limits, on a clock that the tests advance."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.policy.limits import ServiceLimits
from gateway.session.patience import LINGER, Patience
from gateway.session.ticker import TICK, Ticker


class Session:
    """Records what it is told, with the time."""

    def __init__(self, clock: Clock, ticker: Ticker, attempts: int = 1, **limits: float) -> None:
        self.clock = clock
        self.ticker = ticker
        self.attempts = attempts
        self.active = ticker.wake()
        self.began = clock.seconds()
        self.told: list[tuple[str, float]] = []
        self.patience = Patience(ticker, ServiceLimits(**limits), self)

    def note(self, what: str) -> None:
        self.told.append((what, self.clock.seconds() - self.began))

    def ran_out(self, limit: str, seconds: float) -> None:
        self.note(limit)
        self.patience.stop()

    def connect_ran_out(self) -> None:
        self.note("connect")
        self.attempts -= 1
        if not self.attempts:
            self.patience.connected()

    def lingered(self) -> None:
        self.note("lingered")


class PatienceTests(SynchronousTestCase):
    """Nothing is cut short, and nothing goes on for longer than it may, but for two ticks."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000.1)
        self.ticker = Ticker(self.clock)

    def test_busy(self) -> None:
        """A process that is always a little late does not add that up, for long limits."""
        session = self.session(total_seconds=60)
        session.patience.watch()
        self.clock.pump([TICK * 1.8] * 200)
        self.assertTold(session, ("total_seconds", 60))

    def test_clock_is_set(self) -> None:
        """Whoever sets the clock on the wall forward ends no session by that."""
        monotonic = Clock()
        self.ticker = Ticker(self.clock, monotonic.seconds)
        session = self.session(total_seconds=60)
        session.patience.watch()
        for _ in range(4):
            self.clock.advance(3600)
            monotonic.advance(TICK)
        self.assertEqual(session.told, [])
        for _ in range(int(70 / TICK)):
            monotonic.advance(TICK)
            self.clock.advance(TICK)
        self.assertEqual([what for what, _ in session.told], ["total_seconds"])

    def session(self, **limits: float) -> Session:
        return Session(self.clock, self.ticker, **limits)

    def advance(self, seconds: float) -> None:
        self.clock.pump([TICK] * int(seconds / TICK))

    def assertTold(self, session: Session, *expected: tuple[str, float]) -> None:
        self.assertEqual([what for what, _ in session.told], [what for what, _ in expected])
        for (_, when), (_, due) in zip(session.told, expected, strict=True):
            self.assertGreaterEqual(when, due)
            self.assertLessEqual(when, due + 2 * TICK * (1 + len(expected)))

    def test_idle(self) -> None:
        """An idle session is told after the idle limit."""
        session = self.session(idle_seconds=10.0)
        session.patience.watch()
        self.advance(60)
        self.assertTold(session, ("idle_seconds", 10.0))

    def test_activity(self) -> None:
        """Activity puts the idle limit off, and not the total one."""
        session = self.session(idle_seconds=10.0, total_seconds=25.0)
        session.patience.watch()
        for _ in range(4):
            self.advance(8)
            session.active = self.ticker.now
        self.assertTold(session, ("total_seconds", 25.0))

    def test_connect(self) -> None:
        """Each attempt has the connect limit to itself."""
        session = Session(
            self.clock, self.ticker, attempts=3, connect_seconds=5.0, idle_seconds=60.0
        )
        session.patience.connecting()
        self.advance(20)
        self.assertTold(session, ("connect", 5.0), ("connect", 10.0), ("connect", 15.0))

    def test_connected(self) -> None:
        """Once connected, the connect limit means nothing."""
        session = self.session(connect_seconds=5.0, idle_seconds=60.0)
        session.patience.connecting()
        self.advance(2)
        session.patience.connected()
        self.advance(30)
        self.assertTold(session)

    def test_connect_later(self) -> None:
        """A session that connects only after a while has the whole connect limit from then on."""
        session = self.session(connect_seconds=10.0, idle_seconds=60.0)
        session.patience.begin()
        self.advance(7)
        session.patience.connecting()
        self.advance(30)
        self.assertTold(session, ("connect", 17.0))

    def test_never_connects(self) -> None:
        """A session that does not connect at all may be idle as long as any, or as short."""
        for limit in (4.0, 30.0):
            session = self.session(connect_seconds=10.0, idle_seconds=limit)
            session.patience.begin()
            self.advance(60)
            self.assertTold(session, ("idle_seconds", limit))

    def test_after_a_quiet_hour(self) -> None:
        """A gateway that had nothing to do for an hour doesn't take that for a session's time."""
        self.advance(TICK * 3)
        self.clock.advance(3600)
        session = self.session(connect_seconds=5.0, idle_seconds=300.0)
        session.patience.connecting()
        session.patience.connected()
        self.advance(250)
        self.assertTold(session)

    def test_lingering(self) -> None:
        """Goodbyes are waited for, not for ever, and no other limit matters any more."""
        session = self.session(idle_seconds=1.0)
        session.patience.watch()
        session.patience.leaving()
        self.advance(60)
        self.assertTold(session, ("lingered", LINGER))

    def test_no_limits(self) -> None:
        """Limits of 0 are none, and cost no timer."""
        session = self.session(idle_seconds=0.0, total_seconds=0.0)
        session.patience.watch()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """A thousand sessions share one timer, and a session that is over is not kept."""
        sessions = [self.session(idle_seconds=10.0) for _ in range(1000)]
        for session in sessions:
            session.patience.watch()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for session in sessions:
            session.patience.stop()
        self.assertFalse(any(self.ticker._buckets.values()))
        self.advance(60)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """A process that was stopped for a minute catches up at once."""
        session = self.session(idle_seconds=10.0)
        session.patience.watch()
        self.clock.advance(60)
        self.assertEqual([what for what, _ in session.told], ["idle_seconds"])

    def test_bug(self) -> None:
        """A session that fails when it is told doesn't keep the others from being told."""
        bad, good = self.session(idle_seconds=10.0), self.session(idle_seconds=10.0)
        bad.ran_out = None  # type: ignore[assignment]
        bad.patience.watch()
        good.patience.watch()
        self.advance(60)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertTold(good, ("idle_seconds", 10.0))

    def test_not_reached(self) -> None:
        """A session goes on when its server was not reached in time; then its other limits hold."""
        session = self.session(idle_seconds=30, connect_seconds=10)
        session.patience.begin()
        session.patience.connecting()
        self.advance(60)
        self.assertTold(session, ("connect", 10), ("idle_seconds", 40))
