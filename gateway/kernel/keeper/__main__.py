"""
The keeper's process, put together.

C{python -m gateway.kernel.keeper CONFIGURATION STATE} is the gateway's own: asked on standard
input, and ended by the end of that connection, after the gateway had its time to say that it stops.

C{tproxygw keeper} is a service of its own, and ended by SIGTERM. systemd holds the socket that
owns the table over a restart.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic

from gateway.kernel.capabilities import drop_to, missing
from gateway.kernel.changes import Changes
from gateway.kernel.divert import FILTERS, KernelDivert
from gateway.kernel.keeper.desk import Desk
from gateway.kernel.keeper.held import Held
from gateway.kernel.keeper.loop import Loop
from gateway.kernel.keeper.packets import send
from gateway.kernel.keeper.probing import Probing
from gateway.kernel.keeper.supervision import supervise
from gateway.kernel.keeper.watch import ERROR, WARNING, Watch
from gateway.kernel.lastgood import LastGood
from gateway.kernel.local import listen
from gateway.kernel.netfilter import NftablesFilter
from gateway.kernel.netlink import Netfilter
from gateway.kernel.probe.probe import probe
from gateway.policy.divert import Backend
from gateway.policy.policy import Policy
from gateway.systemd import Systemd, kept
from gateway.systemd import say as say_as

NEEDED = frozenset({"CAP_NET_ADMIN", "CAP_NET_RAW"})
"""The iptables tools want raw sockets too."""

WANTED = frozenset({"CAP_DAC_READ_SEARCH", "CAP_BPF"})
"""The configuration may be somebody else's file. A probe's packets are put in by BPF."""


NETFILTER = "netfilter"
"""The name under which systemd keeps the socket that owns the table."""


class Process:
    """
    The work of one of the keeper's processes after the other.

    @param endpoint: a listening socket, or the connection to the gateway.
    """

    def __init__(
        self,
        directory: Path,
        state: Path,
        endpoint: socket.socket,
        load: Callable[[Path], Policy],
        systemd: Systemd,
    ) -> None:
        self._directory = directory
        self._kept = LastGood(state)
        self._endpoint = endpoint
        self._load = load
        self._systemd = systemd
        self._held = Held(_kept_socket())
        systemd.keep(NETFILTER, self._held.netfilter.fileno())

    @property
    def is_service(self) -> bool:
        """Whether it outlives the gateway."""
        return bool(self._endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def work(self) -> bool:
        """Answer, and watch. What L{supervise} wants done."""
        self._held.netfilter.begin_anew()
        own = {Backend.NFTABLES: lambda: NftablesFilter(self._held.netfilter)}
        divert = KernelDivert({**FILTERS, **own})
        changes = Changes()
        probing = Probing(probe, say, monotonic)
        watch = Watch(divert, changes, say, monotonic, probing.hear)
        desk = Desk(self._directory, self._kept, divert, watch, probing, self._load, self._held)
        self._take_over(divert, probing)
        loop = Loop(desk.answer, watch, changes)
        if self.is_service:
            loop.accept_at(self._endpoint)
            self._systemd.ready("Looks after the rules")
        else:
            loop.serve(self._endpoint)
            with suppress(OSError):
                send(self._endpoint, {"began": os.getpid()})
        try:
            return loop.run()
        finally:
            # who has to supervise from now on must not be in the way of the next one
            changes.close()
            divert.release()

    def _take_over(self, divert: KernelDivert, probing: Probing) -> None:
        """What a predecessor, or the guard, has put in force is ours."""
        if not self._kept.configuration.is_dir():
            return
        try:
            policy = self._load(self._kept.configuration)
            if self._held.installed or (self.is_service and divert.in_force(policy)):
                divert.install(policy)
                probing.begin(policy)
                self._held.installed = True
        except Exception as error:
            # the next request to install is as good
            say(ERROR, f"the last good rules can't be taken over: {error}")


def _kept_socket() -> Netfilter | None:
    descriptor = kept(os.environ, os.getpid()).get(NETFILTER)
    return None if descriptor is None else Netfilter(socket.socket(fileno=descriptor))


say = partial(say_as, "keeper")
"""Tells the operator."""


def keep(directory: Path, state: Path, endpoint: socket.socket) -> None:
    """
    Be the keeper, until the gateway or somebody else ends it.

    @param directory: the configuration folder.
    @param state: the folder for what must outlive it.
    @param endpoint: a listening socket, or the connection to the gateway.
    """
    # what loads policies is needed by this process only, and now, not after each crash
    import pyroute2  # noqa: F401

    from gateway.policy.load import load
    from gateway.registry import find

    os.umask(0o027)
    _shed()
    systemd = Systemd(os.environ)
    process = Process(directory, state, endpoint, lambda folder: load(folder, find), systemd)
    supervise(process.work, lambda text: say(WARNING, text))


def _shed() -> None:
    """Keep no more privileges than changing rules needs."""
    wanted = NEEDED | WANTED
    drop_to(wanted - set(missing(wanted)))


def serve(directory: Path, state: Path, path: Path) -> None:
    """
    Be a keeper that is a service of its own.

    @raise OSError: C{path}, where gateways connect, can't be had.
    """
    keep(directory, state, listen(path))


def main(arguments: list[str]) -> None:
    """Be the gateway's own keeper, of the configuration and state folders C{arguments}."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    directory, state = map(Path, arguments)
    keep(directory, state, socket.socket(fileno=0))


if __name__ == "__main__":
    main(sys.argv[1:])
