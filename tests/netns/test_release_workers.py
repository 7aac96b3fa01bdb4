"""Sessions that the kernel has are those of one worker at a time, whatever becomes of workers."""

from __future__ import annotations

from typing import Any

from gateway.control.client import Client
from gateway.workers.table import COLUMNS
from tests.netns.case import RELAY, RELOADED, SERVER
from tests.netns.test_release import DENIED, KeptCase, Pair, ReleaseCase, service
from tests.netns.workers_case import CLIENTS, WorkersCase

WORKERS = """
[release]
kernel = true
after_seconds = 0
[workers]
count = 2
steer = "connection"
"""

PAIRS = 12
"""Sessions: that all of them are one worker's is hardly ever so."""

ANY_PORT, FEW = 9004, 9003


class ReleaseWorkersCase(WorkersCase, ReleaseCase):
    """Two workers, each of which has sessions in the kernel."""

    services = {
        "relay": RELAY,
        "any-port": service(ANY_PORT, 'source = "client-address"'),
        "few": service(FEW, "[limits]\nsessions_per_client = 3"),
    }
    gateway = WORKERS
    embedded = False

    def answers(self) -> bool:
        """Whether all workers answer."""
        return len(self.asked("status")["workers"]) == self.count + 1

    def asked(self, what: str, **more: Any) -> Any:
        with Client(self.scene.daemon.control) as control:
            return control.ask(what, **more)

    def released(self, count: int = PAIRS) -> list[Pair]:
        """Sessions of both workers, all of which the kernel has."""
        pairs = [self.between(host) for host in CLIENTS[:count]]
        for ours, theirs, _ in pairs:
            self.talk(ours, theirs)
        self.until_released()
        self.assertEqual(len({row["id"] % COLUMNS for row in self.listed().values()}), 2)
        return pairs

    def listed(self) -> dict[tuple[str, int], Any]:
        """The sessions that are running. Each is there once."""
        rows = self.asked("sessions", limit=500)["sessions"]
        found = {(row["client"]["ip"], row["client"]["port"]): row for row in rows}
        self.assertEqual(len(found), len(rows), rows)
        return found

    def until_listed(self, pairs: list[Pair]) -> None:
        """The kernel has these, and no others are there, as the operator sees it."""
        wanted = {(peer, "kernel") for *_, peer in pairs}

        def seen() -> bool:
            return {(one, row["state"]) for one, row in self.listed().items()} == wanted

        self.wait(seen, "not as it should be", 20)

    def check(self, pairs: list[Pair], before: int = 1000) -> None:
        """They go on, and have one record each, with every byte."""
        for ours, theirs, _ in pairs:
            self.talk(ours, theirs)
        for ours, theirs, peer in pairs:
            self.assertCarried(self.finish(ours, theirs, peer), before + 1000, before + 1000)
        self.wait(lambda: not self.listed(), "they are still there")


class OwnCarrierTests(ReleaseWorkersCase):
    """A carrier that the supervisor has started for all workers."""

    def test_listed_and_killed(self) -> None:
        """The sessions of all workers are listed, and can be ended, wherever they are."""
        pairs = self.released()
        for ours, theirs, _ in pairs:
            self.talk(ours, theirs)
        self.until_listed(pairs)
        for row in self.listed().values():
            self.assertEqual(row["bytes"], {"to_server": 2000, "to_client": 2000})
        self.assertEqual(self.asked("status")["sessions"]["in_kernel"], PAIRS)
        self.assertEqual(self.asked("kill", all=True)["killed"], PAIRS)
        for ours, theirs, peer in pairs:
            for end in (ours, theirs):
                self.assertReset(end)
            self.assertCarried(self.flow(peer), 2000, 2000)
        self.wait(lambda: not self.listed(), "they are still there")

    def test_limits(self) -> None:
        """What the kernel has counts for the limits of all workers, also when one has died."""
        pairs = [self.between(CLIENTS[0], port=FEW) for _ in range(3)]
        self.until_released()
        for _ in range(5):
            self.assertRefused((SERVER, FEW), CLIENTS[0])
        before = self.workers()
        self.kill(0)
        self.again(0, before[0])
        self.until_listed(pairs)
        for _ in range(5):
            self.assertRefused((SERVER, FEW), CLIENTS[0])
        self.check(pairs, 0)

    def test_ports(self) -> None:
        """A port that one worker's session has in the kernel is not chosen by another worker."""
        self.router.sysctl("net.ipv4.ip_local_port_range=40000 40003")
        self.addCleanup(self.router.sysctl, "net.ipv4.ip_local_port_range=32768 60999")
        listener = self.listen(ANY_PORT)
        pairs = []
        for _ in range(8):
            ours = self.dial((SERVER, ANY_PORT), (CLIENTS[0], 0))
            theirs, peer = self.accept(listener)
            pairs.append((ours, theirs, ours.getsockname()[:2]))
            self.until_released()
            self.assertEqual(peer[0], CLIENTS[0])
        self.assertEqual(len({row["id"] % COLUMNS for row in self.listed().values()}), 2)
        self.check(pairs, 0)

    def test_worker_killed(self) -> None:
        """The other one accounts for what it had in the kernel: with one record each."""
        pairs = self.released()
        before = self.workers()
        self.kill(0)
        for ours, theirs, _ in pairs:
            self.talk(ours, theirs)
        self.again(0, before[0])
        self.until_listed(pairs)
        # of sessions that have ended without a record there are none
        self.assertIn("has ended (SIGKILL) with 0 sessions", self.scene.daemon.said)
        self.check(pairs, 2000)

    def test_all_workers_killed(self) -> None:
        """Those who come next account for what is there."""
        pairs = self.released()
        before = self.workers()
        for index in before:
            self.kill(index)
        for index, process in before.items():
            self.again(index, process)
        self.until_listed(pairs)
        self.check(pairs)

    def test_reload(self) -> None:
        """The new workers take them over, and the old ones can go; who is denied is ended."""
        pairs, denied = self.released(), [self.between(CLIENTS[20], port=DENIED) for _ in range(4)]
        self.until_released()
        former = set(self.workers().values())
        deny = f'action = "deny"\n[[rule]]\nfrom = ["office"]\nports = [{DENIED}]\n'
        self.scene.configure({**self.services, "denied": deny}, self.gateway)
        self.addCleanup(self.scene.reload, RELOADED)
        self.addCleanup(self.scene.configure, self.services, self.gateway)
        self.scene.reload(RELOADED)
        for ours, theirs, peer in denied:
            for side in (ours, theirs):
                self.assertReset(side)
            self.assertEqual(self.flow(peer)["gateway"]["verdict"], "denied")
        self.wait(lambda: not former & set(self.processes()), "the old ones stay", 30)
        self.until_listed(pairs)
        self.check(pairs)

    def test_told_after_reload(self) -> None:
        """
        A former worker goes on, as it has a session with sockets; what it has left to others is
        not told of twice.
        """
        pairs = self.released()
        self.server.sysctl("net.ipv4.tcp_timestamps=0")
        self.addCleanup(self.server.sysctl, "net.ipv4.tcp_timestamps=1")
        stays = self.between(CLIENTS[25])
        self.talk(*stays[:2])
        self.assertEqual(self.running(), PAIRS + 1)
        self.scene.reload(RELOADED)
        self.wait(lambda: len(self.processes()) == 3, "there are more", 30)
        self.wait(lambda: self.running() == PAIRS + 1, "not as it should be", 20)
        self.assertEqual(len(self.listed()), PAIRS + 1)
        self.finish(*stays)
        self.check(pairs)

    def running(self) -> int:
        """How many sessions of the relay there are, as all workers count them."""
        count: int = self.asked("status")["services"]["relay"]["running"]
        return count

    def processes(self) -> list[int]:
        return [process for index in range(4) for process in self.called(f"tproxygw-w{index}")]

    def test_upgrade(self) -> None:
        """The same for new code, and a supervisor that has become another program; twice."""
        pairs = self.released()
        for _ in range(2):
            former = set(self.workers().values())
            successors = self.scene.daemon.said.count("goes on with")
            self.assertEqual(self.asked("upgrade")["problem"], "")
            self.wait(
                lambda n=successors: self.scene.daemon.said.count("goes on with") > n,
                "there is no successor",
                30,
            )
            self.wait(lambda f=former: not f & set(self.processes()), "the old ones stay", 30)
            self.until_listed(pairs)
        fresh = self.between(CLIENTS[30])
        self.talk(*fresh[:2])
        self.until_released()
        self.check([*pairs, fresh])

    def test_carrier_killed(self) -> None:
        """The next carrier knows whose sessions are whose."""
        pairs = self.released()
        ids = {peer: row["id"] for peer, row in self.listed().items()}
        for pid in self.carriers()[1:]:
            self.router.run("kill", "-KILL", str(pid))
        self.wait(lambda: "is started again" in self.scene.daemon.said, "nobody says so")
        fresh = self.between(CLIENTS[31])
        self.talk(*fresh[:2])
        self.until_released()
        listed = {peer: row["id"] for peer, row in self.listed().items()}
        self.assertEqual({peer: number for peer, number in listed.items() if peer in ids}, ids)
        self.check([*pairs, fresh])

    def carriers(self) -> list[int]:
        """The carrier's processes, the elder first."""
        found = self.router.run("pgrep", "-f", f"release --config {self.scene.config}")
        return [int(pid) for pid in found.split()]

    def test_stop(self) -> None:
        """It ends with the gateway, with resets and records."""
        pairs = self.released()
        self.addCleanup(self.scene.daemon.start)
        self.assertTrue(self.scene.daemon.stop(40))
        for ours, theirs, peer in pairs:
            for side in (ours, theirs):
                self.assertReset(side)
            record = self.flow(peer)
            self.assertCarried(record, 1000, 1000)
            self.assertEqual(record["gateway"]["reason"], "the gateway was stopped")
        self.wait(lambda: not self.carriers_there(), "the carrier is still there")

    def carriers_there(self) -> bool:
        return "gateway.kernel.release" in self.router.run("ps", "-eo", "args", "--ppid", "1")


class KeptWorkersTests(KeptCase, ReleaseWorkersCase):
    """A carrier that is a service of its own."""

    gateway = WORKERS

    def test_restart(self) -> None:
        """A gateway that is stopped, or killed, finds its sessions again, with other workers."""
        pairs = self.released()
        count = 1000
        for end in (self.scene.daemon.stop, self.scene.daemon.kill):
            end()
            for ours, theirs, _ in pairs:
                self.talk(ours, theirs)
            count += 1000
            self.scene.daemon.start()
            self.wait(self.answers, "the workers do not answer", 20)
            self.until_listed(pairs)
        self.check(pairs, count)
