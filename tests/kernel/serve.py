"""
A server: says who connects, then takes what is sent and says how much it was.

    python -m tests.kernel.serve PORT...
"""

from __future__ import annotations

import socket
import sys
import threading


def serve(connection: socket.socket) -> None:
    """One connection, until the client ends or wants the server to end first."""
    host, port = connection.getpeername()[:2]
    connection.sendall(f"{host} {port}\n".encode())
    received = 0
    while data := connection.recv(65536):
        received += len(data)
        if data == b"!":
            break
    # a megabyte back, so that segments of full size go both ways
    connection.sendall(f"{received}\n".encode() + b"." * 1000000)
    connection.close()


def listen(port: int) -> None:
    """Serve for ever."""
    listening = socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
    )
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main() -> None:
    """Listen on all ports."""
    for port in sys.argv[1:]:
        threading.Thread(target=listen, args=(int(port),)).start()
    print("ready", flush=True)


if __name__ == "__main__":
    main()
