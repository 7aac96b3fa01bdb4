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

from gateway.kernel.release.packets import receive, send
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

    def test_nothing_there(self) -> None:
        """What can be asked of a session that is not there is harmless."""
        with namespace() as host, carrier(host) as connection:
            send(connection, {"ask": "kill", "index": 3})
            send(connection, {"ask": "let_go", "index": 3})
            self.assertEqual(
                ask(connection, {"ask": "count", "number": 1, "index": 3}),
                {"number": 1, "over": True},
            )
            self.assertEqual(
                ask(connection, {"ask": "adopt", "number": 2, "after": -1}),
                {"number": 2, "index": -1},
            )

    def test_nonsense(self) -> None:
        """Nothing that a gateway says: the connection ends, and with it the process."""
        for message in ({"ask": "open sesame"}, {"ask": "kill"}, {}, {"ask": ["kill"]}, SWITCH):
            with namespace() as host, carrier(host) as connection:
                send(connection, message)
                self.assertRaises(EOFError, receive, connection)

    def test_ends_with_its_gateway(self) -> None:
        """Nothing is left of it, even if its supervisor is killed at the same moment."""
        with namespace() as host, carrier(host) as connection:
            (elder,) = descendants(os.getpid())[:1]
            (younger,) = descendants(elder)
            os.kill(elder, signal.SIGKILL)
            status = Path(f"/proc/{elder}/status")
            self.assertTrue(wait_until(lambda: "zombie" in status.read_text(), 10))
            connection.close()
            gone = wait_until(lambda: not Path(f"/proc/{younger}").exists(), 30)
            self.assertTrue(gone, "it goes on")
