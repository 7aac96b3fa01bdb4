"""Host names are looked up without anybody waiting who need not."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Denied, Unreachable
from gateway.wire.names import MOST_WAITING, Names, addresses


class AddressesTests(SynchronousTestCase):
    """C{addresses}, as far as it needs no name server."""

    def test_addresses(self) -> None:
        """An address is its own."""
        self.assertEqual(addresses("192.0.2.1"), ("192.0.2.1",))
        self.assertEqual(addresses("2001:db8::1"), ("2001:db8::1",))

    def test_no_names(self) -> None:
        """What can't be a name has no address, and is no bug."""
        for name in ("", "a\0b", "\xe4", "a..b", "x" * 300, "a b"):
            with self.subTest(name):
                try:
                    self.assertEqual(addresses(name), ())
                except Unreachable:
                    pass  # nobody there who could say


class NamesTests(SynchronousTestCase):
    """C{Names}."""

    def setUp(self) -> None:
        self.asked: list[Any] = []
        self.names = Names(self.compute, lambda name: (f"of {name}",))

    def compute(self, function: Any) -> Deferred[Any]:
        """Somebody else's thread: takes its time."""
        self.asked.append((function, Deferred()))
        return self.asked[-1][1]  # type: ignore[no-any-return]

    def answer(self) -> None:
        function, answered = self.asked.pop(0)
        answered.callback(function())

    def test_answered(self) -> None:
        """Whoever asks gets the addresses."""
        resolved = self.names.resolve("a.example")
        self.assertNoResult(resolved)
        self.answer()
        self.assertEqual(self.successResultOf(resolved), ("of a.example",))

    def test_asked_once(self) -> None:
        """A name that is asked for again is not looked up twice at a time; afterwards it is."""
        both = [self.names.resolve("a.example") for _ in range(2)]
        self.assertEqual(len(self.asked), 1)
        self.answer()
        self.assertEqual([*map(self.successResultOf, both)], [("of a.example",)] * 2)
        self.names.resolve("a.example")
        self.assertEqual(len(self.asked), 1)

    def test_cancelled(self) -> None:
        """Who does not wait any more harms nobody who does."""
        one, other = (self.names.resolve("a.example") for _ in range(2))
        one.cancel()
        self.failureResultOf(one)
        self.answer()
        self.assertEqual(self.successResultOf(other), ("of a.example",))

    def test_failed(self) -> None:
        """All who wait hear that nobody could say."""
        both = [self.names.resolve("a.example") for _ in range(2)]
        self.asked.pop()[1].errback(Unreachable("no answer"))
        for one in both:
            self.failureResultOf(one, Unreachable)

    def test_bounded(self) -> None:
        """Not any number may wait."""
        for _ in range(MOST_WAITING):
            self.names.resolve("a.example").addErrback(lambda _: None)
        self.failureResultOf(self.names.resolve("a.example"), Denied)
        self.assertNoResult(self.names.resolve("b.example"))
