"""
What people do with requests and urllib3: python -m tests.netns.programs.client_requests URL FILE

Prints one line of JSON for each thing done.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests


def pieces(file: Path) -> Iterator[bytes]:
    """A body whose length is not known before: it is sent in chunks."""
    with file.open("rb") as opened:
        while piece := opened.read(50_000):
            yield piece


def main(url: str, name: str) -> None:
    """Do it all over one session, which keeps connections alive."""
    file = Path(name)
    session = requests.Session()
    session.trust_env = False

    def say(*said: object) -> None:
        print(json.dumps(said))

    got = session.get(f"{url}/large.txt", timeout=20)
    say("get", got.status_code, hashlib.sha256(got.content).hexdigest())
    say("json", session.get(f"{url}/object.json", timeout=20).json())
    zipped = session.get(f"{url}/style.css", timeout=20)
    say("gzip", zipped.headers["Content-Encoding"], len(zipped.text))
    moved = session.get(f"{url}/moved", timeout=20)
    say("redirect", [each.status_code for each in moved.history], moved.text)
    head = session.head(f"{url}/large.txt", timeout=20)
    say("head", head.status_code, int(head.headers["Content-Length"]), len(head.content))
    part = session.get(f"{url}/small", headers={"Range": "bytes=1-3"}, timeout=20)
    say("range", part.status_code, part.text)
    say("missing", session.get(f"{url}/missing?q=a%20b&c=%C3%A9", timeout=20).status_code)
    with file.open("rb") as opened:
        say("put", session.put(f"{url}/upload/length", data=opened, timeout=20).status_code)
    chunked = session.put(f"{url}/upload/chunks", data=pieces(file), timeout=20)
    say("chunks", chunked.status_code)
    form = session.post(f"{url}/small", files={"file": ("a.txt", b"x" * 70000)}, timeout=20)
    say("form", form.status_code)
    with session.get(f"{url}/large.txt", stream=True, timeout=20) as streamed:
        say("stream", sum(len(piece) for piece in streamed.iter_content(4096)))
    with ThreadPoolExecutor(20) as pool:
        texts = pool.map(lambda _: requests.get(f"{url}/small", timeout=20).text, range(40))
        say("threads", sorted(set(texts)))


if __name__ == "__main__":
    main(*sys.argv[1:])
