"""What is inside a QUIC client's first packets, as a target: no fuzzer can seal them itself."""

from __future__ import annotations

from fuzz.datagrams import Datagrams
from fuzz.script import written
from gateway.interfaces import CLIENT
from gateway.testing import Conversation
from protocols.hosts import read_hosts
from protocols.quic.inspector import QuicInspector
from protocols.quic.settings import QuicSettings, Rule
from tests.protocols.quic.flights import HELLO, crypto, packet, pieces

SETTINGS = QuicSettings(rule=(Rule("splice", name=read_hosts((".example.org",))),))

SAMPLES = (
    Conversation("whole", [(CLIENT, crypto(0, HELLO))], settings=SETTINGS),
    Conversation(
        "cut, and the end first",
        [(CLIENT, piece) for piece in reversed(pieces(HELLO, [40, 90]))],
        settings=SETTINGS,
    ),
    Conversation(
        "pings and padding", [(CLIENT, b"\x01\0\0" + crypto(0, HELLO))], settings=SETTINGS
    ),
)


class Frames(Datagrams):
    """A client's steps are frames; each is sealed as an Initial packet."""

    def __init__(self) -> None:
        super().__init__(QuicInspector, SAMPLES)

    def judge(self, data: bytes) -> None:
        """As of other datagrams."""
        _, steps = self._read(data)
        sealed = (
            (side, packet(said, number) if said is not None and side is CLIENT else said)
            for number, (side, said) in enumerate(steps)
        )
        super().judge(data[:1] + written(0, sealed)[1:])
