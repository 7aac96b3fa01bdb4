"""
The carrier's process, put together::

    python -m gateway.kernel.release --config FOLDER --runtime FOLDER [--listen SOCKET]

With C{--listen} it is a service of its own, which outlives gateways, and whose released sessions
outlive itself. Else it is one gateway's: asked on standard input, and ended by the end of that
connection; released sessions are then reset.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gateway.interfaces import Address
from gateway.kernel.capabilities import drop_to, missing
from gateway.kernel.conntrack import Tracking
from gateway.kernel.errors import KernelError
from gateway.kernel.keeper.supervision import supervise
from gateway.kernel.local import listen
from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.desk import Desk, Marks
from gateway.kernel.release.overlap import Ends
from gateway.kernel.release.packets import receive, send
from gateway.kernel.release.pins import Pins
from gateway.kernel.release.programs import Programs
from gateway.kernel.release.reset import send_reset
from gateway.kernel.release.ring import Ring
from gateway.kernel.release.stories import Stories
from gateway.kernel.release.table import Table
from gateway.kernel.sockets import Socket
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.systemd import ERROR, INFORMATION, WARNING, Systemd
from gateway.systemd import say as say_as

NEEDED = frozenset({"CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_RAW"})
"""For programs and maps; for their devices and for repair mode; for resets."""

BPF_FILES = Path("/sys/fs/bpf/tproxygw")
"""Where maps and links are pinned, in a folder for each instance."""

LAST_SECONDS = 0.2
"""For the resets of what can't go on without this process."""

BACKLOG = 100_000
"""Messages that are kept for a gateway that is not there, or does not listen."""


class Process:
    """
    The work of one of the carrier's processes after the other.

    @param endpoint: a listening socket, or the connection to the gateway.
    @param folder: for what outlives it, if anything does.
    """

    def __init__(
        self,
        policy: Policy,
        runtime: Path,
        endpoint: socket.socket,
        folder: Path,
        systemd: Systemd,
    ) -> None:
        release, divert = policy.release, policy.divert
        self._runtime = runtime
        self._endpoint = endpoint
        self._systemd = systemd
        self._marks = Marks(divert.listener_mark, divert.upstream_mark)
        self._zone = divert.conntrack_zone
        self._reset = partial(_reset, release.forwarded_mark.value)
        self._is_service = bool(endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        self._gateway: socket.socket | None = None
        self._told: deque[dict[str, Any]] = deque(maxlen=BACKLOG)
        pins = Pins.at(folder / str(divert.port)) if self._is_service else Pins(None)
        self._table = Table(release.sessions, pins)
        self._table.set_marks(release.forwarded_mark.value, release.bare_mark.value)
        self._programs = Programs(self._table, pins)
        self._programs.attach()
        self._greeting = {"began": True, "keeps": pins.kept}
        events = self._table.maps["events"]
        self._ring = Ring(events.descriptor, events.entries)

    def work(self) -> bool:
        """Answer, and see to the sessions. What L{supervise} wants done."""
        stories = Stories(self._runtime / "stories")
        self._tracking = Tracking()
        self._carrier = Carrier(
            self._table, stories, self._tell, self._reset, self._untrack, time.monotonic
        )
        self._desk = Desk(self._carrier, self._marks, self._programs.attach, self._translates)
        with selectors.DefaultSelector() as selector:
            return self._run(selector)

    def _run(self, selector: selectors.BaseSelector) -> bool:
        supervisor = os.getppid()
        self._selector = selector
        selector.register(self._ring.descriptor, selectors.EVENT_READ, self._hear)
        if self._is_service:
            self._endpoint.setblocking(False)
            selector.register(self._endpoint, selectors.EVENT_READ, self._accept)
            self._systemd.ready("Has the kernel forward released sessions")
        else:
            self._serve(self._endpoint)
        while self._is_wanted:
            for key, _ in selector.select(min(1.0, self._carrier.turn())):
                key.data()
            self._carrier.turn()
            self._flush()
            # with nobody to serve, the work is done, and no place to be taken
            if os.getppid() != supervisor and self._is_wanted:
                return False
        self._end()
        return True

    @property
    def _is_wanted(self) -> bool:
        return self._is_service or self._gateway is not None

    def _end(self) -> None:
        """What was this gateway's goes with it: nobody else would be told of it."""
        self._carrier.kill_all()
        last = time.monotonic() + LAST_SECONDS
        while (left := last - time.monotonic()) > 0:
            time.sleep(min(left, self._carrier.turn()))

    def _untrack(self, ends: Ends) -> None:
        """Without connection tracking there is nothing to be forgotten."""
        with suppress(OSError):
            self._tracking.forget(ends.client, ends.server, self._zone)
            self._tracking.forget(ends.source, ends.server, 0)

    def _translates(self, ends: Ends) -> bool:
        try:
            return self._tracking.translates(ends.source, ends.server, 0)
        except OSError:
            return False

    def _hear(self) -> None:
        self._carrier.hear(self._ring.read())

    def _accept(self) -> None:
        """One gateway at a time: the newest is the one that runs."""
        with suppress(BlockingIOError):
            connection, _ = self._endpoint.accept()
            if self._gateway is not None:
                self._lose()
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._gateway = connection
        self._selector.register(connection, selectors.EVENT_READ, self._answer)
        self._told.appendleft(self._greeting)
        self._flush()

    def _answer(self) -> None:
        """Everything that the gateway has asked by now."""
        try:
            while self._gateway is not None:
                self._answer_one(self._gateway)
        except BlockingIOError:
            pass
        except (EOFError, OSError, ValueError):
            self._lose()

    def _answer_one(self, connection: socket.socket) -> None:
        message, descriptors = receive(connection)
        sockets: list[Socket] = [socket.socket(fileno=each) for each in descriptors]
        try:
            answer = self._desk.answer(message, sockets)
        finally:
            for sock in sockets:
                sock.close()
        if answer is not None:
            self._tell(answer)

    def _tell(self, message: dict[str, Any]) -> None:
        self._told.append(message)
        self._flush()

    def _flush(self) -> None:
        """What the gateway can take now. Without a gateway it waits for the next one."""
        try:
            while self._told and self._gateway is not None:
                send(self._gateway, self._told[0])
                self._told.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._lose()

    def _lose(self) -> None:
        """The gateway is gone."""
        connection, self._gateway = self._gateway, None
        if connection is not None:
            self._selector.unregister(connection)
            connection.close()
            # answers were for it only
            kept = [message for message in self._told if "over" in message]
            self._told = deque(kept, maxlen=BACKLOG)
            self._carrier.abandon()


def _reset(mark: int, source: Address, destination: Address, sequence: int) -> None:
    """A reset that can't be sent, for want of a route, is not worth a word: nobody can be told."""
    with suppress(OSError):
        send_reset(source, destination, sequence, mark)


def carry(directory: Path, runtime: Path, endpoint: socket.socket, pins: Path) -> None:
    """
    Be the carrier, until the gateway or somebody else ends it.

    @param directory: the configuration folder.
    @param runtime: the folder for what a reboot may empty.
    @param endpoint: a listening socket, or the connection to the gateway.
    @param pins: the folder, of a BPF file system, for what outlives it.
    @raise gateway.policy.problem.PolicyError: the configuration is broken.
    @raise KernelError: privileges are missing, or the kernel is too old.
    """
    from gateway.policy.load import load
    from gateway.registry import find

    policy, systemd = load(directory, find), Systemd(os.environ)
    if not policy.release.kernel:
        why = "not needed: gateway.toml does not say kernel = true in [release]"
        say(INFORMATION, why)
        # to end without having said so would be a failure
        systemd.ready(why)
        return
    lacking = missing(NEEDED)
    if lacking:
        raise KernelError(f"releasing sessions into the kernel needs {', '.join(lacking)}")
    drop_to(NEEDED)
    process = Process(policy, runtime, endpoint, pins, systemd)
    supervise(process.work, partial(say, WARNING), "carrier")


say = partial(say_as, "carrier")
"""Tells the operator."""


def main(arguments: list[str]) -> None:
    """Be the carrier of what the command line says."""
    parser = ArgumentParser(prog="carrier")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--listen", type=Path)
    parser.add_argument("--pins", type=Path, default=BPF_FILES)
    options = parser.parse_args(arguments)
    if options.listen is None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        endpoint = socket.socket(fileno=0)
    else:
        endpoint = listen(options.listen)
    try:
        carry(options.config, options.runtime, endpoint, options.pins)
    except (KernelError, PolicyError, OSError) as error:
        say(ERROR, f"not started: {error}")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1:])
