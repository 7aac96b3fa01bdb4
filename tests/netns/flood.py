"""A flood of forged SYNs from one host, at a steady rate."""

from __future__ import annotations

import itertools
import socket
import threading
import time

from tests.netns.packets import SYN, packet, segment

RATE = 2_000
"""SYNs a second."""

SECONDS = 5.0

BURSTS = 100
"""In so many bursts a second they are sent."""


class Flood(threading.Thread):
    """
    Sends as long as it is told, from one address and all of its ports.

    @param ours: a raw socket, for whole packets, of the host that forges.
    @param source: nobody's address, so that nobody resets what is answered to it.
    @ivar sent: how many so far.
    """

    def __init__(
        self, ours: socket.socket, source: str, server: tuple[str, int], seconds: float = SECONDS
    ) -> None:
        super().__init__(daemon=True)
        self._socket = ours
        self._source = source
        self._server = server
        self._seconds = seconds
        self._ports = itertools.cycle(range(1024, 65536))
        self.sent = 0

    def run(self) -> None:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < self._seconds:
            while self.sent < RATE * passed:
                self._send()
            time.sleep(1 / BURSTS)

    def _send(self) -> None:
        source = (self._source, next(self._ports))
        whole = segment(source, self._server, SYN, sequence=self.sent)
        self._socket.sendto(packet(self._source, self._server[0], whole), (self._server[0], 0))
        self.sent += 1
