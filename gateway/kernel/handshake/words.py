"""
Words: what the usher and a gateway say to each other of each connection, in few bytes; all else is
said as by L{gateway.kernel.packets}.
"""

from __future__ import annotations

import json
import socket
from array import array
from struct import Struct
from struct import error as TooShort
from typing import Any, NamedTuple

from gateway.interfaces import Address
from gateway.kernel.handshake.segment import Segment
from gateway.kernel.packets import DESCRIPTORS

_BROUGHT, _DECIDED = 1, 2
"""How such a packet begins. Others begin with a brace."""

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_HEAD = Struct("!BBQIHHB")
"""What it is, the IP version, a number, an interface, both ports, and the size of an address."""

_ANSWER = Struct("!BQ?")

LONGEST = 2048
"""Bytes of one packet."""

_SPACE = socket.CMSG_SPACE(DESCRIPTORS * 4)


class Brought(NamedTuple):
    """
    A client, by the number by which the gateway is asked.

    @ivar interface: the number of the one that it came in by.
    """

    number: int
    interface: int
    client: Address
    server: Address


def brought(number: int, interface: int, last: Segment) -> bytes:
    """What brings the client that has said C{last}."""
    version = 4 if last.family == socket.AF_INET else 6
    ports = last.source_port, last.destination_port
    head = _HEAD.pack(_BROUGHT, version, number, interface, *ports, len(last.source))
    return head + last.source + last.destination


def read_brought(data: bytes) -> Brought:
    """
    Read what L{brought} has written.

    @raise ValueError: it is something else.
    """
    try:
        what, version, number, interface, *ports, size = _HEAD.unpack_from(data)
        if what != _BROUGHT:
            raise ValueError("something else")
        family, at = _FAMILIES[version], _HEAD.size
        hosts = data[at : at + size], data[at + size : at + 2 * size]
        client, server = (
            Address(socket.inet_ntop(family, host), port)
            for host, port in zip(hosts, ports, strict=True)
        )
    except (TooShort, KeyError, ValueError) as error:
        raise ValueError(f"no client: {error}") from None
    return Brought(number, interface, client, server)


def decided(number: int, admitted: bool) -> bytes:
    """A gateway's answer."""
    return _ANSWER.pack(_DECIDED, number, admitted)


def read_decided(data: bytes) -> tuple[int, bool] | None:
    """
    Read what L{decided} has written; C{None}: it is something else.

    @raise ValueError: half of it.
    """
    if data[0] != _DECIDED:
        return None
    if len(data) != _ANSWER.size:
        raise ValueError("half an answer")
    _, number, admitted = _ANSWER.unpack(data)
    return number, admitted


def hand(connection: socket.socket, data: bytes, descriptors: tuple[int, ...]) -> None:
    """
    Send it, with descriptors.

    @raise OSError: it can't be.
    """
    ancillary = socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors)
    connection.sendmsg((data,), (ancillary,))


def take(connection: socket.socket) -> tuple[bytes, array[int]]:
    """
    The next packet, and the descriptors that came with it, which are the caller's to close.

    @raise EOFError: the connection has ended.
    @raise OSError: it is broken, or there is nothing now (C{BlockingIOError}).
    """
    data, ancillary, _, _ = connection.recvmsg(LONGEST, _SPACE)
    descriptors = array("i")
    for _, _, content in ancillary:
        descriptors.frombytes(
            content[: len(content) // descriptors.itemsize * descriptors.itemsize]
        )
    if not data:
        raise EOFError
    return data, descriptors


def said(message: dict[str, Any]) -> bytes:
    """What else they say, as bytes."""
    return json.dumps(message).encode()
