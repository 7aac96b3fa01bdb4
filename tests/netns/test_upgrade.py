"""Upgrades, reloads and a crash while sessions run and others come: nobody else is lost."""

from __future__ import annotations

import socket
import threading
from typing import Any

from gateway.control.client import Client
from tests.netns.case import SceneCase, hear
from tests.netns.workers_case import CLIENTS, WorkersCase

RUNNING = 100
"""Sessions that exchange bytes all the time."""

MORE = 25
"""Connections that have to come between two events."""


class Talk:
    """Sessions that say something and hear it back, again and again."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.lost: list[socket.socket] = []
        self.rounds = 0
        self._sockets = sockets
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            for ours in [one for one in self._sockets if one not in self.lost]:
                try:
                    ours.sendall(b"12345678")
                    if hear(ours, 8) != b"12345678":
                        self.lost.append(ours)
                except OSError:
                    self.lost.append(ours)
            self.rounds += 1

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)


class Coming:
    """Connections that come one after the other."""

    def __init__(self, case: WorkersCase) -> None:
        self.answered: list[tuple[str, int]] = []
        self.failed = 0
        self._case = case
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            with self._case.open(CLIENTS[number % len(CLIENTS)]) as ours:
                name = ours.getsockname()[:2]
                try:
                    answered = self._case.echoed(ours)
                except OSError:
                    answered = False
            if answered:
                self.answered.append(name)
            else:
                self.failed += 1

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)


class UpgradeTests(WorkersCase):
    """With 100 sessions that are never silent, and connections without a pause."""

    fresh = True

    def ask(self, what: str) -> dict[str, Any]:
        with Client(self.scene.daemon.control) as control:
            return control.ask(what)

    def test_nobody_is_lost(self) -> None:
        """Two upgrades, a reload and a killed worker: only what that one had is lost."""
        sockets = [self.open(CLIENTS[number % len(CLIENTS)]) for number in range(RUNNING)]
        self.assertTrue(all(map(self.echoed, sockets)))
        talk, coming = Talk(sockets), Coming(self)
        self.addCleanup(talk.stop)
        self.addCleanup(coming.stop)
        former = set(self.workers().values())
        for what in ("upgrade", "reload", "upgrade"):
            self.assertEqual(self.ask(what)["problem"], "")
            self.more(talk, coming)
            self.assertEqual((talk.lost, coming.failed), ([], 0))
        self.assertFalse(former & set(self.workers().values()))
        self.kill(0)
        self.wait(lambda: "worker 0 is there again" in self.scene.daemon.said, "it is not", 30)
        failed = coming.failed
        self.more(talk, coming)
        self.assertEqual((talk.lost, coming.failed), ([], failed))  # it had none of those
        self.assertLessEqual(failed, 1)
        talk.stop()
        coming.stop()
        for ours in sockets:
            ours.close()
        ended = [*coming.answered, *self.names]
        self.wait(lambda: len(self.found(ended)) >= len(set(ended)) - failed, "no records", 30)
        self.assertEqual(set(self.found(ended).values()), {1})

    def open(self, host: str) -> socket.socket:
        ours = super().open(host)
        self.names.append(ours.getsockname()[:2])
        return ours

    def setUp(self) -> None:
        self.names: list[tuple[str, int]] = []
        super().setUp()

    def more(self, talk: Talk, coming: Coming) -> None:
        """Wait until the sessions have said something again, and others have come."""
        rounds, came = talk.rounds, len(coming.answered)
        self.wait(lambda: talk.rounds > rounds + 1, "the sessions do not go on", 30)
        self.wait(lambda: len(coming.answered) >= came + MORE, "nobody comes", 30)

    def found(self, names: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """How many records each of these has."""
        wanted, found = set(names), {}
        for one in self.scene.records():
            name = one.get("src_ip"), one.get("src_port")
            if one["event_type"] == "flow" and name in wanted:
                found[name] = found.get(name, 0) + 1
        return found


class OneProcessTests(SceneCase):
    """Without workers."""

    def test_refused(self) -> None:
        """It says that it can't."""
        with Client(self.scene.daemon.control) as control:
            self.assertIn("must be restarted", control.ask("upgrade")["problem"])
        ours, theirs, _ = self.pair()
        ours.sendall(b"1")
        self.assertEqual(hear(theirs, 1), b"1")
