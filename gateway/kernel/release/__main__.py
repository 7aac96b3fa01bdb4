"""
The carrier's process, put together::

    python -m gateway.kernel.release --config FOLDER --runtime FOLDER [--listen SOCKET]

With C{--listen} it is a service of its own, which outlives gateways, and whose released sessions
outlive itself. Else it is one gateway's, and ended by the end of the connection that is its
standard input; released sessions are then reset. It is asked by that connection, or, with
C{--inherited DESCRIPTOR}, by those that workers make to a socket that listens.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gateway.interfaces import Address
from gateway.kernel.capabilities import drop_to, missing
from gateway.kernel.conntrack import Tracking
from gateway.kernel.descriptors import for_sessions, raise_soft
from gateway.kernel.errors import KernelError
from gateway.kernel.keeper.supervision import supervise
from gateway.kernel.local import listen
from gateway.kernel.packets import send
from gateway.kernel.release.carrier import MOST_OVERLAPS, Carrier
from gateway.kernel.release.connection import Connection
from gateway.kernel.release.desk import PAIR, Desk, Marks
from gateway.kernel.release.overlap import Ends
from gateway.kernel.release.parties import Parties, backlog
from gateway.kernel.release.pins import Pins
from gateway.kernel.release.programs import LOADING, Programs
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

MOST_PARTIES = 256
"""Connections: more than there can be workers, former ones included."""


class Process:
    """
    The work of one of the carrier's processes after the other.

    @param endpoint: a listening socket, or the connection to the gateway.
    @param folder: for what outlives it, if anything does.
    @param leash: whose end ends it, though it listens: nothing outlives it.
    """

    def __init__(
        self,
        policy: Policy,
        runtime: Path,
        endpoint: socket.socket,
        folder: Path,
        systemd: Systemd,
        leash: socket.socket | None = None,
    ) -> None:
        release, divert = policy.release, policy.divert
        self._runtime = runtime
        self._endpoint = endpoint
        self._systemd = systemd
        self._marks = Marks(divert.listener_mark, divert.upstream_mark)
        self._zone = divert.conntrack_zone
        self._backlog = backlog(release.sessions)
        self._reset = partial(_reset, release.forwarded_mark.value)
        self._listens = bool(endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        self._leash = leash
        self._loose = False
        is_service = self._listens and leash is None
        pins = Pins.at(folder / str(divert.port)) if is_service else Pins(None)
        self._table = Table(release.sessions, pins)
        self._table.set_marks(release.forwarded_mark.value, release.bare_mark.value)
        self._programs = Programs(self._table, pins)
        self._programs.attach()
        self._keeps = pins.kept
        events = self._table.maps["events"]
        self._ring = Ring(events.descriptor, events.entries)

    def work(self) -> bool:
        """Answer, and see to the sessions. What L{supervise} wants done."""
        stories = Stories(self._runtime / "sessions")
        self._tracking = Tracking()
        parties = self._parties = Parties(self._keeps, time.monotonic, self._backlog)
        self._carrier = Carrier(
            *(self._table, stories, parties.hear, self._reset, self._untrack, time.monotonic),
            most=min(MOST_OVERLAPS, for_sessions() // PAIR),
        )
        parties.begin(self._carrier)
        self._desk = Desk(self._carrier, self._marks, self._programs.attach, self._translates)
        with selectors.DefaultSelector() as selector:
            return self._run(selector)

    def _run(self, selector: selectors.BaseSelector) -> bool:
        supervisor = os.getppid()
        self._selector = selector
        selector.register(self._ring.descriptor, selectors.EVENT_READ, self._hear)
        if self._listens:
            self._endpoint.setblocking(False)
            selector.register(self._endpoint, selectors.EVENT_READ, self._accept)
            self._systemd.ready("Has the kernel forward released sessions")
        else:
            self._serve(self._endpoint)
        if self._leash is not None:
            selector.register(self._leash, selectors.EVENT_READ, self._let_loose)
        while self._is_wanted:
            for key, _ in selector.select(min(1.0, self._carrier.turn())):
                key.data()
            self._carrier.turn()
            self._parties.turn()
            # with nobody to serve, the work is done, and no place to be taken
            if os.getppid() != supervisor and self._is_wanted:
                return False
        self._end()
        return True

    @property
    def _is_wanted(self) -> bool:
        if self._listens:
            return not self._loose
        return bool(self._parties)

    def _let_loose(self) -> None:
        """The gateway that has started it is gone, or says what it should not."""
        self._loose = True

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
        """One process more."""
        with suppress(BlockingIOError):
            connection, _ = self._endpoint.accept()
            if len(self._parties) < MOST_PARTIES:
                self._serve(connection)
            else:
                connection.close()

    def _serve(self, sock: socket.socket) -> None:
        def answer(message: dict[str, Any], sockets: list[Socket]) -> dict[str, Any] | None:
            return self._desk.answer(message, sockets, party)

        def lost(untold: Iterable[dict[str, Any]]) -> None:
            self._parties.lose(party, untold)

        connection = Connection(sock, self._selector, answer, lost, self._backlog)
        party = self._parties.come(connection.tell)


def _reset(mark: int, source: Address, destination: Address, sequence: int) -> None:
    """A reset that can't be sent, for want of a route, is not worth a word: nobody can be told."""
    with suppress(OSError):
        send_reset(source, destination, sequence, mark)


def carry(
    directory: Path,
    runtime: Path,
    endpoint: socket.socket,
    pins: Path,
    leash: socket.socket | None = None,
) -> None:
    """
    Be the carrier, until the gateway or somebody else ends it.

    @param directory: the configuration folder.
    @param runtime: the folder for what a reboot may empty.
    @param endpoint: a listening socket, or the connection to the gateway.
    @param pins: the folder, of a BPF file system, for what outlives it.
    @param leash: see L{Process}. Something is said on it when all is ready.
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
    raise_soft()
    drop_to(NEEDED | ({LOADING} - set(missing({LOADING}))))
    process = Process(policy, runtime, endpoint, pins, systemd, leash)
    drop_to(NEEDED)
    if leash is not None:
        send(leash, {"began": True})
    supervise(process.work, partial(say, WARNING), "carrier")


say = partial(say_as, "carrier")
"""Tells the operator."""


def main(arguments: list[str]) -> None:
    """Be the carrier of what the command line says."""
    parser = ArgumentParser(prog="carrier")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--listen", type=Path)
    parser.add_argument("--inherited", type=int)
    parser.add_argument("--pins", type=Path, default=BPF_FILES)
    options = parser.parse_args(arguments)
    if options.listen is None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        endpoint = socket.socket(fileno=0)
    else:
        endpoint = listen(options.listen)
    leash = None
    if options.inherited is not None:
        endpoint, leash = socket.socket(fileno=options.inherited), endpoint
    try:
        carry(options.config, options.runtime, endpoint, options.pins, leash)
    except (KernelError, PolicyError, OSError) as error:
        say(ERROR, f"not started: {error}")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1:])
