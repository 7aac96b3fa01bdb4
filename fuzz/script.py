"""
A conversation as bytes, so that a fuzzer can change it.

The first octet says which sample it began as, since that has the settings. Each step has an octet
(1: the server speaks, 2: it is the end of that side), the length in two octets, and the bytes. Any
bytes mean some conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.interfaces import CLIENT, SERVER
from gateway.testing.conversation import END, Conversation, Step

FROM_SERVER, AT_END = 1, 2


def written(number: int, steps: Iterable[Step]) -> bytes:
    """A sample's steps; what is said at once in more than 65,535 bytes is said in several."""
    parts = [bytes([number])]
    for side, said in steps:
        flags = FROM_SERVER * (side is SERVER) | AT_END * (said is END)
        for at in range(0, max(len(said or b""), 1), 0xFFFF):
            piece = (said or b"")[at : at + 0xFFFF]
            parts += [bytes([flags]), len(piece).to_bytes(2, "big"), piece]
    return b"".join(parts)


def read(data: bytes, samples: Sequence[Conversation]) -> tuple[Conversation, list[Step]]:
    """The sample that has the settings, and the steps."""
    sample = samples[data[0] % len(samples)] if data else samples[0]
    steps: list[Step] = []
    at = 1
    while at < len(data):
        flags, length = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
        side = SERVER if flags & FROM_SERVER else CLIENT
        said = END if flags & AT_END else data[at + 3 : at + 3 + length]
        if said != b"":
            steps.append((side, said))
        at += 3 + length
    return sample, steps
