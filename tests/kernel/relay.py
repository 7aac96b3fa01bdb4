"""
A transparent relay, as small as can be: what the kernel's part is tested with.

    python -m tests.kernel.relay PORT UPSTREAM_MARK LISTENER_MARK

It accepts on PORT, connects to the original destination from the client's own
address and port, and says so on standard output. One thread for each direction.
UDP is answered by the relay itself, from the original destination.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading

IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
IP_RECVORIGDSTADDR = 20
IPV6_RECVORIGDSTADDR = 74


def transparent(family: int, kind: int, mark: int) -> socket.socket:
    """A transparent socket with a mark."""
    made = socket.socket(family, kind)
    if family == socket.AF_INET:
        made.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    else:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    return made


def pump(one: socket.socket, other: socket.socket) -> None:
    """Pass on everything, and the end."""
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def connected(client: socket.socket, family: int, mark: int, port: int) -> socket.socket:
    """A connection to where C{client} wanted to go, from its address and C{port}."""
    server = transparent(family, socket.SOCK_STREAM, mark)
    server.bind((client.getpeername()[0], port))
    server.connect(client.getsockname())
    return server


def relay(client: socket.socket, family: int, mark: int) -> None:
    """One session."""
    try:
        server = connected(client, family, mark, client.getpeername()[1])
    except OSError:
        # its former connection is not quite over (row 9)
        server = connected(client, family, mark, 0)
    print("relayed", client.getpeername()[:2], client.getsockname()[:2], flush=True)
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)


def accept(family: int, port: int, upstream: int, listener: int) -> None:
    """Accept for ever."""
    listening = transparent(family, socket.SOCK_STREAM, listener)
    listening.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    listening.listen(128)
    while True:
        client, _ = listening.accept()
        threading.Thread(target=relay, args=(client, family, upstream), daemon=True).start()


def original(data: bytes, family: int) -> tuple[str, int]:
    """The address in a socket address of the kernel."""
    (port,) = struct.unpack_from("!H", data, 2)
    raw = data[4:8] if family == socket.AF_INET else data[8:24]
    return socket.inet_ntop(family, raw), port


def answer(family: int, port: int, listener: int) -> None:
    """Answer datagrams with where they were to go."""
    listening = transparent(family, socket.SOCK_DGRAM, listener)
    if family == socket.AF_INET:
        listening.setsockopt(socket.SOL_IP, IP_RECVORIGDSTADDR, 1)
    else:
        listening.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)
    listening.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    while True:
        _, control, _, source = listening.recvmsg(2048, 1024)
        where = original(control[0][2], family)
        reply = transparent(family, socket.SOCK_DGRAM, listener)
        reply.bind(where)
        reply.connect(source)
        reply.send(f"diverted {where[0]} {where[1]}".encode())
        reply.close()


def main() -> None:
    """Listen on everything, then wait for ever."""
    port, upstream, listener = (int(argument, 0) for argument in sys.argv[1:4])
    for family in (socket.AF_INET, socket.AF_INET6):
        threading.Thread(target=accept, args=(family, port, upstream, listener)).start()
        threading.Thread(target=answer, args=(family, port, listener)).start()
    print("ready", flush=True)


if __name__ == "__main__":
    main()
