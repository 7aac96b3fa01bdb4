"""
The usher's process, put together::

    python -m gateway.kernel.handshake --config FOLDER --runtime FOLDER [--listen SOCKET]

With C{--listen} it is a service of its own, which outlives gateways. Else it is one gateway's:
asked on standard input, and ended by the end of that connection.
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
from typing import Any

from gateway.kernel.capabilities import drop_to, missing
from gateway.kernel.errors import KernelError
from gateway.kernel.handshake.doing import Doing
from gateway.kernel.handshake.half_open import Agreed
from gateway.kernel.handshake.usher import Ends, Usher
from gateway.kernel.keeper.supervision import supervise
from gateway.kernel.local import listen
from gateway.kernel.release.packets import receive, send
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


class Process:
    """
    The work of one of the usher's processes after the other.

    @param endpoint: a listening socket, or the connection to the gateway.
    @raise OSError: the queues can't be had.
    """

    def __init__(self, policy: Policy, endpoint: socket.socket, systemd: Systemd) -> None:
        divert = policy.divert
        self._settings = policy.handshake
        self._both = divert.listener_mark.value | divert.upstream_mark.value
        self._endpoint = endpoint
        self._systemd = systemd
        self._is_service = bool(endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        self._gateway: socket.socket | None = None
        # held by the elder, too: what waits is not lost with the younger
        self._kernel = Doing(divert, MOST_IN_KERNEL, lambda packet: self._copied(packet))

    def work(self) -> bool:
        """Answer, and take over. What L{supervise} wants done."""
        settings = self._settings
        self._usher = Usher(
            *(self._kernel, self._ask, self._missed),
            *(settings.half_open, settings.waiting, self._both, randbits(_NUMBER)),
        )
        with selectors.DefaultSelector() as selector:
            return self._run(selector)

    def _copied(self, packet: bytes) -> None:
        self._usher.copied(packet)

    def _run(self, selector: selectors.BaseSelector) -> bool:
        supervisor = os.getppid()
        self._selector = selector
        selector.register(self._kernel.copies, selectors.EVENT_READ, self._kernel.catch_up)
        selector.register(self._kernel.waiting, selectors.EVENT_READ, self._hold)
        if self._is_service:
            self._endpoint.setblocking(False)
            selector.register(self._endpoint, selectors.EVENT_READ, self._accept)
            self._systemd.ready("Takes over clients that have shaken hands with their servers")
        else:
            self._serve(self._endpoint)
        while self._is_wanted:
            for key, _ in selector.select(1.0):
                key.data()
            # with nobody to serve, the work is done, and no place to be taken
            if os.getppid() != supervisor and self._is_wanted:
                return False
        return True

    @property
    def _is_wanted(self) -> bool:
        return self._is_service or self._gateway is not None

    def _hold(self) -> None:
        for held in self._kernel.held():
            self._usher.held(held)

    # The gateway

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
        self._usher.served = True
        self._selector.register(connection, selectors.EVENT_READ, self._answer)
        self._tell({"began": True})

    def _answer(self) -> None:
        """Everything that the gateway has decided by now."""
        try:
            while self._gateway is not None:
                message, descriptors = receive(self._gateway)
                for descriptor in descriptors:
                    os.close(descriptor)
                self._usher.decided(int(message["number"]), bool(message["admitted"]))
        except BlockingIOError:
            pass
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            self._lose()

    def _ask(self, number: int, agreed: Agreed, interface: int, ends: Ends) -> bool:
        last = agreed.last
        asked = {
            "number": number,
            "client": list(last.sender),
            "server": list(last.receiver),
            "interface": _name(interface),
        }
        told = self._tell(asked, [sock.fileno() for sock in ends])
        if told:  # they are the gateway's alone
            for sock in ends:
                sock.close()
        return told

    def _missed(self, agreed: Agreed, error: OSError) -> None:
        last = agreed.last
        ends = {"client": list(last.sender), "server": list(last.receiver)}
        self._tell({"missed": error.strerror or str(error), **ends})

    def _tell(self, message: dict[str, Any], descriptors: list[int] | None = None) -> bool:
        """Whether the gateway can take that now."""
        if self._gateway is None:
            return False
        try:
            send(self._gateway, message, descriptors or ())
        except BlockingIOError:
            return False
        except OSError:
            self._lose()
            return False
        return True

    def _lose(self) -> None:
        """The gateway is gone."""
        connection, self._gateway = self._gateway, None
        if connection is not None:
            self._selector.unregister(connection)
            connection.close()
            self._usher.abandon()


def _name(interface: int) -> str:
    try:
        return socket.if_indextoname(interface)
    except OSError:
        return ""


def usher(directory: Path, endpoint: socket.socket) -> None:
    """
    Be the usher, until the gateway or somebody else ends it.

    @param directory: the configuration folder.
    @param endpoint: a listening socket, or the connection to the gateway.
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
    drop_to(NEEDED | ({LOW_PORTS} - set(missing({LOW_PORTS}))))
    process = Process(policy, endpoint, systemd)
    supervise(process.work, partial(say, WARNING), "usher")


say = partial(say_as, "usher")
"""Tells the operator."""


def main(arguments: list[str]) -> None:
    """Be the usher of what the command line says."""
    parser = ArgumentParser(prog="usher")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--listen", type=Path)
    options = parser.parse_args(arguments)
    if options.listen is None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        endpoint = socket.socket(fileno=0)
    else:
        endpoint = listen(options.listen)
    try:
        usher(options.config, endpoint)
    except (KernelError, PolicyError, OSError) as error:
        say(ERROR, f"not started: {error}")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1:])
