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
from unittest import SkipTest

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

    def run(self, command: str, script: str | None = None, check: bool = True) -> str:
        """Run C{command} inside, and return what it writes."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command.split()],
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
        return self.finish(self.start_python(script, *arguments))

    def start_python(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start C{script} inside."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, "-c", script, *arguments],
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


class Path3:
    """Client, gateway and server."""

    def __init__(self, client: Namespace, gateway: Namespace, server: Namespace) -> None:
        self.client, self.gateway, self.server = client, gateway, server

    def link(self, host: Namespace, device: str, ours: str, net: int) -> None:
        """Connect C{host} with the gateway, whose interface is C{ours}."""
        self.gateway.run(f"ip link add {ours} type veth peer name {device} netns {host.name}")
        for here, name, last in ((self.gateway, ours, 1), (host, device, 2)):
            here.run(f"ip addr add 10.77.{net}.{last}/24 dev {name}")
            here.run(f"ip addr add fd77:{net}::{last}/64 dev {name} nodad")
            here.run(f"ip link set {name} up")
        host.run(f"ip route add default via 10.77.{net}.1")
        host.run(f"ip -6 route add default via fd77:{net}::1")


@contextmanager
def path() -> Iterator[Path3]:
    """The three namespaces, connected, with forwarding on."""
    with ExitStack() as stack:
        made = Path3(*(stack.enter_context(namespace(r)) for r in ("client", "gateway", "server")))
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            made.gateway.sysctl(name, 1)
        made.link(made.client, "lan", "lan0", 1)
        made.link(made.server, "wan", "wan0", 2)
        yield made
