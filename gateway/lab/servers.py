"""
The small servers of the laboratory: C{python -m gateway.lab.servers}.

Each of them says which address and port it sees the client at, as far as its
protocol lets it, because that is what the laboratory is there to show.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from gateway.interfaces import Address
from gateway.lab import names
from gateway.lab.certificates import SITES
from gateway.lab.files import files

Conversation = Callable[[StreamReader, StreamWriter], Awaitable[None]]

PIECE = 65536


def _peer(writer: StreamWriter) -> Address:
    return Address(*writer.get_extra_info("peername")[:2])


def _own(writer: StreamWriter) -> Address:
    return Address(*writer.get_extra_info("sockname")[:2])


def _greeting(writer: StreamWriter) -> bytes:
    return f"you are {_peer(writer)}, this is {_own(writer)}\n".encode()


async def who(reader: StreamReader, writer: StreamWriter) -> None:
    """Says who it sees without being asked: a protocol in which the server speaks first."""
    writer.write(_greeting(writer))
    writer.write_eof()
    while await reader.read(PIECE):
        pass


async def hello(reader: StreamReader, writer: StreamWriter) -> None:
    """HTTP/1.0, as much of it as curl needs: the same words whatever is asked."""
    await reader.readuntil(b"\r\n\r\n")
    body = _greeting(writer)
    head = f"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def finger(reader: StreamReader, writer: StreamWriter) -> None:
    """RFC 1288: one line asked, some lines answered."""
    user = (await reader.readline()).strip() or b"(everybody)"
    writer.write(b"Login: " + user + b"\r\nPlan: " + _greeting(writer).rstrip() + b"\r\n")


async def whois(reader: StreamReader, writer: StreamWriter) -> None:
    """RFC 3912: one line asked, some lines answered."""
    name = (await reader.readline()).strip()
    writer.write(b"domain: " + name + b"\r\nremarks: " + _greeting(writer).rstrip() + b"\r\n")


async def mail(reader: StreamReader, writer: StreamWriter) -> None:
    """SMTP (RFC 5321), as much of it as it takes to send a mail; the greeting says who it sees."""
    writer.write(b"220 mail.example.com " + _greeting(writer).rstrip() + b"\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 Go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
        writer.write(MAIL_REPLIES.get(verb, b"502 Not here\r\n"))
        if verb == b"QUIT":
            break


MAIL_REPLIES = {
    b"EHLO": b"250-mail.example.com\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n",
    b"HELO": b"250 mail.example.com\r\n",
    b"MAIL": b"250 Fine\r\n",
    b"RCPT": b"250 Fine\r\n",
    b"DATA": b"250 Taken\r\n",
    b"RSET": b"250 Forgotten\r\n",
    b"QUIT": b"221 Goodbye\r\n",
}


async def mailbox(reader: StreamReader, writer: StreamWriter) -> None:
    """POP3 (RFC 1939), as much of it as a look takes; the greeting says whom it sees."""
    writer.write(b"+OK " + _greeting(writer).rstrip() + b"\r\n")
    while line := await reader.readline():
        verb = line.split(None, 1)[0].upper()
        writer.write(MAILBOX_REPLIES.get(verb, b"-ERR Not here\r\n"))
        if verb == b"QUIT":
            break


MAILBOX_REPLIES = {
    b"USER": b"+OK Fine\r\n",
    b"PASS": b"+OK Come in\r\n",
    b"STAT": b"+OK 2 320\r\n",
    b"QUIT": b"+OK Goodbye\r\n",
}


async def mailboxes(reader: StreamReader, writer: StreamWriter) -> None:
    """IMAP (RFC 9051), as much of it as a look takes; the greeting says whom it sees."""
    writer.write(b"* OK " + _greeting(writer).rstrip() + b"\r\n")
    while line := await reader.readline():
        tag, verb = [*line.split(None, 2), b"", b""][:2]
        data, word = MAILBOXES_REPLIES.get(verb.upper().strip(), (b"", b"BAD Not here"))
        writer.write(data + tag + b" " + word + b"\r\n")
        if verb.upper() == b"LOGOUT":
            break


MAILBOXES_REPLIES = {
    b"CAPABILITY": (b"* CAPABILITY IMAP4rev1\r\n", b"OK Those"),
    b"LOGIN": (b"", b"OK Come in"),
    b"SELECT": (b"* FLAGS ()\r\n* 2 EXISTS\r\n* 0 RECENT\r\n", b"OK [READ-WRITE] Chosen"),
    b"EXAMINE": (b"* FLAGS ()\r\n* 2 EXISTS\r\n* 0 RECENT\r\n", b"OK [READ-ONLY] Chosen"),
    b"LOGOUT": (b"* BYE Goodbye\r\n", b"OK Done"),
}


async def names_by_tcp(reader: StreamReader, writer: StreamWriter) -> None:
    """DNS (RFC 7766): query after query, each with its length before it."""
    while size := await reader.read(2):
        asked = await reader.readexactly(int.from_bytes(size, "big"))
        said = names.answer(asked, _peer(writer))
        writer.write(len(said).to_bytes(2, "big") + said)


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    """RFC 862. What it got before the client's end of stream comes back before its own."""
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()


async def count(reader: StreamReader, writer: StreamWriter) -> None:
    """Reads to the client's end of stream, and only then answers how much it was."""
    total = 0
    while data := await reader.read(PIECE):
        total += len(data)
    writer.write(b"%d bytes; " % total + _greeting(writer))


CONVERSATIONS: dict[int, Conversation] = {
    7: echo,
    9: count,
    21: files,
    25: mail,
    43: whois,
    53: names_by_tcp,
    79: finger,
    80: hello,
    110: mailbox,
    143: mailboxes,
    4000: who,
    8080: hello,
}
"""What is served over TCP, by port."""

Answer = Callable[[bytes, Address], bytes]


def mirror(data: bytes, peer: Address) -> bytes:
    """The address that a datagram came from, and its own content."""
    return f"you are {peer}: ".encode() + data


DATAGRAMS: dict[int, Answer] = {7: mirror, 53: names.answer}
"""What datagrams are answered with, by port."""


class Answering(asyncio.DatagramProtocol):
    """Answers every datagram."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the socket is there."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Called by asyncio for each datagram."""
        self.transport.sendto(self._answer(data, Address(*addr[:2])), addr)


async def _converse(conversation: Conversation, reader: StreamReader, writer: StreamWriter) -> None:
    try:
        await conversation(reader, writer)
        writer.close()
        await writer.wait_closed()
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.transport.abort()


def secured(folder: Path) -> ssl.SSLContext:
    """TLS with the certificate of the name that the client asks for, or the first one."""
    contexts: dict[str | None, ssl.SSLContext] = {}
    for name in SITES:
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(folder / f"{name}.pem")
    first = next(iter(contexts.values()))

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = contexts.get(name, first)

    first.sni_callback = choose
    return first


async def serve(certificates: Path | None) -> None:
    """
    Open every port, say so on standard output, and serve for ever.

    @param certificates: the folder with those for TLS; without it, there is no TLS.
    """
    for port, conversation in CONVERSATIONS.items():
        await _listen(port, conversation)
    await _listen(443, hello, None if certificates is None else secured(certificates))
    for port, answer in DATAGRAMS.items():
        await _listen_for_datagrams(port, answer)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def _listen(
    port: int, conversation: Conversation, context: ssl.SSLContext | None = None
) -> None:
    async def met(reader: StreamReader, writer: StreamWriter) -> None:
        await _converse(conversation, reader, writer)

    for host in ("0.0.0.0", "::"):
        await asyncio.start_server(met, host, port, backlog=1024, ssl=context)


async def _listen_for_datagrams(port: int, answer: Answer) -> None:
    loop = asyncio.get_running_loop()
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        datagrams.bind((host, port))
        datagrams.setblocking(False)
        await loop.create_datagram_endpoint(lambda: Answering(answer), sock=datagrams)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
