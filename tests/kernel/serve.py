"""
A server: says who connects, then takes what is sent and says how much it was.

    python -m tests.kernel.serve PORT
"""

from __future__ import annotations

import socket
import sys
import threading


def serve(connection: socket.socket) -> None:
    """One connection."""
    host, port = connection.getpeername()[:2]
    connection.sendall(f"{host} {port}\n".encode())
    received = 0
    while data := connection.recv(65536):
        received += len(data)
    # a megabyte back, so that segments of full size go both ways
    connection.sendall(f"{received}\n".encode() + b"." * 1000000)
    connection.close()


def main() -> None:
    """Serve for ever."""
    listening = socket.create_server(
        ("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
    )
    print("ready", flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
