"""What nobody should say, and somebody will."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

RUBBISH = (
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\r",
    b"\r\r\n",
    b"\r\n" * 500,
    b" " * 2000 + b"\r\n",
    b"a" * 70000,
    b"a" * 70000 + b"\r\n",
    b"lone\nLF\r\n",
    b"lone\rCR\r\n",
    b"\xff\xfe\xfd\xfc\r\n",
    b"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\r\n",
    b"\x1b]0;title\x07\x1b[2J\x9b31m\r\n",
    "\u202egnp.exe\u2066 \u0665\u00b2\r\n".encode(),
    b"%s%n%x${jndi:ldap://x}{0}\r\n",
    b"99999999999999999999999999\r\n",
    b"-1\r\n",
    b"0x10 1e9 +5 1_000\r\n",
    b"../../../etc/passwd\x00.txt\r\n",
    b"'; DROP TABLE users; --\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    bytes(range(256)) * 4,
)
"""Fixed pieces, each of which broke somebody's parser."""


def hostile(samples: Iterable[bytes] = (), seed: int = 1, count: int = 20) -> Iterator[bytes]:
    """
    Rubbish; and good samples, damaged: cut off, doubled, with bytes changed,
    left out and put in.

    @param samples: what a peer would say.
    @param seed: the same seed gives the same input.
    @param count: how many damaged copies of each sample.
    """
    chance = Random(seed)
    yield from RUBBISH
    for _ in range(count):
        yield chance.randbytes(chance.randrange(1, 300))
    for sample in samples:
        yield sample + sample
        for rubbish in RUBBISH:
            yield sample + rubbish
        for _ in range(count):
            yield damaged(sample, chance)


def damaged(sample: bytes, chance: Random) -> bytes:
    """A sample with one to three faults."""
    data = bytearray(sample)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data) + 1)
        fault = chance.randrange(5)
        if fault == 0:
            del data[at:]
        elif fault == 1:
            del data[at : at + chance.randrange(1, 4)]
        elif fault == 2:
            data[at:at] = chance.choice(RUBBISH[:8])
        elif fault == 3:
            data[at : at + 1] = chance.randbytes(1)
        else:
            data[at:at] = data[: chance.randrange(20)]
    return bytes(data)
