"""Which worker gets a connection: the kernel's own answer, on loopback."""

from __future__ import annotations

import socket
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel import sockets
from gateway.workers.choice import PROGRAMS, by_client


class ChoiceTests(SynchronousTestCase):
    """Three listeners at one port."""

    def group(self, host: str) -> list[socket.socket]:
        """The listeners."""
        group: list[socket.socket] = []
        for _ in range(3):
            port = group[0].getsockname()[1] if group else 0
            sock = socket.socket(sockets.family_of(host))
            self.addCleanup(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
            sock.listen(100)
            sock.setblocking(False)
            group.append(sock)
        return group

    def came(self, group: list[socket.socket], hosts: list[str]) -> dict[str, set[int]]:
        """To which of them a connection of each of C{hosts} comes, four each."""
        for host in hosts * 4:
            client = socket.create_connection(
                group[0].getsockname()[:2], timeout=20, source_address=(host, 0)
            )
            self.addCleanup(client.close)
        found = defaultdict(set)
        for index, sock in enumerate(group):
            while True:
                try:
                    accepted, peer = sock.accept()
                except BlockingIOError:
                    break
                accepted.close()
                found[peer[0]].add(index)
        return found

    HOSTS = [f"127.0.1.{number}" for number in range(1, 25)]

    def test_by_client(self) -> None:
        """All of one client to the same one, and some to each."""
        group = self.group("127.0.0.1")
        sockets.choose_by(group[0], PROGRAMS["client"](3, [0, 1, 2]))
        came = self.came(group, self.HOSTS)
        self.assertEqual({len(indices) for indices in came.values()}, {1})
        self.assertEqual(set.union(*came.values()), {0, 1, 2})

    def test_one_rests(self) -> None:
        """Those of one that rests are shared by the others, who keep their own."""
        group = self.group("127.0.0.1")
        sockets.choose_by(group[0], PROGRAMS["client"](3, [0, 1, 2]))
        before = self.came(group, self.HOSTS)
        sockets.choose_by(group[0], PROGRAMS["client"](3, [0, 2]))
        after = self.came(group, self.HOSTS)
        self.assertEqual(set.union(*after.values()), {0, 2})
        for host, indices in before.items():
            if indices != {1}:
                self.assertEqual(after[host], indices)

    def test_by_connection(self) -> None:
        """Any, whoever connects."""
        group = self.group("127.0.0.1")
        sockets.choose_by(group[0], PROGRAMS["connection"](3, [0, 1, 2]))
        came = self.came(group, ["127.0.0.1"] * 8)
        self.assertEqual(came["127.0.0.1"], {0, 1, 2})
        sockets.choose_by(group[0], PROGRAMS["connection"](3, [1]))
        self.assertEqual(self.came(group, ["127.0.0.1"])["127.0.0.1"], {1})

    def test_ipv6(self) -> None:
        """The same program reads both families."""
        group = self.group("::1")
        sockets.choose_by(group[0], PROGRAMS["client"](3, [0, 1, 2]))
        self.assertEqual(len(self.came(group, ["::1"])["::1"]), 1)

    @settings(deadline=None)
    @given(st.integers(1, 20), st.data())
    def test_any(self, count: int, data: st.DataObject) -> None:
        """The kernel takes the program for however many, whoever of them rests."""
        indices = st.lists(st.integers(0, count - 1), min_size=1, unique=True)
        alive = sorted(data.draw(indices))
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sockets.choose_by(sock, by_client(count, alive))
