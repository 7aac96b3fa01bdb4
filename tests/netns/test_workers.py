"""Several workers: who gets what, what a worker's end costs, and what it does not."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, ClassVar

from gateway.control.client import Client
from gateway.lab.network import CLIENT, CLIENT6, SERVER, SERVER6
from gateway.workers.table import COLUMNS
from tests.netns.case import RELAY, RELAY_UDP, RELOADED
from tests.netns.workers_case import CLIENTS, ECHO, WorkersCase

CAP_NET_BIND_SERVICE, CAP_NET_RAW = 10, 13
KEPT = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_NET_RAW

KCMP = 312
"""The number of kcmp(2) on x86-64."""


class SteeringTests(WorkersCase):
    """By client, as it is if nobody says otherwise."""

    def test_by_client(self) -> None:
        """Both workers have sessions, those of one client all the same worker."""
        sockets = [self.open(host) for host in CLIENTS[:16] for _ in range(2)]
        sockets += [self.open(CLIENT6) for _ in range(4)]
        self.assertTrue(all(map(self.echoed, sockets)))
        self.wait(lambda: len(self.sessions()) >= len(sockets), "sessions are missing")
        running = self.sessions()
        by_client = defaultdict(set)
        for ours in sockets:
            client = ours.getsockname()[:2]
            by_client[client[0]].add(running[client]["id"] % COLUMNS)
        self.assertEqual({len(columns) for columns in by_client.values()}, {1})
        self.assertEqual(len(set.union(*by_client.values())), self.count)

    def test_numbers(self) -> None:
        """All sessions have numbers of their own, and each has one record, with the sums right."""
        before = self.flows_in_all()
        for _ in range(3):
            sockets = [self.open(host) for host in CLIENTS[:16]]
            self.assertTrue(all(map(self.echoed, sockets)))
            for ours in sockets:
                ours.close()
        self.wait(lambda: self.flows_in_all() >= before + 48, "records are missing")
        numbers = [one["flow_id"] for one in self.scene.records() if one["event_type"] == "flow"]
        self.assertEqual(len(numbers), len(set(numbers)))

    def flows_in_all(self) -> int:
        return sum(one["event_type"] == "flow" for one in self.scene.records())

    def test_datagrams(self) -> None:
        """Datagrams of many clients are answered, in both families."""
        for host, server in ((CLIENT, SERVER), (CLIENT6, SERVER6), (CLIENTS[3], SERVER)):
            for _ in range(8):
                ours = self.datagrams(self.client, host)
                ours.sendto(b"hello", (server, ECHO))
                self.assertTrue(ours.recvfrom(100)[0].endswith(b"hello"))


class InterfaceTests(SteeringTests):
    """The same at listeners of an interface, with three workers and iptables."""

    count = 3

    services = {
        "relay": RELAY + 'interfaces = ["lan0"]\n',
        "datagrams": RELAY_UDP + 'interfaces = ["lan0"]\n',
    }
    gateway = 'backend = "iptables"\n[workers]\ncount = 3\n'


class ToldTests(WorkersCase):
    """What the supervisor tells of all of them."""

    gateway = '[workers]\ncount = 2\n[metrics]\nlisten = "127.0.0.1:9180"\n'

    def scraped(self) -> dict[str, float]:
        """The metrics, by their names with labels."""
        text = self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics")
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        found = {name: float(value) for name, _, value in lines}
        self.assertEqual(len(found), len(lines), "a series is there twice")
        return found

    def test_metrics(self) -> None:
        """Sums, that are right also after a worker has died; the figures of each process."""
        running, ended = (
            'tproxygw_sessions_running{service="relay"}',
            'tproxygw_sessions_total{service="relay",verdict="passed"}',
        )
        self.wait(lambda: not self.scraped().get(running), "those of other tests go on")
        former = self.scraped().get(ended, 0)
        sockets = [self.open(host) for host in CLIENTS[:20]]
        self.assertTrue(all(map(self.echoed, sockets)))
        self.assertEqual(self.scraped()[running], 20)
        for ours in sockets[:10]:
            ours.close()
        self.wait(lambda: self.scraped()[ended] == former + 10, "they do not end")
        before, dead = self.workers(), self.scraped()["tproxygw_workers_ended_total"]
        self.kill(0)
        self.again(0, before[0])
        alive = sum(map(self.echoed, sockets[10:]))
        found = self.scraped()
        self.assertEqual(found["tproxygw_workers_ended_total"], dead + 1)
        self.assertEqual((found[running], found[ended]), (alive, former + 10))
        processes = {name for name in found if name.startswith("process_open_fds")}
        labels = ("0", "1", "supervisor")
        self.assertEqual(processes, {f'process_open_fds{{worker="{each}"}}' for each in labels})

    def test_followed(self) -> None:
        """Whoever follows the audit hears of the sessions of all workers."""
        with Client(self.scene.daemon.control) as control:
            self.assertFalse(control.ask("follow", type="flow").get("problem"))
            sockets = [self.open(host) for host in CLIENTS[:12]]
            self.assertTrue(all(map(self.echoed, sockets)))
            for ours in sockets:
                ours.close()
            told = [next(control.hear())["record"] for _ in sockets]
        self.assertEqual({one["src_ip"] for one in told}, set(CLIENTS[:12]))
        self.assertEqual(len({one["flow_id"] % COLUMNS for one in told}), 2)


class DeathTests(WorkersCase):
    """Workers that die, or hang."""

    def test_killed(self) -> None:
        """
        Its own sessions are reset, and not ended; all others go on; whoever comes meanwhile is
        answered. The log and the audit tell, and every line of that is whole.
        """
        sockets = [self.open(host) for host in CLIENTS]
        self.assertTrue(all(map(self.echoed, sockets)))
        columns = {ours: self.column(ours) for ours in sockets}
        process = self.workers()[0]
        lost = min(columns.values())
        self.kill(0)
        meanwhile = [self.open(host) for host in CLIENTS]
        heard = Counter((columns[ours], self.echoed(ours)) for ours in sockets)
        self.assertEqual(len(heard), 2, heard)
        (victim,) = {column for column, lives in heard if not lives}
        self.assertEqual({lives for column, lives in heard if column != victim}, {True})
        self.assertIn(lost, columns.values())
        self.assertTrue(all(map(self.echoed, meanwhile)))
        self.again(0, process)
        self.assertIn(f"worker 0 (process {process}) has ended (SIGKILL)", self.scene.daemon.said)
        ended = [one["audit"] for one in self.scene.records() if "ended" in one.get("audit", {})]
        dead = sum(1 for column in columns.values() if column == victim)
        self.assertIn(("worker 0", "SIGKILL", dead), [_told(one) for one in ended])
        alive = len(sockets + meanwhile) - dead
        self.wait(lambda: len(self.sessions()) == alive, "the dead one's sessions are told of")

    def test_a_reset_and_no_end(self) -> None:
        """A client whose worker is killed does not take what it has for all."""
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        before = self.workers()
        for index in before:
            self.kill(index)
        with self.assertRaises(ConnectionResetError):
            ours.recv(1)
        for index, process in before.items():
            self.again(index, process)

    def test_half_open(self) -> None:
        """Connections whose handshake is not over when their worker dies are made all the same."""
        rule = ("tcp", "flags", "&", "(syn|ack)", "==", "ack", "drop")
        nft = ("nft", "add")
        self.client.run(*nft, "table", "ip", "hold")
        chain = "{ type filter hook output priority 0; }"
        self.client.run(*nft, "chain", "ip", "hold", "out", chain)
        self.client.run(*nft, "rule", "ip", "hold", "out", *rule)
        before = self.workers()
        try:
            sockets = [self.open(host) for host in CLIENTS[:20]]
            for index in before:
                self.kill(index)
            for index, process in before.items():
                self.again(index, process)
        finally:
            self.client.run("nft", "delete", "table", "ip", "hold")
        self.assertEqual([self.echoed(ours) for ours in sockets], [True] * 20)

    def test_again_and_again(self) -> None:
        """A worker that dies all the time gets nobody, for a while; the others have them all."""
        for _ in range(20):
            self.wait(lambda: 0 in self.workers() or self.resting(), "it does not come", 20)
            process = self.workers().get(0)
            if process is None or self.resting():
                break
            os.kill(process, signal.SIGKILL)
            self.wait(lambda p=process: self.workers().get(0) != p, "it lives", 20)
        self.wait(self.resting, "it is tried all the time")
        sockets = [self.open(host) for host in CLIENTS]
        self.assertEqual([self.echoed(ours) for ours in sockets], [True] * len(sockets))
        self.assertEqual(len({self.column(ours) for ours in sockets}), 1)
        self.wait(self.answers, "it is not tried again", 30)

    def resting(self) -> bool:
        return "worker 0 dies again and again" in self.scene.daemon.said


class HangTests(WorkersCase):
    """A worker that does nothing any more."""

    gateway = "[workers]\ncount = 2\nsilent_seconds = 5\n"

    def test_hangs(self) -> None:
        """A worker that does not answer is replaced; who waited for it is answered then."""
        process = self.workers()[1]
        self.kill(1, signal.SIGSTOP)
        sockets = [self.open(host) for host in CLIENTS]
        self.assertEqual([self.echoed(ours) for ours in sockets], [True] * len(sockets))
        self.again(1, process)
        self.assertIn("worker 1 (process", self.scene.daemon.said)
        self.assertIn("has not answered", self.scene.daemon.said)


class OrphanTests(WorkersCase):
    """A supervisor that is killed."""

    fresh = True

    def test_nobody_answers(self) -> None:
        """Nobody answers under the old policy; the next start is as any other."""
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        self.scene.daemon.kill()
        self.wait(lambda: self.refused(CLIENTS[1]), "somebody still answers")
        for host in CLIENTS[:10]:
            self.assertTrue(self.refused(host))
        self.scene.daemon.start()
        self.assertTrue(self.echoed(self.open(CLIENTS[1])))
        self.wait(lambda: len(self.workers()) == 2, "the old ones do not go", 30)

    def refused(self, host: str) -> bool:
        ours = self.client.socket()
        self.addCleanup(ours.close)
        ours.settimeout(0.3)
        ours.bind((host, 0))
        try:
            ours.connect((SERVER, ECHO))
        except OSError:
            return True
        return not self.echoed(ours)

    def test_origins_killed(self) -> None:
        """
        When the processes are killed that workers come from, everything goes on, and a worker that
        dies is replaced.
        """
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        for process in self.called("tproxygw-nurse") + self.called("tproxygw-seed"):
            os.kill(process, signal.SIGKILL)
        self.assertTrue(self.echoed(ours))
        process = self.workers()[0]
        self.kill(0)
        self.again(0, process)
        self.assertTrue(self.echoed(self.open(CLIENTS[2])))


LIMITED = RELAY + "[limits]\nsessions_per_client = 5\n"
LIMITED_UDP = RELAY_UDP + "[limits]\nsessions_per_client = 5\n"


class LimitTests(WorkersCase):
    """Limits, when any worker may get any connection."""

    services = {"relay": LIMITED, "datagrams": LIMITED_UDP}
    gateway = '[workers]\ncount = 2\nsteer = "connection"\n'

    def test_streams(self) -> None:
        """Five are five, whoever has them, over IPv4 and IPv6."""
        for host in (CLIENTS[0], CLIENT6):
            self.assertFive(host, [self.open(host) for _ in range(24)])

    def assertFive(self, host: str, sockets: list[socket.socket]) -> None:
        """Not more of these have a session, and in all one more can't have one."""
        answered = sum(map(self.echoed, sockets))
        self.assertLessEqual(answered, 5)
        # of two who race for the last place both may be refused
        more = [self.open(host) for _ in range(answered, 5)]
        self.assertTrue(all(map(self.echoed, more)))
        self.assertFalse(self.echoed(self.open(host)))

    def test_both(self) -> None:
        """Both workers have some of one client."""
        columns = set()
        for _ in range(12):
            ours = self.open(CLIENTS[9])
            self.assertTrue(self.echoed(ours))
            columns.add(self.column(ours))
            ours.close()
            self.wait(lambda: not self.of(CLIENTS[9]), "it does not end")
        self.assertEqual(len(columns), 2)

    def of(self, host: str) -> list[int]:
        running = self.sessions().values()
        return [row["id"] for row in running if row["client"]["ip"] == host]

    def test_datagrams(self) -> None:
        """And five sessions of datagrams, of twenty."""
        sockets = [self.datagrams(self.client, CLIENTS[1]) for _ in range(20)]
        for ours in sockets:
            ours.sendto(b"hello", (SERVER, ECHO))
        self.wait(lambda: self.refused() + len(self.answered(sockets)) >= 20, "no word", 20)
        self.assertIn(len(self.answered(sockets)), (4, 5))  # as above

    def answered(self, sockets: list[socket.socket]) -> list[socket.socket]:
        """Those that have something to read."""
        return select.select(sockets, [], [], 0)[0]

    def refused(self) -> int:
        """How many datagrams of that client are recorded as refused."""
        return sum(
            one["event_type"] == "flow"
            and one["proto"] == "UDP"
            and one["gateway"]["verdict"] == "denied"
            and one["src_ip"] == CLIENTS[1]
            for one in self.scene.records()
        )

    def test_a_dead_worker_has_none(self) -> None:
        """What a dead worker had does not count any more."""
        sockets = [self.open(CLIENTS[2]) for _ in range(5)]
        self.assertTrue(all(map(self.echoed, sockets)))
        before = self.workers()
        for index in before:
            self.kill(index)
        for index, process in before.items():
            self.again(index, process)
        self.assertFive(CLIENTS[2], [self.open(CLIENTS[2]) for _ in range(12)])


class RefusedTests(WorkersCase):
    """Connections that became no session, when any worker may get any of them."""

    services: ClassVar = {"relay": RELAY + "[limits]\nsessions_per_client = 1\n"}

    def begin(self) -> None:
        self.scene.configure(
            self.services,
            '[workers]\ncount = 2\nsteer = "connection"\n'
            f'[audit]\nfile = "{self.scene.audit}"\nrefused_per_minute = 6\n',
        )
        self.scene.daemon.start()

    def test_recorded(self) -> None:
        """So many of a kind are recorded in a minute, and not so many by each worker."""
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        refused = [self.echoed(self.open(CLIENTS[0])) for _ in range(40)]
        self.assertEqual(refused, [False] * 40)
        ours.close()
        self.assertTrue(self.scene.daemon.stop())
        self.assertEqual(sum(map(self.is_denied, self.scene.records())), 6)
        left = [one["audit"] for one in self.scene.records() if "refused" in one.get("audit", {})]
        self.assertEqual(sum(one["refused"] for one in left), 34)

    def is_denied(self, record: dict[str, Any]) -> bool:
        return record["event_type"] == "flow" and record["gateway"]["verdict"] == "denied"


class PrivilegeTests(WorkersCase):
    """What processes may."""

    def test_workers(self) -> None:
        """Workers, and those they come from, have the two capabilities of traffic and no more."""
        processes = [*self.workers().values(), *self.called("tproxygw-seed")]
        processes += self.called("tproxygw-nurse")
        self.assertEqual(len(processes), 4)
        for process in processes:
            status = Path(f"/proc/{process}/status").read_text().splitlines()
            sets = {line.split()[0]: int(line.split()[1], 16) for line in status if "Cap" in line}
            self.assertEqual({sets["CapEff:"], sets["CapPrm:"]}, {KEPT})

    def test_apart(self) -> None:
        """No two of them share what a reactor waits with, nor the ends of each other's links."""
        one, other = self.workers().values()
        (nursery,) = self.called("tproxygw-nurse")
        unix = set(Path("/proc/net/unix").read_text().split())
        for first, second in ((one, other), (one, nursery), (other, nursery)):
            ours, theirs = self.held(first), self.held(second)
            common = set(ours.values()) & set(theirs.values())
            self.assertFalse({name for name in common if name[len("socket:[") : -1] in unix})
            waits = [
                (one, other)
                for one, name in ours.items()
                for other, same in theirs.items()
                if name == same == "anon_inode:[eventpoll]"
            ]
            self.assertFalse([pair for pair in waits if is_same(first, second, *pair)])
        self.assertIn("anon_inode:[eventpoll]", self.held(one).values())

    def held(self, process: int) -> dict[int, str]:
        """The descriptors of a process, and what they are."""
        found = {}
        for number in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[int(number.name)] = str(number.readlink())
        return found


class ReloadTests(WorkersCase):
    """A new policy, for all workers at once."""

    fresh = True

    def test_all_of_them(self) -> None:
        """Who comes after a reload gets the new policy, from both; who was there goes on."""
        sockets = [self.open(host) for host in CLIENTS]
        self.assertTrue(all(map(self.echoed, sockets)))
        self.scene.configure(
            {"relay": 'action = "deny"\n[[rule]]\nfrom = ["10.1.3.0/25"]\n', "other": RELAY},
            self.gateway,
        )
        self.scene.reload(RELOADED)
        later = [self.open(host) for host in CLIENTS]
        self.assertEqual({self.echoed(ours) for ours in later}, {False})
        self.assertEqual({self.echoed(ours) for ours in sockets}, {True})
        self.scene.configure(self.services, self.gateway)
        self.scene.reload(RELOADED)
        again = [self.open(host) for host in CLIENTS]
        self.assertEqual({self.echoed(ours) for ours in again}, {True})
        for ours in (*sockets, *again):
            ours.close()
        self.wait(lambda: len(self.workers()) == 2, "the old ones stay", 30)
        ended = [one for one in self.scene.records() if "ended" in one.get("audit", {})]
        self.assertEqual(ended, [])

    def test_what_rules_brought(self) -> None:
        """What each rule has brought is still known when those workers are gone that saw it."""
        for host in CLIENTS[:12]:
            with self.open(host) as ours:
                self.assertTrue(self.echoed(ours))
        self.assertEqual(self.brought(), {"relay": 12, "datagrams": 0})
        before = set(self.workers().values())
        self.scene.reload(RELOADED)
        self.wait(lambda: not before & set(self.called_workers()), "the old ones stay", 30)
        self.assertEqual(self.brought(), {"relay": 12, "datagrams": 0})

    def brought(self) -> dict[str, int]:
        """The sessions of each service's rule."""
        with Client(self.scene.daemon.control) as control:
            rules = control.ask("rules")["rules"]
        return {each["service"]: each["sessions"] for each in rules}

    def called_workers(self) -> list[int]:
        """The processes of all workers, former ones too."""
        return [each for index in range(4) for each in self.called(f"tproxygw-w{index}")]

    def test_more_than_can_be_counted(self) -> None:
        """Many more sessions than the table has room for need a restart, which is said."""
        for sessions, words in ((80_000, RELOADED), (1_000_000, "limits.sessions: a reload can't")):
            limits = f"[limits]\nsessions = {sessions}\n"
            self.scene.configure(self.services, self.gateway + limits)
            self.scene.reload(words)
        self.assertIn("gateway.toml:6:1: limits.sessions", self.scene.daemon.said)
        self.assertTrue(self.echoed(self.open(CLIENTS[0])))

    def test_former(self) -> None:
        """Of more former generations than may be the oldest one's sessions are ended."""
        self.scene.configure(self.services, self.gateway + "former = 1\n")
        first = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(first))
        self.scene.reload(RELOADED)
        second = self.open(CLIENTS[0])
        self.assertEqual((self.echoed(first), self.echoed(second)), (True, True))
        self.scene.reload(RELOADED)
        self.assertEqual((self.echoed(first), self.echoed(second)), (False, True))
        record = self.flow(first.getsockname()[:2])
        self.assertEqual(record["gateway"]["verdict"], "closed")
        self.wait(lambda: len(self.called("tproxygw-nurse")) == 2, "the first one stays", 20)

    def test_broken(self) -> None:
        """A broken policy changes nothing."""
        before = self.workers()
        self.scene.configure({"relay": RELAY.replace("relay", "rellay")}, self.gateway)
        self.scene.reload("not reloaded")
        self.assertEqual(self.workers(), before)
        self.assertTrue(self.echoed(self.open(CLIENTS[0])))

    def test_stopped(self) -> None:
        """A stop that begins while a policy is loaded is one: there are no workers for that."""
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        (seed,) = self.called("tproxygw-seed")
        os.kill(seed, signal.SIGSTOP)  # the policy is not loaded before it goes on
        self.scene.daemon.signal(signal.SIGHUP)
        self.scene.daemon.signal(signal.SIGTERM)
        self.wait(lambda: "sessions have" in self.scene.daemon.said, "it does not stop", 20)
        os.kill(seed, signal.SIGCONT)
        self.wait(lambda: "the gateway stops" in self.scene.daemon.said, "it is reloaded", 20)
        ours.close()
        self.wait(lambda: self.scene.daemon.ended, "it does not end", 20)
        self.wait(lambda: not self.router.processes(), "somebody is left", 20)
        self.assertNotIn(RELOADED, self.scene.daemon.said)
        self.assertNotIn("Traceback", self.scene.daemon.said)

    def test_stopped_afterwards(self) -> None:
        """A stop with workers of a former policy is as any other."""
        self.scene.configure(self.services, self.gateway + "[limits]\nstop_seconds = 1\n")
        self.assertTrue(self.echoed(self.open(CLIENTS[0])))
        self.scene.reload(RELOADED)
        self.scene.daemon.signal(signal.SIGTERM)
        self.wait(lambda: self.scene.daemon.ended, "it does not end", 20)
        self.assertNotIn("Traceback", self.scene.daemon.said)


def is_same(one: int, other: int, first: int, second: int) -> bool:
    """Whether two processes' descriptors are the same open file: kcmp(2)."""
    return ctypes.CDLL(None).syscall(KCMP, one, other, 0, first, second) == 0


def _told(one: dict[str, object]) -> tuple[object, ...]:
    return one["ended"], one["reason"], one["sessions"]
