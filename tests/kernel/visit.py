"""
A client: connects, sends, and says how it ended.

    python -m tests.kernel.visit HOST PORT [BYTES]
"""

from __future__ import annotations

import socket
import sys


def visit(host: str, port: int, count: int) -> str:
    """What a client gets: what the server said of it, or the error."""
    try:
        with socket.create_connection((host, port), 3) as connection:
            connection.settimeout(5)
            connection.sendall(b"." * count)
            connection.shutdown(socket.SHUT_WR)
            received = bytearray()
            while data := connection.recv(65536):
                received += data
            seen, got, rest = bytes(received).split(b"\n", 2)
            host_, port_ = connection.getsockname()[:2]
            own = f"{host_} {port_}"
            kept = seen.decode().removeprefix("::ffff:") == own
            return (
                f"{seen.decode()} got {int(got)} back {len(rest)} {'kept' if kept else 'changed'}"
            )
    except (OSError, ValueError) as error:
        return f"{type(error).__name__} {error}"


if __name__ == "__main__":
    print(visit(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 10))
