"""The operator looks into a gateway that runs, and takes part."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import termios
from typing import IO, Any

from tests.netns.case import CLIENT, RELAY, RELAY_UDP, SERVER, SERVER6, SceneCase, hear
from tests.netns.commands import TPROXYGW, command

NOBODY = 65534
DAEMON = 1
"""Users that every Debian has: two who are not root, and who have groups of their own."""


class ControlCase(SceneCase):
    """Sessions between a client and a server whose hands the test has, and commands."""

    services = {"relay": RELAY, "datagrams": RELAY_UDP}

    def tproxygw(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return command(self.router, *arguments, "--control", str(self.scene.daemon.control))

    def ask(self, *arguments: str) -> Any:
        """What a command answers to programs."""
        done = self.tproxygw(*arguments, "--json")
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def pair(
        self, host: str = SERVER, source: tuple[str, int] | None = None
    ) -> tuple[socket.socket, socket.socket]:
        """A session: the client's socket, and the server's."""
        listener = self.listen(host=host)
        ours = self.dial(listener.getsockname()[:2], source)
        theirs, _ = self.accept(listener)
        return ours, theirs

    def number(self, ours: socket.socket) -> int:
        """The session of a client's socket."""
        host, port = ours.getsockname()[:2]
        (number,) = [
            row["id"]
            for row in self.ask("sessions", "--client", host)["sessions"]
            if row["client"]["port"] == port
        ]
        return int(number)

    def assertReset(self, ours: socket.socket) -> None:
        self.assertRaises(ConnectionResetError, ours.recv, 1)


class ControlTests(ControlCase):
    """With a relay."""

    def test_session(self) -> None:
        """A session appears, tells its story, is killed, and both peers and the record say so."""
        ours, theirs = self.pair(source=(CLIENT, 0))
        ours.sendall(b"x" * 100)
        self.assertEqual(len(hear(theirs, 100)), 100)
        number = self.number(ours)
        story = self.ask("show", str(number))
        self.assertEqual(story["client"], {"ip": CLIENT, "port": ours.getsockname()[1]})
        self.assertEqual(story["state"], "open")
        self.assertEqual(story["bytes"], {"to_server": 100, "to_client": 0})
        self.assertEqual(story["rule"]["place"], "services/relay.toml:3")
        self.assertEqual(story["legs"]["server"]["own"]["port"], ours.getsockname()[1])
        self.assertEqual(story["inspector"]["name"], "relay")
        told = self.tproxygw("show", str(number))
        self.assertIn("waits for the client, to say something", told.stdout)
        self.assertIn("no other rule matches", told.stdout)
        killed = self.tproxygw("kill", str(number), "--why", "ticket 7")
        self.assertEqual((killed.returncode, killed.stdout), (0, "1 session ended.\n"))
        self.assertReset(ours)
        self.assertReset(theirs)
        flow = self.flow(ours.getsockname()[:2])
        self.assertEqual(flow["gateway"]["verdict"], "closed")
        self.assertEqual(flow["gateway"]["reason"], "killed by root (uid 0): ticket 7")
        self.assertEqual(self.tproxygw("show", str(number)).returncode, 1)
        self.assertEqual(self.tproxygw("kill", str(number)).returncode, 1)

    def test_families(self) -> None:
        """IPv6 and UDP are listed, shown and killed in the same way."""
        ours, theirs = self.pair(SERVER6)
        self.assertEqual(self.ask("show", str(self.number(ours)))["server"]["ip"], SERVER6)
        datagrams = self.server.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        datagrams.bind((SERVER, 0))
        datagrams.settimeout(5)
        asking = self.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(asking.close)
        asking.connect(datagrams.getsockname())
        asking.send(b"hello")
        self.assertEqual(datagrams.recv(10), b"hello")
        (row,) = self.ask("sessions", "--protocol", "udp")["sessions"]
        self.assertEqual((row["service"], row["bytes"]["to_server"]), ("datagrams", 5))
        self.assertEqual(self.tproxygw("kill", "--protocol", "udp").returncode, 0)
        self.assertEqual(self.ask("sessions", "--protocol", "udp")["found"], 0)
        self.assertEqual(self.tproxygw("kill", "--server", SERVER6).returncode, 0)
        self.assertReset(ours)
        self.assertReset(theirs)

    def test_top(self) -> None:
        """On a terminal, the busiest sessions; keys sort, and end it."""
        ours, _ = self.pair()
        ours.sendall(b"x" * 100)
        address = ("--control", str(self.scene.daemon.control))
        program = (*self.router.prefix, TPROXYGW, "top", *address, "--every", "0.5")
        shown = on_terminal(program, b"bq")
        self.assertIn("match, by bytes", shown)
        self.assertIn(f"{CLIENT}:{ours.getsockname()[1]}", shown)

    def test_status(self) -> None:
        """The status says that the gateway inspects, and how many sessions there are."""
        self.pair()
        answer = self.ask("status")
        self.assertEqual((answer["state"], answer["divert"]["installed"]), ("running", True))
        self.assertGreaterEqual(answer["sessions"]["running"], 1)
        done = self.tproxygw("status")
        self.assertEqual(done.returncode, 0)
        self.assertIn("divert", done.stdout)

    def test_events(self) -> None:
        """Records are told as they are written, those that match; the command ends when asked."""
        address = str(self.scene.daemon.control)
        events = self.router.start(
            *(TPROXYGW, "events", "--control", address, "--type", "flow", "--count", "1"),
            *("--json", "--client", "10.1.0.0/16"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(events.kill)
        # it follows as soon as it is connected, which the number of conversations does not tell
        self.wait(lambda: self.one_session_ended() and _has_said(events), "no event")
        said, _ = events.communicate(timeout=20)
        record = json.loads(said)
        self.assertEqual((record["event_type"], record["gateway"]["service"]), ("flow", "relay"))
        self.assertEqual(events.returncode, 0)

    def one_session_ended(self) -> bool:
        ours, theirs = self.pair()
        ours.close()
        theirs.close()
        return True

    def test_readers(self) -> None:
        """Who is nobody can't ask; there is no way to change something without the right to."""
        done = self.as_user(NOBODY, NOBODY, "status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)

    def as_user(self, uid: int, gid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command by somebody else."""
        return command(
            self.router,
            *(f"--reuid={uid}", f"--regid={gid}", "--clear-groups", TPROXYGW, *arguments),
            *("--control", str(self.scene.daemon.control)),
            program="setpriv",
        )

    def test_log_level(self) -> None:
        """Messages below the level that was asked for are logged no more."""
        self.assertEqual(self.tproxygw("log", "level").stdout, "info\n")
        self.assertEqual(self.tproxygw("log", "level", "error").stdout, "error\n")
        before = self.scene.daemon.said.count("reloaded")
        self.tproxygw("reload")
        self.assertEqual(self.scene.daemon.said.count("reloaded"), before)
        self.tproxygw("log", "level", "info")
        self.tproxygw("reload")
        self.assertEqual(self.scene.daemon.said.count("reloaded"), before + 1)


def on_terminal(program: tuple[str, ...], keys: bytes) -> str:
    """What a program shows on a terminal, whose user presses one key after the other."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 200))
    process = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    for key in (*keys, None):
        seen = len(shown)
        while len(shown) == seen or key is None:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # EIO: it has ended
                break
        if key is not None:
            os.write(ours, bytes((key,)))
    os.close(ours)
    process.wait(20)
    return shown.decode(errors="replace")


def _has_said(events: subprocess.Popen[bytes]) -> bool:
    return events.poll() is not None


class CountersTests(ControlCase):
    """C{tproxygw rules --counters}"""

    fresh = True
    services = {
        "relay": RELAY + "ports = [8001]\n",
        "never": RELAY + "ports = [8002]\n",
        "closed": 'action = "deny"\n[[rule]]\nfrom = ["office"]\nports = [8003]\n',
        "open": 'action = "forward"\n[[rule]]\nfrom = ["office"]\nports = [8004]\n',
    }

    def test_counters(self) -> None:
        """What each rule has brought, here and in the kernel; and those that brought nothing."""
        listener = self.listen(8001)
        for _ in range(2):
            self.dial(listener.getsockname())
            self.accept(listener)
        self.assertRaises(ConnectionRefusedError, self.dial, (SERVER, 8003))
        self.assertRaises(ConnectionRefusedError, self.dial, (SERVER, 8004))
        answer = self.ask("rules", "--counters")
        sessions = {each["service"]: each["sessions"] for each in answer["rules"]}
        packets = {each["service"]: each["packets"] for each in answer["rules"]}
        self.assertEqual(sessions, {"relay": 2, "never": 0, "closed": None, "open": None})
        self.assertEqual((packets["closed"], packets["open"]), (1, 1))
        # each rule that inspects is probed
        self.assertEqual(packets["relay"] - packets["never"], 2)
        unused = self.tproxygw("rules", "--counters", "--unused").stdout.splitlines()
        self.assertEqual([line.split("\t")[1] for line in unused], ["never"])


class WorkersTests(ControlCase):
    """Several workers are one gateway to who asks."""

    fresh = True
    gateway = '[workers]\ncount = 2\nsteer = "connection"\n'

    def test_one_gateway(self) -> None:
        """All sessions are listed, shown and killed, whoever has them; records are followed."""
        pairs = [self.pair() for _ in range(12)]
        answer = self.ask("sessions")
        self.assertEqual((answer["running"], answer["found"]), (12, 12))
        numbers = [row["id"] for row in answer["sessions"]]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(self.ask("status")["sessions"]["running"], 12)
        workers = self.ask("status")["workers"]
        self.assertEqual(sum(each["running"] for each in workers), 12)
        self.assertGreaterEqual(len({each["pid"] for each in workers}), 2)
        self.assertEqual([self.ask("show", str(each))["id"] for each in numbers], numbers)
        rules = self.ask("rules", "--counters")["rules"]
        self.assertEqual({each["service"]: each["sessions"] for each in rules}["relay"], 12)
        told = self.follow(type="flow")
        self.assertEqual(
            self.tproxygw("drain", "--no-wait").stdout, "Accepts no more; 12 sessions left.\n"
        )
        self.assertEqual(self.tproxygw("kill", "--all").stdout, "12 sessions ended.\n")
        for ends in pairs:
            for end in ends:
                self.assertReset(end)
        records = [json.loads(told.readline())["record"] for _ in numbers]
        self.assertEqual(sorted(each["flow_id"] for each in records), numbers)
        reasons = {each["gateway"]["reason"] for each in records}
        self.assertEqual(reasons, {"killed by root (uid 0)"})

    def follow(self, **filters: str) -> IO[bytes]:
        """What is told of the records, from now on."""
        ours = socket.socket(socket.AF_UNIX)
        self.addCleanup(ours.close)
        ours.settimeout(20)
        ours.connect(str(self.scene.daemon.control))
        ours.sendall(json.dumps({"ask": "follow", **filters}).encode() + b"\n")
        told = ours.makefile("rb")
        self.addCleanup(told.close)
        self.assertTrue(json.loads(told.readline())["following"])
        return told


class GroupTests(ControlCase):
    """Groups: who may look, and who may change something."""

    gateway = '[control]\ngroup = "daemon"\noperators = "bin"\n'

    as_user = ControlTests.as_user

    def test_groups(self) -> None:
        """A reader sees what runs and can't end it; an operator can."""
        ours, _ = self.pair()
        number = str(self.number(ours))
        self.assertEqual(self.as_user(NOBODY, DAEMON, "sessions").returncode, 0)
        done = self.as_user(NOBODY, DAEMON, "kill", number)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody (uid 65534) may look, and not change anything", done.stderr)
        done = self.as_user(NOBODY, DAEMON, "reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("may look", done.stderr)
        done = command(
            self.router,
            *(f"--reuid={NOBODY}", f"--regid={DAEMON}", "--groups=2", TPROXYGW, "kill", number),
            *("--control", str(self.scene.daemon.control)),
            program="setpriv",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertReset(ours)
        reason = self.flow(ours.getsockname()[:2])["gateway"]["reason"]
        self.assertEqual(reason, "killed by nobody (uid 65534)")


class DrainTests(ControlCase):
    """C{tproxygw drain}"""

    fresh = True

    def test_drain(self) -> None:
        """What runs goes on, what is new waits; it is served when the drain is taken back."""
        ours, theirs = self.pair()
        done = self.tproxygw("drain", "--seconds", "0")
        self.assertEqual((done.returncode, done.stdout), (1, "1 session left.\n"))
        self.assertEqual(self.ask("status")["state"], "draining")
        ours.sendall(b"still")
        self.assertEqual(hear(theirs, 5), b"still")
        listener = self.listen()
        waiting = self.dial(listener.getsockname())
        self.assertQuiet(listener)
        ours.close()
        theirs.close()
        done = self.tproxygw("drain")
        self.assertEqual((done.returncode, done.stdout), (0, "No session is left.\n"))
        self.assertEqual(self.tproxygw("drain", "--end").returncode, 0)
        served, peer = self.accept(listener)
        self.assertEqual(peer, waiting.getsockname())
        served.close()


class KilledTests(ControlCase):
    """A gateway that was killed."""

    fresh = True

    def test_socket_is_replaced(self) -> None:
        """What it has left of its socket is replaced by the next one."""
        self.scene.daemon.kill()
        self.assertTrue(self.scene.daemon.control.is_socket())
        done = self.tproxygw("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is it running?", done.stderr)
        self.scene.daemon.start()
        self.assertEqual(self.ask("status")["state"], "running")
