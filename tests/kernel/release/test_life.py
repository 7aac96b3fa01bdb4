"""A released session lives and ends like any other, though nobody reads a byte of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from gateway.lab.waiting import wait_until
from tests.kernel.namespaces import Namespace
from tests.kernel.release.scene import FIREWALL, HOSTS, SECONDS, scene, start

EACH = 3
ALL = 2 * EACH


@frozen
class Talk:
    """Client, relay and server, all running."""

    gateway: Namespace
    client: subprocess.Popen[str]
    relay: subprocess.Popen[str]
    server: subprocess.Popen[str]

    def ask(self, line: str) -> str:
        """Tell the client something, and hear what came of it."""
        return tell(self.client, line)

    def until_released(self) -> None:
        """All sessions have left user space: the gateway has no socket of theirs."""
        if not wait_until(self.is_released, SECONDS):
            raise AssertionError(self.gateway.run("ss -tinH"))

    def is_released(self) -> bool:
        """Whether they have, after they have said something."""
        self.ask("talk 1000")
        return not self.gateway.run("ss -tnH").strip()

    def heard_by_server(self) -> list[str]:
        """How its connections ended."""
        assert self.server.stdout is not None
        return [self.server.stdout.readline().strip() for _ in range(ALL)]

    def finish(self) -> dict[str, Any]:
        """What the relay tells at its end."""
        told, _ = self.relay.communicate(timeout=30)
        found: dict[str, Any] = json.loads(told.splitlines()[-1])
        return found


def tell(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@contextmanager
def talk(*relay: str, rules: tuple[str, ...] = ()) -> Iterator[Talk]:
    """Some connections in each family, which begin to be released at once."""
    with scene(*rules) as made, ExitStack() as stack:

        def started(namespace: Namespace, module: str, *arguments: str) -> subprocess.Popen[str]:
            process = start(namespace, module, *arguments)
            stack.callback(end, process)
            return process

        ways = made.ways
        server = started(ways.server, "echo", "server")
        gateway = started(ways.gateway, "relay", "0", "1000", "0.5", "1", *relay)
        client = started(ways.client, "echo", "client", HOSTS, str(EACH))
        yield Talk(ways.gateway, client, gateway, server)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


class LifeTests(SynchronousTestCase):
    """Nothing that holds for a session is given up when the kernel takes it over."""

    def test_bytes(self) -> None:
        """Every byte is counted once, ends are noticed, and an end is not counted as a byte."""
        with talk() as each:
            each.until_released()
            each.ask("talk 100000")
            self.assertEqual(each.ask("end"), "ended")
            told = each.finish()
        self.assertEqual(told["counts"]["passed"], ALL)
        for record in told["records"]:
            # what came before the switch, and the preamble, were the relay's
            self.assertEqual(record["bytes_to_server"], record["bytes_to_client"])
            self.assertEqual(record["bytes_to_server"] % 1000, 0)
            self.assertGreaterEqual(record["bytes_to_server"], 100000)

    def test_killed(self) -> None:
        """A session that is ended by the operator is reset at both ends, at once."""
        for rules in ((), (FIREWALL,)):
            with talk(rules=rules) as each:
                each.until_released()
                assert each.relay.stdin is not None
                each.relay.stdin.write("kill\n")
                each.relay.stdin.flush()
                self.assertEqual(each.ask("wait"), " ".join(["ConnectionResetError"] * ALL))
                self.assertEqual(each.heard_by_server(), ["ConnectionResetError"] * ALL)
                self.assertEqual(each.finish()["counts"]["killed"], ALL)

    def test_idle(self) -> None:
        """Silence ends a session after the time that its service allows, and not before."""
        with talk("3") as each:
            each.until_released()
            self.assertEqual(each.ask("talk 100000"), "talked")
            self.assertEqual(each.ask("wait"), " ".join(["ConnectionResetError"] * ALL))
            self.assertEqual(each.heard_by_server(), ["ConnectionResetError"] * ALL)
            self.assertEqual(each.finish()["counts"]["idle"], ALL)

    def test_port_used_again(self) -> None:
        """The client's port may be used again for something new as soon as all is said."""
        with talk() as each:
            each.until_released()
            self.assertEqual(each.ask("again"), "talked")

    def test_survives_its_gateway(self) -> None:
        """Nobody of ours runs, and data flows; who comes next finds the sessions."""
        with TemporaryDirectory() as folder, mounted(Path(folder)) as pins:
            stories = str(Path(folder, "stories"))
            with talk("0", str(pins / "pins"), stories) as each:
                each.until_released()
                self.assertEqual(tell(each.relay, "die"), "dead")
                each.relay.wait()
                self.assertEqual(each.ask("talk 100000"), "talked")
                arguments = ("0", "1000", "0.5", "1", "0", str(pins / "pins"), stories)
                successor = start(each.gateway, "relay", *arguments)
                try:
                    self.assertEqual(each.ask("talk 100000"), "talked")
                    self.assertEqual(each.ask("end"), "ended")
                    told, _ = successor.communicate(timeout=30)
                finally:
                    end(successor)
                found = json.loads(told.splitlines()[-1])
                self.assertEqual(found["counts"]["passed"], ALL)
                for record in found["records"]:
                    self.assertGreaterEqual(record["bytes_to_client"], 200000)


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A BPF file system of the test's own."""
    place = folder / "bpf"
    place.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)
