"""
Sends gunicorn's table of requests, good and bad ones, to gunicorn's own parser.

A good one passes if the parser takes it for what the table says; a bad one if somebody complains:
the parser, or whoever is before it. It runs in the folder of gunicorn's source.
"""

# mypy: ignore-errors

import json
import os
import socket
import sys
import threading
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from gunicorn.http.parser import RequestParser

sys.path.insert(0, "tests")

import treq

FOLDER = Path("tests/requests")
SECONDS = 5
PAUSE = 0.05
"""Seconds in which a connection to the server comes, if one does."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Asking(threading.Thread):
    """A client that says all of it, and listens."""

    def __init__(self, address, data):
        super().__init__(daemon=True)
        self.address = address
        self.data = data
        self.heard = b""
        self.reset = False

    def run(self):
        """Speak, and hear all of the answer."""
        try:
            with socket.create_connection(self.address, SECONDS) as ours:
                ours.sendall(self.data)
                ours.shutdown(socket.SHUT_WR)
                while heard := ours.recv(65536):
                    self.heard += heard
        except OSError:
            self.reset = True

    @property
    def refused(self):
        """Whether somebody did not take it."""
        statuses = [line.split()[1] for line in self.heard.split(b"\r\n") if line[:5] == b"HTTP/"]
        return self.reset or any(status >= b"400" for status in statuses)


def ask(listener, cfg, data):
    """What a server took, and the client that asked for it."""
    client, taken = Asking(listener.getsockname(), data), []
    client.start()
    while True:
        asking = client.is_alive()
        try:
            theirs, address = listener.accept()
        except TimeoutError:
            if not asking:
                return taken, client
            continue
        with theirs:
            theirs.settimeout(SECONDS)
            serve(theirs, address, cfg, taken)


def serve(theirs, address, cfg, taken):
    """Answer each request that the parser takes, and refuse what it complains about."""
    try:
        for request in RequestParser(cfg, theirs, address):
            said = {name: getattr(request, name) for name in ("method", "version", "headers")}
            taken.append({**said, "uri": request.uri, "body": request.body.read()})
            theirs.sendall(ANSWER)
    except Exception as error:  # the parser's are of many kinds
        print(type(error).__name__, error)
        with suppress(OSError):
            theirs.sendall(REFUSAL)


def expected(env):
    """What the table says of a good one."""
    wanted = env["request"] if isinstance(env["request"], list) else [env["request"]]
    names = ("method", "version", "headers", "body")
    return [{**{name: one[name] for name in names}, "uri": one["uri"]["raw"]} for one in wanted]


def outcome(listener, kind, path):
    """How one test of the table ended."""
    env = treq.load_py(str(path.with_suffix(".py")))
    if kind == "valid":
        data = treq.request(str(path), env["request"]).data
    else:
        data = treq.badrequest(str(path)).data
    taken, client = ask(listener, env["cfg"], data)
    print(kind, path.stem, taken, client.heard)
    if kind == "invalid":
        return "passed" if client.refused else "failed"
    return "passed" if taken == expected(env) else "failed"


def main(patterns):
    """Those tests of the table whose names one of the patterns fits."""
    listener = socket.create_server(("127.0.0.1", 8000))
    listener.settimeout(PAUSE)
    with Path(os.environ["CONFORMANCE_RECORD"]).open("w") as record:
        for path in sorted(FOLDER.glob("*/*.http")):
            kind = path.parent.name
            test = f"{kind}/{path.stem}"
            if any(fnmatchcase(test, pattern) for pattern in patterns):
                record.write(json.dumps([test, outcome(listener, kind, path)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
