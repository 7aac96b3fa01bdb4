"""
A gateway that only relays, and releases its sessions into the kernel at random moments.

What the gateway does in two processes it does in one, without an inspector in between, so that many
sessions of all kinds can be compared byte by byte. Run in a namespace, as root::

    python -m tests.kernel.release.relay SECONDS PREAMBLE KEPT SEED [IDLE [PINS STORIES]]

Every session begins with a preamble for the client, so that the numbers of the legs differ. Tells
what it did as JSON when its standard input ends. A line on it ends all released sessions; the word
C{die} ends the relay itself at once.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from errno import EADDRINUSE, EADDRNOTAVAIL
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.interfaces import Address
from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.legs import leg_of
from gateway.kernel.release.overlap import Ends, Stays
from gateway.kernel.release.pins import Pins
from gateway.kernel.release.programs import Programs
from gateway.kernel.release.reset import send_reset
from gateway.kernel.release.ring import Ring
from gateway.kernel.release.stories import Stories, Story
from gateway.kernel.release.table import Table

LISTEN = 50080
UPSTREAM = 0x20
FORWARDED = 0x40000000
BARE = 0x100
MOST = 262144
"""Bytes that are read at once, and that wait for one side."""

PATIENCE = 10.0
"""Seconds that the last sessions have to end."""

SOL = {socket.AF_INET: (socket.IPPROTO_IP, 19), socket.AF_INET6: (socket.IPPROTO_IPV6, 75)}


class Session:
    """One connection through the relay."""

    def __init__(self, relay: Relay, client: socket.socket) -> None:
        self.relay = relay
        self.client = client
        self.ends = self.connect()
        preamble = relay.random.randrange(relay.preamble + 1)
        self.waiting = {client: struct.pack("!I", preamble) + bytes(preamble), self.server: b""}
        self.ended: set[socket.socket] = set()
        self.passed: set[socket.socket] = set()
        self.due = time.monotonic() + relay.random.random() * relay.seconds
        self.index = -1
        for sock in self.socks:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def socks(self) -> tuple[socket.socket, socket.socket]:
        return self.client, self.server

    def connect(self) -> Ends:
        there, here = self.client.getsockname()[:2], self.client.getpeername()[:2]
        kept = self.relay.random.random() < self.relay.kept
        port = here[1] if kept and self.relay.claim(here) else self.relay.free(here)
        while True:
            self.server = self.opened()
            try:
                self.server.bind((here[0], port))
                self.server.connect(there)
            except OSError as error:
                # in TIME_WAIT, most likely
                if error.errno not in (EADDRINUSE, EADDRNOTAVAIL):
                    raise
                self.server.close()
                port = self.relay.free(here)
            else:
                return Ends(Address(*here), Address(*there), Address(here[0], port))

    def opened(self) -> socket.socket:
        server = socket.socket(self.client.family)
        server.setsockopt(*SOL[self.client.family], 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        timestamps = self.client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & 1
        mark = UPSTREAM if timestamps else UPSTREAM | BARE
        server.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        server.settimeout(20)
        return server

    def other(self, sock: socket.socket) -> socket.socket:
        return self.server if sock is self.client else self.client

    def interest(self, sock: socket.socket) -> int:
        wanted = select.POLLIN if sock not in self.ended and self.room(sock) else 0
        return wanted | (select.POLLOUT if self.waiting[sock] else 0)

    def room(self, sock: socket.socket) -> bool:
        return len(self.waiting[self.other(sock)]) < MOST

    def ready(self, sock: socket.socket, events: int) -> None:
        if events & select.POLLOUT:
            self.write(sock)
        if events & ~select.POLLOUT and sock not in self.ended:
            with suppress(BlockingIOError):
                data = sock.recv(MOST)
                if data:
                    self.waiting[self.other(sock)] += data
                    self.write(self.other(sock))
                else:
                    self.ended.add(sock)
        self.pass_ends()

    def write(self, sock: socket.socket) -> None:
        with suppress(BlockingIOError):
            self.waiting[sock] = self.waiting[sock][sock.send(self.waiting[sock]) :]

    def pass_ends(self) -> None:
        for sock in self.ended - self.passed:
            other = self.other(sock)
            if not self.waiting[other]:
                self.passed.add(sock)
                with suppress(OSError):
                    other.shutdown(socket.SHUT_WR)

    @property
    def over(self) -> bool:
        return len(self.passed) == 2

    def release(self) -> None:
        self.due = float("inf")
        pending = len(self.waiting[self.client]), len(self.waiting[self.server])
        story = Story(self.ends, self.relay.idle, {})
        try:
            self.index = self.relay.carrier.switch(story, self.socks, pending)
        except Stays as why:
            self.relay.count(f"stays: {why}")
        else:
            self.switched = time.monotonic()

    def described(self) -> dict[str, Any]:
        """For whoever wants to know why it is not over."""
        told: dict[str, Any] = {"waiting": [len(self.waiting[sock]) for sock in self.socks]}
        told["legs"] = [str(leg_of(sock)) for sock in self.socks]
        if self.index >= 0:
            table = self.relay.table
            told["directions"] = [str(table.direction(self.index, side)) for side in (0, 1)]
        return told

    def close(self) -> None:
        for sock in self.socks:
            sock.close()


class Relay:
    """All of them."""

    def __init__(
        self,
        seconds: float,
        preamble: int,
        kept: float,
        seed: int,
        idle: float,
        pins: Path | None,
        stories: Path,
    ) -> None:
        self.idle = idle
        self.seconds, self.preamble, self.kept = seconds, preamble, kept
        self.random = random.Random(seed)
        kept_by = Pins(None) if pins is None else Pins.at(pins)
        self.table = Table(4096, kept_by)
        self.table.set_marks(FORWARDED, BARE)
        self.programs = Programs(self.table, kept_by)
        self.programs.attach()
        events = self.table.maps["events"]
        self.ring = Ring(events.descriptor, events.entries)
        self.told: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}
        self.overlaps: list[float] = []
        self.records: list[dict[str, Any]] = []
        self.released: set[int] = set()
        """Also a predecessor's."""

        reset = partial(send_reset, mark=FORWARDED)
        self.carrier = Carrier(
            self.table,
            Stories(stories),
            self.told.append,
            reset,
            lambda _: None,
            time.monotonic,
        )
        self.released.update(self.carrier.there)
        self.sessions: dict[int, Session] = {}
        self.used: set[tuple[str, int]] = set()
        self.heeds = {"settled": self.settled, "gone": self.gone, "over": self.ended}
        self.listeners = [self.listen(socket.AF_INET), self.listen(socket.AF_INET6)]

    def listen(self, family: socket.AddressFamily) -> socket.socket:
        listener = socket.socket(family)
        listener.setsockopt(*SOL[family], 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x10)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", LISTEN))
        listener.listen(1000)
        listener.setblocking(False)
        return listener

    def claim(self, here: tuple[str, int]) -> bool:
        """Whether nobody has this port: of released sessions the kernel does not know any more."""
        if here in self.used:
            return False
        self.used.add(here)
        return True

    def free(self, here: tuple[str, int]) -> int:
        """A port that no session has, other than the client's."""
        while True:
            port = self.random.randrange(20000, 65536)
            if port != here[1] and self.claim((here[0], port)):
                return port

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def run(self) -> None:
        """Until nobody wants anything any more: neither whoever started it nor a session."""
        while self.turn(told_to_end=False):
            pass
        patience = time.monotonic() + PATIENCE
        while (self.sessions or self.released) and time.monotonic() < patience:
            self.turn(told_to_end=True)

    def turn(self, told_to_end: bool) -> bool:
        poll = select.poll()
        if not told_to_end:
            poll.register(0, select.POLLHUP | select.POLLIN)
        poll.register(self.ring.descriptor, select.POLLIN)
        for listener in self.listeners:
            poll.register(listener, select.POLLIN)
        for sock, session in self.socks():
            poll.register(sock, session.interest(sock))
        ready = dict(poll.poll(min(20, 1000 * self.carrier.turn())))
        if 0 in ready and not self.obeys(os.read(0, 100)):
            return False
        self.carrier.hear(self.ring.read())
        self.carrier.turn()
        self.heed()
        for listener in self.listeners:
            if listener.fileno() in ready:
                self.accept(listener)
        for sock, session in list(self.socks()):
            if sock.fileno() in ready:
                self.guarded(session, partial(session.ready, sock, ready[sock.fileno()]))
        self.advance()
        return True

    def obeys(self, line: bytes) -> bool:
        """Whether it is to go on."""
        if line == b"die\n":
            print("dead", flush=True)
            os._exit(0)
        for index in self.carrier.there if line else ():
            self.carrier.kill(index)
        return bool(line)

    def socks(self) -> list[tuple[socket.socket, Session]]:
        return [(sock, each) for each in self.sessions.values() for sock in each.socks]

    def guarded(self, session: Session, call: Callable[[], None]) -> None:
        if id(session) not in self.sessions:
            return
        try:
            call()
        except OSError as error:
            self.count(f"failed: {error}")
            self.drop(session)

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            self.count("sessions")
            try:
                session = Session(self, client)
            except OSError as error:
                self.count(f"not connected: {error}")
                continue
            self.sessions[id(session)] = session

    def advance(self) -> None:
        now = time.monotonic()
        for session in list(self.sessions.values()):
            if session.index < 0 and session.over:
                self.count("ended before")
                self.drop(session)
            elif now > session.due and not session.ended:
                self.guarded(session, session.release)

    def drop(self, session: Session) -> None:
        session.close()
        self.sessions.pop(id(session), None)

    def heed(self) -> None:
        """What the carrier has told."""
        told, self.told[:] = self.told[:], []
        for message in told:
            for what, heed in self.heeds.items():
                if what in message:
                    heed(message)

    def settled(self, message: dict[str, Any]) -> None:
        self.carrier.let_go(message["settled"], {})

    def gone(self, message: dict[str, Any]) -> None:
        index = message["gone"]
        (session,) = (each for each in self.sessions.values() if each.index == index)
        self.overlaps.append(time.monotonic() - session.switched)
        self.count("released")
        self.released.add(index)
        self.drop(session)

    def ended(self, message: dict[str, Any]) -> None:
        self.records.append(message)
        self.count(message["how"])
        self.released.discard(message["over"])


def main() -> None:
    seconds, preamble, kept, seed, *more = sys.argv[1:]
    idle = float(more[0]) if more else 0.0
    with TemporaryDirectory() as folder:
        pins, stories = map(Path, more[1:]) if more[1:] else (None, Path(folder, "stories"))
        relay = Relay(float(seconds), int(preamble), float(kept), int(seed), idle, pins, stories)
        print("ready", flush=True)
        relay.run()
    overlaps = sorted(relay.overlaps)
    print(
        json.dumps(
            {
                "counts": relay.counts,
                "running": [session.described() for session in relay.sessions.values()],
                "released": len(relay.released),
                "overlap": overlaps[len(overlaps) // 2] if overlaps else None,
                "longest": overlaps[-1] if overlaps else None,
                "records": relay.records,
            }
        )
    )


if __name__ == "__main__":
    main()
