"""
Netlink: how the kernel's packet filter is asked and told without a program in between.

For what C{nft} can't do: to own a table (L{gateway.kernel.owned}), to see cheaply
whether something has changed, and to be told when it does. A message is a
header, the four bytes of C{struct nfgenmsg}, and attributes; a batch of messages
takes effect as a whole or not at all. See linux/netlink.h, linux/netfilter/nfnetlink.h
and linux/netfilter/nf_tables.h, whose names are used here.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from errno import ERESTART
from typing import NamedTuple, TypeVar

from gateway.kernel import sockets
from gateway.kernel.errors import KernelError

Answer = TypeVar("Answer")

NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFNL_BATCH_GENID = 1

NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_DELTABLE = 0, 1, 2
NFT_MSG_NEWCHAIN, NFT_MSG_GETCHAIN = 3, 4
NFT_MSG_NEWRULE, NFT_MSG_GETRULE = 6, 7
NFT_MSG_NEWSET, NFT_MSG_GETSET = 9, 10
NFT_MSG_NEWSETELEM, NFT_MSG_GETSETELEM = 12, 13
NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 15, 16

NFPROTO_UNSPEC, NFPROTO_INET = 0, 1

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_CREATE, NLM_F_APPEND = 0x400, 0x800
NLM_F_DUMP_INTR = 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3

_NLA_TYPE = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TRIES = 100
"""How often something is done again because of changes meanwhile."""

_SECONDS = 60.0
"""How long the kernel may take for anything, however much it is."""


class Message(NamedTuple):
    """One message about an nftables object: what is asked, and its attributes."""

    kind: int
    body: bytes = b""
    flags: int = 0
    family: int = NFPROTO_INET


class Interrupted(Exception):
    """Somebody else changed the packet filter meanwhile: nothing was done, begin again."""


def steadily(do: Callable[[], Answer]) -> Answer:
    """
    What C{do} gives back when it is not L{Interrupted}.

    @raise KernelError: it always is.
    """
    for _ in range(_TRIES):
        with suppress(Interrupted):
            return do()
    raise KernelError(
        "another program changes the packet filter all the time, so that it can't be read; "
        'see "nft monitor"'
    )


def attribute(kind: int, content: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = _ATTRIBUTE.size + len(content)
    return _ATTRIBUTE.pack(length, kind) + content + bytes(-length % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind (without flags) and content of each attribute in C{data}."""
    for kind, whole in encoded(data):
        (length,) = struct.unpack_from("=H", whole)
        yield kind, whole[_ATTRIBUTE.size : length]


def encoded(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind of each attribute in C{data}, and the attribute as it is."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        end = offset + length + -length % 4
        yield kind & _NLA_TYPE, data[offset:end].ljust(end - offset, b"\0")
        offset = end


def word(number: int) -> bytes:
    """A number of 32 bits, as nf_tables has it in attributes."""
    return struct.pack(">I", number)


def text(name: str) -> bytes:
    """A name, as attributes have it."""
    return name.encode() + b"\0"


class Netfilter:
    """
    A socket to the kernel's packet filter. Tables may belong to it; they do
    as long as any process has it open.
    """

    def __init__(self, opened: socket.socket | None = None) -> None:
        self._socket = opened or sockets.netlink(NETLINK_NETFILTER)
        self._number = 0
        self._socket.settimeout(_SECONDS)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def begin_anew(self) -> None:
        """Forget what another process, which is no more, has asked with this socket."""
        self._socket.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(1 << 20)
        self._socket.settimeout(_SECONDS)
        self._number = secrets.randbits(30)

    @property
    def port(self) -> int:
        """The number by which the kernel knows the socket, as the owner of tables."""
        return int(self._socket.getsockname()[0])

    def close(self) -> None:
        """Tables of this socket are nobody's now, unless somebody else has it open."""
        self._socket.close()

    def generation(self) -> int:
        """A number that changes with every change of the ruleset of this namespace."""
        self._send([Message(NFT_MSG_GETGEN, family=NFPROTO_UNSPEC)], NLM_F_REQUEST)
        _, body = next(self._answers())
        (number,) = struct.unpack(">I", dict(attributes(body))[1])
        return int(number)

    def dump(self, asked: Message) -> list[bytes]:
        """
        The attributes of each object that C{asked} asks for.

        @raise Interrupted: somebody changed them meanwhile, or they are gone.
        @raise OSError: they can't be had.
        """
        self._send([asked], NLM_F_REQUEST | NLM_F_DUMP)
        try:
            found = list(self._answers())
        except FileNotFoundError:
            raise Interrupted from None
        if any(flags & NLM_F_DUMP_INTR for flags, _ in found):
            raise Interrupted
        return [body for _, body in found]

    def commit(self, messages: Sequence[Message], generation: int) -> None:
        """
        Do all of it at once, or nothing.

        @param generation: the L{generation} that C{messages} suppose.
        @raise Interrupted: it is another one now.
        @raise OSError: the kernel refused.
        """
        expected = attribute(NFNL_BATCH_GENID, word(generation))
        first = self._number + 1
        whole = [self._edge(NFNL_MSG_BATCH_BEGIN, expected)]
        # the answer to the last one comes after the commit
        *others, last = messages
        whole += [self._packed(one, NLM_F_REQUEST) for one in others]
        whole.append(self._packed(last, NLM_F_REQUEST | NLM_F_ACK))
        acknowledged = self._number
        whole.append(self._edge(NFNL_MSG_BATCH_END))
        self._socket.send(b"".join(whole))
        self._await_commit(first, acknowledged)

    def _await_commit(self, first: int, last: int) -> None:
        """All answers to a batch: to those that failed, and to the C{last}."""
        failed = 0
        while True:
            for kind, _, number, body in self._receive():
                if kind != NLMSG_ERROR or not first <= number <= last:
                    continue
                failed = failed or -struct.unpack_from("=i", body)[0]
                if failed == ERESTART:
                    raise Interrupted
                if number == last or (number == first and failed):
                    _raise(failed)
                    return

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        """Flags and attributes of the answers to the last message, to the end of a dump."""
        while True:
            for kind, flags, number, body in self._receive():
                if number != self._number:
                    continue
                if kind == NLMSG_ERROR:
                    _raise(-struct.unpack_from("=i", body)[0])
                if kind == NLMSG_DONE:
                    return
                yield flags, body[4:]

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, number and content of the messages of one reading."""
        return received(self._socket.recv(1 << 20))

    def _send(self, messages: Sequence[Message], flags: int) -> None:
        self._socket.send(b"".join(self._packed(one, flags) for one in messages))

    def _packed(self, message: Message, flags: int) -> bytes:
        kind = NFNL_SUBSYS_NFTABLES << 8 | message.kind
        return self._framed(kind, flags | message.flags, message.family, 0, message.body)

    def _edge(self, kind: int, body: bytes = b"") -> bytes:
        """The beginning or the end of a batch."""
        return self._framed(kind, NLM_F_REQUEST, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES, body)

    def _framed(self, kind: int, flags: int, family: int, subsystem: int, body: bytes) -> bytes:
        self._number += 1
        header = _HEADER.pack(_HEADER.size + 4 + len(body), kind, flags, self._number, 0)
        return header + struct.pack(">BBH", family, 0, subsystem) + body


def received(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, number and content of each message in C{data}."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, number, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, number, data[offset + _HEADER.size : offset + length]
        offset += length + -length % 4


def _raise(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))
