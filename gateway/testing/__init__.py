"""
The kit for authors of inspectors: test a protocol without a network.

  - L{FakeSession}: a session that records what an inspector asks for;
  - L{FakeDatagrams}: the same for inspectors of datagrams;
  - L{Conversation} and L{converse}: what two peers say, and what comes of it;
  - L{every_split}: the ways in which a network may cut what they say;
  - L{hostile}: what nobody should say;
  - L{InspectorSuite}: the tests that every inspector has to pass.

C{docs/writing-an-inspector.md} shows them at work.
"""

from gateway.testing.body import FakeBody
from gateway.testing.conversation import END, Conversation, converse
from gateway.testing.datagram_suite import DatagramSuite
from gateway.testing.datagrams import FakeDatagrams
from gateway.testing.dialing import FakeDialing
from gateway.testing.expectation import FakeExpectation
from gateway.testing.hostile import hostile
from gateway.testing.session import FakeSession
from gateway.testing.split import bytewise, every_split
from gateway.testing.suite import InspectorSuite

__all__ = [
    "END",
    "Conversation",
    "DatagramSuite",
    "FakeBody",
    "FakeDatagrams",
    "FakeDialing",
    "FakeExpectation",
    "FakeSession",
    "InspectorSuite",
    "bytewise",
    "converse",
    "every_split",
    "hostile",
]
