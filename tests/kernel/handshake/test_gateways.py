"""Who is brought a client, and who no more."""

from __future__ import annotations

import os
import selectors
import socket
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.handshake.gateways import Gateway, Gateways
from gateway.kernel.handshake.steering import by_client, by_connection
from gateway.kernel.handshake.words import decided, hand
from gateway.kernel.packets import receive, send

CLIENTS = [ip_address(f"10.1.2.{number}").packed for number in range(20)]


class SteeringTests(SynchronousTestCase):
    """The arithmetic. That the kernel's is the same is seen with real workers (tests.netns)."""

    @given(
        st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16),
        st.sets(st.integers(0, 7), min_size=1),
    )
    def test_alive(self, client: bytes, alive: set[int]) -> None:
        """Always one that is alive; and the same one as when all are, if that one is."""
        chosen = by_client(client, 8, sorted(alive))
        self.assertIn(chosen, alive)
        whole = by_client(client, 8, range(8))
        self.assertTrue(chosen == whole or whole not in alive)

    def test_turns(self) -> None:
        """Each in turn."""
        self.assertEqual([by_connection(number, [1, 4]) for number in range(4)], [1, 4, 1, 4])


class GatewaysTests(SynchronousTestCase):
    """L{Gateways}."""

    def setUp(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.addCleanup(self.selector.close)
        self.decided: list[tuple[int, bool]] = []
        self.gone: list[Gateway] = []
        self.changes = 0
        self.gateways = Gateways(
            self.selector,
            lambda number, admitted: self.decided.append((number, admitted)),
            self.gone.append,
            self.changed,
        )

    def changed(self) -> None:
        self.changes += 1

    def connect(self) -> socket.socket:
        """One more gateway's end, greeted."""
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        ours.settimeout(5)
        self.gateways.add(theirs)
        self.assertEqual(receive(ours)[0], {"began": True})
        return ours

    def say(self, ours: socket.socket, **message: Any) -> None:
        send(ours, message)
        for key, _ in self.selector.select(5):
            key.data()

    def answer(self, ours: socket.socket, number: int, admitted: bool) -> None:
        ours.send(decided(number, admitted))
        for key, _ in self.selector.select(5):
            key.data()

    def worker(self, index: int, count: int, steer: str = "client") -> socket.socket:
        """One that wants clients."""
        ours = self.connect()
        self.say(ours, worker=index, of=count, steer=steer)
        return ours

    def asked(self, client: bytes, number: int = 0) -> Gateway | None:
        return self.gateways.ask(client, number, b"%d" % number, ())

    def test_alone(self) -> None:
        """Nobody is brought anyone who has not asked for it."""
        ours = self.connect()
        self.assertFalse(self.gateways.served)
        self.assertIsNone(self.asked(CLIENTS[0]))
        self.say(ours, worker=0, of=1, steer="client")
        self.assertTrue(self.gateways.served)
        self.assertIsNotNone(self.asked(CLIENTS[0], 7))
        self.assertEqual(ours.recv(100), b"7")
        self.answer(ours, 7, True)
        self.assertEqual(self.decided, [(7, True)])

    def test_workers(self) -> None:
        """A client's are for one, all clients not; with another choice each is in turn."""
        ends = [self.worker(index, 2) for index in (0, 1)]
        chosen = [self.asked(client) for client in CLIENTS]
        self.assertEqual([self.asked(client) for client in CLIENTS], chosen)
        self.assertEqual(len(set(chosen)), 2)
        self.say(ends[0], worker=0, of=2, steer="connection")
        in_turn = [self.asked(CLIENTS[0], number) for number in range(4)]
        self.assertEqual(in_turn[:2], in_turn[2:])
        self.assertEqual(len(set(in_turn)), 2)

    def test_leaves(self) -> None:
        """Who leaves is brought nobody, hears that this was all, and is still listened to."""
        first, second = self.worker(0, 2), self.worker(1, 2)
        self.say(first, leaves=True)
        self.assertEqual(receive(first)[0], {"left": True})
        self.assertEqual({each.index for each in map(self.asked, CLIENTS) if each}, {1})
        self.answer(first, 3, False)
        self.assertEqual(self.decided, [(3, False)])
        self.say(second, leaves=True)
        self.assertFalse(self.gateways.served)

    def test_gone(self) -> None:
        """Who is gone is no more; who is broken is taken for gone."""
        first, second = self.worker(0, 2), self.worker(1, 2)
        first.close()
        for key, _ in self.selector.select(5):
            key.data()
        self.assertEqual(len(self.gone), 1)
        self.say(second, worker=5, of=2, steer="client")
        self.assertEqual((len(self.gone), len(self.gateways)), (2, 0))
        self.assertFalse(self.gateways.served)

    def test_nonsense(self) -> None:
        """Who says what no gateway says is lost, and nobody else."""
        self.worker(0, 2)
        self.say(self.worker(1, 2), worker=float("inf"), of=2, steer="client")
        self.assertEqual(len(self.gateways), 1)
        self.connect().send(b'{"leaves":' + 2000 * b"[")
        for key, _ in self.selector.select(5):
            key.data()
        self.assertEqual(len(self.gateways), 1)

    def test_successor(self) -> None:
        """The same worker once more takes the place of the former, as after a restart."""
        former = self.worker(0, 1)
        self.worker(0, 1)
        self.assertEqual(former.recv(100), b"")
        self.assertEqual(len(self.gateways), 1)
        self.assertTrue(self.gateways.served)

    def test_descriptors(self) -> None:
        """Nobody leaves descriptors here."""
        ours = self.worker(0, 1)
        one, other = os.pipe()
        self.addCleanup(os.close, one)
        hand(ours, decided(1, True), (other,))
        for key, _ in self.selector.select(5):
            key.data()
        os.close(other)
        self.assertEqual(os.read(one, 1), b"")

    def test_full(self) -> None:
        """Who does not read is not waited for."""
        self.worker(0, 1)
        for number in range(100_000):
            if self.asked(CLIENTS[0], number) is None:
                return
        self.fail("it takes everything")
