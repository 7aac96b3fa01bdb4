"""A network namespace with nothing but loopback, and optionally the gateway on it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from conformance.install import authority, run

NUMBERS = count()

GATEWAY = """
[divert]
interfaces = ["lo"]
[limits]
sessions_per_client = 0
[audit]
file = "{audit}"
"""

TLS = """
[tls]
root = "authority.pem"
system_roots = false
trust = ["authority.pem"]
"""
"""What those need who inspect TLS: clients and servers of the suites all have one authority."""

INSIDE = {"tls": "relay"}
"""What inspects what is inside, for inspectors of TLS."""

SERVICES = Path(__file__).with_name("services")
"""The service that goes with each inspector."""

COUNTER = """
table inet conformance {
  counter clients { }
  chain output {
    type filter hook output priority 0;
    oifname lo tcp flags & (syn|ack) == syn meta mark & 0x4 == 0 counter name clients
  }
}
"""
"""Counts what clients begin; the gateway's own connections carry its upstream mark."""

CLOSED_PORT = 6


class Loopback:
    """One namespace in which a suite runs, as client and server at once."""

    def __init__(self, folder: Path) -> None:
        self.name = f"conformance{os.getpid()}-{next(NUMBERS)}"
        self.audit = folder / f"audit-{self.name}.json"
        self.log = folder / f"gateway-{self.name}.log"
        self.config = folder / f"conf-{self.name}"

    def command(self, *command: str) -> list[str]:
        """A command, to be run inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def connections(self) -> int:
        """How many TCP connections clients have begun."""
        command = self.command("nft", "-j", "list", "counter", "inet", "conformance", "clients")
        output = subprocess.run(command, capture_output=True, check=True).stdout
        listed = json.loads(output)["nftables"]
        return int(next(item["counter"]["packets"] for item in listed if "counter" in item))

    def sessions(self) -> Counter[str]:
        """How many sessions the audit records, by how they ended, L{intercepts}'s aside."""
        if not self.audit.exists():
            return Counter()
        records = map(json.loads, self.audit.read_text().splitlines())
        flows = (record for record in records if record["event_type"] == "flow")
        return Counter(
            flow["gateway"]["verdict"] for flow in flows if flow["dest_port"] != CLOSED_PORT
        )

    def configure(self, inspector: str) -> None:
        """A policy by which everything on loopback goes through the service C{inspector}."""
        (self.config / "services").mkdir(parents=True)
        text = GATEWAY.format(audit=self.audit)
        shutil.copy(SERVICES / f"{inspector}.toml", self.config / "services")
        if inspector in INSIDE:
            text += TLS
            shutil.copy(authority(), self.config)
            inside = (SERVICES / f"{INSIDE[inspector]}.toml").read_text()
            (self.config / "services" / "inside.toml").write_text(without_rules(inside))
        (self.config / "gateway.toml").write_text(text)

    def clear(self) -> None:
        """End everything that still runs inside."""
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, check=True)
        for process in listed.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)

    def intercepts(self) -> bool:
        """Whether a connection to a port at which nobody listens is accepted."""
        probe = f"import socket; socket.create_connection(('127.0.0.1', {CLOSED_PORT}), 5)"
        command = self.command(sys.executable, "-c", probe)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def without_rules(service: str) -> str:
    """A service for what is inside of others only."""
    return re.sub(r"^\[\[rule\]\]\n(?:(?!\[).+\n)*", "", service, flags=re.MULTILINE)


@contextlib.contextmanager
def loopback(folder: Path, inspector: str = "") -> Iterator[Loopback]:
    """A namespace that is gone afterwards, with the gateway if C{inspector} says through what."""
    made = Loopback(folder)
    run("ip", "netns", "add", made.name)
    try:
        run(*made.command("ip", "link", "set", "lo", "up"))
        run(*made.command("nft", COUNTER))
        with gateway(made, inspector) if inspector else contextlib.nullcontext():
            yield made
    finally:
        made.clear()
        run("ip", "netns", "del", made.name)


@contextlib.contextmanager
def gateway(place: Loopback, inspector: str, seconds: float = 180) -> Iterator[None]:
    """
    The real C{twistd tproxygw}, until the end of the block.

    @raise RuntimeError: it does not intercept; with its last words.
    """
    place.configure(inspector)
    twistd = [str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile="]
    folders = ("--config", str(place.config), "--state", str(place.config / "state"))
    command = place.command(*twistd, "tproxygw", *folders, "--control", "")
    with place.log.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=place.config)
    try:
        until = time.monotonic() + seconds
        while not place.intercepts():
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"the gateway does not start:\n{place.log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)
