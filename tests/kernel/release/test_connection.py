"""Who does not listen to the carrier costs it no more than so much."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.release.connection import Connection

MOST = 100
"""Messages that wait, in these tests."""


class ConnectionTests(SynchronousTestCase):
    """L{Connection}."""

    def setUp(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.addCleanup(self.selector.close)
        self.peer, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.addCleanup(self.peer.close)
        self.addCleanup(theirs.close)
        self.untold: list[Any] | None = None
        self.connection = Connection(theirs, self.selector, lambda *_: None, self.lost, MOST)

    def lost(self, untold: Iterable[Any]) -> None:
        self.untold = list(untold)

    def test_silent(self) -> None:
        """A process that is stopped, and so asks nothing, is lost when too much waits for it."""
        for number in range(100_000):
            self.connection.tell({"over": number})
            for key, _ in self.selector.select(0):
                key.data()
            if self.untold is not None:
                break
        assert self.untold is not None
        # what it was not told is for another one
        self.assertEqual(len(self.untold), MOST + 1)
        self.assertEqual(self.untold[-1], {"over": number})
