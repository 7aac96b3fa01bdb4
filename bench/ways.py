"""The ways to pass traffic that are compared: plain forwarding, HAProxy, the gateway."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from bench.network import CLIENT_INTERFACE, Network, run, start, start_python, stop
from bench.usage import cpu_seconds

TPROXY_RULES = f"""
table inet bench {{
  chain prerouting {{
    type filter hook prerouting priority mangle;
    meta l4proto tcp socket transparent 1 meta mark set 1 accept
    iifname {CLIENT_INTERFACE} tcp dport 7001-7999 tcp flags & (syn|ack) == syn \\
      meta mark set 1 tproxy to :50080 accept
    iifname {CLIENT_INTERFACE} tcp dport 7001-7999 tcp flags & (syn|ack) == syn drop
  }}
}}
"""

NOT_PAST_IT = f"""
table inet notpast {{
  chain forward {{
    type filter hook forward priority 0;
    iifname {CLIENT_INTERFACE} drop
  }}
}}
"""
"""What is not taken by the program does not reach the server."""

HAPROXY = """
global
  nbthread 1
  maxconn {sessions}
defaults
  mode tcp
  timeout connect 10s
  timeout client 300s
  timeout server 300s
listen relay
  bind :50080 transparent
  maxconn {sessions}
  source 0.0.0.0 usesrc clientip
  server original 0.0.0.0
"""

GATEWAY = """
[divert]
interfaces = ["{interface}"]
[limits]
sessions = {sessions}
sessions_per_client = 0
[log]
audit = "{folder}/audit.json"
"""

SERVICE = """
inspector = "relay"
[[rule]]
ports = ["7001-7999"]
"""


class Way:
    """One way to pass traffic, with a network and a server of its own."""

    name = "forwarding"

    def __init__(self, network: Network, folder: Path, sessions: int) -> None:
        self.network = network
        self.folder = folder
        self.sessions = sessions
        self.log = folder / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and whatever is between."""
        self.server = start_python(self.network.server, "bench.server", output=subprocess.PIPE)
        assert self.server.stdout is not None
        self.server.stdout.readline()
        self.between()
        self.wait()

    def between(self) -> None:
        """The kernel alone forwards."""

    def wait(self, seconds: float = 20) -> None:
        """
        Wait for the first connection to succeed.

        @raise RuntimeError: it never did; with the program's last words.
        """
        until = time.monotonic() + seconds
        while not self.load("connections", 0.2, 1)[0]:
            if time.monotonic() > until or (self.process and self.process.poll() is not None):
                words = self.log.read_text()[-2000:] if self.log.exists() else ""
                raise RuntimeError(f"{self.name}: no connection gets through\n{words}")

    def stop(self) -> None:
        """Stop everything."""
        for process in (self.process, self.server):
            if process is not None:
                stop(process)

    def cpu_seconds(self) -> float:
        """CPU time of the processes between client and server so far."""
        return cpu_seconds(self.process.pid) if self.process else 0.0

    def begin(self, load: str, seconds: float, size: int) -> subprocess.Popen[bytes]:
        """Start a load of L{bench.client} that ends when its standard input does."""
        command = ["ip", "netns", "exec", self.network.client, sys.executable]
        return subprocess.Popen(
            [*command, "-m", "bench.client", load, str(seconds), str(size)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def load(self, load: str, seconds: float, size: int) -> list[float]:
        """Run a load to its end: count, seconds, errors."""
        return finish(self.begin(load, seconds, size))


class HAProxy(Way):
    """HAProxy in tcp mode, from the client's address, one thread, as Debian ships it."""

    name = "HAProxy"

    def between(self) -> None:
        """Rules by hand, as HAProxy installs none."""
        name = self.network.gateway
        self.network.filter(TPROXY_RULES + NOT_PAST_IT)
        run("ip", "-n", name, "rule", "add", "fwmark", "1/1", "lookup", "100")
        run("ip", "-n", name, "route", "add", "local", "default", "dev", "lo", "table", "100")
        file = self.folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(sessions=self.sessions))
        self.process = start(name, ["haproxy", "-db", "-f", str(file)], self.log)


class Gateway(Way):
    """This gateway's relay, with an audit record for every session."""

    name = "gateway"

    def between(self) -> None:
        """The real C{twistd tproxygw} with a configuration of one service."""
        self.network.filter(NOT_PAST_IT)
        config = self.folder / "conf"
        (config / "services").mkdir(parents=True)
        (config / "gateway.toml").write_text(
            GATEWAY.format(interface=CLIENT_INTERFACE, sessions=self.sessions, folder=self.folder)
        )
        (config / "services" / "bench.toml").write_text(SERVICE)
        twistd = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile="]
        command = [*twistd, "tproxygw", "--config", str(config)]
        self.process = start(self.network.gateway, command, self.log)


def finish(client: subprocess.Popen[bytes]) -> list[float]:
    """
    Wait for a load's last line.

    @raise RuntimeError: the load ended without one.
    """
    output, _ = client.communicate(timeout=120)
    lines = output.splitlines()
    if not lines:
        raise RuntimeError("a load failed; its traceback is above")
    counted: list[float] = json.loads(lines[-1])
    return counted


WAYS: tuple[type[Way], ...] = (Way, HAProxy, Gateway)
