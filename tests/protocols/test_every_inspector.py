"""No inspector is shipped that did not pass the generic suite."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import IInspectorMaker
from gateway.registry import makers
from gateway.testing import DatagramSuite, InspectorSuite


def inspector_of(maker: IInspectorMaker) -> type:
    """The class that a maker makes inspectors of."""
    found = getattr(maker, "inspector", None)
    assert isinstance(found, type)
    return found


def ours() -> list[IInspectorMaker]:
    """The makers of what is in this distribution."""
    return [maker for maker in makers() if inspector_of(maker).__module__.startswith("protocols.")]


def suites() -> set[type]:
    """The inspectors that have a suite with conversations here."""
    folder = Path(__file__).parent
    for path in folder.rglob("test_*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        import_module(".".join((str(__package__), *parts)))
    return {suite.inspector for suite in InspectorSuite.__subclasses__() if suite.conversations}


class EveryInspectorTests(SynchronousTestCase):
    """An operator may rely on the generic promises for every inspector."""

    def test_suites(self) -> None:
        """Every registered inspector of streams runs the generic suite."""
        tested = suites()
        streams = [one for one in ours() if "tcp" in one.transports]
        self.assertEqual([one.name for one in streams if inspector_of(one) not in tested], [])

    def test_datagram_suites(self) -> None:
        """So does every one of datagrams; that of the relay has nothing to look at."""
        inspectors = {
            one.name: getattr(inspector_of(one), "Datagrams", inspector_of(one))
            for one in ours()
            if "udp" in one.transports and one.name != "relay"
        }
        suites()
        tested = {suite.inspector for suite in DatagramSuite.__subclasses__()}
        self.assertEqual([name for name, one in inspectors.items() if one not in tested], [])

    def test_found(self) -> None:
        """The three that every installation has are registered."""
        self.assertLessEqual({"relay", "finger", "whois"}, {maker.name for maker in ours()})

    def test_described(self) -> None:
        """Each has one line for C{tproxygw inspectors}."""
        self.assertEqual([one.name for one in ours() if not one.description.strip()], [])
