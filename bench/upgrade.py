"""
What sessions and clients notice of upgrades, a reload and a killed worker.

    sudo python -m bench.upgrade [--sessions 1000] [--rate 200] [--pause 6]

So many sessions say something every 100 ms and hear it back, and so many connections come each
second, have one answer and go, while one worker is killed by SIGKILL, and then the gateway is
upgraded, reloaded, upgraded and upgraded. Told is what was lost, and how long anybody waited. It
fails if a session is lost that the killed worker did not have, if a connection that it did not have
is refused or ended, or if a flow has not one record. What the killed worker had not handed over yet
(see docs/audit.md) may have none.

Load, server and gateway share the machine. C{tests/netns/test_upgrade.py} is the same, smaller.
"""

from __future__ import annotations

import argparse
import errno
import json
import multiprocessing
import os
import resource
import select
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from attrs import define, field

from gateway.control.client import Client
from gateway.lab.namespace import Namespace
from gateway.lab.network import SERVER
from gateway.workers.table import COLUMNS
from tests.netns.case import RELAY
from tests.netns.scene import Scene
from tests.netns.workers_case import CLIENTS, WorkersCase

EVERY = 0.1
"""Seconds from one word of a session to the next."""

TURNS = 10
"""So many parts of the sessions, that don't speak at the same time."""

WORD = b"12345678"

PORT = 7007
"""Of the server."""

PATIENCE = 60.0
"""Seconds for what must happen."""

EVENTS = ("upgrade", "reload", "upgrade", "upgrade")

MOST = 500
"""Sessions in one answer."""

LATEST = 1.0
"""Seconds before its end of which a killed worker may not have handed records over."""

Name = tuple[str, int]


@define
class Told:
    """What came of the load."""

    names: list[Name] = field(factory=list)
    """Of all clients' connections."""
    lost: list[tuple[Name, float, str]] = field(factory=list)
    """Which, when and how."""
    waits: list[float] = field(factory=list)
    """Seconds for an answer."""
    ended: dict[Name, float] = field(factory=dict)
    """When they were closed here."""


def nonblocking(number: int) -> socket.socket:
    """A connection on its way to the server."""
    ours = socket.socket()
    ours.setblocking(False)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ours.bind((CLIENTS[number % len(CLIENTS)], 0))
    code = ours.connect_ex((SERVER, PORT))
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, os.strerror(code))
    return ours


def serve(listener: socket.socket) -> None:
    """Say everything back."""
    poll, there = select.epoll(), {}
    listener.setblocking(False)
    poll.register(listener, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                with suppress(BlockingIOError):
                    while True:
                        theirs, _ = listener.accept()
                        there[theirs.fileno()] = theirs
                        poll.register(theirs, select.EPOLLIN)
                continue
            theirs = there[number]
            try:
                data = theirs.recv(4096)
                if data:
                    theirs.send(data)
                    continue
            except OSError:
                pass
            del there[number]
            theirs.close()


def server(namespace: Namespace, processes: int = 1) -> None:
    """Have an echo at the server's port."""
    listener = namespace.socket()
    listener.bind((SERVER, PORT))
    listener.listen(4096)
    fork = multiprocessing.get_context("fork")
    for _ in range(processes):
        fork.Process(target=serve, args=(listener,), daemon=True).start()


@define
class Session:
    """One that lasts."""

    socket: socket.socket
    name: Name
    said: float = 0.0
    """When it said what is not answered yet; 0: it is."""


class Lasting:
    """
    Sessions that last.

    @param orders: tells how many more there are to be, or C{None}: end.
    """

    def __init__(self, orders: Connection) -> None:
        self.told = Told()
        self._orders = orders
        self._poll = select.epoll()
        self._sessions: dict[int, Session] = {}

    def run(self) -> None:
        """To the end."""
        turn, number = 0, 0
        due = time.monotonic()
        while True:
            if self._orders.poll():
                more = self._orders.recv()
                if more is None:
                    break
                for _ in range(more):
                    number += 1
                    self._open(number)
                self._orders.send([one.name for one in self._sessions.values()])
            self._say(turn % TURNS)
            turn += 1
            due += EVERY / TURNS
            self._hear(due)
        for one in tuple(self._sessions.values()):
            self.told.ended[one.name] = time.monotonic()
            one.socket.close()
        self._orders.send(self.told)

    def _open(self, number: int) -> None:
        ours = nonblocking(number)
        name = ours.getsockname()[:2]
        self.told.names.append(name)
        self._sessions[ours.fileno()] = Session(ours, name)
        self._poll.register(ours, select.EPOLLIN)

    def _say(self, turn: int) -> None:
        now = time.monotonic()
        for number in [each for each in self._sessions if each % TURNS == turn]:
            one = self._sessions[number]
            if not one.said:
                try:
                    one.socket.send(WORD)
                except BlockingIOError:  # it is not connected yet
                    continue
                except OSError as error:
                    self._lose(number, error)
                    continue
                one.said = now

    def _hear(self, until: float) -> None:
        while True:
            now = time.monotonic()
            for number, _ in self._poll.poll(max(0.0, until - now)):
                one = self._sessions[number]
                try:
                    heard = one.socket.recv(4096)
                    if not heard:
                        raise ConnectionError(errno.ECONNABORTED, "end")
                except OSError as error:
                    self._lose(number, error)
                    continue
                self.told.waits.append(time.monotonic() - one.said)
                one.said = 0.0
            if time.monotonic() >= until:
                return

    def _lose(self, number: int, error: OSError) -> None:
        one = self._sessions.pop(number)
        self._poll.unregister(one.socket)
        one.socket.close()
        self.told.lost.append((one.name, time.monotonic(), error.strerror))


class Coming:
    """
    Connections that come, have an answer, and go.

    @param orders: ends this.
    @param rate: how many each second.
    """

    def __init__(self, orders: Connection, rate: int) -> None:
        self.told = Told()
        self._orders = orders
        self._rate = rate
        self._poll = select.epoll()
        self._there: dict[int, Session] = {}

    def run(self) -> None:
        """To the end."""
        due = began = time.monotonic()
        while not self._orders.poll():
            while due <= time.monotonic():
                self._open()
                due += 1 / self._rate
            self._hear(due)
        end = time.monotonic() + PATIENCE
        while self._there and time.monotonic() < end:
            self._hear(time.monotonic() + 0.1)
        for one in self._there.values():
            self.told.lost.append((one.name, time.monotonic(), "no answer"))
        self._orders.send((self.told, time.monotonic() - began))

    def _open(self) -> None:
        ours = nonblocking(len(self.told.names))
        name = ours.getsockname()[:2]
        self.told.names.append(name)
        self._there[ours.fileno()] = Session(ours, name, time.monotonic())
        self._poll.register(ours, select.EPOLLOUT)

    def _hear(self, until: float) -> None:
        for number, _ in self._poll.poll(max(0.0, until - time.monotonic())):
            one = self._there[number]
            try:
                self._go_on(one)
            except OSError as error:
                self.told.lost.append((one.name, time.monotonic(), error.strerror))
                self._forget(one)

    def _go_on(self, one: Session) -> None:
        try:
            heard = one.socket.recv(100)
        except BlockingIOError:  # it is connected
            one.socket.send(WORD)
            self._poll.modify(one.socket, select.EPOLLIN)
            return
        if heard != WORD:
            raise ConnectionError(errno.ECONNABORTED, "end")
        self.told.waits.append(time.monotonic() - one.said)
        self.told.ended[one.name] = time.monotonic()
        self._forget(one)

    def _forget(self, one: Session) -> None:
        del self._there[one.socket.fileno()]
        self._poll.unregister(one.socket)
        one.socket.close()


def begun(namespace: Namespace, run: Callable[..., None], *arguments: Any) -> Connection:
    """A process in a namespace; what it is ordered with."""
    ours, theirs = multiprocessing.Pipe()

    def be() -> None:
        ours.close()
        namespace.enter()
        run(theirs, *arguments)

    multiprocessing.get_context("fork").Process(target=be, daemon=True).start()
    theirs.close()
    return ours


def last(orders: Connection) -> None:
    """Be the sessions that last."""
    Lasting(orders).run()


def come(orders: Connection, rate: int) -> None:
    """Be the connections that come."""
    Coming(orders, rate).run()


class Proof:
    """
    The gateway, and what is done to it.

    @param pause: seconds from one event to the next.
    """

    def __init__(self, scene: Scene, sessions: int, rate: int, pause: float) -> None:
        self._scene = scene
        self._sessions = sessions
        self._rate = rate
        self._pause = pause
        self._case = WorkersCase("setUp")
        self._case.scene = scene

    def run(self) -> bool:
        """Do it, and tell; whether nothing was lost that must not be."""
        self._begin()
        lasting = begun(self._scene.network.client, last)
        for _ in range(0, self._sessions, 100):  # not all at once: no queue is so long
            lasting.send(100)
            names = lasting.recv()
        self._until(lambda: len(self._ids()) >= self._sessions, "there are not all sessions")
        coming = begun(self._scene.network.client, come, self._rate)
        time.sleep(self._pause)
        killed, victims = self._kill()
        time.sleep(self._pause)
        lasting.send(len(victims & set(names)))
        names = lasting.recv()
        self._until(lambda: len(self._ids(names)) >= self._sessions, "they don't come again")
        for what in EVENTS:
            self._do(what)
            time.sleep(self._pause)
        coming.send(None)
        passed, seconds = coming.recv()
        lasting.send(None)
        lasted = lasting.recv()
        return self._told(lasted, passed, seconds, killed, victims)

    def _begin(self) -> None:
        scene = self._scene
        scene.configure({"relay": RELAY}, "[workers]\ncount = 2\n")
        scene.network.client.run("ip", "route", "add", "local", "10.1.3.0/24", "dev", "lo")
        server(scene.network.server)
        scene.daemon.start()
        self._until(lambda: len(self._case.workers()) == 2, "there are not all workers")

    def _until(self, condition: Callable[[], object], failure: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{failure}; the gateway says:\n{self._scene.daemon.said}")
            time.sleep(0.2)

    def _ask(self, what: str, **more: Any) -> dict[str, Any]:
        with Client(self._scene.daemon.control) as control:
            return control.ask(what, **more)

    def _rows(self) -> Iterator[dict[str, Any]]:
        with Client(self._scene.daemon.control) as control:
            after = 0
            while True:
                answer = control.ask("sessions", sort="id", limit=MOST, after=after)
                if "problem" in answer:
                    raise RuntimeError(answer["problem"])
                page = answer["sessions"]
                yield from page
                if len(page) < MOST:
                    return
                after = page[-1]["id"]

    def _ids(self, names: list[Name] | None = None) -> dict[Name, int]:
        """The running sessions, by their clients."""
        found = {(row["client"]["ip"], row["client"]["port"]): row["id"] for row in self._rows()}
        return found if names is None else {each: found[each] for each in names if each in found}

    def _kill(self) -> tuple[float, set[Name]]:
        """End a worker; tells when, and what it had."""
        before, process = self._ids(), self._case.workers()[0]
        columns = Counter(number % COLUMNS for number in before.values())
        os.kill(process, signal.SIGKILL)
        killed = time.monotonic()
        self._until(lambda: "worker 0 is there again" in self._scene.daemon.said, "it stays away")
        after = self._ids()
        gone = [number % COLUMNS for name, number in before.items() if name not in after]
        column = Counter(gone).most_common(1)[0][0]
        print(f"killed a worker with {columns[column]} of {sum(columns.values())} sessions")
        return killed, {name for name, number in before.items() if number % COLUMNS == column}

    def _do(self, what: str) -> None:
        began, said = time.monotonic(), self._scene.daemon.said.count("goes on with")
        problem = self._ask(what)["problem"]
        if problem:
            raise RuntimeError(f"{what}: {problem}")
        took = time.monotonic() - began
        if what == "upgrade":
            self._until(
                lambda: self._scene.daemon.said.count("goes on with") > said, "no successor"
            )
        print(f"{what}: taken after {took:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)

    def _told(
        self, lasted: Told, passed: Told, seconds: float, killed: float, victims: set[Name]
    ) -> bool:
        innocent = [each for each in lasted.lost if each[0] not in victims]
        # of connections so short nobody knows which were in the worker when it was killed
        refused = [each for each in passed.lost if not killed - 0.1 <= each[1] <= killed + LATEST]
        missing, doubled = self._records(lasted, passed, killed, victims)
        print(
            f"sessions that last: {self._sessions}; {len(lasted.waits):,} answers, "
            f"{_waits(lasted.waits)}\n"
            f"  lost: {len(lasted.lost)}, of those the killed worker's: "
            f"{len(lasted.lost) - len(innocent)}\n"
            f"connections that come: {len(passed.names):,}, {len(passed.names) / seconds:.0f} a "
            f"second; {_waits(passed.waits)}\n"
            f"  lost: {len(passed.lost)}, of those when the worker was killed: "
            f"{len(passed.lost) - len(refused)}\n"
            f"records: of {len(lasted.names) + len(passed.names):,} flows {doubled} have several, "
            f"{len(missing)} have none: {missing[:5]}"
        )
        for each in (*innocent, *refused):
            print(f"  {each}")
        return not (innocent or refused or missing or doubled)

    def _records(
        self, lasted: Told, passed: Told, killed: float, victims: set[Name]
    ) -> tuple[list[Name], int]:
        """Flows without a record that should have one, and how many have several."""
        opened = Counter((*lasted.names, *passed.names))
        ended = {**lasted.ended, **passed.ended}
        excused = victims | {name for name, _, _ in (*lasted.lost, *passed.lost)}
        excused |= {name for name, when in ended.items() if killed - LATEST <= when <= killed}
        self._until(lambda: not set(opened) - set(self._found()) - excused, "records are missing")
        found = self._found()
        doubled = sum(found[name] > count for name, count in opened.items())
        return [name for name in opened if not found[name] and name not in excused], doubled

    def _found(self) -> Counter[Name]:
        lines = self._scene.audit.read_bytes().splitlines()
        flows = (json.loads(line) for line in lines if b'"flow"' in line)
        return Counter(
            (one["src_ip"], one["src_port"]) for one in flows if one["event_type"] == "flow"
        )


def _waits(waits: list[float]) -> str:
    """How long, in milliseconds."""
    ordered = sorted(waits)
    share = ordered[int(len(ordered) * 0.99)]
    return (
        f"answers after {ordered[len(ordered) // 2] * 1e3:.1f} ms (median), "
        f"{share * 1e3:.0f} ms (99 %), {ordered[-1] * 1e3:.0f} ms (most)"
    )


def main() -> None:
    """Do it, and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.upgrade")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--pause", type=float, default=6.0)
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    scene = Scene()
    try:
        proved = Proof(scene, arguments.sessions, arguments.rate, arguments.pause).run()
    finally:
        scene.remove()
    sys.exit(not proved)


if __name__ == "__main__":
    main()
