"""Three network namespaces in a row: client, gateway, server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

CLIENT_HOST = "10.77.1.2"
SERVER_HOST = "10.77.2.2"
CLIENT_INTERFACE = "client0"

ROOT = Path(__file__).resolve().parent.parent


class Network:
    """
    The namespaces of one way to pass traffic.

    Each way has a network of its own, so that neither TIME_WAIT sockets nor
    conntrack entries of one way are in the way of another.
    """

    def __init__(self, prefix: str) -> None:
        self.client = f"{prefix}-client"
        self.gateway = f"{prefix}-gateway"
        self.server = f"{prefix}-server"

    def make(self) -> None:
        """Make the namespaces, links, addresses and routes."""
        for name in (self.client, self.gateway, self.server):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            self.set(name, "net.ipv4.ip_local_port_range=10000 65535")
            self.set(name, "net.core.somaxconn=4096")
        self._link(self.client, CLIENT_INTERFACE, "10.77.1")
        self._link(self.server, "server0", "10.77.2")
        self.set(self.gateway, "net.ipv4.ip_forward=1")

    def remove(self) -> None:
        """Remove whatever of it exists."""
        for name in (self.client, self.gateway, self.server):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def set(self, name: str, setting: str) -> None:
        """Set a sysctl in one of the namespaces."""
        run("ip", "netns", "exec", name, "sysctl", "-qw", setting)

    def filter(self, rules: str) -> None:
        """Add packet filter rules on the gateway."""
        run("ip", "netns", "exec", self.gateway, "nft", "-f", "-", text=rules)

    def _link(self, peer: str, interface: str, net: str) -> None:
        """Connect C{peer} to the gateway, which gets the lower address."""
        veth = ["ip", "-n", self.gateway, "link", "add", interface, "type", "veth"]
        run(*veth, "peer", "name", "eth0", "netns", peer)
        for name, device, host in ((self.gateway, interface, "1"), (peer, "eth0", "2")):
            run("ip", "-n", name, "addr", "add", f"{net}.{host}/24", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", peer, "route", "add", "default", "via", f"{net}.1")


@contextlib.contextmanager
def network(prefix: str) -> Iterator[Network]:
    """A network that is gone afterwards."""
    made = Network(prefix)
    made.remove()
    try:
        made.make()
        yield made
    finally:
        made.remove()


def run(*command: str, text: str = "") -> None:
    """
    Run a command to its end.

    @raise RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


def start(name: str, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a program in a namespace, with its output in C{log}."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["ip", "netns", "exec", name, *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def start_python(name: str, *arguments: str, output: int | None = None) -> subprocess.Popen[bytes]:
    """Start a module of this package in a namespace."""
    return subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-m", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
    )


def stop(process: subprocess.Popen[bytes], seconds: float = 15) -> None:
    """Ask a program to end, and end it if it does not."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
