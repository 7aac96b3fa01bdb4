"""C{tproxygw upgrade}, at a socket that is answered as a gateway does."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from threading import Thread

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from gateway.cli.configuration import BAD_POLICY
from gateway.cli.upgrade import command


class UpgradeTests(SynchronousTestCase):
    """What an operator who upgrades is told, and when."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.asked: list[str] = []

    def listen(self) -> socket.socket:
        port = socket.socket(socket.AF_UNIX)
        port.settimeout(20)
        port.bind(str(self.path))
        port.listen()
        return port

    def answer(self, port: socket.socket, **answer: object) -> None:
        """Answer one question, and end that conversation."""
        connection, _ = port.accept()
        with connection, connection.makefile("rb") as said:
            self.asked.append(json.loads(said.readline())["ask"])
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def become_other_code(self, port: socket.socket) -> None:
        self.answer(port, problem="")
        port.close()
        self.path.unlink()
        with self.listen() as again:
            self.answer(again)

    def test_again(self) -> None:
        """The command ends when the gateway answers again: so does the next command."""
        thread = Thread(target=self.become_other_code, args=(self.listen(),))
        thread.start()
        told = CliRunner().invoke(command, env={"TPROXYGW_CONTROL": str(self.path)})
        thread.join()
        self.assertEqual((told.exit_code, told.output), (0, "Upgraded.\n"))
        self.assertEqual(self.asked, ["upgrade", "status"])

    def test_problem(self) -> None:
        """What can't be upgraded is said at once."""
        with self.listen() as port:
            thread = Thread(target=self.answer, args=(port,), kwargs={"problem": "no room"})
            thread.start()
            told = CliRunner().invoke(command, ["--control", str(self.path)])
            thread.join()
        self.assertEqual(told.exit_code, BAD_POLICY)
        self.assertIn("no room", told.output)
