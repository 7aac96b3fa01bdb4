"""What a reload moves while traffic goes on: ports, marks, tables, and where is told of it."""

from __future__ import annotations

import json
import socket
from time import monotonic
from typing import Any, ClassVar

from gateway.control.client import Client
from gateway.life import linger
from tests.netns.case import CLIENT, RELAY, RELAY_UDP, SERVER, hear
from tests.netns.probes import SERVICE, Outcome
from tests.netns.test_restart import RestartCase

DIVERTS = (
    'port = 50180\nmark = "0x10/0x10"\ntable = 110\n',
    'port = 50090\nmark = "0x300/0x300"\nrule_priority = 500\n',
    'port = 50090\nmark = "0x300/0x300"\ntable = 112\n',
    'port = 50180\nmark = "0x1/0x1"\nbackend = "iptables"\n',
    'port = 50280\nmark = "0x10/0x10"\nbackend = "iptables"\n',
    "",
)
"""What the divert becomes, one after the other."""


class MovingCase(RestartCase):
    """A gateway that is told to be elsewhere, while clients come without a pause."""

    services: ClassVar = {"probe": SERVICE, "relay": RELAY, "datagrams": RELAY_UDP}
    workers = ""

    def begin(self) -> None:
        self.configure("")
        self.scene.daemon.start()

    def configure(self, gateway: str) -> None:
        self.scene.configure(self.services, gateway + self.workers)

    def ask(self, what: str) -> dict[str, Any]:
        with Client(self.scene.daemon.control) as control:
            return control.ask(what)

    def reload(self, gateway: str) -> str:
        """Reload with that; tells what is wrong."""
        self.configure(gateway)
        return str(self.ask("reload")["problem"])

    def assertGoesOn(self, ours: socket.socket, theirs: socket.socket) -> None:
        """A session that was there is there."""
        for one, other in ((ours, theirs), (theirs, ours)):
            one.sendall(b"1")
            self.assertEqual(hear(other, 1), b"1")


class OneProcessTests(MovingCase):
    """Everything in one process."""

    def test_divert(self) -> None:
        """
        Port, mark, table, priority and packet filter change again and again: every client is
        inspected, none is refused or has to wait, and a session that was there goes on.
        """
        ours, theirs, _ = self.pair()
        probes, before = self.probes(), self.installed()
        for divert in DIVERTS:
            self.assertEqual(self.reload(divert), "", divert)
            after = monotonic()
            self.wait(lambda t=after: probes.since(t) > 100, "too few come", 30)
            self.assertGoesOn(ours, theirs)
        probes.stop()
        self.assertEqual(probes.reached, [])
        self.assertEqual(probes.count(Outcome.INSPECTED), len(probes.all))
        self.assertEqual(self.installed(), before)

    def installed(self) -> list[str]:
        """Tables, rules and routes, but for the rules' places."""
        tables = self.router.run("nft", "list", "tables").splitlines()
        rules = self.router.run("ip", "rule").splitlines()
        routes = self.router.run("ip", "route", "show", "table", "all").splitlines()
        return sorted(
            [
                *(line for line in tables if "tproxygw_5" in line),
                *(line.partition(":")[2] for line in rules if "lookup" in line),
                *(line for line in routes if "local default" in line),
            ]
        )

    def test_half_open(self) -> None:
        """Who has begun before the port changed, and answers after that, is inspected."""
        nft = ("nft", "add")
        self.client.run(*nft, "table", "ip", "hold")
        self.client.run(
            *nft, "chain", "ip", "hold", "out", "{ type filter hook output priority 0; }"
        )
        listener = self.listen()
        where = listener.getsockname()[:2]
        self.client.run(
            *(*nft, "rule", "ip", "hold", "out"),
            *("tcp", "dport", str(where[1]), "tcp", "flags", "&", "(syn|ack)", "==", "ack", "drop"),
        )
        sockets = [self.dial(where) for _ in range(20)]
        self.assertEqual(self.reload("port = 50180\n"), "")
        self.client.run("nft", "delete", "table", "ip", "hold")
        for ours in sockets:
            ours.sendall(b"hello")
        for _ in sockets:
            theirs, _ = self.accept(listener)
            self.assertEqual(hear(theirs, 5), b"hello")

    def test_datagrams(self) -> None:
        """Datagrams of a session that was there go on, and others come."""
        theirs = self.datagrams(self.server, SERVER)
        where = theirs.getsockname()[:2]
        first = self.datagrams(self.client, CLIENT)
        for divert in DIVERTS:
            for ours in (first, self.datagrams(self.client, CLIENT)):
                ours.sendto(b"hello", where)
                said, peer = theirs.recvfrom(100)
                self.assertEqual((said, peer), (b"hello", ours.getsockname()[:2]))
                theirs.sendto(b"yes", peer)
                self.assertEqual(ours.recvfrom(100)[0], b"yes")
            self.assertEqual(self.reload(divert), "", divert)

    def test_given_up(self) -> None:
        """The former port is free for others after a while, and not before."""
        self.assertEqual(self.reload("port = 50180\n"), "")
        self.assertTrue(self.is_taken(50080))
        self.wait(lambda: not self.is_taken(50080), "it stays", linger.SECONDS + 10)
        self.assertEqual(self.reload(""), "")
        self.assertEqual(self.inspected(), [Outcome.INSPECTED])

    def is_taken(self, port: int) -> bool:
        with self.router.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                other.bind(("0.0.0.0", port))
                other.listen()
            except OSError:
                return True
        return False

    def inspected(self) -> list[Outcome]:
        """What becomes of clients who come now."""
        probes = self.probes()
        after = monotonic()
        self.wait(lambda: probes.since(after) > 20, "too few come", 30)
        probes.stop()
        return list({one.outcome for one in probes.all})

    def test_refused(self) -> None:
        """
        What can't be had, or can't change, is said with file and line, what to do; all stays.
        """
        ours, theirs, _ = self.pair()
        other = self.listen(50180, "0.0.0.0", self.router)
        rules = self.rules()
        for gateway, words in (
            ("port = 50180\n", ("50180", "already in use")),
            ('listener_mark = "0x20/0x20"\n', ("gateway.toml:3:", "divert.listener_mark")),
            ('\nupstream_mark = "0x40/0x40"\n', ("gateway.toml:4:", "restart, or set it back")),
            ('[metrics]\nlisten = "127.0.0.1:50180"\n', ("metrics.listen", "already in use")),
            ('[audit]\nfile = "/nowhere/eve.json"\n', ("/nowhere", "mkdir")),
            ('[control]\ngroup = "nonesuch"\n', ('"nonesuch"', "group")),
            ("port = 50280\n[audit]\nfile = '/nowhere/eve.json'\n", ("/nowhere",)),
        ):
            problem = self.reload(gateway)
            for word in words:
                self.assertIn(word.lower(), problem.lower().replace("'", '"'))
            self.assertGoesOn(ours, theirs)
            self.assertEqual(self.rules(), rules)
        other.close()
        self.assertFalse(self.is_taken(50280))
        self.assertEqual(self.reload(""), "")
        self.assertEqual(self.inspected(), [Outcome.INSPECTED])

    def rules(self) -> str:
        return self.router.run("nft", "-s", "list", "table", "inet", "tproxygw_50080")

    def test_between_interfaces(self) -> None:
        """
        A port that was for one interface's connections is not for another one's at once: which
        is said; at other ports there is no doubt.
        """
        named = 'interfaces = ["lan0"]\n'
        self.services = {**self.services, "probe": SERVICE + named}
        self.assertEqual(self.reload(""), "")
        self.services = {**self.services, "relay": RELAY + 'interfaces = ["lan0", "eth7"]\n'}
        both = 'interfaces = ["lan0", "eth7"]\n'
        self.assertIn("choose another divert.port", self.reload(both))
        self.assertIn("choose another divert.port", self.reload(both + "port = 50081\n"))
        self.assertEqual(self.reload(both + "port = 50180\n"), "")
        self.assertEqual(self.inspected(), [Outcome.INSPECTED])

    def test_told_elsewhere(self) -> None:
        """
        The audit has each session in one of its files, metrics are at the new place and no more at
        the former one, and the control socket has the new mode.
        """
        files = [self.scene.folder / name for name in ("one.json", "two.json")]
        clients = []
        for number, file in enumerate(files):
            ours, theirs, _ = self.pair()
            self.assertEqual(
                self.reload(
                    f'[audit]\nfile = "{file}"\n[metrics]\nlisten = "127.0.0.1:{9180 + number}"\n'
                    f'[control]\nmode = "06{number}0"\n'
                ),
                "",
            )
            clients.append(ours.getsockname()[1])
            ours.close()
            theirs.close()
            self.wait(lambda f=file, c=clients[-1]: c in self.flows_in(f), "no record")
        self.assertEqual([self.flows_in(file) for file in files], [[each] for each in clients])
        scraped = self.router.run("curl", "-sS", "http://127.0.0.1:9181/metrics")
        self.assertIn("tproxygw_sessions_total", scraped)
        self.assertFalse(self.is_taken(9180))
        self.assertEqual(self.scene.daemon.control.stat().st_mode & 0o777, 0o610)

    def flows_in(self, file: Any) -> list[int]:
        """The clients' ports in the flow records there."""
        records = [json.loads(line) for line in file.read_text().splitlines()]
        return [one["src_port"] for one in records if one["event_type"] == "flow"]


class WorkersTests(OneProcessTests):
    """Two workers, of which any may get a connection."""

    workers = '[workers]\ncount = 2\nsteer = "connection"\n'

    def test_number(self) -> None:
        """The number of workers changes: nobody is refused, nor waits where nobody is any more."""
        ours, theirs, _ = self.pair()
        probes = self.probes()
        for count, port in ((4, 50080), (2, 50080), (3, 50180)):
            self.workers = f'[workers]\ncount = {count}\nsteer = "connection"\n'
            self.assertEqual(self.reload(f"port = {port}\n"), "")
            after = monotonic()
            self.wait(lambda t=after: probes.since(t) > 100, "too few come", 30)
            self.assertGoesOn(ours, theirs)
            # the supervisor is one of them; a former one has the session
            self.assertIn(len(self.ask("status")["workers"]) - count, (1, 2, 3))
        probes.stop()
        self.assertEqual(probes.count(Outcome.INSPECTED), len(probes.all))
