"""The laboratory's FTP server (RFC 959, RFC 2428): one file, and who it sees is what is in it."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from gateway.interfaces import Address

REPLIES = {
    b"USER": b"331 And the password?\r\n",
    b"PASS": b"230 Welcome\r\n",
    b"PWD": b'257 "/"\r\n',
    b"TYPE": b"200 Fine\r\n",
    b"SYST": b"215 UNIX Type: L8\r\n",
    b"QUIT": b"221 Goodbye\r\n",
}

UNKNOWN = b"502 Not here\r\n"


async def files(reader: StreamReader, writer: StreamWriter) -> None:
    """One control connection."""
    writer.write(b"220 Files\r\n")
    announced: Announced | None = None
    while line := await reader.readline():
        verb = line.split()[0].upper() if line.split() else b""
        if verb == b"EPSV":
            announced = await Announced.at(writer.get_extra_info("sockname")[0])
            writer.write(b"229 Come (|||%d|)\r\n" % announced.port)
        elif verb == b"RETR" and announced is not None:
            writer.write(b"150 Here it is\r\n")
            await announced.send(_who(writer))
            writer.write(b"226 That was it\r\n")
            announced = None
        else:
            writer.write(REPLIES.get(verb, UNKNOWN))
        if verb == b"QUIT":
            return


def _who(writer: StreamWriter) -> bytes:
    peer = Address(*writer.get_extra_info("peername")[:2])
    return f"you are {peer}, this is a file\n".encode()


class Announced:
    """A port at which one data connection is waited for."""

    def __init__(self) -> None:
        self._come: asyncio.Future[StreamWriter] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self.port = 0

    @classmethod
    async def at(cls, host: str) -> Announced:
        """Listen there."""
        announced = cls()
        server = announced._server = await asyncio.start_server(announced._came, host, 0)
        announced.port = server.sockets[0].getsockname()[1]
        return announced

    def _came(self, reader: StreamReader, writer: StreamWriter) -> None:
        if not self._come.done():
            self._come.set_result(writer)

    async def send(self, content: bytes) -> None:
        """All that there is, and its end."""
        writer = await self._come
        writer.write(content)
        writer.close()
        await writer.wait_closed()
        assert self._server is not None
        self._server.close()
