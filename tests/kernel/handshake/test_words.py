"""What the usher and a gateway say to each other is read back, and nothing else is read."""

from __future__ import annotations

import os
import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.handshake.segment import read
from gateway.kernel.handshake.words import (
    Brought,
    brought,
    decided,
    hand,
    read_brought,
    read_decided,
    said,
    take,
)
from gateway.kernel.packets import parsed
from tests.kernel.handshake.said import CLIENT, CLIENT6, SERVER, SERVER6, last


class WordsTests(SynchronousTestCase):
    """The few bytes of each connection."""

    def test_brought(self) -> None:
        """Both ends, in either family, the number and the interface."""
        for client, server in ((CLIENT, SERVER), (CLIENT6, SERVER6)):
            data = brought(1 << 48, 7, read(last(client, server)))
            self.assertEqual(read_brought(data), Brought(1 << 48, 7, client, server))
            for cut in range(len(data)):
                self.assertRaises(ValueError, read_brought, data[:cut])
        self.assertRaises(ValueError, read_brought, decided(1, True) + bytes(40))

    def test_decided(self) -> None:
        """An answer; what is none is left to others; half of one is wrong."""
        for admitted in (True, False):
            self.assertEqual(read_decided(decided(5, admitted)), (5, admitted))
        self.assertIsNone(read_decided(said({"leaves": True})))
        self.assertRaises(ValueError, read_decided, decided(5, True)[:-1])

    @given(st.binary(min_size=1, max_size=60))
    def test_anything(self, data: bytes) -> None:
        """Whatever comes is read, or is a C{ValueError}."""
        for reading in (read_brought, read_decided, parsed):
            try:
                reading(data)
            except ValueError:
                continue

    def test_descriptors(self) -> None:
        """They come with it."""
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        pipe = os.pipe()
        for one in (ours, theirs):
            self.addCleanup(one.close)
        hand(ours, b"x", pipe)
        data, descriptors = take(theirs)
        self.assertEqual((data, len(descriptors)), (b"x", 2))
        for each in (*pipe, *descriptors):
            os.close(each)
        ours.close()
        self.assertRaises(EOFError, take, theirs)
