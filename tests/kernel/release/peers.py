"""
Client and server of sessions of all kinds, which compare every byte of both directions.

Run in a namespace::

    python -m tests.kernel.release.peers server
    python -m tests.kernel.release.peers client HOSTS SESSIONS AT_ONCE BYTES SEED LASTING [plain]

Besides its sessions the client has C{LASTING} ones, which talk until its standard input ends: the
fastest machine can't be done with them before the kernel takes them over. It says C{begun} when
they do.

The client begins with a number of its own, so that the numbers of two connections have nothing in
common: namespaces of one machine share the secret that the kernel's come from. It tells what came
of it as JSON. Without C{plain} there is a preamble for it, see L{tests.kernel.release.relay}.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

PORT = 7000
PATIENCE = 30.0
PERIOD = 1000003
_ONCE = random.Random(7).randbytes(PERIOD)
_BLOB = _ONCE + _ONCE
HEAD = struct.Struct("!IQIQIddBB")


def content(seed: int, at: int, count: int) -> bytes:
    """The bytes of stream C{seed} from C{at} on; at most a period of them."""
    begin = (seed + at) % PERIOD
    return _BLOB[begin : begin + count]


class Plan(NamedTuple):
    """What both sides of a session do."""

    up_seed: int
    up: int
    down_seed: int
    down: int
    chunk: int
    nap: float
    slow: float
    server_ends_last: int
    lasting: int = 0


KINDS: dict[str, Callable[[random.Random, int], tuple[int, int, int, float, float]]] = {
    "both": lambda r, most: (r.randrange(most), r.randrange(most), 100000, 0, 0),
    "down": lambda r, most: (100, r.randrange(most), 100000, 0, 0),
    "up": lambda r, most: (r.randrange(most), 100, 100000, 0, 0),
    "short": lambda r, most: (r.randrange(2000, 20000), r.randrange(2000, 20000), 500, 0.03, 0),
    "slow": lambda r, most: (r.randrange(most), r.randrange(most), 100000, 0, 0.01),
}

LASTING = (1000, 0.1, 0.0)
"""Chunk, nap and slowness of a session that lasts: for a minute it has something to say."""


class Lasting:
    """
    What the sessions that last have in common; a server's hears the end of the other stream.

    @ivar hurry: set when they have lasted for long enough.
    @ivar begun: counts those that heard something, or never will.
    """

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self.begun = threading.Semaphore(0)


class Pump:
    """
    Sends one stream and reads the other at the same time.

    @ivar fault: what was wrong, if anything.
    @ivar silence: the longest time for which nothing came, in seconds.
    """

    def __init__(self, sock: socket.socket, lasting: Lasting) -> None:
        self.sock = sock
        self.lasting = lasting
        self.fault = ""
        self.silence = 0.0

    def run(
        self,
        out: tuple[int, int],
        expected: tuple[int, int],
        plan: Plan,
        ends_last: bool,
        skip: bool,
    ) -> None:
        reader = threading.Thread(target=self._guarded, args=(self._read, expected, plan, skip))
        reader.start()
        self._guarded(self._write, out, plan)
        if ends_last:
            reader.join()
        self._guarded(self.sock.shutdown, socket.SHUT_WR)
        reader.join()

    def _guarded(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except (OSError, EOFError, AssertionError) as error:
            self.fault = self.fault or f"{call.__name__}: {error!r}"

    def _write(self, out: tuple[int, int], plan: Plan) -> None:
        seed, count = out
        at = 0
        while at < count:
            if plan.lasting and at > count - plan.chunk:
                self.lasting.hurry.wait()
            size = min(random.randrange(1, plan.chunk + 1), count - at)
            self.sock.sendall(content(seed, at, size))
            at += size
            if plan.nap and random.random() < 0.3:
                self._nap(plan.nap * random.random(), plan)

    def _nap(self, seconds: float, plan: Plan) -> None:
        if plan.lasting:
            self.lasting.hurry.wait(seconds)
        else:
            time.sleep(seconds)

    def _read(self, expected: tuple[int, int], plan: Plan, skip: bool) -> None:
        seed, count = expected
        if skip:
            exactly(self.sock, *struct.unpack("!I", exactly(self.sock, 4)))
        at, heard = 0, time.monotonic()
        while data := self.sock.recv(random.choice((1000, 65536, 200000))):
            now = time.monotonic()
            self.silence = max(self.silence, now - heard)
            if not at:
                self.lasting.begun.release()
            assert data == content(seed, at, len(data)), f"other bytes at {at}"
            at += len(data)
            if plan.slow:
                time.sleep(plan.slow * random.random())
                now = time.monotonic()
            heard = now
        self.lasting.hurry.set()
        assert at == count, f"{at} of {count} bytes"


def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(min(count - len(data), 65536))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve() -> None:
    """For ever."""
    listeners = []
    for family in (socket.AF_INET, socket.AF_INET6):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", PORT))
        listener.listen(1000)
        listeners.append(threading.Thread(target=_accept, args=(listener,), daemon=True))
        listeners[-1].start()
    print("ready", flush=True)
    sys.stdin.read()


def _accept(listener: socket.socket) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_answer, args=(sock,), daemon=True).start()


def _answer(sock: socket.socket) -> None:
    with sock:
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            plan = Plan(*HEAD.unpack(exactly(sock, HEAD.size)))
        except (OSError, EOFError):
            return
        pump = Pump(sock, Lasting())
        down, up = (plan.down_seed, plan.down), (plan.up_seed, plan.up)
        pump.run(down, up, plan, bool(plan.server_ends_last), False)
        if pump.fault:
            print(pump.fault, flush=True)


def dial(host: str, chance: random.Random) -> socket.socket:
    """A connection whose numbers begin anywhere."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.settimeout(PATIENCE)
    tcp = socket.IPPROTO_TCP
    for name, value in ((19, 1), (20, 2), (21, chance.randrange(1 << 31)), (20, 0), (19, -1)):
        sock.setsockopt(tcp, name, value)
    sock.setsockopt(tcp, socket.TCP_NODELAY, 1)
    sock.connect((host, PORT))
    return sock


def session(
    hosts: list[str], most: int, seed: int, plain: bool, lasting: Lasting | None
) -> dict[str, Any]:
    """One session, and what came of it."""
    chance = random.Random(seed)
    host, kind = chance.choice(hosts), chance.choice(list(KINDS))
    up, down, chunk, nap, slow = KINDS[kind](chance, most)
    last = kind == "up" or (kind != "down" and chance.random() < 0.5)
    if lasting is not None:
        kind, up, down, last = "lasting", most, most, True
        chunk, nap, slow = LASTING
    seeds = chance.randrange(PERIOD), chance.randrange(PERIOD)
    plan = Plan(seeds[0], up, seeds[1], down, chunk, nap, slow, last, lasting is not None)
    told = {"seed": seed, "host": host, "kind": kind}
    common = lasting or Lasting()
    try:
        sock = dial(host, chance)
    except OSError as error:
        common.begun.release()
        return {**told, "fault": f"not connected: {error}", "silence": 0.0}
    with sock:
        sock.sendall(HEAD.pack(*plan))
        pump = Pump(sock, common)
        pump.run((plan.up_seed, up), (plan.down_seed, down), plan, not last, not plain)
    common.begun.release()
    return {**told, "fault": pump.fault, "silence": round(pump.silence, 3), "up": up, "down": down}


def run(
    hosts: str, count: str, at_once: str, most: str, seed: str, lasting: str, *plain: str
) -> list[dict[str, Any]]:
    """All sessions of a client."""
    common = Lasting()
    with ThreadPoolExecutor(int(at_once) + int(lasting)) as pool:
        each = [common] * int(lasting) + [None] * int(count)
        told = [
            pool.submit(session, hosts.split(","), int(most), int(seed) + number, bool(plain), one)
            for number, one in enumerate(each)
        ]
        if int(lasting):
            for _ in range(int(lasting)):
                common.begun.acquire()
            print("begun", flush=True)
            sys.stdin.read()
            common.hurry.set()
        return [each.result() for each in told]


def main() -> None:
    if sys.argv[1] == "server":
        serve()
    else:
        print(json.dumps(run(*sys.argv[2:])))


if __name__ == "__main__":
    main()
