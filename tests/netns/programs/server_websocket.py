"""
A WebSocket server that says everything back, by the websockets library:
python -m tests.netns.programs.server_websocket HOST PORT
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    """Say it back, until the client closes."""
    async for message in connection:
        await connection.send(message)


async def main(host: str, port: str) -> None:
    """Serve until killed."""
    async with serve(echo, host, int(port), subprotocols=["chat"], max_size=1 << 24):  # type: ignore[list-item]
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
