"""The connections that the demonstration makes, and what came of each."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import ip_address

from attrs import frozen

from gateway.interfaces import Address
from gateway.lab import network
from gateway.lab.namespace import CommandFailed, Namespace
from gateway.policy.connection import Connection, Protocol

SECONDS = 1.5
"""How long the client waits for anything."""

_YOU_ARE = re.compile(r"you are (?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d+)")


@frozen
class Attempt:
    """
    One connection to be made.

    C{say} is what the client sends. C{port} is the client's port, 0 for any.
    """

    title: str
    destination: Address
    say: bytes = b""
    source: str = network.CLIENT
    protocol: Protocol = Protocol.TCP
    program: str = "socket"


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

ATTEMPTS = (
    Attempt("web page, by curl", Address(network.SERVER, 80), program="curl"),
    Attempt(
        "web page over IPv6",
        Address(network.SERVER6, 8080),
        source=network.CLIENT6,
        program="curl",
    ),
    Attempt("a server that speaks first", Address(network.SERVER, 4000)),
    Attempt("an answer after half-close", Address(network.SERVER, 9), b"x" * 100_000),
    Attempt("finger, for a user", Address(network.SERVER, 79), b"alice\r\n"),
    Attempt("finger, through to a host", Address(network.SERVER, 79), b"alice@inside\r\n"),
    Attempt("whois", Address(network.SERVER, 43), b"example.com\r\n"),
    Attempt("the mirror that moved", Address(network.MIRROR, 80), HTTP),
    Attempt("nobody listens there", Address(network.SERVER, 81)),
    Attempt("a datagram", Address(network.SERVER, 7), b"hello", protocol=Protocol.UDP),
    Attempt("the bank", Address(network.BANK, 443), HTTP),
    Attempt("a guest's web page", Address(network.SERVER, 80), HTTP, source=network.GUEST),
    Attempt("telnet", Address(network.SERVER, 23)),
    Attempt("a file share", Address(network.SERVER, 445)),
    Attempt("a printer", Address(network.SERVER, 80), HTTP, source=network.PRINTER),
    Attempt("straight to the listener", Address(network.GATEWAY_LAN, 50080), HTTP),
)


def attempt(one: Attempt, client: Namespace) -> Outcome:
    """Make the connection from the client's namespace."""
    return PROGRAMS[one.program](one, client)


def _by_socket(one: Attempt, client: Namespace) -> Outcome:
    kind = socket.SOCK_DGRAM if one.protocol is Protocol.UDP else socket.SOCK_STREAM
    family = socket.AF_INET6 if ip_address(one.source).version == 6 else socket.AF_INET
    with client.socket(family, kind) as ours:
        ours.settimeout(SECONDS)
        ours.bind((one.source, 0))
        source = Address(*ours.getsockname()[:2])
        try:
            return Outcome(one, source, _exchange(ours, one))
        except TimeoutError:
            return Outcome(one, source, "(no answer)")
        except OSError as error:
            return Outcome(one, source, f"({(error.strerror or str(error)).lower()})")


def _exchange(ours: socket.socket, one: Attempt) -> str:
    ours.connect(one.destination)
    if one.protocol is Protocol.UDP:
        ours.send(one.say)
        return ours.recv(65536).decode(errors="replace")
    ours.sendall(one.say)
    ours.shutdown(socket.SHUT_WR)
    heard = b""
    while data := ours.recv(65536):
        heard += data
    return heard.decode(errors="replace") or "(closed without a word)"


def _by_curl(one: Attempt, client: Namespace) -> Outcome:
    """curl says at the end which address and port it used."""
    used = "\n%{local_ip} %{local_port}"
    url = f"http://{one.destination}/"
    try:
        said = client.run("curl", "-sS", "-m", "5", "--interface", one.source, "-w", used, url)
    except CommandFailed as error:
        return Outcome(one, Address(one.source, 0), f"({str(error).rpartition(': ')[2]})")
    heard, _, last = said.rpartition("\n")
    host, port = last.split()
    return Outcome(one, Address(host, int(port)), heard)


PROGRAMS: dict[str, Callable[[Attempt, Namespace], Outcome]] = {
    "socket": _by_socket,
    "curl": _by_curl,
}
