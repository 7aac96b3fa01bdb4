"""
The far end of every load: C{python -m bench.server}, one process for small
messages, a forked one for each bulk connection, so that the server is never
what limits a way.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from itertools import count
from random import Random

from bench import mailbox, mixed

CONNECTION_PORTS = range(7001, 7017)
"""Several, so that no client port to one of them comes back within a run."""

EXCHANGE_PORT = 7100
DOWNLOAD_PORT = 7200
UPLOAD_PORT = 7300
IDLE_PORT = 7400
STUCK_PORT = 7500
HTTP_CONNECTION_PORTS = range(7801, 7817)
HTTP_EXCHANGE_PORT = 7850
HTTP_DOWNLOAD_PORT = 7860
HTTP_MIXED_PORT = 7870
SCAN_SMALL_PORT = 7880
SCAN_LARGE_PORT = 7881
SMTP_RELAY_PORT = 7600
SMTP_PORT = 7700
SMTP_CONTENT_PORT = 7701
SMTP_FILTERED_PORT = 7702
SMTP_PORTS = (SMTP_RELAY_PORT, SMTP_PORT, SMTP_CONTENT_PORT)
"""Of C{smtp-sink}, which is a program of its own."""

FTP_PORT = 7750

REQUEST = b"q" * 128
REPLY = b"r" * 512
PIECE = 1 << 20

HTTP_HOST = "www.bench.example"

HTTP_END = b"</html>\n"

HTTP_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Server: nginx/1.22.1\r\n"
    b"Date: Tue, 24 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Last-Modified: Mon, 23 Nov 2026 08:%02d:%02d GMT\r\n"
    b"Connection: keep-alive\r\n"
    b'ETag: "6740f0fe-%x"\r\n'
    b"Cache-Control: max-age=0\r\n"
    b"Accept-Ranges: bytes\r\n\r\n"
)
"""What nginx says."""

SCAN_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
)

HTTP_BULK = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/octet-stream\r\n"
    b"Content-Length: 1099511627776\r\n\r\n"
)
"""The head of a download that has no end for as long as it is measured."""

FTP_REPLIES = {
    b"USER": b"331 Please specify the password.\r\n",
    b"PASS": b"230 Login successful.\r\n",
    b"PWD": b'257 "/" is the current directory\r\n',
    b"TYPE": b"200 Switching to Binary mode.\r\n",
    b"QUIT": b"221 Goodbye.\r\n",
}
FTP_FILE = b"f" * 1024
FTP_LARGE = b"large"
"""The name of a file without end."""


def raise_descriptor_limit() -> int:
    """Allow as many descriptors as this machine lets us, and say how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def bulk_file() -> int:
    """A file in memory to send from without copying."""
    descriptor = os.memfd_create("bulk")
    os.ftruncate(descriptor, PIECE)
    return descriptor


def listen(port: int) -> socket.socket:
    """A listening socket on all addresses."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    sock.listen(4096)
    return sock


def feed(sock: socket.socket) -> None:
    """Send for as long as the peer takes it."""
    source = bulk_file()
    while True:
        os.sendfile(sock.fileno(), source, 0, PIECE)


def feed_http(sock: socket.socket) -> None:
    """Answer one request with more than anybody waits for."""
    sock.recv(4096)
    sock.sendall(HTTP_BULK)
    feed(sock)


def small_bodies(sock: socket.socket) -> None:
    """Answer each request with 64 KiB."""
    bodies(sock, 1 << 16)


def large_bodies(sock: socket.socket) -> None:
    """And with 10 MiB."""
    bodies(sock, 10 << 20)


def bodies(sock: socket.socket, size: int) -> None:
    """Answer each request with so many bytes, which are nothing that a scanner knows."""
    answer = SCAN_HEAD % size + Random(7).randbytes(size)
    asked = b""
    while piece := sock.recv(4096):
        asked += piece
        while b"\r\n\r\n" in asked:
            _, _, asked = asked.partition(b"\r\n\r\n")
            sock.sendall(answer)


def drain(sock: socket.socket) -> None:
    """Take everything without looking at it, then say how much it was."""
    total, buffer = 0, bytearray(PIECE)
    while taken := sock.recv_into(buffer, PIECE, socket.MSG_TRUNC):
        total += taken
    sock.sendall(total.to_bytes(8, "big"))


def hold(sock: socket.socket) -> None:
    """Never read, never write."""
    signal.pause()


def ftp(sock: socket.socket) -> None:
    """A session of FTP: who comes may read, in passive mode."""
    sock.sendall(b"220 (vsFTPd 3.0.3)\r\n")
    listener = sock
    for line in sock.makefile("rb"):
        verb, _, argument = line.strip().partition(b" ")
        if verb in (b"PASV", b"EPSV"):
            listener = listen(0)
            port = listener.getsockname()[1]
            host = sock.getsockname()[0].replace(".", ",")
            numbers = f"{host},{port >> 8},{port & 255}"
            passive = f"227 Entering Passive Mode ({numbers}).\r\n"
            extended = f"229 Entering Extended Passive Mode (|||{port}|)\r\n"
            sock.sendall((passive if verb == b"PASV" else extended).encode())
        elif verb == b"RETR":
            sock.sendall(b"150 Opening BINARY mode data connection.\r\n")
            send_file(listener, argument)
            sock.sendall(b"226 Transfer complete.\r\n")
        else:
            sock.sendall(FTP_REPLIES.get(verb, b"500 Unknown command.\r\n"))
        if verb == b"QUIT":
            break


def send_file(listener: socket.socket, name: bytes) -> None:
    """To whoever comes to the data connection."""
    data, _ = listener.accept()
    listener.close()
    with data:
        if name.endswith(FTP_LARGE):
            feed(data)
        data.sendall(FTP_FILE)


FORKED: dict[int, Callable[[socket.socket], None]] = {
    DOWNLOAD_PORT: feed,
    UPLOAD_PORT: drain,
    STUCK_PORT: hold,
    FTP_PORT: ftp,
    HTTP_DOWNLOAD_PORT: feed_http,
    **mailbox.SERVED,
    SCAN_SMALL_PORT: small_bodies,
    SCAN_LARGE_PORT: large_bodies,
}


Segments = Sequence[bytes]
"""What is sent one after the other, each by itself."""


def plain_reply(number: int, asked: bytes) -> Segments:
    """Always the same."""
    return (REPLY,)


def http_reply(number: int, asked: bytes) -> Segments:
    """A page of some 1 KiB, of which there are many: what is seen twice can be remembered."""
    size = 512 + number * 7919 % 1024
    head = HTTP_HEAD % (size, number // 60 % 60, number % 60, number)
    return (head + HTTP_END.rjust(size, b"x"),)


def mixed_reply(number: int, asked: bytes) -> Segments:
    """One of many kinds."""
    return mixed.answer(asked)


Reply = Callable[[int, bytes], Segments]

REPLIES: dict[int, Reply] = {
    **dict.fromkeys((*CONNECTION_PORTS, EXCHANGE_PORT, IDLE_PORT), plain_reply),
    **dict.fromkeys((*HTTP_CONNECTION_PORTS, HTTP_EXCHANGE_PORT), http_reply),
    HTTP_MIXED_PORT: mixed_reply,
}


class Server:
    """One epoll loop over all listeners and all small connections."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.listeners: dict[int, tuple[socket.socket, int]] = {}
        self.sockets: dict[int, tuple[socket.socket, Reply]] = {}
        self.numbers = count()
        for port in (*REPLIES, *FORKED):
            listener = listen(port)
            listener.setblocking(False)
            self.listeners[listener.fileno()] = (listener, port)
            self.epoll.register(listener, select.EPOLLIN)

    def run(self) -> None:
        """Serve until a signal comes."""
        while True:
            for descriptor, _ in self.epoll.poll(maxevents=256):
                if descriptor in self.listeners:
                    self.accept(*self.listeners[descriptor])
                else:
                    self.answer(*self.sockets[descriptor])

    def accept(self, listener: socket.socket, port: int) -> None:
        """Take all connections that wait."""
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            if port in FORKED:
                fork(FORKED[port], sock)
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets[sock.fileno()] = sock, REPLIES[port]
                self.epoll.register(sock, select.EPOLLIN)

    def answer(self, sock: socket.socket, reply: Reply) -> None:
        """One reply for one request, all of which is there at once."""
        try:
            if asked := sock.recv(4096):
                for segment in reply(next(self.numbers), asked):
                    sock.send(segment)
                return
        except OSError:
            pass
        del self.sockets[sock.fileno()]
        self.epoll.unregister(sock)  # closing is not enough while a forked process has it too
        sock.close()


def fork(serve: Callable[[socket.socket], None], sock: socket.socket) -> None:
    """Serve one connection in a process of its own."""
    if os.fork():
        sock.close()
        return
    try:
        serve(sock)
    except OSError:
        pass
    finally:
        os._exit(0)


def main() -> None:
    """Serve until terminated, together with the forked ones."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    raise_descriptor_limit()
    server = Server()
    print("ready", flush=True)
    server.run()


def end(signal_number: int, frame: object) -> None:
    """End this process and those it forked."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    sys.exit()


if __name__ == "__main__":
    main()
