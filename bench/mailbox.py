"""
Mailboxes: both ends of a session of IMAP or POP3, in which a client logs in, fetches all messages
of a mailbox, one after the other, and says goodbye.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

IMAP_PORT = 7760
IMAP_CONTENT_PORT = 7761
POP3_PORT = 7770
POP3_CONTENT_PORT = 7771
"""Those with content have rules for headers and attachments."""

MESSAGES = 10
LINE = b"All work and no play makes Jack a dull boy; all work and no play makes him so.\r\n"
MAIL = (
    b"Received: from a.example by b.example; Tue, 24 Nov 2026 12:00:00 +0000\r\n"
    b"From: Alice <alice@a.example>\r\nTo: Bob <bob@b.example>\r\nSubject: dull\r\n"
    b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@a.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + LINE * 50
)
"""Some 4 KiB."""

SECONDS = 10
"""A client waits so long for an answer."""

# The far end

_IMAP = {
    b"LOGIN": b"%s OK Come in\r\n",
    b"SELECT": b"* FLAGS (\\Seen)\r\n* 10 EXISTS\r\n* 0 RECENT\r\n%s OK [READ-WRITE] Chosen\r\n",
    b"FETCH": b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % len(MAIL) + MAIL + b")\r\n%s OK Done\r\n",
    b"LOGOUT": b"* BYE Goodbye\r\n%s OK Done\r\n",
}

_POP3 = {
    b"USER": b"+OK\r\n",
    b"PASS": b"+OK Come in\r\n",
    b"RETR": b"+OK %d octets\r\n" % len(MAIL) + MAIL + b".\r\n",
    b"QUIT": b"+OK Goodbye\r\n",
}


def imap(sock: socket.socket) -> None:
    """A session of IMAP: whatever is fetched, it is the same message."""
    sock.sendall(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n")
    for line in sock.makefile("rb"):
        tag, verb = line.split(maxsplit=2)[:2]
        sock.sendall(_IMAP[verb] % tag)


def pop3(sock: socket.socket) -> None:
    """The same by POP3."""
    sock.sendall(b"+OK ready\r\n")
    for line in sock.makefile("rb"):
        sock.sendall(_POP3[line.split()[0]])


SERVED: dict[int, Callable[[socket.socket], None]] = {
    IMAP_PORT: imap,
    IMAP_CONTENT_PORT: imap,
    POP3_PORT: pop3,
    POP3_CONTENT_PORT: pop3,
}
"""By port."""

# The near end


def fetch_by_imap(sock: socket.socket) -> bool:
    """Whether all messages came."""
    heard = sock.makefile("rb")
    heard.readline()
    asked = [b"LOGIN bob sesame", b"SELECT INBOX"]
    asked += [b"FETCH %d (UID BODY.PEEK[])" % (number + 1) for number in range(MESSAGES)]
    size = 0
    for count, command in enumerate([*asked, b"LOGOUT"]):
        tag = b"a%d " % count
        sock.sendall(tag + command + b"\r\n")
        while not (line := heard.readline()).startswith(tag):
            if not line:
                return False
            size += len(line)
    return size > MESSAGES * len(MAIL)


def fetch_by_pop3(sock: socket.socket) -> bool:
    """The same by POP3."""
    heard = sock.makefile("rb")
    heard.readline()
    for command in (b"USER bob", b"PASS sesame"):
        sock.sendall(command + b"\r\n")
        heard.readline()
    size = 0
    for number in range(MESSAGES):
        sock.sendall(b"RETR %d\r\n" % (number + 1))
        while (line := heard.readline()) != b".\r\n":
            if not line:
                return False
            size += len(line)
    sock.sendall(b"QUIT\r\n")
    return heard.readline().startswith(b"+OK") and size > MESSAGES * len(MAIL)


FETCH = {
    IMAP_PORT: fetch_by_imap,
    IMAP_CONTENT_PORT: fetch_by_imap,
    POP3_PORT: fetch_by_pop3,
    POP3_CONTENT_PORT: fetch_by_pop3,
}


def one_after_the_other(host: str, port: int, until: float) -> tuple[int, int]:
    """Sessions: how many were good, and how many failed."""
    done = failed = 0
    while time.monotonic() < until:
        try:
            with socket.create_connection((host, port), SECONDS) as sock:
                good = FETCH[port](sock)
        except OSError:
            good = False
        done, failed = done + good, failed + (not good)
    return done, failed


def sessions(host: str, port: int, seconds: float, size: int) -> tuple[int, int]:
    """The same by C{size} processes."""
    until = time.monotonic() + seconds
    with ProcessPoolExecutor(size) as pool:
        asked = [pool.submit(one_after_the_other, host, port, until) for _ in range(size)]
        counted = [each.result() for each in asked]
    done, failed = map(sum, zip(*counted, strict=True))
    return done, failed
