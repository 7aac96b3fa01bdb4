"""
Packets: what the gateway and its keeper say to each other.

Each is a JSON object in one packet of a connection that keeps packets apart
(C{SOCK_SEQPACKET}), so that half of one is never read, and descriptors could come with it.
"""

from __future__ import annotations

import json
import socket
from typing import Any

LONGEST = 65536
"""Bytes of one packet. A longer one is not from a gateway."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """
    Send one packet.

    @raise OSError: the connection is broken.
    """
    connection.sendall(json.dumps(message).encode())


def receive(connection: socket.socket) -> dict[str, Any]:
    """
    Wait for the next packet.

    @raise EOFError: the connection has ended.
    @raise OSError: the connection is broken, or its time-out has passed.
    @raise ValueError: it is not a JSON object.
    """
    data = connection.recv(LONGEST)
    if not data:
        raise EOFError
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message
