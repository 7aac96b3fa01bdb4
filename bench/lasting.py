"""
Connections that last: a server, and a client that is told what to do on those it has.

    python -m bench.lasting server PORT
    python -m bench.lasting client HOST PORT CONNECTIONS

The client says C{ready}, then answers each line: C{bulk MEBIBYTES} down on the first connection,
C{exchanges COUNT} on it, C{more COUNT} connections. It answers with the seconds.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time

ASKED = struct.Struct("!BxxxQ")
BULK, EXCHANGE = 1, 2
REQUEST, REPLY = 128, 512
"""Bytes."""

PIECE = bytes(262144)


def serve(port: int) -> None:
    """For ever."""
    listener = socket.create_server(("0.0.0.0", port), backlog=4096)
    print("ready", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_answer, args=(sock,), daemon=True).start()


def _answer(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock:
        while len(asked := sock.recv(REQUEST, socket.MSG_WAITALL)) == REQUEST:
            kind, count = ASKED.unpack_from(asked)
            if kind == EXCHANGE:
                sock.sendall(PIECE[:REPLY])
            else:
                for _ in range(count << 20 >> 18):
                    sock.sendall(PIECE)


class Client:
    """Its connections; only the first says anything after the first exchange."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._socks: list[socket.socket] = []
        self._room = bytearray(len(PIECE))

    def more(self, count: int) -> None:
        """So many connections, each of which has exchanged something."""
        for _ in range(count):
            sock = socket.create_connection(self._server)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks.append(sock)
            self._ask(sock, EXCHANGE, 0, REPLY)

    def exchanges(self, count: int) -> None:
        """One after the other."""
        for _ in range(count):
            self._ask(self._socks[0], EXCHANGE, 0, REPLY)

    def bulk(self, mebibytes: int) -> None:
        """Down."""
        self._ask(self._socks[0], BULK, mebibytes, mebibytes << 20)

    def _ask(self, sock: socket.socket, kind: int, count: int, answer: int) -> None:
        sock.sendall(ASKED.pack(kind, count).ljust(REQUEST, b"\0"))
        while answer:
            answer -= sock.recv_into(self._room, min(answer, len(self._room)))


def main() -> None:
    """Be one of the two."""
    if sys.argv[1] == "server":
        serve(int(sys.argv[2]))
    client = Client((sys.argv[2], int(sys.argv[3])))
    client.more(int(sys.argv[4]))
    print("ready", flush=True)
    for line in sys.stdin:
        what, count = line.split()
        began = time.perf_counter()
        getattr(client, what)(int(count))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
