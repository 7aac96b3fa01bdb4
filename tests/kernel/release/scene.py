"""Client, relay and server in their namespaces, with whatever makes their life hard."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from gateway.lab.waiting import wait_until
from tests.kernel.namespaces import Namespace, Route, route

_RUN = "import sys, runpy; del sys.argv[0]; runpy.run_module(sys.argv[0], run_name='__main__')"

DIVERT = """
table inet divert {
  chain arrive {
    type filter hook prerouting priority raw; policy accept;
    iifname lan0 socket transparent 1 ct zone set 7 meta mark set meta mark | 1 accept
    socket transparent 1 meta mark set meta mark | 1 accept
    iifname lan0 tcp dport 7000 tcp flags & (syn | ack) == syn ct zone set 7 \\
      meta mark set 1 tproxy to :50080 accept
  }
  chain leave {
    type filter hook output priority raw; policy accept;
    oifname lan0 ct zone set 7
  }
}
"""

FIREWALL = """
table inet firewall {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    ct state established,related accept
  }
  chain input {
    type filter hook input priority filter; policy accept;
    ct state invalid drop
  }
  chain output {
    type filter hook output priority filter; policy accept;
    ct state invalid drop
  }
}
"""
"""A strict one: what connection tracking does not understand is lost."""

LOSS = """
table inet loss {
  chain in {
    type filter hook input priority -400; policy accept;
    tcp flags & syn == 0 numgen random mod 1000 < PERMILLE drop
  }
  chain out {
    type filter hook output priority -400; policy accept;
    tcp flags & syn == 0 numgen random mod 1000 < PERMILLE drop
  }
}
"""

SECONDS = 300
"""For all sessions of a client. On a busy machine loss makes them slow."""

LASTING = 10
"""Sessions that don't end before the kernel has half of them."""

HOSTS = "10.77.2.2,fd77:2::2"


def start(namespace: Namespace, module: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a module of these tests in a namespace; it says when it is ready."""
    process = namespace.start_python(_RUN, f"{__package__}.{module}", *arguments)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise AssertionError(process.communicate()[0])
    return process


def lose(ways: Route, permille: int) -> None:
    """Every packet, in both directions at both ends, is lost with this chance."""
    for namespace, device in (
        *((ways.client, "lan"), (ways.gateway, "lan0")),
        *((ways.gateway, "wan0"), (ways.server, "wan")),
    ):
        # so that single packets are lost, not 64 KiB at once
        namespace.run(f"ip link set dev {device} gso_max_segs 1")
    for namespace in (ways.client, ways.server):
        namespace.run("nft -f -", LOSS.replace("PERMILLE", str(permille)))


def narrow(ways: Route, megabits: int) -> None:
    """Both links carry so much, behind a short queue that drops what is more."""
    rate = f"rate {megabits}mbit burst 16kb latency 20ms"
    for namespace, device in (
        *((ways.client, "lan"), (ways.gateway, "lan0")),
        *((ways.gateway, "wan0"), (ways.server, "wan")),
    ):
        namespace.run(f"ip link set dev {device} gso_max_segs 4")
        namespace.run(f"tc qdisc replace dev {device} root tbf {rate}")


@frozen
class Told:
    """What came of it."""

    sessions: list[dict[str, Any]]
    relay: dict[str, Any]

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The sessions that were not as they would have been without a gateway."""
        return [each for each in self.sessions if each["fault"]]

    @property
    def released(self) -> int:
        """How many sessions the kernel took over."""
        count: int = self.relay["counts"].get("released", 0)
        return count


@frozen
class Scene:
    """The namespaces, with the divert installed."""

    ways: Route

    @property
    def sockets(self) -> int:
        """How many the relay has of its sessions: two of each that the kernel has not."""
        return len(self.ways.gateway.run("ss -tnH").splitlines())

    def stress(
        self,
        sessions: int,
        at_once: int,
        most: int,
        seed: int,
        lasting: int = LASTING,
        kept: float = 0.5,
        seconds: float = 0.1,
    ) -> Told:
        """
        Sessions of all kinds, released at random moments.

        @param most: bytes each way.
        @param lasting: more of them, which talk until the kernel has half of these, however fast
            the others are.
        @param kept: the share of them in which the server sees the client's own port.
        @param seconds: after how many each is released, at most.
        """
        server = start(self.ways.server, "peers", "server")
        relay = start(self.ways.gateway, "relay", str(seconds), "1000", str(kept), str(seed))
        try:
            numbers = map(str, (sessions, at_once, most, seed, lasting))
            client = self.ways.client.start_python(
                _RUN, f"{__package__}.peers", "client", HOSTS, *numbers
            )
            if lasting:
                assert client.stdout is not None
                client.stdout.readline()
                wait_until(lambda: self.sockets <= lasting, SECONDS)
            told, _ = client.communicate(timeout=SECONDS)
            heard, _ = relay.communicate(timeout=30)
            return Told(json.loads(told), json.loads(heard.splitlines()[-1]))
        finally:
            for process in (server, relay):
                process.kill()
                process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()


@contextmanager
def scene(*rules: str) -> Iterator[Scene]:
    """
    A scene.

    @param rules: more for the gateway's packet filter.
    """
    with route() as ways:
        for option in ("-4", "-6"):
            ways.gateway.run(f"ip {option} rule add fwmark 1/1 lookup 100 priority 1")
            ways.gateway.run(f"ip {option} route add local default dev lo table 100")
        for namespace in (ways.client, ways.server):
            # no random offset, so that the clocks of two legs have nothing in common
            namespace.sysctl("net.ipv4.tcp_timestamps", 2)
        ways.gateway.run("nft -f -", DIVERT + "".join(rules))
        yield Scene(ways)
