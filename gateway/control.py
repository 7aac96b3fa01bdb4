"""
The control socket: what the operator's commands ask of the gateway that runs.

A Unix socket that only the gateway's user and root may open. Each side says one line,
a JSON object: C{{"ask": "reload"}}, and the answer. The gateway's end is
L{listen}, the command's L{ask}.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

DEFAULT = Path("/run/tproxygw/control")

Answers = Mapping[str, Callable[[], Deferred[dict[str, Any]]]]
"""What can be asked, and what gives the answer. It never fails."""

LONGEST = 65536
"""Bytes of a question."""


class _Conversation(LineOnlyReceiver):
    """One question, one answer."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def lineReceived(self, line: bytes) -> None:
        """The question."""
        try:
            answer = self._answers[json.loads(line)["ask"]]
        except (ValueError, TypeError, KeyError):
            self._say({"problem": "this gateway does not know that question"})
        else:
            answer().addCallback(self._say)

    def _say(self, answer: dict[str, Any]) -> None:
        transport: Any = self.transport
        transport.write(json.dumps(answer).encode() + self.delimiter)
        transport.loseConnection()


class _Conversations(Factory):
    """Makes one of each connection, and says nothing about it."""

    noisy = False

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def buildProtocol(self, addr: object) -> _Conversation:
        return _Conversation(self._answers)


def listen(reactor: Any, path: Path, owner: tuple[int, int] | None, answers: Answers) -> Any:
    """
    Answer at C{path}. What a killed gateway has left there is replaced.

    @param owner: the user and group that the process will switch to, if any.
    @return: the port.
    @raise OSError: another gateway answers there, or the place can't be written.
    """
    path.parent.mkdir(0o755, parents=True, exist_ok=True)
    if path.is_socket() and not _is_answered(path):
        path.unlink()
    port = reactor.listenUNIX(str(path), _Conversations(answers), mode=0o600)
    if owner is not None:
        os.chown(path, *owner)
    return port


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def ask(path: Path, what: str) -> dict[str, Any]:
    """
    Ask the gateway that answers at C{path}, and wait for its answer.

    @raise OSError: it doesn't run, or this user may not ask it.
    @raise EOFError: it ended before it had answered.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(json.dumps({"ask": what}).encode() + b"\n")
        with asking.makefile("rb") as said:
            line = said.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer: dict[str, Any] = json.loads(line)
    return answer
