"""The other end of the control socket: how a command asks a gateway that runs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

DEFAULT = Path("/run/tproxygw/control")

Answer = dict[str, Any]


class Client:
    """
    One connection. It blocks: for commands.

    @raise OSError: no gateway answers there, or this user may not ask it.
    """

    def __init__(self, path: Path) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        try:
            self._connection.connect(str(path))
        except OSError:
            self._connection.close()
            raise
        self._said = self._connection.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ask no more."""
        self._said.close()
        self._connection.close()

    def ask(self, what: str, /, **more: Any) -> Answer:
        """
        Ask, and wait for the answer.

        @raise OSError: the connection broke.
        @raise EOFError: the gateway ended before it had answered.
        """
        self._connection.sendall(json.dumps({"ask": what, **more}).encode() + b"\n")
        return self._hear()

    def wait_for_end(self, seconds: float) -> None:
        """Until the gateway ends the connection, or for so long."""
        self._connection.settimeout(seconds)
        with suppress(OSError, EOFError):
            while True:
                self._hear()

    def hear(self) -> Iterator[Answer]:
        """
        What comes by itself, once it was asked for.

        @raise OSError: the connection broke.
        """
        try:
            while True:
                yield self._hear()
        except EOFError:
            return

    def _hear(self) -> Answer:
        line = self._said.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        answer: Answer = json.loads(line)
        return answer
