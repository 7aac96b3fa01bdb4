"""The connections that the demonstration makes, and what came of each."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from gateway.interfaces import Address
from gateway.lab import names, network
from gateway.lab.namespace import CommandFailed, Namespace
from gateway.policy.connection import Connection, Protocol

SECONDS = 1.5
"""How long the client waits for anything, on a machine that is quick enough."""

_YOU_ARE = re.compile(r"you are (?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d+)")


@frozen
class Attempt:
    """
    One connection to be made.

    C{say} is what the client sends at once; C{talk}, in pieces, each after the server's
    answer to the one before. C{url} is what follows the host, for curl. C{name} is whom it asks
    for by TLS, C{query} what it asks of DNS.
    """

    title: str
    destination: Address
    say: bytes = b""
    source: str = network.CLIENT
    protocol: Protocol = Protocol.TCP
    program: str = "socket"
    talk: tuple[bytes, ...] = ()
    scheme: str = "http"
    url: str = "/"
    name: str = ""
    query: str = ""


@frozen
class Outcome:
    """What came of an attempt: from which address it was made, and what was heard."""

    attempt: Attempt
    source: Address
    heard: str

    @property
    def seen(self) -> Address | None:
        """The client's address as the server saw it, if it said so."""
        found = _YOU_ARE.search(self.heard)
        return Address(found[1] or found[2], int(found[3])) if found else None

    @property
    def words(self) -> str:
        """The last line that was heard, without whom the server saw."""
        line = _YOU_ARE.sub("", self.heard.strip().rpartition("\n")[2]).replace(" , ", " ")
        return "".join(c if c.isprintable() else " " for c in line).strip(",: ")

    @property
    def kept(self) -> bool:
        """Whether the server saw the client's own address and port."""
        return self.seen == self.source

    def connection(self, interface: str) -> Connection:
        """The question that the policy was asked."""
        return Connection(self.source, self.attempt.destination, self.attempt.protocol, interface)


HTTP = b"GET / HTTP/1.0\r\n\r\n"

TWO_LENGTHS = (
    b"POST / HTTP/1.1\r\nHost: 198.51.100.7\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)

UPLOAD = (b"USER anonymous\r\n", b"PASS me@example.com\r\n", b"STOR report\r\n", b"QUIT\r\n")


MAILBOX = (b"USER alice\r\n", b"PASS sesame\r\n", b"STAT\r\n", b"QUIT\r\n")

MAILBOXES = (b"a LOGIN alice sesame\r\n", b"b SELECT Shared/plans\r\n", b"c LOGOUT\r\n")


def _mail(recipient: bytes, content: bytes) -> tuple[bytes, ...]:
    """What a mail program says, piece by piece."""
    return (
        b"EHLO desk.example.com\r\n",
        b"MAIL FROM:<alice@example.com>\r\n",
        b"RCPT TO:<" + recipient + b">\r\n",
        b"DATA\r\n",
        content + b"\r\n.\r\n",
        b"QUIT\r\n",
    )


LETTER = b"Subject: lunch\r\n\r\nAt noon?"
PROGRAM = (
    b"Subject: lunch\r\nMIME-Version: 1.0\r\nContent-Type: image/png; name=menu.png\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nf0VMRgIBAQAAAAAAAAAAAAIAPgABAAAA"
)
"""It says that it is a picture, and begins as programs do."""

TRACKER = "www.tracker.example."

ATTEMPTS = (
    Attempt("web page, by curl", Address(network.SERVER, 80), program="curl"),
    Attempt(
        "web page over IPv6",
        Address(network.SERVER6, 8080),
        source=network.CLIENT6,
        program="curl",
    ),
    Attempt(
        "a page for nobody", Address(network.SERVER, 80), program="curl", url="/private/budget"
    ),
    Attempt("one request that may be two", Address(network.SERVER, 80), TWO_LENGTHS),
    Attempt(
        "a file, by curl", Address(network.SERVER, 21), program="curl", scheme="ftp", url="/who"
    ),
    Attempt("a file, to the server", Address(network.SERVER, 21), program="talk", talk=UPLOAD),
    Attempt(
        "a mail",
        Address(network.SERVER, 25),
        program="talk",
        talk=_mail(b"bob@example.com", LETTER),
    ),
    Attempt(
        "a mail to elsewhere",
        Address(network.SERVER, 25),
        program="talk",
        talk=_mail(b"bob@elsewhere.example", LETTER),
    ),
    Attempt(
        "a mail with a program",
        Address(network.SERVER, 25),
        program="talk",
        talk=_mail(b"bob@example.com", PROGRAM),
    ),
    Attempt("a mailbox", Address(network.SERVER, 110), program="talk", talk=MAILBOX),
    Attempt("mailboxes", Address(network.SERVER, 143), program="talk", talk=MAILBOXES),
    Attempt("a server that speaks first", Address(network.SERVER, 4000)),
    Attempt("an answer after half-close", Address(network.SERVER, 9), b"x" * 100_000),
    Attempt("finger, for a user", Address(network.SERVER, 79), b"alice\r\n"),
    Attempt("finger, through to a host", Address(network.SERVER, 79), b"alice@inside\r\n"),
    Attempt("whois", Address(network.SERVER, 43), b"example.com\r\n"),
    Attempt("the mirror that moved", Address(network.MIRROR, 80), HTTP),
    Attempt("nobody listens there", Address(network.SERVER, 81)),
    Attempt("a datagram", Address(network.SERVER, 7), b"hello", protocol=Protocol.UDP),
    Attempt("a name", Address(network.SERVER, 53), protocol=Protocol.UDP, query=names.WHO),
    Attempt("a blocked name", Address(network.SERVER, 53), protocol=Protocol.UDP, query=TRACKER),
    Attempt("TLS, looked into", Address(network.SERVER, 443), HTTP, name="www.example.org"),
    Attempt("TLS, spliced", Address(network.SERVER, 443), HTTP, name="clinic.example"),
    Attempt("TLS, refused", Address(network.SERVER, 443), HTTP, name="games.example"),
    Attempt("TLS, a certificate too old", Address(network.SERVER, 443), HTTP, name="old.example"),
    Attempt("the bank", Address(network.BANK, 443), HTTP, name="www.example.org"),
    Attempt("a guest's web page", Address(network.SERVER, 80), HTTP, source=network.GUEST),
    Attempt("telnet", Address(network.SERVER, 23)),
    Attempt("a file share", Address(network.SERVER, 445)),
    Attempt("a printer", Address(network.SERVER, 80), HTTP, source=network.PRINTER),
    Attempt("straight to the listener", Address(network.GATEWAY_LAN, 50080), HTTP),
)


def attempt(one: Attempt, client: Namespace, believed: Path, seconds: float = SECONDS) -> Outcome:
    """
    Make the connection from the client's namespace.

    @param believed: the file with the authorities that the client believes.
    @param seconds: how long it waits for anything.
    """
    return PROGRAMS[one.program](one, client, believed, seconds)


def _by_socket(one: Attempt, client: Namespace, believed: Path, seconds: float) -> Outcome:
    kind = socket.SOCK_DGRAM if one.protocol is Protocol.UDP else socket.SOCK_STREAM
    family = socket.AF_INET6 if ip_address(one.source).version == 6 else socket.AF_INET
    with client.socket(family, kind) as ours:
        ours.settimeout(seconds)
        ours.bind((one.source, 0))
        source = Address(*ours.getsockname()[:2])
        try:
            return Outcome(one, source, _exchange(ours, one, believed))
        except TimeoutError:
            return Outcome(one, source, "(no answer)")
        except ssl.SSLError as error:
            return Outcome(one, source, f"({_reason(error)})")
        except OSError as error:
            return Outcome(one, source, f"({(error.strerror or str(error)).lower()})")


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).lower().replace("_", " ")


def _exchange(ours: socket.socket, one: Attempt, believed: Path) -> str:
    ours.connect(one.destination)
    if one.name:
        return _by_tls(ours, one, believed)
    if one.talk:
        return _talk(ours, one.talk)
    if one.query:
        ours.send(names.query(one.query))
        return names.heard(ours.recv(65536))
    if one.protocol is Protocol.UDP:
        ours.send(one.say)
        return ours.recv(65536).decode(errors="replace")
    ours.sendall(one.say)
    ours.shutdown(socket.SHUT_WR)
    return _heard(ours)


def _by_tls(ours: socket.socket, one: Attempt, believed: Path) -> str:
    context = ssl.create_default_context(cafile=str(believed))
    with context.wrap_socket(ours, server_hostname=one.name) as secured:
        secured.sendall(one.say)
        return _heard(secured)


def _heard(ours: socket.socket) -> str:
    heard = b""
    while data := ours.recv(65536):
        heard += data
    return heard.decode(errors="replace") or "(closed without a word)"


def _talk(ours: socket.socket, pieces: tuple[bytes, ...]) -> str:
    """What the server says, until it refuses something or says goodbye."""
    heard = []
    with ours.makefile("rb") as replies:
        for number, piece in enumerate((*pieces, b"")):
            lines = list(_reply(replies, greeting=not number))
            heard += lines
            if not lines or lines[-1][:1] in b"45":
                break
            ours.sendall(piece)
    return b"".join(heard).decode(errors="replace")


def _reply(lines: BinaryIO, greeting: bool) -> Iterator[bytes]:
    """One reply of FTP, SMTP, POP3 or IMAP: all lines of it."""
    for line in lines:
        yield line
        untagged = line.startswith(b"* ") and not greeting
        if line[3:4] != b"-" and not untagged:
            return


def _by_curl(one: Attempt, client: Namespace, _believed: Path, seconds: float) -> Outcome:
    """curl says at the end which address and port it used."""
    used = "\n%{local_ip} %{local_port}"
    url = f"{one.scheme}://{one.destination}{one.url}"
    limit = str(3 * seconds)  # for a file there are several answers to wait for
    try:
        said = client.run("curl", "-sS", "-m", limit, "--interface", one.source, "-w", used, url)
    except CommandFailed as error:
        return Outcome(one, Address(one.source, 0), f"({str(error).rpartition(': ')[2]})")
    heard, _, last = said.rpartition("\n")
    host, port = last.split()
    return Outcome(one, Address(host, int(port)), heard)


PROGRAMS: dict[str, Callable[[Attempt, Namespace, Path, float], Outcome]] = {
    "socket": _by_socket,
    "talk": _by_socket,
    "curl": _by_curl,
}
