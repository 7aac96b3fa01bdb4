"""A laboratory for one class of tests: built once, with a configuration that the tests write."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.lab.daemon import Daemon
from gateway.lab.laboratory import LabError, check_able
from gateway.lab.namespace import CommandFailed, Namespace
from gateway.lab.network import Network, left_over
from gateway.lab.waiting import wait_until
from gateway.observe.eve import records_amiss

PREFIX = "tproxygw-test-"
ZONES = """
[zones.office]
networks = ["10.1.0.0/16", "fd00:1::/48"]
[zones.internet]
networks = ["0.0.0.0/0", "::/0"]
"""

_numbers = itertools.count()


def unable() -> str | None:
    """Why this machine can't run these tests. Under CI they must run, so there is no why."""
    if os.environ.get("CI"):
        return None
    try:
        check_able()
    except LabError as error:
        return str(error)
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return f"no network namespaces here: {probe.stderr.strip()}" if probe.returncode else None


class Scene:
    """
    Three namespaces, a folder with a configuration, and a gateway process.

    @ivar extra: more namespaces, by L{namespace}.
    @ivar sockets: what should stay open as long as the scene is the same.
    """

    def __init__(self) -> None:
        remove_dead()
        self.prefix = f"{PREFIX}{os.getpid()}-{next(_numbers)}-"
        self.folder = Path(tempfile.mkdtemp(prefix=self.prefix))
        self.folder.chmod(0o777)
        self.network = Network(self.prefix)
        self.extra: list[Namespace] = []
        self.sockets: list[socket.socket] = []
        self.daemon = Daemon(self.network.gateway, self.config, self.folder / "gateway.log")
        self.renew()

    def renew(self) -> None:
        """Everything anew: namespaces, audit records, and a gateway that is yet to be started."""
        self.daemon.kill()
        self._clear()
        self.network.build()
        self.audit.unlink(missing_ok=True)
        shutil.rmtree(self.daemon.state, ignore_errors=True)
        self._checked = 0
        self.daemon = Daemon(self.network.gateway, self.config, self.folder / "gateway.log")

    @property
    def config(self) -> Path:
        return self.folder / "conf"

    @property
    def audit(self) -> Path:
        return self.folder / "eve.json"

    def configure(self, services: Mapping[str, str], gateway: str = "", zones: str = ZONES) -> None:
        """
        Write a configuration folder, in place of the one before.

        @param gateway: lines of C{[divert]} or whole tables, after C{interfaces}.
        """
        shutil.rmtree(self.config, ignore_errors=True)
        (self.config / "services").mkdir(parents=True)
        divert = "" if "interfaces" in gateway else 'interfaces = ["lan0"]\n'
        log = "" if "[audit]" in gateway else f'\n[audit]\nfile = "{self.audit}"\n'
        (self.config / "gateway.toml").write_text(f"[divert]\n{divert}{gateway}{log}")
        (self.config / "zones.toml").write_text(zones)
        for name, text in services.items():
            (self.config / "services" / f"{name}.toml").write_text(text)

    def namespace(self, name: str) -> Namespace:
        """One more namespace, removed with the others."""
        extra = Namespace(f"{self.prefix}{name}")
        extra.create()
        self.extra.append(extra)
        return extra

    def start_servers(self) -> None:
        """The laboratory's small servers, in the server's namespace."""
        log = self.folder / "servers.log"
        with log.open("wb") as output:
            self.network.server.start(
                sys.executable, "-m", "gateway.lab.servers", stdout=output, stderr=output
            )
        if not wait_until(lambda: b"ready" in log.read_bytes(), seconds=10):
            raise AssertionError(log.read_text())

    def records(self) -> list[dict[str, Any]]:
        """The complete audit records so far, each of which EVE's schema has a place for."""
        if not self.audit.exists():
            return []
        lines = self.audit.read_text().splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        wrong = records_amiss(records[self._checked :])
        if wrong:
            raise AssertionError("\n".join(wrong))
        self._checked = len(records)
        return records

    def reload(self, said: str) -> None:
        """Send SIGHUP and wait until the log says the given words once more."""
        before = self.daemon.said.count(said)
        self.daemon.signal(signal.SIGHUP)
        if not wait_until(lambda: self.daemon.said.count(said) > before, seconds=10):
            raise AssertionError(f"the log does not say {said!r}:\n{self.daemon.said}")

    def _clear(self) -> None:
        for one in self.sockets:
            one.close()
        self.sockets.clear()
        for namespace in self.extra:
            namespace.remove()
        self.extra.clear()

    def remove(self) -> None:
        """Remove all of it, whatever happened."""
        self.daemon.kill()
        self._clear()
        self.network.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_dead() -> None:
    """Remove what test runs that are not alive any more have left."""
    for namespace in left_over(PREFIX):
        if not _dead(namespace.name):
            continue
        try:
            namespace.remove()
        except CommandFailed:  # another test run may have come first
            if namespace.exists:
                raise
    for parent in (Path(tempfile.gettempdir()), Path("/run")):
        for folder in parent.glob(f"{PREFIX}*"):
            if _dead(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def _dead(name: str) -> bool:
    """Whether the process whose identifier is in the name has ended."""
    process = name.removeprefix(PREFIX).partition("-")[0]
    return not Path(f"/proc/{process}").exists()


class Stage:
    """
    Holds the scene of the class whose tests run now.

    trial has no setUpClass. So the first test of a class asks for its scene,
    which is kept until a test of another class asks, or the process ends.
    """

    def __init__(self) -> None:
        self.owner: object = None
        self.scene: Scene | None = None
        atexit.register(self.clear)

    def scene_of(self, owner: object) -> tuple[Scene, bool]:
        """The scene of this class, and whether it is new."""
        if self.scene is not None and self.owner is owner:
            return self.scene, False
        self.clear()
        self.scene, self.owner = Scene(), owner
        return self.scene, True

    def clear(self) -> None:
        """Remove the scene, if there is one."""
        scene, self.scene = self.scene, None
        if scene is not None:
            scene.remove()


stage = Stage()
