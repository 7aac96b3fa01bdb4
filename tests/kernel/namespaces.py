"""
Network namespaces for tests: a client, a gateway and a server on two links.

    client lan 10.77.1.2 -- 10.77.1.1 lan0 gateway wan0 10.77.2.1 -- 10.77.2.2 wan server

and the same in IPv6 with fd77:1:: and fd77:2::. Programs are run in them by
C{ip netns exec}; the host's own namespace is never touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple
from unittest import SkipTest

from gateway.lab import namespace as lab
from tests.kernel import forked

ROOT = Path(__file__).resolve().parents[2]

_numbers = count()


def require_namespaces() -> None:
    """Skip the test where namespaces can't be made; under CI that is a failure."""
    if os.geteuid() == 0:
        return
    if "CI" in os.environ:
        raise AssertionError("network namespaces need root, and under CI they are not optional")
    raise SkipTest("network namespaces need root")


class Namespace:
    """One network namespace."""

    def __init__(self, role: str) -> None:
        self.name = f"k{os.getpid()}-{next(_numbers)}-{role}"
        self.before: tuple[str, ...] = ()
        """What C{python} and C{run} are run by: another view of the files, for example."""

    def run(self, command: str, script: str | None = None, check: bool = True) -> str:
        """Run C{command} inside, and return what it writes."""
        done = subprocess.run(
            [*self.before, "ip", "netns", "exec", self.name, *command.split()],
            input=script,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def python(self, script: str, *arguments: str) -> str:
        """Run C{script} inside, with this repository on the path."""
        if self.before:
            return self.finish(self.start_python(script, *arguments))
        return forked.run(lab.Namespace(self.name), script, arguments, 60)

    def start_python(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start C{script} inside."""
        return subprocess.Popen(
            [
                *(*self.before, "ip", "netns", "exec", self.name),
                *(sys.executable, "-c", script, *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd="/",
        )

    def finish(self, process: subprocess.Popen[str]) -> str:
        """What C{process} wrote until its end, which must be a good one."""
        output, _ = process.communicate(timeout=60)
        if process.returncode:
            raise AssertionError(output)
        return output

    def sysctl(self, name: str, value: int | str) -> None:
        """Set a sysctl of the namespace."""
        self.run(f"sysctl -qw {name}={value}")


@contextmanager
def namespace(role: str = "host") -> Iterator[Namespace]:
    """A namespace with nothing but C{lo}, which is up."""
    require_namespaces()
    made = Namespace(role)
    subprocess.run(["ip", "netns", "add", made.name], check=True)
    try:
        made.run("ip link set lo up")
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", made.name], check=True)


class Route(NamedTuple):
    """Client, gateway and server."""

    client: Namespace
    gateway: Namespace
    server: Namespace


def _connect(router: Namespace, ours: str, host: Namespace, device: str, net: int) -> None:
    """A link between C{router} (last number 1) and C{host} (2), which goes everywhere by it."""
    router.run(f"ip link add {ours} type veth peer name {device} netns {host.name}")
    for here, name, last in ((router, ours, 1), (host, device, 2)):
        here.run(f"ip addr add 10.77.{net}.{last}/24 dev {name}")
        here.run(f"ip addr add fd77:{net}::{last}/64 dev {name} nodad")
        here.run(f"ip link set {name} up")
    host.run(f"ip route add default via 10.77.{net}.1")
    host.run(f"ip -6 route add default via fd77:{net}::1")


def _forward(router: Namespace) -> None:
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        router.sysctl(name, 1)


def _narrow(route: Route, hop: Namespace) -> None:
    """The server behind C{hop}, which lets through no more than 1300 bytes in one packet."""
    _forward(hop)
    _connect(route.gateway, "wan0", hop, "above", 3)
    _connect(hop, "below", route.server, "wan", 2)
    for option, net, gateway in (
        ("-4", "10.77.2.0/24", "10.77.3.2"),
        ("-6", "fd77:2::/64", "fd77:3::2"),
    ):
        route.gateway.run(f"ip {option} route add {net} via {gateway}")
        hop.run(f"ip {option} route replace {net} dev below mtu lock 1300")


@contextmanager
def route(narrow: bool = False) -> Iterator[Route]:
    """
    The three namespaces, connected, with forwarding on.

    @param narrow: with a narrow hop between gateway and server.
    """
    with ExitStack() as stack:
        made = Route(*(stack.enter_context(namespace(r)) for r in ("client", "gateway", "server")))
        _forward(made.gateway)
        _connect(made.gateway, "lan0", made.client, "lan", 1)
        if narrow:
            _narrow(made, stack.enter_context(namespace("hop")))
        else:
            _connect(made.gateway, "wan0", made.server, "wan", 2)
        yield made
