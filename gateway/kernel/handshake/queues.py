"""
Queues of packets: copies of those that pass (NFLOG), and those that wait (NFQUEUE).

Of each, the kernel gives no more than the headers. See linux/netfilter/nfnetlink_log.h and
nfnetlink_queue.h, whose names are used here.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from struct import error as TooShort
from struct import pack, unpack_from

from gateway.kernel import sockets
from gateway.kernel.handshake.segment import LONGEST
from gateway.kernel.handshake.usher import Held
from gateway.kernel.netlink import (
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    attribute,
    attributes,
    received,
    word,
)

NFNL_SUBSYS_QUEUE, NFNL_SUBSYS_ULOG = 3, 4
NFQNL_MSG_PACKET, NFQNL_MSG_VERDICT, NFQNL_MSG_CONFIG = 0, 1, 2
NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG = 0, 1
NFQA_CFG_CMD, NFQA_CFG_PARAMS, NFQA_CFG_QUEUE_MAXLEN, NFQA_CFG_MASK, NFQA_CFG_FLAGS = range(1, 6)
NFQA_CFG_F_FAIL_OPEN = 1
NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_QTHRESH = 1, 2, 5
BIND, UNBIND = 1, 2
COPY_META, COPY_PACKET = 1, 2
NFQA_PACKET_HDR, NFQA_VERDICT_HDR, NFQA_MARK, NFQA_IFINDEX_INDEV, NFQA_PAYLOAD = 1, 2, 3, 5, 10
NFULA_PAYLOAD = 9
NF_DROP, NF_ACCEPT = 0, 1

AT_ONCE = 64
"""Packets that wait are read before others have their turn."""

COPIES_AT_ONCE = 16384
"""Copies: an answer can only be known when all that was copied before it has been read."""

_READING = 65536


class _Queue:
    """
    A socket to one of the kernel's queues.

    @raise OSError: it belongs to somebody else, the kernel has none, or privileges are missing.
    """

    def __init__(self, subsystem: int, number: int) -> None:
        self._subsystem = subsystem
        self._number = number
        self._socket = sockets.netlink(NETLINK_NETFILTER)
        try:
            self._configure()
        except BaseException:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def _configure(self) -> None:
        """Say what is wanted."""
        raise NotImplementedError

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """What waits is dropped."""
        self._socket.close()

    def _send(self, kind: int, content: bytes, flags: int = 0) -> None:
        body = pack("!BBH", 0, 0, self._number) + content
        header = pack("=IHHII", 16 + len(body), self._subsystem << 8 | kind, flags | 1, 0, 0)
        self._socket.send(header + body)

    def _set(self, kind: int, *settings: tuple[int, bytes]) -> None:
        for setting, content in settings:
            self._ask(kind, attribute(setting, content))

    def _ask(self, kind: int, content: bytes) -> None:
        self._send(kind, content, NLM_F_REQUEST | NLM_F_ACK)
        for answer, _, _, body in received(self._socket.recv(_READING)):
            code = -unpack_from("=i", body)[0] if answer == NLMSG_ERROR else 0
            if code:
                raise OSError(code, os.strerror(code))

    def _read(self, kind: int, most: int) -> Iterator[dict[int, bytes]]:
        """The attributes of the packets that are there now, or of some of them."""
        for _ in range(most):
            try:
                data = self._socket.recv(_READING)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # some are lost: they come again
                    continue
                raise
            for found, _, _, body in received(data):
                if found == self._subsystem << 8 | kind:
                    yield dict(attributes(body[4:]))


class Copies(_Queue):
    """Packets that have passed."""

    def __init__(self, number: int) -> None:
        super().__init__(NFNL_SUBSYS_ULOG, number)

    def _configure(self) -> None:
        self._set(
            NFULNL_MSG_CONFIG,
            (NFULA_CFG_CMD, pack("!B", BIND)),
            (NFULA_CFG_MODE, pack("!IBx", LONGEST, COPY_PACKET)),
            (NFULA_CFG_QTHRESH, word(1)),
        )

    def read(self) -> Iterator[bytes]:
        """Those that are there now, or some of them."""
        for found in self._read(NFULNL_MSG_PACKET, COPIES_AT_ONCE):
            if NFULA_PAYLOAD in found:
                yield found[NFULA_PAYLOAD]


class Waiting(_Queue):
    """
    Packets that wait.

    @param most: how many.
    """

    def __init__(self, number: int, most: int) -> None:
        self._most = most
        super().__init__(NFNL_SUBSYS_QUEUE, number)

    def _configure(self) -> None:
        self._set(
            NFQNL_MSG_CONFIG,
            (NFQA_CFG_CMD, pack("!BxH", BIND, socket.AF_UNSPEC)),
            (NFQA_CFG_PARAMS, pack("!IB", LONGEST, COPY_PACKET)),
            (NFQA_CFG_QUEUE_MAXLEN, word(self._most)),
        )

    def read(self) -> Iterator[Held]:
        """Those that are there now, or some of them."""
        for found in self._read(NFQNL_MSG_PACKET, AT_ONCE):
            try:
                (number,) = unpack_from("!I", found[NFQA_PACKET_HDR])
            except (KeyError, TooShort):
                continue
            yield Held(
                number,
                found.get(NFQA_PAYLOAD, b""),
                int.from_bytes(found.get(NFQA_MARK, b""), "big"),
                int.from_bytes(found.get(NFQA_IFINDEX_INDEV, b""), "big"),
            )

    def let_go(self, number: int, mark: int | None = None) -> None:
        """It goes on, with another mark if one is given."""
        self._decide(number, NF_ACCEPT, b"" if mark is None else attribute(NFQA_MARK, word(mark)))

    def drop(self, number: int) -> None:
        """It is no more."""
        self._decide(number, NF_DROP)

    def _decide(self, number: int, verdict: int, more: bytes = b"") -> None:
        content = attribute(NFQA_VERDICT_HDR, pack("!II", verdict, number)) + more
        self._send(NFQNL_MSG_VERDICT, content)


class Door(_Queue):
    """
    A queue that is always full, and lets pass what it can't take. While it is shut there is no
    such queue, and nothing passes.
    """

    def __init__(self, number: int) -> None:
        super().__init__(NFNL_SUBSYS_QUEUE, number)

    def _configure(self) -> None:
        """It is shut."""

    def open(self) -> None:
        """
        Let packets pass. Harmless if it is open.

        @raise OSError: the kernel has no such queue.
        """
        try:
            self._set(NFQNL_MSG_CONFIG, (NFQA_CFG_CMD, pack("!BxH", BIND, socket.AF_UNSPEC)))
        except OSError as error:
            if error.errno == errno.EBUSY:
                return
            raise
        fails_open = word(NFQA_CFG_F_FAIL_OPEN)
        self._ask(
            NFQNL_MSG_CONFIG,
            attribute(NFQA_CFG_PARAMS, pack("!IB", 0, COPY_META))
            + attribute(NFQA_CFG_QUEUE_MAXLEN, word(0))
            + attribute(NFQA_CFG_MASK, fails_open)
            + attribute(NFQA_CFG_FLAGS, fails_open),
        )

    def shut(self) -> None:
        """Let nothing pass. Harmless if it is shut."""
        with suppress(OSError):
            self._set(NFQNL_MSG_CONFIG, (NFQA_CFG_CMD, pack("!BxH", UNBIND, socket.AF_UNSPEC)))
