"""
A server that answers what it gets, and a client that talks with it when it is told to.

Run in a namespace::

    python -m tests.kernel.release.echo server
    python -m tests.kernel.release.echo client HOSTS CONNECTIONS

The client is told on its standard input: C{talk BYTES} on each connection, C{end} them, C{wait}
until they have ended, C{again}: let the server end
them, and begin anew from the same ports. It answers with a line for each.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable
from random import Random

from tests.kernel.release.peers import PORT, dial, exactly


def serve() -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", PORT))
        listener.listen(100)
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def _accept(listener: socket.socket) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_echo, args=(sock,), daemon=True).start()


def _echo(sock: socket.socket) -> None:
    """Says on standard output how it ended."""
    with sock:
        try:
            while data := sock.recv(65536):
                sock.sendall(data)
                if data == b"bye":
                    sock.shutdown(socket.SHUT_WR)
            print("end", flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)


class Client:
    """Its connections."""

    def __init__(self, hosts: list[str], count: int) -> None:
        chance = Random(3)
        self.socks = [dial(host, chance) for host in hosts for _ in range(count)]
        for sock in self.socks:
            exactly(sock, *struct.unpack("!I", exactly(sock, 4)))

    def talk(self, count: str) -> str:
        for sock in self.socks:
            for _ in range(int(count) // 1000):
                sock.sendall(b"x" * 1000)
                exactly(sock, 1000)
        return "talked"

    def end(self) -> str:
        for sock in self.socks:
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""
        return "ended"

    def wait(self) -> str:
        return " ".join(_how(sock) for sock in self.socks)

    def again(self) -> str:
        """New connections from the ports of those that have ended."""
        names = [(sock.getsockname()[:2], sock.getpeername()[:2]) for sock in self.socks]
        for sock in self.socks:
            # who ends first has it in TIME_WAIT
            sock.sendall(b"bye")
            assert exactly(sock, 3) == b"bye"
            assert sock.recv(1) == b""
            sock.close()
        self.socks = [_dial_from(*each) for each in names]
        for sock in self.socks:
            exactly(sock, *struct.unpack("!I", exactly(sock, 4)))
        return self.talk("3000")


def _dial_from(ours: tuple[str, int], theirs: tuple[str, int]) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in ours[0] else socket.AF_INET)
    sock.settimeout(10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(ours)
    sock.connect(theirs)
    return sock


def _how(sock: socket.socket) -> str:
    try:
        return "data" if sock.recv(1) else "end"
    except OSError as error:
        return type(error).__name__


def main() -> None:
    if sys.argv[1] == "server":
        serve()
        return
    client = Client(sys.argv[2].split(","), int(sys.argv[3]))
    print("ready", flush=True)
    commands: dict[str, Callable[..., str]] = {
        "talk": client.talk,
        "end": client.end,
        "wait": client.wait,
        "again": client.again,
    }
    for line in sys.stdin:
        word, *arguments = line.split()
        print(commands[word](*arguments), flush=True)


if __name__ == "__main__":
    main()
