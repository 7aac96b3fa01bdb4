"""The life of the gateway's process: crash, stop, reload, a second one, fewer privileges."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from time import monotonic

from gateway.lab.daemon import READY, TWISTD, Daemon
from gateway.lab.waiting import wait_until
from tests.netns.case import (
    CLIENT,
    QUIET,
    RELAY,
    RELAY_UDP,
    RELOADED,
    SERVER,
    SERVER6,
    SceneCase,
    hear,
    reset,
)
from tests.netns.probes import PORT, SERVICE, Probes

CAP_NET_BIND_SERVICE, CAP_NET_RAW = 10, 13
KEPT = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_NET_RAW
NOBODY = 65534

DENY = """
action = "deny"
[[rule]]
from = ["office"]
to = ["internet"]
"""


class LifeCase(SceneCase):
    """Each test has a gateway process of its own."""

    fresh = True
    services = {"relay": RELAY, "datagrams": RELAY_UDP}
    gateway = 'when_stopped = "pass"\n'

    def rules(self) -> str:
        """What is installed in the gateway's kernel: packet filter rules, routes by mark."""
        routes = self.router.run("ip", "route", "show", "table", "all")
        routes += self.router.run("ip", "-6", "route", "show", "table", "all")
        return "\n".join(
            (
                # what packets leave in sets is not of interest
                self.router.run("nft", "--stateless", "--terse", "list", "ruleset"),
                self.router.run("ip", "rule"),
                self.router.run("ip", "-6", "rule"),
                *(line for line in routes.splitlines() if "table 100" in line),
            )
        )

    def assertIntercepted(self) -> None:
        """A session works, and there is a record of it."""
        ours, theirs, peer = self.pair()
        self.assertEqual(peer, ours.getsockname())
        ours.sendall(b"hello")
        self.assertEqual(hear(theirs, 5), b"hello")
        ours.close()
        theirs.close()
        self.flow(peer)

    def assertBlocked(self) -> None:
        """Nothing of a connection reaches the server, over IPv4 and IPv6."""
        for host in (SERVER, SERVER6):
            listener = self.listen(host=host)
            with contextlib.suppress(OSError):
                self.dial(listener.getsockname()[:2], seconds=QUIET)
            self.assertQuiet(listener)


class CrashTests(LifeCase):
    """kill -9 (kernel.md row 1)."""

    def test_fails_closed(self) -> None:
        """With the gateway gone, nothing passes uninspected: neither connections nor datagrams."""
        self.assertIntercepted()
        self.scene.daemon.kill()
        self.assertBlocked()
        theirs = self.datagrams(self.server, SERVER)
        self.datagrams(self.client, CLIENT).sendto(b"x", theirs.getsockname())
        theirs.settimeout(QUIET)
        with self.assertRaises(TimeoutError):
            theirs.recv(100)

    def test_left_overs_are_replaced(self) -> None:
        """The next start takes over from a crash, and stops cleanly."""
        clean = self.clean()
        self.scene.daemon.kill()
        self.scene.daemon.start()
        self.assertIntercepted()
        self.assertTrue(self.scene.daemon.stop())
        self.assertEqual(self.rules(), clean)

    def clean(self) -> str:
        """The rules after a clean stop; then it runs again."""
        self.scene.daemon.stop()
        rules = self.rules()
        self.scene.daemon.start()
        return rules

    def test_every_process_killed(self) -> None:
        """Even if all of its processes are killed at once, it fails closed and starts again."""
        self.router.signal_programs(signal.SIGKILL)
        self.scene.daemon.kill()
        self.assertBlocked()
        self.scene.daemon.start()
        self.assertIntercepted()


class KeeperKilledTests(LifeCase):
    """kill -9 of the keeper."""

    gateway = '[metrics]\nlisten = "127.0.0.1:9180"\n'

    def test_comes_back(self) -> None:
        """It is started again: traffic, metrics, reload and the log are as they should be."""
        for process in self.keepers():
            self.assertIntercepted()
            os.kill(process, signal.SIGKILL)
            self.wait(lambda: "the keeper was killed" in self.scene.daemon.said, "not noticed")
            self.assertIntercepted()
            self.assertIn("tproxygw_divert_installed 1.0", self.scraped())
            self.assertNotIn("critical", self.scene.daemon.said)
            self.scene.reload(RELOADED)
            self.router.run("nft", "flush", "ruleset")
            self.assertIntercepted()

    def test_flushed_at_that_moment(self) -> None:
        """The rules that somebody flushes right then are back before long."""
        self.scene.configure(self.services, "owned = false\n" + self.gateway)
        self.scene.reload(RELOADED)
        os.kill(self.keepers()[-1], signal.SIGKILL)
        self.router.run("nft", "flush", "ruleset")
        self.wait(lambda: "tproxygw_50080" in self.rules(), "the router stays open")
        self.assertIntercepted()

    def test_all_killed(self) -> None:
        """If nobody of it is left, the gateway ends, so that it is started again; it is closed."""
        for process in self.keepers():
            os.kill(process, signal.SIGKILL)
        self.wait(lambda: self.scene.daemon.ended, "does not end", 20)
        self.assertIn("the gateway must be started again", self.scene.daemon.said)
        self.assertBlocked()
        self.scene.daemon.start()
        self.assertIntercepted()

    def keepers(self) -> list[int]:
        """The processes of the keeper, the supervisor first."""
        return sorted(
            process
            for process in self.router.processes()
            if b"gateway.kernel.keeper" in Path(f"/proc/{process}/cmdline").read_bytes()
        )

    def scraped(self) -> str:
        return self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics")


class RestoreTests(LifeCase):
    """Somebody else changes the packet filter."""

    gateway = "owned = false\n"

    def test_rules_removed(self) -> None:
        """If somebody flushes all rules, they are installed again, and the log says so."""
        self.router.run("nft", "flush", "ruleset")
        self.wait(lambda: "somebody removed" in self.scene.daemon.said, "nothing noticed", 20)
        self.assertIntercepted()


class MetricsTests(LifeCase):
    """The Prometheus endpoint."""

    gateway = '[metrics]\nlisten = "127.0.0.1:9180"\n'

    def test_served(self) -> None:
        """Sessions by service and verdict, and whether the rules are installed, can be scraped."""
        self.assertIntercepted()
        scraped = self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics").splitlines()
        found = [line for line in scraped if 'service="relay"' in line and "passed" in line]
        self.assertTrue(any(line.endswith(" 1.0") for line in found), scraped)


class PassCrashTests(LifeCase):
    """kill -9 where the operator chose to stay online."""

    gateway = 'when_down = "pass"\n'

    def test_passes(self) -> None:
        """Connections pass uninspected while the gateway is down, and are inspected again after."""
        self.assertIntercepted()
        self.scene.daemon.kill()
        ours, theirs, peer = self.pair()
        self.assertEqual(peer, ours.getsockname())
        ours.sendall(b"hello")
        self.assertEqual(hear(theirs, 5), b"hello")
        self.assertEqual(self.flows(peer), [])
        self.scene.daemon.start()
        self.assertIntercepted()


class IptablesCrashTests(CrashTests):
    """The same with iptables."""

    gateway = 'backend = "iptables"\nwhen_stopped = "pass"\n'

    def rules(self) -> str:
        return (
            super().rules() + self.router.run("iptables-save") + self.router.run("ip6tables-save")
        )

    def clean(self) -> str:
        return self.chains(super().clean())

    def chains(self, rules: str) -> str:
        """Empty tables and policies stay with iptables, and are harmless."""
        lines = rules.splitlines()
        return "\n".join(one for one in lines if one.startswith("-A") or "lookup" in one)

    def test_left_overs_are_replaced(self) -> None:
        """The next start takes over from a crash, and stops cleanly."""
        clean = self.clean()
        self.scene.daemon.kill()
        self.scene.daemon.start()
        self.assertIntercepted()
        self.assertTrue(self.scene.daemon.stop())
        self.assertEqual(self.chains(self.rules()), clean)


class StopTests(LifeCase):
    """SIGTERM."""

    started = False
    gateway = 'when_stopped = "pass"\n[limits]\nstop_seconds = 1.5\n'

    def test_nothing_is_left(self) -> None:
        """With when_stopped = "pass" no rule, route or process is left, and traffic flows."""
        before = self.rules()
        self.scene.daemon.start()
        self.assertNotEqual(self.rules(), before)
        self.assertTrue(self.scene.daemon.stop())
        self.assertEqual(self.rules(), before)
        self.assertEqual(self.router.processes(), [])
        ours, _, peer = self.pair()
        self.assertEqual(peer, ours.getsockname())

    def test_running_sessions_may_end(self) -> None:
        """Sessions that run go on for stop_seconds; new connections are not accepted meanwhile."""
        self.scene.daemon.start()
        ours, theirs, peer = self.pair()
        self.scene.daemon.signal(signal.SIGTERM)
        self.wait(lambda: not self.listening(), "the listener is still open")
        ours.sendall(b"last words")
        self.assertEqual(hear(theirs, 10), b"last words")
        ours.close()
        theirs.close()
        self.wait(lambda: self.scene.daemon.ended, "does not end although no session is left")
        self.assertEqual(self.flow(peer)["gateway"]["verdict"], "passed")

    def listening(self) -> bool:
        return ":50080" in self.router.run("ss", "-Htln")

    def test_sessions_that_do_not_end(self) -> None:
        """A session that does not end in time is closed, and recorded as that."""
        self.scene.daemon.start()
        ours, _, peer = self.pair()
        self.assertTrue(self.scene.daemon.stop(seconds=6))
        self.assertEqual(self.flow(peer)["gateway"]["verdict"], "closed")
        with contextlib.suppress(ConnectionResetError):
            hear(ours)


class StopAndBlockTests(LifeCase):
    """SIGTERM, as it is unless the operator wants it otherwise."""

    gateway = ""

    def test_blocked(self) -> None:
        """After a clean stop nothing passes, over IPv4 and IPv6, until the next start."""
        self.assertIntercepted()
        self.assertTrue(self.scene.daemon.stop())
        self.assertEqual(self.router.processes(), [])
        self.assertIn("blocked until the next start", self.scene.daemon.said)
        self.assertBlocked()
        self.scene.daemon.start()
        self.assertIntercepted()


class ReloadTests(LifeCase):
    """SIGHUP. One gateway for all of these tests, with its policy as it was for each."""

    fresh = False

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.restore)

    def restore(self) -> None:
        """The policy as it was."""
        self.scene.configure(self.services, self.gateway)
        self.scene.reload(RELOADED)

    def test_new_sessions_get_the_new_policy(self) -> None:
        """New sessions go by the new policy; those that run go on as they were."""
        ours, theirs, peer = self.pair()
        self.scene.configure({"renamed": RELAY})
        self.scene.reload(RELOADED)
        new, _, new_peer = self.pair()
        reset(new)
        self.assertEqual(self.flow(new_peer)["gateway"]["service"], "renamed")
        ours.sendall(b"still here")
        self.assertEqual(hear(theirs, 10), b"still here")
        reset(ours)
        self.assertEqual(self.flow(peer)["gateway"]["service"], "relay")

    def test_kernel_follows(self) -> None:
        """What the kernel decides follows the new policy, there and back."""
        self.scene.configure({"deny": DENY})
        self.scene.reload(RELOADED)
        listener = self.listen()
        with self.assertRaises(ConnectionRefusedError):
            self.dial(listener.getsockname())
        self.scene.configure(self.services)
        self.scene.reload(RELOADED)
        self.assertIntercepted()

    def test_broken_policy(self) -> None:
        """A broken policy changes nothing, and the log says what is wrong with it, and where."""
        before = self.rules()
        (self.scene.config / "services" / "relay.toml").write_text("inspektor = 1\n")
        self.scene.reload("relay.toml:1:1")
        self.assertIn("inspektor", self.scene.daemon.said)
        self.assertEqual(self.rules(), before)
        self.assertIntercepted()

    def test_rotation(self) -> None:
        """After the audit file was moved away, a signal begins a new one; nothing is lost."""
        self.scene.audit.unlink()
        self.scene.reload(RELOADED)
        self.assertIntercepted()
        for count, number in enumerate((signal.SIGUSR1, signal.SIGHUP)):
            self.scene.audit.rename(self.scene.folder / f"old{count}")
            self.scene.daemon.signal(number)
            self.wait(self.scene.audit.exists, f"no new audit file after {number!r}")
            self.assertIntercepted()
            old = (self.scene.folder / f"old{count}").read_text()
            self.assertEqual(old.count('"event_type":"flow"'), 1)


class SecondInstanceTests(LifeCase):
    """Two gateways on one host, of which the first one never minds."""

    fresh = False

    def second(self, gateway: str) -> Daemon:
        """Another gateway with another configuration in the same namespace."""
        folder = self.scene.folder / "second"
        (folder / "services").mkdir(parents=True, exist_ok=True)
        (folder / "gateway.toml").write_text(f'[divert]\n{gateway}[audit]\nfile = ""\n')
        daemon = Daemon(self.router, folder, self.scene.folder / "second.log")
        self.addCleanup(daemon.kill)
        return daemon

    def test_refused(self) -> None:
        """One that would take the same port, table or mark does not start, and harms nothing."""
        for gateway, word in (
            ("", "50080"),
            ("port = 50180\n", "100"),
            ("port = 50180\ntable = 101\n", "0x1"),
        ):
            before = self.rules()
            daemon = self.second(gateway)
            daemon.launch()
            self.assertTrue(wait_until(lambda d=daemon: d.ended, seconds=10), daemon.said)
            self.assertNotEqual(daemon.process.returncode, 0)
            self.assertIn(word, daemon.said)
            self.assertNotIn("Traceback", daemon.said)
            self.assertEqual(self.rules(), before)
            self.assertIntercepted()

    def test_side_by_side(self) -> None:
        """One with marks, table and port of its own runs beside it."""
        daemon = self.second(
            'port = 50180\ntable = 101\nmark = "0x10/0x10"\n'
            'listener_mark = "0x20/0x20"\nupstream_mark = "0x40/0x40"\nconntrack_zone = 2\n'
        )
        daemon.start()
        self.assertIntercepted()
        self.assertTrue(daemon.stop())
        self.assertIntercepted()


class PrivilegeTests(LifeCase):
    """twistd's own --uid and --gid."""

    started = False

    def test_dropped(self) -> None:
        """Two capabilities are kept, everything works, and the rules are removed at the end."""
        before = self.rules()
        daemon = self.scene.daemon
        daemon.options = (f"--uid={NOBODY}", f"--gid={NOBODY}")
        daemon.start()
        status = self.status(daemon.pid)
        self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(status["Gid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(int(status["CapEff"], 16), KEPT)
        self.assertEqual(int(status["CapPrm"], 16), KEPT)
        self.assertIntercepted()
        listener = self.listen()
        self.dial(listener.getsockname(), (CLIENT, 515))
        self.assertEqual(self.accept(listener)[1], (CLIENT, 515))
        if self.readable(Path(sys.prefix)):
            self.scene.configure({"renamed": RELAY}, self.gateway)
            self.scene.reload(RELOADED)
            self.assertIntercepted()
        self.assertTrue(daemon.stop())
        self.assertEqual(self.rules(), before)

    def readable(self, folder: Path) -> bool:
        """
        Whether that user can read C{folder}. A reload looks for plugins where
        Python is installed, and that can't work in, say, root's own home.
        """
        return all(each.stat().st_mode & 0o005 == 0o005 for each in (folder, *folder.parents))

    def status(self, process: int) -> dict[str, str]:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def test_root_keeps_no_more(self) -> None:
        """Started as root without --uid, it works as well."""
        self.scene.daemon.start()
        self.assertIntercepted()


class BackgroundTests(LifeCase):
    """As an old-fashioned daemon, without --nodaemon."""

    started = False

    def test_background(self) -> None:
        """It goes to the background, works there with fewer privileges, and stops cleanly."""
        file, log = self.scene.folder / "twistd.pid", self.scene.folder / "twistd.log"
        twistd = (TWISTD, "--pidfile", str(file), "--logfile", str(log), f"--uid={NOBODY}")
        before = self.rules()
        self.router.run(*twistd, "tproxygw", *self.scene.daemon.folders)
        self.wait(lambda: log.exists() and READY in log.read_text(), "not ready", 20)
        self.assertIntercepted()
        os.kill(int(file.read_text()), signal.SIGTERM)
        self.wait(lambda: not self.router.processes(), "not ended", 20)
        self.assertEqual(self.rules(), before)


class MemoryTests(LifeCase):
    """Running out of memory."""

    services = {"probe": SERVICE}
    gateway = ""

    def test_none_left(self) -> None:
        """Without any to spare, sessions are refused or wait, or it dies: nothing passes."""
        with Probes(self.client, self.server) as probes:
            self.wait(lambda: probes.inspected_since(0), "nothing is inspected")
            process = self.scene.daemon.pid
            before = resource.prlimit(process, resource.RLIMIT_AS)
            resource.prlimit(process, resource.RLIMIT_AS, (1 << 20, before[1]))
            begin = monotonic()
            held = [self.client.socket() for _ in range(200)]
            for ours in held:
                self.addCleanup(ours.close)
                ours.setblocking(False)
                ours.connect_ex((SERVER, PORT))
            self.wait(lambda: probes.since(begin) > 300, "too few probes", 20)
            if not self.scene.daemon.ended:
                resource.prlimit(process, resource.RLIMIT_AS, before)
            again = monotonic()

            def recovered() -> bool:
                # One that has no memory may be about to die: it is started anew, as systemd does.
                if self.scene.daemon.ended:
                    self.scene.daemon.start()
                return probes.inspected_since(again)

            self.wait(recovered, "nothing is inspected again", 20)
        self.assertEqual(probes.reached, [])


class DescriptorTests(LifeCase):
    """Running out of descriptors."""

    started = False

    def test_accepting_waits(self) -> None:
        """Without descriptors to spare, connections wait; no session that runs is harmed."""
        limited = ("prlimit", "--nofile=356:356", "setpriv", "--bounding-set=-sys_resource")
        self.scene.daemon.before = limited
        self.scene.daemon.start()
        listener = self.listen()
        opened = [self.dial(listener.getsockname()) for _ in range(100)]
        running = self.take(listener)
        self.assertGreater(len(running), 10)
        self.assertLess(len(running), 96)
        for theirs in running.values():
            theirs.sendall(b"alive")
        for ours in opened:
            if ours.getsockname() in running:
                self.assertEqual(hear(ours, 5), b"alive")
        for ours in opened:
            if ours.getsockname() in running:
                running.pop(ours.getsockname()).close()
                ours.close()
        more = self.take(listener)
        self.assertGreater(len(more), 10)
        self.assertFalse(self.scene.daemon.ended)

    def test_none_left(self) -> None:
        """Even if there is not one descriptor left, it goes on as soon as there is."""
        self.scene.daemon.start()
        ours, theirs, _ = self.pair()
        process = self.scene.daemon.pid
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        opened = len(list(Path(f"/proc/{process}/fd").iterdir()))
        resource.prlimit(process, resource.RLIMIT_NOFILE, (opened, before[1]))
        listener = self.listen()
        late = self.dial(listener.getsockname())
        self.assertQuiet(listener)
        ours.sendall(b"alive")
        self.assertEqual(hear(theirs, 5), b"alive")
        resource.prlimit(process, resource.RLIMIT_NOFILE, before)
        self.assertEqual(self.accept(listener)[1], late.getsockname())

    def take(self, listener: socket.socket) -> dict[tuple[str, int], socket.socket]:
        """All connections that reach the server before it becomes quiet."""
        listener.settimeout(QUIET)
        taken = {}
        with contextlib.suppress(TimeoutError):
            while True:
                theirs, peer = self.accept(listener)
                taken[peer] = theirs
        return taken
