"""
What people do with httpx: python -m tests.netns.programs.client_httpx URL FILE

Prints one line of JSON for each thing done.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """A body whose length is not known before: it is sent in chunks."""
    for at in range(0, len(content), 50_000):
        yield content[at : at + 50_000]


def say(*said: object) -> None:
    """Print it."""
    print(json.dumps(said))


async def main(url: str, name: str) -> None:
    """Do it all over one client, and many things at once."""
    content = Path(name).read_bytes()
    limits = httpx.Limits(max_connections=30, max_keepalive_connections=10)
    async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=20) as client:
        got = await client.get(f"{url}/large.txt")
        say("get", got.status_code, hashlib.sha256(got.content).hexdigest())
        say("json", (await client.get(f"{url}/object.json")).json())
        zipped = await client.get(f"{url}/style.css")
        say("gzip", zipped.headers["Content-Encoding"], len(zipped.text))
        moved = await client.get(f"{url}/moved", follow_redirects=True)
        say("redirect", [each.status_code for each in moved.history], moved.text)
        put = await client.put(f"{url}/upload/length", content=content)
        say("put", put.status_code)
        chunked = await client.put(f"{url}/upload/chunks", content=pieces(content))
        say("chunks", chunked.status_code)
        many = await asyncio.gather(*(client.get(f"{url}/small?{n}") for n in range(100)))
        say("parallel", sorted({each.text for each in many}))
        async with client.stream("GET", f"{url}/large.txt") as streamed:
            say("stream", sum([len(piece) async for piece in streamed.aiter_bytes()]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
