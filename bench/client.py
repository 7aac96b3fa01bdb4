"""
The near end of every load: C{python -m bench.client LOAD SECONDS SIZE} makes
one kind of traffic and prints what came of it as a JSON object.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count, cycle
from typing import NamedTuple

from bench import mailbox, mixed, names, server, tls
from bench.network import SERVER_HOST
from bench.server import (
    HTTP_END,
    HTTP_HOST,
    PIECE,
    REPLY,
    REQUEST,
    bulk_file,
    raise_descriptor_limit,
)

HTTP_REQUEST = (
    "GET /news/2026/11/24/article-%d.html?page=3&sort=new HTTP/1.1\r\n"
    "Host: {host}:{port}\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Referer: http://{host}:{port}/news/\r\n"
    "Cookie: session=6b1f0c7e9a8d4f%02x; theme=dark; consent=all\r\n"
    "Connection: keep-alive\r\n\r\n"
)
"""What a browser says."""


FOLDER = sys.argv[4] if len(sys.argv) > 4 else ""
"""Where the roots are."""

MANY_MESSAGES = ("-d", "-l", "4096")
LARGE_BYTES = 1 << 24
LARGE_MESSAGES = ("-d", "-l", f"{LARGE_BYTES}")
"""What C{smtp-source} is told."""


class Result(NamedTuple):
    """What was done, in how much time, and how often it went wrong."""

    amount: float
    seconds: float
    errors: int = 0


class Exchange(NamedTuple):
    """What is asked on a connection, and how the whole of the answer is known."""

    request: Callable[[int], bytes]
    done: Callable[[bytes], bool]


PLAIN = Exchange(lambda connection: REQUEST, lambda reply: len(reply) == len(REPLY))


def http(port: int) -> Exchange:
    """A request for a page, never the same one, and the page."""
    request = HTTP_REQUEST.format(host=HTTP_HOST, port=port).encode()
    numbers = count()
    return Exchange(lambda connection: request % (next(numbers), connection % 256), is_page)


def is_page(reply: bytes) -> bool:
    """Whether this is a successful answer, to its end."""
    return reply.startswith(b"HTTP/1.1 200 ") and reply.endswith(HTTP_END)


def many_kinds(port: int) -> Exchange:
    """Requests of many kinds, and their answers."""
    host, numbers = f"{HTTP_HOST}:{port}", count()
    return Exchange(
        lambda connection: mixed.request(next(numbers), host, connection), mixed.is_answer
    )


class Connections:
    """Connect, one small exchange, close: always C{size} of them at a time."""

    def __init__(self, size: int, exchanges: dict[int, Exchange]) -> None:
        self.size = size
        self.count = self.errors = 0
        self.epoll = select.epoll()
        self.open: dict[int, tuple[socket.socket, Exchange]] = {}
        self.begun: dict[int, bytes] = {}
        self.targets = cycle(exchanges.items())

    def run(self, seconds: float) -> Result:
        """Go on for C{seconds}, then leave the rest alone."""
        for _ in range(self.size):
            self.connect()
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            for descriptor, events in self.epoll.poll(0.5, 256):
                self.step(*self.open[descriptor], events)
        return Result(self.count, time.monotonic() - started, self.errors)

    def connect(self) -> None:
        """Begin one connection."""
        port, exchange = next(self.targets)
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((SERVER_HOST, port))
        self.open[sock.fileno()] = sock, exchange
        self.epoll.register(sock, select.EPOLLOUT)

    def step(self, sock: socket.socket, exchange: Exchange, events: int) -> None:
        """Connected: ask. Answered: close, and begin another."""
        try:
            if events & select.EPOLLOUT and not events & select.EPOLLERR:
                sock.send(exchange.request(sock.fileno()))
                self.epoll.modify(sock, select.EPOLLIN)
                return
            piece = sock.recv(4096)
        except OSError:
            piece = b""
        reply = self.begun.pop(sock.fileno(), b"") + piece
        if piece and not exchange.done(reply):
            self.begun[sock.fileno()] = reply
            return
        self.count += bool(piece)
        self.errors += not piece
        del self.open[sock.fileno()]
        sock.close()
        self.connect()


def connections(seconds: float, size: int) -> Result:
    """New connections, C{size} at a time."""
    return Connections(size, dict.fromkeys(server.CONNECTION_PORTS, PLAIN)).run(seconds)


def http_connections(seconds: float, size: int) -> Result:
    """New connections with one request for a page, C{size} at a time."""
    return Connections(size, {port: http(port) for port in server.HTTP_CONNECTION_PORTS}).run(
        seconds
    )


def exchanges(seconds: float, size: int) -> Result:
    """Requests and replies on C{size} kept connections, one at a time on each."""
    return exchanged(server.EXCHANGE_PORT, PLAIN, seconds, size)


def http_requests(seconds: float, size: int) -> Result:
    """Requests for pages on C{size} kept connections, one at a time on each."""
    port = server.HTTP_EXCHANGE_PORT
    return exchanged(port, http(port), seconds, size)


def http_mixed(seconds: float, size: int) -> Result:
    """Requests of many kinds on C{size} kept connections."""
    port = server.HTTP_MIXED_PORT
    return exchanged(port, many_kinds(port), seconds, size)


def exchanged(port: int, exchange: Exchange, seconds: float, size: int) -> Result:
    """The same exchange again and again."""
    poller = select.epoll()
    sockets = {sock.fileno(): sock for sock in connected(port, size)}
    begun = dict.fromkeys(sockets, b"")
    for sock in sockets.values():
        poller.register(sock, select.EPOLLIN)
        sock.send(exchange.request(sock.fileno()))
    done, started = 0, time.monotonic()
    while time.monotonic() < started + seconds:
        for descriptor, _ in poller.poll(0.5, 256):
            piece = sockets[descriptor].recv(4096)
            if not piece:
                return Result(done, time.monotonic() - started, 1)
            begun[descriptor] += piece
            if exchange.done(begun[descriptor]):
                begun[descriptor] = b""
                sockets[descriptor].send(exchange.request(descriptor))
                done += 1
    return Result(done, time.monotonic() - started)


def download(seconds: float, size: int) -> Result:
    """GiB from the server to the client on C{size} connections, thrown away unread."""
    return downloaded(server.DOWNLOAD_PORT, b"", seconds, size)


def http_download(seconds: float, size: int) -> Result:
    """The same as bodies of HTTP."""
    port = server.HTTP_DOWNLOAD_PORT
    return downloaded(port, http(port).request(0), seconds, size)


def downloaded(port: int, request: bytes, seconds: float, size: int) -> Result:
    """All that comes after C{request}."""
    sockets = list(connected(port, size))
    for sock in sockets:
        sock.send(request)
    return received(sockets, seconds)


def received(streams: Sequence[socket.socket], seconds: float) -> Result:
    """GiB of all that comes there."""
    poller = select.epoll()
    sockets = {sock.fileno(): sock for sock in streams}
    for sock in streams:
        poller.register(sock, select.EPOLLIN)
    buffer, total, started = bytearray(PIECE), 0, time.monotonic()
    while time.monotonic() < started + seconds:
        for descriptor, _ in poller.poll(0.5):
            taken = sockets[descriptor].recv_into(buffer, PIECE, socket.MSG_TRUNC)
            if not taken:
                return Result(total / 2**30, time.monotonic() - started, 1)
            total += taken
    return Result(total / 2**30, time.monotonic() - started)


def scan_small(seconds: float, size: int) -> Result:
    """Bodies of 64 KiB on C{size} kept connections, which are scanned."""
    return scanned(server.SCAN_SMALL_PORT, seconds, size)


def scan_large(seconds: float, size: int) -> Result:
    """And of 10 MiB."""
    return scanned(server.SCAN_LARGE_PORT, seconds, size)


class Download:
    """
    One body after the other on a connection.

    @ivar whole: how many have come to their end.
    """

    def __init__(self, sock: socket.socket, port: int) -> None:
        self.sock = sock
        self.whole = 0
        self._request = http(port).request
        self._head = b""
        self._left = 0

    def ask(self) -> None:
        """For the next one."""
        self.sock.send(self._request(self.sock.fileno()))

    @property
    def between(self) -> bool:
        """Whether the peer may close now, which is no error."""
        return not self._left and not self._head

    def step(self) -> bool:
        """More has come; whether that is good."""
        if self._left:
            taken = self.sock.recv_into(bytearray(PIECE), min(self._left, PIECE))
            self._left -= taken
        else:
            piece = self.sock.recv(4096)
            self._head += piece
            taken = len(piece)
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return bool(piece)
            if not head.startswith(b"HTTP/1.1 200 "):
                return False
            said = head.lower().partition(b"\r\ncontent-length: ")[2]
            self._left, self._head = int(said.split(b"\r")[0]) - len(body), b""
        if taken and not self._left:
            self.whole += 1
            self.ask()
        return bool(taken)


def scanned(port: int, seconds: float, size: int) -> Result:
    """How many came whole."""
    poller, whole = select.epoll(), 0
    downloads: dict[int, Download] = {}

    def begin(count: int) -> None:
        for sock in connected(port, count):
            one = downloads[sock.fileno()] = Download(sock, port)
            poller.register(sock, select.EPOLLIN)
            one.ask()

    begin(size)
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        for descriptor, _ in poller.poll(0.5):
            one = downloads[descriptor]
            if one.step():
                continue
            if not one.between:
                return Result(whole, time.monotonic() - started, 1)
            whole += one.whole
            del downloads[descriptor]
            one.sock.close()
            begin(1)
    whole += sum(one.whole for one in downloads.values())
    return Result(whole, time.monotonic() - started)


def upload(seconds: float, size: int) -> Result:
    """GiB from the client to the server on C{size} connections: what the server says it got."""
    poller, source = select.epoll(), bulk_file()
    sockets = {sock.fileno(): sock for sock in connected(server.UPLOAD_PORT, size)}
    for sock in sockets.values():
        poller.register(sock, select.EPOLLOUT)
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        for descriptor, _ in poller.poll(0.5):
            os.sendfile(descriptor, source, 0, PIECE)
    for sock in sockets.values():
        sock.setblocking(True)
        sock.shutdown(socket.SHUT_WR)
    total = sum(int.from_bytes(sock.recv(8), "big") for sock in sockets.values())
    return Result(total / 2**30, time.monotonic() - started)


def smtp_messages(seconds: float, size: int) -> Result:
    """Messages of 4 KiB on C{size} connections at a time, fifty on each, to the inspector."""
    return mailed(server.SMTP_PORT, seconds, size, MANY_MESSAGES)


def smtp_relayed(seconds: float, size: int) -> Result:
    """The same to the relay."""
    return mailed(server.SMTP_RELAY_PORT, seconds, size, MANY_MESSAGES)


def smtp_content(seconds: float, size: int) -> Result:
    """The same, with rules about headers and attachments."""
    return mailed(server.SMTP_CONTENT_PORT, seconds, size, MANY_MESSAGES)


def smtp_connections(seconds: float, size: int) -> Result:
    """The same, each message on a connection of its own."""
    return mailed(server.SMTP_PORT, seconds, size, ("-l", "4096"))


def smtp_large(seconds: float, size: int) -> Result:
    """GiB in messages of 16 MiB."""
    return gibibytes(mailed(server.SMTP_PORT, seconds, size, LARGE_MESSAGES, 2))


def smtp_large_content(seconds: float, size: int) -> Result:
    """The same, with rules about headers and attachments."""
    return gibibytes(mailed(server.SMTP_CONTENT_PORT, seconds, size, LARGE_MESSAGES, 2))


def milter_small(seconds: float, size: int) -> Result:
    """Messages of 64 KiB, which a milter sees."""
    return mailed(server.SMTP_FILTERED_PORT, seconds, size, ("-d", "-l", "65536"), 20)


def milter_large(seconds: float, size: int) -> Result:
    """And of 10 MiB."""
    return mailed(server.SMTP_FILTERED_PORT, seconds, size, ("-d", "-l", f"{10 << 20}"), 2)


def gibibytes(messages: Result) -> Result:
    """How much it was."""
    return messages._replace(amount=messages.amount * LARGE_BYTES / 2**30)


def mailed(port: int, seconds: float, size: int, options: Sequence[str], each: int = 50) -> Result:
    """Postfix's own generator, as often as it takes."""
    command = ["smtp-source", "-4", "-f", "a@a.example", "-t", "bob@b.example", "-s", f"{size}"]
    command += [*options, "-m", f"{size * each}", f"{SERVER_HOST}:{port}"]
    done = errors = 0
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        good = subprocess.run(command, check=False).returncode == 0
        done += size * each if good else 0
        errors += not good
    return Result(done, time.monotonic() - started, errors)


class Ftp:
    """A session of FTP, logged in."""

    def __init__(self) -> None:
        self.control = socket.create_connection((SERVER_HOST, server.FTP_PORT), 10)
        self.replies = self.control.makefile("rb")
        self.replies.readline()
        for command in (b"USER anonymous", b"PASS bench@example.org", b"TYPE I"):
            self.ask(command)

    def ask(self, command: bytes) -> bytes:
        """A command and its reply."""
        self.control.sendall(command + b"\r\n")
        return self.replies.readline()

    def retrieve(self, name: bytes) -> socket.socket:
        """The data connection of a file, passive."""
        *_, high, low = self.ask(b"PASV").partition(b"(")[2].partition(b")")[0].split(b",")
        data = socket.create_connection((SERVER_HOST, int(high) * 256 + int(low)), 10)
        self.ask(b"RETR " + name)
        return data

    def end(self) -> bool:
        """Whether the file was complete; then goodbye."""
        complete = self.replies.readline()[:3] == b"226"
        self.ask(b"QUIT")
        self.close()
        return complete

    def close(self) -> None:
        """Without a word."""
        self.replies.close()
        self.control.close()


def ftp_sessions(seconds: float, size: int) -> Result:
    """Login, a file of 1 KiB, goodbye: C{size} at a time, each by a process of its own."""
    started = time.monotonic()
    with ProcessPoolExecutor(size) as pool:
        counted = list(pool.map(ftp_session_after_session, [started + seconds] * size))
    done, failed = map(sum, zip(*counted, strict=True))
    return Result(done, time.monotonic() - started, failed)


def ftp_session_after_session(until: float) -> tuple[int, int]:
    """How many were good, and how many failed."""
    done = failed = 0
    while time.monotonic() < until:
        try:
            session = Ftp()
            with session.retrieve(b"small") as data:
                got = b"".join(iter(lambda: data.recv(65536), b""))
            good = got == server.FTP_FILE and session.end()
        except (OSError, ValueError):
            good = False
        done, failed = done + good, failed + (not good)
    return done, failed


def ftp_download(seconds: float, size: int) -> Result:
    """GiB of files without end, by C{size} sessions, thrown away unread."""
    sessions = [Ftp() for _ in range(size)]
    result = received([each.retrieve(server.FTP_LARGE) for each in sessions], seconds)
    for each in sessions:
        each.close()
    return result


def imap_sessions(seconds: float, size: int) -> Result:
    """Login, ten messages of 4 KiB, goodbye: C{size} at a time, each by a process of its own."""
    return fetched(mailbox.IMAP_PORT, seconds, size)


def imap_content(seconds: float, size: int) -> Result:
    """The same, with rules about headers and attachments."""
    return fetched(mailbox.IMAP_CONTENT_PORT, seconds, size)


def pop3_sessions(seconds: float, size: int) -> Result:
    """The same by POP3."""
    return fetched(mailbox.POP3_PORT, seconds, size)


def pop3_content(seconds: float, size: int) -> Result:
    """The same, with rules about headers and attachments."""
    return fetched(mailbox.POP3_CONTENT_PORT, seconds, size)


def fetched(port: int, seconds: float, size: int) -> Result:
    """Sessions in which a mailbox is fetched."""
    started = time.monotonic()
    done, failed = mailbox.sessions(SERVER_HOST, port, seconds, size)
    return Result(done, time.monotonic() - started, failed)


def tls_connections(seconds: float, size: int) -> Result:
    """New connections by TLS with one request for a page, C{size} at a time."""
    started = time.monotonic()
    done, failed = tls.connections(SERVER_HOST, FOLDER, tls.INSPECTED, seconds, size)
    return Result(done, time.monotonic() - started, failed)


def tls_spliced(seconds: float, size: int) -> Result:
    """The same to a name that is spliced."""
    started = time.monotonic()
    done, failed = tls.connections(SERVER_HOST, FOLDER, tls.SPLICED, seconds, size)
    return Result(done, time.monotonic() - started, failed)


def tls_requests(seconds: float, size: int) -> Result:
    """Requests for pages on C{size} kept connections by TLS."""
    started = time.monotonic()
    done, failed = tls.requests(SERVER_HOST, FOLDER, seconds, size)
    return Result(done, time.monotonic() - started, failed)


def tls_download(seconds: float, size: int) -> Result:
    """GiB from the server to the client, by TLS."""
    started = time.monotonic()
    total = tls.download(SERVER_HOST, FOLDER, seconds, size)
    return Result(total / 2**30, time.monotonic() - started)


def tls_idle(seconds: float, size: int) -> Result:
    """C{size} connections by TLS with one request each; then nothing, until standard input ends."""
    client, held = tls.Client(SERVER_HOST, FOLDER, tls.INSPECTED), []
    for number in range(size):
        sock = client.connect()
        client.ask(sock, number)
        held.append(sock)
    report(Result(len(held), 0))
    sys.stdin.read()
    return Result(len(held), 0)


def dns_queries(seconds: float, size: int) -> Result:
    """Queries by UDP from C{size} ports, one at a time from each."""
    asking = names.Asking(SERVER_HOST, size, fresh=False)
    took = asking.run(seconds)
    return Result(asking.done, took, asking.lost)


def dns_ports(seconds: float, size: int) -> Result:
    """Queries by UDP, each from a port of its own, C{size} at a time."""
    asking = names.Asking(SERVER_HOST, size, fresh=True)
    took = asking.run(seconds)
    return Result(asking.done, took, asking.lost)


def idle(seconds: float, size: int) -> Result:
    """
    C{size} connections with one exchange each, or as many as are accepted;
    then nothing, until standard input ends.
    """
    held = []
    for sock in connected(server.IDLE_PORT, size):
        sock.settimeout(10)
        try:
            sock.send(REQUEST)
            sock.recv(4096)
        except OSError:
            break
        held.append(sock)
    report(Result(len(held), 0, size - len(held)))
    sys.stdin.read()
    return Result(len(held), 0, size - len(held))


def stuck(seconds: float, size: int) -> Result:
    """C{size} GiB towards a server that never reads, until nothing has moved for C{seconds}."""
    (sock,) = connected(server.STUCK_PORT, 1)
    sock.settimeout(seconds)
    source, total = bulk_file(), 0
    try:
        while total < size << 30:
            total += sock.send(bytes(PIECE))
    except TimeoutError:
        pass
    os.close(source)
    report(Result(total / 2**30, seconds))
    sys.stdin.read()
    return Result(total / 2**30, seconds)


def connected(port: int, size: int) -> Iterator[socket.socket]:
    """C{size} connections to one port, non-blocking."""
    for _ in range(size):
        sock = socket.create_connection((SERVER_HOST, port), 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        yield sock


def report(result: Result) -> None:
    """Tell the parent."""
    print(json.dumps(result), flush=True)


LOADS: dict[str, Callable[[float, int], Result]] = {
    "connections": connections,
    "exchanges": exchanges,
    "download": download,
    "http-connections": http_connections,
    "http-requests": http_requests,
    "http-mixed": http_mixed,
    "http-download": http_download,
    "scan-small": scan_small,
    "scan-large": scan_large,
    "smtp-messages": smtp_messages,
    "smtp-relayed": smtp_relayed,
    "smtp-content": smtp_content,
    "smtp-connections": smtp_connections,
    "smtp-large": smtp_large,
    "smtp-large-content": smtp_large_content,
    "milter-small": milter_small,
    "milter-large": milter_large,
    "upload": upload,
    "imap-sessions": imap_sessions,
    "imap-content": imap_content,
    "pop3-sessions": pop3_sessions,
    "pop3-content": pop3_content,
    "ftp-sessions": ftp_sessions,
    "ftp-download": ftp_download,
    "tls-connections": tls_connections,
    "tls-spliced": tls_spliced,
    "tls-requests": tls_requests,
    "tls-download": tls_download,
    "tls-idle": tls_idle,
    "dns-queries": dns_queries,
    "dns-ports": dns_ports,
    "idle": idle,
    "stuck": stuck,
}


def main() -> None:
    """Run one load."""
    raise_descriptor_limit()
    report(LOADS[sys.argv[1]](float(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
