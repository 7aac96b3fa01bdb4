"""What our own processes say to each other: JSON objects in packets, with descriptors."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

LONGEST = 16384
"""Bytes of one packet. A longer one is not from one of ours."""

_encoded = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: C{json.dumps} with separators makes an encoder each time."""

DESCRIPTORS = 2
"""With one packet, at most: a session's two legs."""


def send(
    connection: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()
) -> None:
    """
    Send one packet.

    @raise OSError: the connection is broken, or takes nothing now (C{BlockingIOError}).
    """
    data = _encoded(message).encode()
    if descriptors:
        socket.send_fds(connection, [data], descriptors)
    else:
        connection.send(data)


def receive(connection: socket.socket, most: int = DESCRIPTORS) -> tuple[dict[str, Any], list[int]]:
    """
    The next packet, and the descriptors that came with it, which are the caller's to close.

    @param most: so many descriptors may come.
    @raise EOFError: the connection has ended.
    @raise OSError: the connection is broken, or there is nothing now (C{BlockingIOError}).
    @raise ValueError: it is not a JSON object; what came with it is closed.
    """
    data, descriptors, _, _ = socket.recv_fds(connection, LONGEST, most)
    if not data:
        raise EOFError
    try:
        return parsed(data), descriptors
    except ValueError:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def parsed(data: bytes) -> dict[str, Any]:
    """
    What one packet says.

    @raise ValueError: it is not a JSON object.
    """
    try:
        # of bytes it would look for their encoding
        message = json.loads(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message
