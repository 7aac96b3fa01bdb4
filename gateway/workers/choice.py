"""
Choice: the program by which the kernel chooses a worker for each TCP connection.

Classic BPF, attached to a group of sockets that listen at one port (socket(7),
SO_ATTACH_REUSEPORT_CBPF): no privilege is needed for that. It gives the index of a
socket in the group, in the order in which they were bound. The IP header is at SKF_NET_OFF in
either family; the packet is always a SYN, or the ACK that answers a SYN cookie.

For datagrams that TPROXY brings the kernel asks no program: it goes by a hash of addresses
and ports.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_NET = 0xFFF00000
"""SKF_NET_OFF: the IP header."""

_RANDOM = 0xFFFFF000 + 56
"""SKF_AD_OFF + SKF_AD_RANDOM"""

_SOURCE4, _SOURCE6 = 12, 8
_GOLDEN = 0x9E3779B1
"""Knuth's multiplicative hash: the high bits depend on all of the address."""

_LD, _LDB, _TAX, _XOR_X, _MUL, _MOD, _RSH = 0x20, 0x30, 0x07, 0xAC, 0x24, 0x94, 0x74
_JA, _JEQ, _RET, _RET_A, _ST, _LD_M = 0x05, 0x15, 0x06, 0x16, 0x02, 0x60

Instruction = tuple[int, int, int, int]


def by_client(count: int, alive: Sequence[int]) -> bytes:
    """
    All connections of one address for the same worker.

    @param count: how many there are.
    @param alive: which of them take connections; those of another are shared by these.
    """
    words: list[Instruction] = [(_LD, 0, 0, _NET + _SOURCE6), (_TAX, 0, 0, 0)]
    for offset in (4, 8, 12):
        word = _NET + _SOURCE6 + offset
        words += [(_LD, 0, 0, word), (_XOR_X, 0, 0, 0), (_TAX, 0, 0, 0)]
    return _assembled(
        [
            *((_LDB, 0, 0, _NET), (_RSH, 0, 0, 4), (_JEQ, 0, 2, 4)),
            *((_LD, 0, 0, _NET + _SOURCE4), (_JA, 0, 0, len(words))),
            *words,
            *((_MUL, 0, 0, _GOLDEN), (_RSH, 0, 0, 16), (_ST, 0, 0, 0)),
            *_chosen(count, alive),
        ]
    )


def by_connection(count: int, alive: Sequence[int]) -> bytes:
    """Each connection for any worker that takes connections."""
    return _assembled([(_LD, 0, 0, _RANDOM), (_ST, 0, 0, 0), *_chosen(count, alive)])


def _chosen(count: int, alive: Sequence[int]) -> list[Instruction]:
    """The number in the accumulator, and in M[0], stands for a worker."""
    dead = [index for index in range(count) if index not in alive]
    code: list[Instruction] = [(_MOD, 0, 0, count)]
    for left, index in enumerate(reversed(dead)):
        # past those that follow, and the return
        code.insert(1, (_JEQ, left + 1, 0, index))
    code.append((_RET_A, 0, 0, 0))
    if dead:
        code += [(_LD_M, 0, 0, 0), (_MOD, 0, 0, len(alive))]
        for place, index in enumerate(alive):
            code += [(_JEQ, 0, 1, place), (_RET, 0, 0, index)]
        code.append((_RET, 0, 0, alive[0]))
    return code


def _assembled(code: Sequence[Instruction]) -> bytes:
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


PROGRAMS = {"client": by_client, "connection": by_connection}
"""By C{[workers] steer}."""
