"""
DNS: both ends of its loads. C{python -m bench.names} is the server: it answers each query with
an alias and two addresses.
"""

from __future__ import annotations

import select
import socket
import time
from itertools import count
from struct import Struct

PORT = 7953

_HEADER = Struct("!6H")

_QUESTION = b"\x03www\x07example\x03org\0\0\1\0\1"
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"

_RECORDS = (
    b"\xc0\x0c\0\5\0\1\0\0\1\x2c\0\6\x03web\xc0\x16"
    b"\xc0\x33\0\1\0\1\0\0\1\x2c\0\4\x5d\xb8\xd8\x22"
    b"\xc0\x33\0\1\0\1\0\0\1\x2c\0\4\x5d\xb8\xd8\x23"
)
"""
NUMBER.example.org is web.example.org, which has two addresses: not for documentation, which dnsmasq
takes for private.
"""

LOST_SECONDS = 2.0


def query(number: int) -> bytes:
    """A query for a name that nobody has asked for yet."""
    name = b"\x06n%05d" % (number % 100000)
    header = _HEADER.pack(number & 0xFFFF, 0x0100, 1, 0, 0, 1)
    return header + name + _QUESTION[4:] + _OPT


def answer(asked: bytes) -> bytes:
    """The answer to it."""
    question = asked[12 : 12 + 7 + len(_QUESTION) - 4]
    header = asked[:2] + _HEADER.pack(0, 0x8180, 1, 3, 0, 1)[2:]
    example = 12 + 7
    alias = 12 + len(question) + 12
    records = (_RECORDS.replace(b"\xc0\x16", (0xC000 | example).to_bytes(2, "big"))).replace(
        b"\xc0\x33", (0xC000 | alias).to_bytes(2, "big")
    )
    return header + question + records + _OPT


class Asking:
    """
    Queries, C{size} at a time.

    @param fresh: each from a port of its own.
    """

    def __init__(self, host: str, size: int, fresh: bool) -> None:
        self.host = host
        self.fresh = fresh
        self.done = self.lost = 0
        self._poller = select.epoll()
        self._numbers = count()
        self._open: dict[int, tuple[socket.socket, bytes, float]] = {}
        for _ in range(size):
            self._ask(self._socket())

    def run(self, seconds: float) -> float:
        """Go on for so long; how long that was."""
        started = now = time.monotonic()
        while now < started + seconds:
            for descriptor, _ in self._poller.poll(0.5, 256):
                self._heard(descriptor)
            now = time.monotonic()
            if self._late(now):
                self.lost += 1
        return now - started

    def _socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect((self.host, PORT))
        self._poller.register(sock, select.EPOLLIN)
        return sock

    def _ask(self, sock: socket.socket) -> None:
        asked = query(next(self._numbers))
        sock.send(asked)
        self._open[sock.fileno()] = sock, asked[:2], time.monotonic()

    def _heard(self, descriptor: int) -> None:
        sock, asked, _ = self._open[descriptor]
        try:
            heard = sock.recv(4096)
        except OSError:
            return
        if heard[:2] == asked and heard[3] & 0xF == 0 and heard[7]:
            self.done += 1
        else:
            self.lost += 1
        self._next(descriptor)

    def _next(self, descriptor: int) -> None:
        sock, *_ = self._open.pop(descriptor)
        if self.fresh:
            sock.close()
            sock = self._socket()
        self._ask(sock)

    def _late(self, now: float) -> bool:
        """Whether the oldest query got lost; then another one is asked."""
        descriptor, (_, _, since) = next(iter(self._open.items()))
        if now < since + LOST_SECONDS:
            return False
        self._next(descriptor)
        return True


def serve() -> None:
    """Answer for ever."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("", PORT))
    while True:
        asked, peer = sock.recvfrom(4096)
        sock.sendto(answer(asked), peer)


if __name__ == "__main__":
    serve()
