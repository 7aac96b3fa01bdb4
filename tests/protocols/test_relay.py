"""The relay looks at nothing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.relay import RelayInspector


class RelaySuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = RelayInspector
    conversations = (
        Conversation(
            "both ways",
            [(CLIENT, b"\x00ab\r\n"), (SERVER, b"\xffcd"), (SERVER, END), (CLIENT, END)],
        ),
        Conversation("half-closed", [(CLIENT, b"a"), (CLIENT, END), (SERVER, b"b"), (SERVER, END)]),
    )


class RelayTests(SynchronousTestCase):
    """What the operator of a relayed service gets."""

    def test_released(self) -> None:
        """The session is asked to connect and to relay by itself."""
        session = FakeSession(RelayInspector).start()
        self.assertEqual(session.events, ["connect to 198.51.100.2:7", "release"])
