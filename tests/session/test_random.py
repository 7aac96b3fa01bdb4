"""Random conversations: whatever two peers do, and in whatever order."""

from __future__ import annotations

import random
import socket
from typing import Any

from twisted.internet.defer import gatherResults, inlineCallbacks
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector
from protocols.relay import RelayInspector
from tests.session.scene import PATIENCE, Scene, reset

CONVERSATIONS = 200
SIZES = (1, 10, 1_000, 65_536, 300_000)


class Peer:
    """One end: sends, half-closes, resets or closes at random; reads, or not, in between."""

    def __init__(self, sock: socket.socket, chance: random.Random) -> None:
        self.sock = sock
        self.chance = chance
        self.sent = b""
        self.got = b""
        self.abrupt = False

    def live(self) -> None:
        """In a thread of its own, to its end."""
        self.sock.settimeout(PATIENCE)
        try:
            for _ in range(self.chance.randrange(6)):
                self.act()
            self.sock.shutdown(socket.SHUT_WR)
            while data := self.sock.recv(65536):
                self.got += data
            self.sock.close()
        except (ConnectionError, OSError):
            self.abrupt = True
            self.sock.close()

    def act(self) -> None:
        kind = self.chance.random()
        if kind < 0.6:
            data = self.chance.randbytes(self.chance.choice(SIZES))
            self.sent += data
            self.sock.sendall(data)
        elif kind < 0.95:
            self.sock.settimeout(0.01)
            try:
                self.got += self.sock.recv(self.chance.choice(SIZES))
            except TimeoutError:
                pass
            self.sock.settimeout(PATIENCE)
        else:
            self.abrupt = True
            reset(self.sock)
            raise ConnectionAbortedError


class RandomTests(TestCase):
    """The invariants of a session."""

    timeout = 60

    @inlineCallbacks
    def run_all(self, making: Any) -> Any:
        scene = Scene(self, making)
        for seed in range(CONVERSATIONS):
            chance = random.Random(seed)
            client = Peer(scene.connect(), chance)
            server = Peer((yield scene.accepted()), random.Random(~seed))
            yield gatherResults([deferToThread(client.live), deferToThread(server.live)])
            yield scene.register.drain()
            for got, sent in ((server.got, client.sent), (client.got, server.sent)):
                self.assertTrue(sent.startswith(got), f"seed {seed}: bytes were changed")
                if not (client.abrupt or server.abrupt):
                    self.assertEqual(len(got), len(sent), f"seed {seed}: bytes were lost")
        verdicts = [one["gateway"]["verdict"] for one in scene.records()]
        self.assertEqual(len(verdicts), CONVERSATIONS)
        self.assertEqual(set(verdicts), {"passed", "reset"})
        self.assertEqual(scene.register.running, {})

    def test_released(self) -> Any:
        """
        Relayed: nothing is changed, nothing is lost unless somebody reset,
        every session ends, and each has one record.
        """
        return self.run_all(RelayInspector)

    def test_inspected(self) -> Any:
        """The same with an inspector in between."""
        return self.run_all(Inspector)
