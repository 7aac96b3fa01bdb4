"""Whoever asks the carrier gets what a gateway may have, and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.packets import receive, send
from gateway.lab.waiting import wait_until
from tests.kernel.namespaces import Namespace, namespace

GATEWAY = "[release]\nkernel = true\nsessions = 16\n"

SWITCH = {"ask": "switch", "number": 7, "pending": [0, 0], "idle": 0, "told": {}}


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


@contextmanager
def carrier(host: Namespace, text: str = GATEWAY) -> Iterator[socket.socket]:
    """The process, and the connection to it."""
    with TemporaryDirectory() as folder:
        config = Path(folder, "config")
        Path(config, "services").mkdir(parents=True)
        (config / "gateway.toml").write_text(text)
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        ours.settimeout(60)
        process = subprocess.Popen(
            [
                *("ip", "netns", "exec", host.name, sys.executable, "-m", "gateway.kernel.release"),
                *("--config", str(config), "--runtime", str(Path(folder, "run"))),
            ],
            stdin=theirs.fileno(),
        )
        theirs.close()
        try:
            with ours:
                # its first words: it has begun, and nothing outlives it
                greeting, _ = receive(ours)
                assert greeting == {"began": True, "keeps": False}, greeting
                yield ours
            # the end of the connection ends it
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def ask(connection: socket.socket, message: dict[str, Any], *sockets: socket.socket) -> Any:
    send(connection, message, [each.fileno() for each in sockets])
    answer, _ = receive(connection)
    return answer


class ProcessTests(SynchronousTestCase):
    """A gateway that was taken over can't do with the carrier what it could not do without it."""

    def test_other_sockets(self) -> None:
        """Sockets that are no session's stay where they are."""
        with namespace() as host, carrier(host) as connection:
            one, other = socket.socketpair()
            with one, other, socket.create_server(("127.0.0.1", 0)) as listener:
                tcp = socket.create_connection(listener.getsockname())
                for pair in ((one, other), (tcp, tcp), (listener, tcp)):
                    answer = ask(connection, SWITCH, *pair)
                    self.assertEqual(answer["number"], 7)
                    self.assertIn("stays", answer)
                tcp.close()
                # as many as it gets when it has too many open files
                for some in ((), (one,)):
                    answer = ask(connection, SWITCH, *some)
                    self.assertEqual((answer["number"], answer["again"]), (7, True))

    def test_nothing_there(self) -> None:
        """What can be asked of a session that is not there is harmless."""
        with namespace() as host, carrier(host) as connection:
            send(connection, {"ask": "kill", "index": 3})
            send(connection, {"ask": "let_go", "index": 3})
            self.assertEqual(
                ask(connection, {"ask": "counts", "number": 1, "indices": [3]}),
                {"number": 1, "counts": [None]},
            )
            self.assertEqual(
                ask(connection, {"ask": "greet", "number": 2, "name": "me"}),
                {"number": 2, "sessions": 0},
            )

    def test_nonsense(self) -> None:
        """Nothing that a gateway says: the connection ends, and with it the process."""
        unnamed = {"ask": "greet", "number": 1, "name": ""}
        for message in (
            *({"ask": "open sesame"}, {"ask": "kill"}, {}, {"ask": ["kill"]}),
            *(SWITCH | {"number": None}, unnamed),
            # an infinite number
            *({"ask": "kill", "index": float("inf")}, SWITCH | {"number": float("inf")}),
        ):
            with namespace() as host, carrier(host) as connection:
                send(connection, message)
                self.assertRaises(EOFError, receive, connection)

    def test_ends_with_its_gateway(self) -> None:
        """Nothing is left of it, even if its supervisor is killed at the same moment."""
        with namespace() as host:
            others = descendants(os.getpid())  # another test's gateway, perhaps
            self.check_end(host, others)

    def check_end(self, host: Namespace, others: list[int]) -> None:
        with carrier(host) as connection:
            elder, younger = (each for each in descendants(os.getpid()) if each not in others)
            os.kill(elder, signal.SIGKILL)
            status = Path(f"/proc/{elder}/status")
            self.assertTrue(wait_until(lambda: "zombie" in status.read_text(), 10))
            connection.close()
            gone = wait_until(lambda: not Path(f"/proc/{younger}").exists(), 30)
            self.assertTrue(gone, "it goes on")


class ServiceTests(SynchronousTestCase):
    """C{tproxygw-carrier.service}: C{Type=notify}."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "config" / "services").mkdir(parents=True)
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.told.close)
        self.told.bind(str(self.folder / "notify"))
        self.told.settimeout(30)
        pins = self.folder / "bpf"
        pins.mkdir()
        subprocess.run(["mount", "-t", "bpf", "bpf", pins], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", pins], check=True)

    def start(self, host: Namespace, gateway: str) -> subprocess.Popen[str]:
        """The service, with this configuration."""
        (self.folder / "config" / "gateway.toml").write_text(gateway)
        folders = (f"--{name}={self.folder / name}" for name in ("config", "runtime"))
        places = (f"--listen={self.folder / 'socket'}", f"--pins={self.folder / 'bpf'}")
        command = (sys.executable, "-m", "gateway.kernel.release", *folders, *places)
        notify = {"NOTIFY_SOCKET": str(self.folder / "notify"), "JOURNAL_STREAM": "1:1"}
        process = subprocess.Popen(
            ("ip", "netns", "exec", host.name, *command),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **notify},
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_ready(self) -> None:
        """It is ready when the kernel has the programs: a gateway is told so at once."""
        with namespace() as host:
            process = self.start(host, GATEWAY)
            said = self.told.recv(4096)
            self.assertEqual(said, b"READY=1\nSTATUS=Has the kernel forward released sessions")
            pinned = [path.name for path in (self.folder / "bpf" / "50080").iterdir()]
            self.assertIn("sessions", pinned)
            process.terminate()
            self.assertEqual(process.communicate(timeout=60), (None, ""))
            self.assertEqual(process.returncode, 0)

    def test_not_needed(self) -> None:
        """Where the kernel is to have nothing it ends, and that is no failure of the unit."""
        with namespace() as host:
            process = self.start(host, "")
            self.assertTrue(self.told.recv(4096).startswith(b"READY=1\nSTATUS=not needed: "))
            _, said = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
            self.assertTrue(said.startswith("<6>tproxygw carrier: not needed: "), said)

    def test_never_ready(self) -> None:
        """A broken configuration is a failed start, and an error in the journal."""
        with namespace() as host:
            process = self.start(host, "[release]\nkernal = true\n")
            _, said = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1)
            self.assertIn("gateway.toml:2:1", said)
            self.assertEqual({line[:3] for line in said.splitlines()}, {"<3>"})
            self.told.setblocking(False)
            self.assertRaises(BlockingIOError, self.told.recv, 100)
