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
from typing import Any

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

INSIDE = {"tls": "relay", "https": "http", "https-apart": "http"}
"""What inspects what is inside, for inspectors of TLS."""

BESIDE = {"https-apart": "relay"}
"""What all else goes through, where only some ports are the inspector's."""

UPGRADED = frozenset({"ftp-tls", "smtp-tls"})
"""What goes over to TLS, and is looked into there."""

SERVICES = Path(__file__).with_name("services")
"""The service that goes with each inspector."""

COUNTER = """
table inet conformance {
  counter clients { }
  set flows { typeof ct id; size 65535; flags dynamic; }
  chain output {
    type filter hook output priority 0;
    oifname != lo return
    meta mark & 0x4 != 0 return
    tcp flags & (syn|ack) == syn counter name clients
    meta l4proto udp ct direction original add @flows { ct id }
    meta l4proto udp ct direction reply meta mark set meta mark | 0x4
  }
}
"""
"""
Counts what clients begin; the gateway's own connections carry its upstream mark. By UDP, it is
flows that are counted, as nothing in a datagram says that it is the first. What servers answer by
UDP is marked, too: on loopback it would be taken for another client's first.
"""

DATAGRAMS = frozenset({"dns"})
"""The inspectors that everything by UDP goes through, too."""

SETTLED_SECONDS = 15
"""Sessions by UDP end when nothing came for some time, and are recorded then."""

CLOSED_PORT = 6


class Loopback:
    """One namespace in which a suite runs, as client and server at once."""

    def __init__(self, folder: Path, inspector: str) -> None:
        self.inspector = inspector
        self.name = f"conformance{os.getpid()}-{next(NUMBERS)}"
        self.audit = folder / f"audit-{self.name}.json"
        self.log = folder / f"gateway-{self.name}.log"
        self.config = folder / f"conf-{self.name}"

    def command(self, *command: str) -> list[str]:
        """A command, to be run inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def connections(self) -> int:
        """How many connections clients have begun: TCP's, and flows by UDP if they are taken."""
        begun = int(self._counted("counter", "clients")["packets"])
        if self.inspector in DATAGRAMS:
            begun += len(self._counted("set", "flows").get("elem", ()))
        return begun

    def _counted(self, kind: str, name: str) -> dict[str, Any]:
        """What the kernel has counted."""
        command = self.command("nft", "-j", "list", kind, "inet", "conformance", name)
        output = subprocess.run(command, capture_output=True, check=True).stdout
        listed = json.loads(output)["nftables"]
        return next(item[kind] for item in listed if kind in item)

    def settle(self, connections: int) -> None:
        """Wait until so many sessions are recorded, for a while."""
        until = time.monotonic() + SETTLED_SECONDS
        while self.sessions().total() < connections and time.monotonic() < until:
            time.sleep(0.2)

    def sessions(self) -> Counter[str]:
        """How many sessions the audit records, by how they ended, L{intercepts}'s aside."""
        if not self.audit.exists():
            return Counter()
        records = map(json.loads, self.audit.read_text().splitlines())
        flows = (record for record in records if record["event_type"] == "flow")
        return Counter(
            flow["gateway"]["verdict"] for flow in flows if flow["dest_port"] != CLOSED_PORT
        )

    def configure(self) -> None:
        """A policy by which everything on loopback goes through the inspector's service."""
        inspector = self.inspector
        (self.config / "services").mkdir(parents=True)
        text = GATEWAY.format(audit=self.audit)
        shutil.copy(SERVICES / f"{inspector}.toml", self.config / "services")
        if inspector in INSIDE or inspector in UPGRADED:
            text += TLS
            shutil.copy(authority(), self.config)
        if inspector in BESIDE:
            shutil.copy(SERVICES / f"{BESIDE[inspector]}.toml", self.config / "services")
        if inspector in INSIDE:
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
    made = Loopback(folder, inspector)
    run("ip", "netns", "add", made.name)
    try:
        run(*made.command("ip", "link", "set", "lo", "up"))
        run(*made.command("nft", COUNTER))
        with gateway(made) if inspector else contextlib.nullcontext():
            yield made
    finally:
        made.clear()
        run("ip", "netns", "del", made.name)


@contextlib.contextmanager
def gateway(place: Loopback, seconds: float = 180) -> Iterator[None]:
    """
    The real C{twistd tproxygw}, until the end of the block.

    @raise RuntimeError: it does not intercept; with its last words.
    """
    place.configure()
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
