"""Steering: which worker gets a client, as the kernel chooses for those that are accepted."""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack

_GOLDEN = 0x9E3779B1
_MASK = 0xFFFFFFFF


def by_client(client: bytes, count: int, alive: Sequence[int]) -> int:
    """
    The same as L{gateway.workers.choice.by_client}'s program does.

    @param client: the address.
    @param count: how many workers there are.
    @param alive: which of them take connections, in their order; at least one.
    """
    folded = 0
    for word in unpack(f"!{len(client) // 4}I", client):
        folded ^= word
    number = (folded * _GOLDEN & _MASK) >> 16
    chosen = number % count
    return chosen if chosen in alive else alive[number % len(alive)]


def by_connection(number: int, alive: Sequence[int]) -> int:
    """
    Each in turn.

    @param number: of the connection.
    """
    return alive[number % len(alive)]
