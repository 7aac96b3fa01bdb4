"""
The usher's process, put together::

    python -m gateway.kernel.handshake --config FOLDER --runtime FOLDER
        [--listen SOCKET] [--inherited DESCRIPTOR]

With C{--listen} it is a service of its own, which outlives gateways. Else it is one gateway's, and
ended by the end of the connection that is its standard input. It is asked by that connection, or,
with C{--inherited}, by those that workers make to a socket that listens.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from argparse import ArgumentParser
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import randbits
from time import monotonic

from gateway.kernel.capabilities import drop_to, missing
from gateway.kernel.descriptors import raise_soft
from gateway.kernel.errors import KernelError
from gateway.kernel.handshake.doing import Doing
from gateway.kernel.handshake.gateways import Gateway, Gateways
from gateway.kernel.handshake.half_open import Agreed
from gateway.kernel.handshake.usher import Ends, Usher
from gateway.kernel.handshake.words import brought
from gateway.kernel.keeper.supervision import supervise
from gateway.kernel.local import listen
from gateway.kernel.packets import send
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.systemd import ERROR, INFORMATION, WARNING, Systemd
from gateway.systemd import say as say_as

NEEDED = frozenset({"CAP_NET_ADMIN", "CAP_NET_RAW"})
"""For repair mode and for packets that wait; for packets that are sent, and foreign addresses."""

LOW_PORTS = "CAP_NET_BIND_SERVICE"
"""Servers' ports are such."""


MOST_IN_KERNEL = 4096
"""Packets that wait and have not been looked at."""

_NUMBER = 48
"""Bits of the first number by which the gateway is asked."""


CATCH_UP = 0.25
"""Seconds between two looks at copies that nobody has asked for."""

GATHERING = 2.0
"""Seconds without a gateway in which packets wait for the next one, as while workers change."""


class Process:
    """
    The work of one of the usher's processes after the other.

    @param listener: where gateways connect; or C{None}.
    @param alone: the connection to the only gateway; or one whose end ends the usher; or C{None}.
    @raise OSError: the queues can't be had.
    """

    def __init__(
        self,
        policy: Policy,
        listener: socket.socket | None,
        alone: socket.socket | None,
        systemd: Systemd,
    ) -> None:
        divert = policy.divert
        self._settings = policy.handshake
        self._both = divert.listener_mark.value | divert.upstream_mark.value
        self._listener = listener
        self._alone = alone
        self._systemd = systemd
        self._ended = False
        self._until = 0.0
        # held by the elder, too: what waits is not lost with the younger
        self._kernel = Doing(divert, MOST_IN_KERNEL, lambda packet: self._copied(packet))

    def work(self) -> bool:
        """Answer, and take over. What L{supervise} wants done."""
        settings = self._settings
        self._usher = Usher(
            *(self._kernel, self._ask, self._missed),
            *(settings.half_open, settings.waiting, self._both, randbits(_NUMBER)),
        )
        self._reading = False
        with selectors.DefaultSelector() as selector:
            self._selector = selector
            self._gateways = Gateways(
                *(selector, self._usher.decided, self._usher.abandon, self._changed)
            )
            done = self._run(os.getppid())
            if self._listener is not None:  # they connect again, to the next one
                self._gateways.close()
            return done

    def _copied(self, packet: bytes) -> None:
        self._usher.copied(packet)

    def _run(self, supervisor: int) -> bool:
        selector = self._selector
        self._changed()
        self._meet()
        caught_up = monotonic()
        while self._is_wanted:
            for key, _ in selector.select(CATCH_UP):
                key.data()
            # most are asked for by what the client says then: nobody need wake up for those
            if monotonic() > caught_up + CATCH_UP:
                self._kernel.catch_up()
                caught_up = monotonic()
            if not self._reading and monotonic() >= self._until:
                self._kernel.door.shut()
                self._read(True)
            # with nobody to serve, the work is done, and no place to be taken
            if os.getppid() != supervisor and self._is_wanted:
                return False
        return True

    def _meet(self) -> None:
        """Whoever there is to be served."""
        if self._listener is not None:
            self._listener.setblocking(False)
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._systemd.ready("Takes over clients that have shaken hands with their servers")
            if self._alone is not None:
                self._greet(self._alone)
                self._selector.register(self._alone, selectors.EVENT_READ, self._end)
        elif self._alone is not None:
            self._gateways.add(self._alone)

    def _greet(self, line: socket.socket) -> None:
        """Who has started it waits for a word; not for those of later processes."""
        line.setblocking(False)
        with suppress(OSError):
            send(line, {"began": True})

    def _end(self) -> None:
        """Who has started it is gone."""
        self._ended = True

    @property
    def _is_wanted(self) -> bool:
        return not self._ended if self._listener is not None else bool(self._gateways)

    def _hold(self) -> None:
        for held in self._kernel.held():
            self._usher.held(held)

    # Gateways

    def _accept(self) -> None:
        assert self._listener is not None
        with suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            self._gateways.add(connection)

    def _changed(self) -> None:
        """One wants clients, or none any more. Then what comes waits for a while."""
        served = self._usher.served = self._gateways.served
        if served:
            self._kernel.door.open()
        else:
            self._until = monotonic() + GATHERING
        self._read(served)

    def _read(self, wanted: bool) -> None:
        """Whether packets that wait are read."""
        if wanted and not self._reading:
            self._selector.register(self._kernel.waiting, selectors.EVENT_READ, self._hold)
        elif self._reading and not wanted:
            self._selector.unregister(self._kernel.waiting)
        self._reading = wanted

    def _ask(self, number: int, agreed: Agreed, interface: int, ends: Ends) -> Gateway | None:
        last = agreed.last
        descriptors = ends.client.fileno(), ends.server.fileno()
        said = brought(number, interface, last)
        return self._gateways.ask(last.source, number, said, descriptors)

    def _missed(self, agreed: Agreed, error: OSError) -> None:
        ends = {"client": list(agreed.client), "server": list(agreed.server)}
        self._gateways.tell(agreed.last.source, {"missed": error.strerror or str(error), **ends})


def usher(directory: Path, listener: socket.socket | None, alone: socket.socket | None) -> None:
    """
    Be the usher, until the gateway or somebody else ends it. The last two are as for L{Process}.

    @param directory: the configuration folder.
    @raise gateway.policy.problem.PolicyError: the configuration is broken.
    @raise KernelError: privileges are missing, or the kernel lacks something.
    """
    from gateway.policy.load import load
    from gateway.registry import find

    policy, systemd = load(directory, find), Systemd(os.environ)
    if not policy.shakes_hands_through:
        why = 'not needed: no service says handshake = "through"'
        say(INFORMATION, why)
        # to end without having said so would be a failure
        systemd.ready(why)
        return
    lacking = missing(NEEDED)
    if lacking:
        raise KernelError(f"taking connections over needs {', '.join(lacking)}")
    raise_soft()  # two sockets for each client that waits
    drop_to(NEEDED | ({LOW_PORTS} - set(missing({LOW_PORTS}))))
    process = Process(policy, listener, alone, systemd)
    supervise(process.work, partial(say, WARNING), "usher")


say = partial(say_as, "usher")
"""Tells the operator."""


def main(arguments: list[str]) -> None:
    """Be the usher of what the command line says."""
    parser = ArgumentParser(prog="usher")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--listen", type=Path)
    parser.add_argument("--inherited", type=int)
    options = parser.parse_args(arguments)
    listener, alone = None, None
    if options.listen is None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        alone = socket.socket(fileno=0)
    try:
        if options.listen is not None:
            listener = listen(options.listen)
        elif options.inherited is not None:
            listener = socket.socket(fileno=options.inherited)
        usher(options.config, listener, alone)
    except (KernelError, PolicyError, OSError) as error:
        say(ERROR, f"not started: {error}")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1:])
