"""One network namespace: its interfaces, its programs, its sockets."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from gateway.lab.waiting import wait_until

FOLDER = Path("/run/netns")
"""Where C{ip netns} keeps the names."""

CLONE_NEWNET = 0x40000000
"""The kind of namespace that setns(2) is told."""

_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(Exception):
    """A program in a namespace failed; the message holds what it said."""


@frozen
class Namespace:
    """A network namespace by its name, whether it exists or not."""

    name: str
    path: Path = field(init=False)

    @path.default
    def _path(self) -> Path:
        return FOLDER / self.name

    @property
    def exists(self) -> bool:
        """Whether there is such a namespace."""
        return self.path.exists()

    def create(self) -> None:
        """Make it, with its loopback interface up and IPv6 usable at once."""
        _run(["ip", "netns", "add", self.name])
        self.ip("link set lo up")
        self.sysctl("net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")

    def remove(self) -> None:
        """End every program in it, then remove it. Harmless if there is none."""
        if not self.exists:
            return
        self.end_programs()
        _run(["ip", "netns", "delete", self.name])

    def processes(self) -> list[int]:
        """The process identifiers of the programs in it."""
        return [int(line) for line in _run(["ip", "netns", "pids", self.name]).split()]

    def end_programs(self, patience: float = 2.0) -> None:
        """End every program in it: first politely, after C{patience} seconds for certain."""
        self.signal_programs(signal.SIGTERM)
        if not wait_until(lambda: not self.processes(), seconds=patience):
            self.signal_programs(signal.SIGKILL)
            wait_until(lambda: not self.processes(), seconds=patience)

    def signal_programs(self, number: signal.Signals) -> None:
        """Send a signal to every program in it. One may end because another has ended."""
        for process in self.processes():
            if process != os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(process, number)

    def ip(self, *lines: str) -> None:
        """
        Run C{ip} commands in it, all in one process.

        @raise CommandFailed: one of them failed.
        """
        _run(["ip", "-n", self.name, "-batch", "-"], "\n".join(lines) + "\n")

    def sysctl(self, *settings: str) -> None:
        """Change settings such as C{"net.ipv4.ip_forward=1"}, here only."""
        self.run("sysctl", "-q", "-w", *settings)

    def run(self, *command: str, input: str | None = None, seconds: float = 30) -> str:
        """
        Run a program in it to its end, and give back what it said.

        @raise CommandFailed: it failed.
        """
        return _run([*self.prefix, *command], input, seconds)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in it. The options are those of C{subprocess.Popen}."""
        return subprocess.Popen([*self.prefix, *command], **options)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in here."""
        return ("ip", "netns", "exec", self.name)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that belongs to this namespace, wherever this thread goes on."""
        with self.entered():
            return socket.socket(family, kind)

    def enter(self) -> None:
        """This thread, and what it creates, is in here from now on."""
        with self.path.open("rb") as here:
            _enter(here.fileno())

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it creates, is in here for so long."""
        with Path("/proc/thread-self/ns/net").open("rb") as before:
            self.enter()
            try:
                yield
            finally:
                _enter(before.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"can't enter a network namespace: {os.strerror(number)}")


def _run(command: list[str], input: str | None = None, seconds: float = 30) -> str:
    finished = subprocess.run(
        command,
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if finished.returncode:
        said = (finished.stderr or finished.stdout).strip()
        raise CommandFailed(f"{' '.join(command)}: exit code {finished.returncode}: {said}")
    return finished.stdout
