"""The laboratory as a whole, and how an operator opens, enters and closes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import field, frozen

from gateway.lab import configuration, network
from gateway.lab.certificates import CLIENTS, PUBLIC, ROOT, Certificates
from gateway.lab.daemon import Daemon, NotReady
from gateway.lab.namespace import CommandFailed
from gateway.lab.network import Network
from gateway.lab.waiting import wait_until, work_done

DEMONSTRATION = f"{network.PREFIX}demo-"
"""The prefix of a demonstration: apart from a laboratory that somebody keeps open."""

NEEDED = ("ip", "nft", "sysctl")
"""Programs without which there is no laboratory."""


class LabError(Exception):
    """The laboratory can't be built, or is not there; the message says what to do."""


@frozen
class Laboratory:
    """The three namespaces, the servers, the gateway, and the folder of their files."""

    config: Path
    prefix: str = network.PREFIX
    network: Network = field(init=False)
    daemon: Daemon = field(init=False)

    @network.default
    def _network(self) -> Network:
        return Network(self.prefix, configuration.first_interface(self.config) or "lan0")

    @daemon.default
    def _daemon(self) -> Daemon:
        return Daemon(self.network.gateway, self.folder / "conf", self.folder / "gateway.log")

    @property
    def folder(self) -> Path:
        """Where logs, audit records and the view of the configuration are."""
        return run_folder(self.prefix)

    @property
    def audit(self) -> Path:
        """The audit records."""
        return self.folder / "eve.json"

    @property
    def certificates(self) -> Path:
        """The folder of the servers' certificates, and of what clients believe."""
        return self.folder / "certificates"

    @property
    def believed(self) -> Path:
        """The authorities that clients believe."""
        return self.certificates / CLIENTS

    def build(self) -> None:
        """
        Remove what is left over, then build, and start everything.

        @raise LabError: this user or this machine can't, or the gateway
            refuses the configuration.
        """
        check_able()
        remove(self.prefix)
        try:
            self._build()
        except (CommandFailed, NotReady) as error:
            remove(self.prefix)
            raise LabError(str(error)) from error
        except BaseException:
            remove(self.prefix)
            raise

    def _build(self) -> None:
        self.folder.mkdir(parents=True)
        certificates = Certificates(self.certificates)
        certificates.make()
        authority = self.certificates / PUBLIC
        configuration.shadow(self.config, self.folder / "conf", self.audit, authority)
        root = configuration.root_of(self.config)
        certificates.believed(self.folder / "conf" / (root or ROOT))
        self.network.build()
        clients, servers = configuration.expected_addresses(self.config)
        self.network.add_client_addresses(clients - _hosts(network.CLIENT_ADDRESSES))
        self.network.add_server_addresses(servers - _hosts(network.SERVER_ADDRESSES))
        self._start_servers()
        self.daemon.start()

    def _start_servers(self) -> None:
        path = self.folder / "servers.log"
        with path.open("wb") as log:
            servers = self.network.server.start(
                *(sys.executable, "-m", "gateway.lab.servers", str(self.certificates)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(
            lambda: b"ready" in path.read_bytes() or servers.poll() is not None,
            seconds=10,
            progress=lambda: work_done(servers.pid),
        )
        if b"ready" not in path.read_bytes():
            raise LabError(f"the laboratory's servers did not start:\n{path.read_text()}")

    def records(self) -> list[dict[str, Any]]:
        """The audit records so far."""
        if not self.audit.exists():
            return []
        lines = self.audit.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]


def up(config: Path, prefix: str = network.PREFIX) -> Laboratory:
    """
    Open the laboratory with a configuration folder, and leave it open.

    @raise LabError: it can't be opened; the message says why.
    """
    laboratory = Laboratory(config, prefix)
    laboratory.build()
    return laboratory


def shell(name: str, prefix: str = network.PREFIX, command: tuple[str, ...] = ()) -> int:
    """
    Run a command (the user's shell, if there is none) in the namespace
    C{client}, C{gateway} or C{server} of an open laboratory.

    @return: the exit code.
    @raise LabError: there is no such namespace.
    """
    check_able()
    namespaces = {one.name.removeprefix(prefix): one for one in Network(prefix).namespaces}
    if name not in namespaces:
        raise LabError(f"no namespace {name!r} in the laboratory; it has {', '.join(namespaces)}")
    if not namespaces[name].exists:
        raise LabError("the laboratory is not open; open it with `tproxygw lab up`")
    program = command or (os.environ.get("SHELL") or "/bin/sh",)
    environment = {**os.environ, "PS1": f"{name}# "}
    return subprocess.run([*namespaces[name].prefix, *program], env=environment).returncode


def down(prefix: str = network.PREFIX) -> None:
    """Close the laboratory, and clean up what a crashed one, or a demonstration, has left."""
    check_able()
    remove(prefix)
    remove(f"{prefix}{DEMONSTRATION.removeprefix(network.PREFIX)}")


def remove(prefix: str) -> None:
    """Remove the namespaces, their programs and their files. Harmless if there are none."""
    Network(prefix).remove()
    shutil.rmtree(run_folder(prefix), ignore_errors=True)
    kept_records(prefix).unlink(missing_ok=True)


def run_folder(prefix: str) -> Path:
    """The folder for the files of a laboratory."""
    return Path("/run") / f"{prefix}lab"


def kept_records(prefix: str) -> Path:
    """The file for the audit records of a demonstration, to be read when it is over."""
    return run_folder(prefix).with_suffix(".eve.json")


def check_able(*programs: str) -> None:
    """
    Whether this user and this machine can have network namespaces.

    @param programs: what else has to be installed.
    @raise LabError: no; with what to do.
    """
    if os.geteuid() != 0:
        raise LabError(
            "the laboratory makes network namespaces and needs root; try again with sudo"
        )
    if missing := [name for name in (*NEEDED, *programs) if shutil.which(name) is None]:
        raise LabError(
            f"not installed: {', '.join(missing)}; "
            "on Debian: apt install iproute2 nftables procps curl"
        )


def _hosts(addresses: tuple[str, ...]) -> set[str]:
    return {address.partition("/")[0] for address in addresses}
