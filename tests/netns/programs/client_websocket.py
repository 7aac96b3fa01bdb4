"""
Talks to the server that says everything back, by the websockets library:
python -m tests.netns.programs.client_websocket URL

Prints one line of JSON: what came of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def talk(url: str) -> dict[str, Any]:
    """Texts, bytes, an empty message, a large one, pings, many at once, and an orderly end."""
    messages: list[str | bytes] = ["hello", "grüße", "", b"", os.urandom(3_000_000), b"\r\n" * 99]
    try:
        connecting = connect(url, subprotocols=["chat"], max_size=1 << 24, proxy=None)  # type: ignore[list-item]
        async with connecting as connection:
            same = 0
            for message in messages:
                await connection.send(message)
                same += await connection.recv() == message
            await (await connection.ping(b"are you there"))
            for number in range(200):
                await connection.send(str(number))
            several = [await connection.recv() for _ in range(200)]
            assert connection.response is not None
            compressed = connection.response.headers.get("Sec-WebSocket-Extensions", "")
    except InvalidStatus as refused:
        return {"status": refused.response.status_code}
    return {
        "same": same,
        "several": several == [str(number) for number in range(200)],
        "protocol": connection.subprotocol,
        "compressed": compressed.partition(";")[0],
        "closed": connection.close_code,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(talk(sys.argv[1]))))
