"""The privileged process, in real network namespaces."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.kernel.test_install import HostCase
from tests.kernel.test_owned import kernel_can

GATEWAY = """
import os, signal, subprocess, sys, time
from pathlib import Path
from gateway.kernel.capabilities import drop_to
from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.fingerprint import fingerprint
from gateway.kernel.keeper import Keeper, KeeperLost
directory, state = Path(sys.argv[1]), Path(sys.argv[2])

def others(pid):
    "All processes below pid."
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]

def until(condition):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.002)

def out(command):
    return os.popen(command).read()

def kill(pid):
    os.kill(pid, signal.SIGKILL)

def install():
    keeper.install(fingerprint(directory))

keeper = Keeper.start(directory, state)
install()
elder = keeper._process.pid
print(keeper.look().state.value)
"""
FORWARD = 'action = "forward"\n[[rule]]\nports = [80]\n'


class KeeperCase(HostCase):
    """A keeper of a configuration folder, and a process that asks it as the gateway does."""

    gateway = ""

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.mktemp()).absolute()
        self.directory, self.state = folder / "conf", folder / "state"
        self.write("gateway.toml", f"[divert]\n{self.gateway}")
        self.write("services/web.toml", FORWARD)

    def write(self, name: str, text: str) -> None:
        """A file of the configuration."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def keep(self, script: str, first: str = GATEWAY) -> list[str]:
        """Start a keeper inside, let it install, then do C{script}. What is said after that."""
        folders = (str(self.directory), str(self.state))
        return self.host.python(first + script, *folders).strip().splitlines()[1:]


class RequestTests(KeeperCase):
    """What the gateway asks."""

    gateway = 'when_stopped = "pass"\n'

    def test_stopped(self) -> None:
        """When the gateway stops, and the policy says "pass", nothing is left behind."""
        before = self.everything()
        said = self.keep("print(keeper.stopped(), keeper.look().state.value); keeper.close()")
        self.assertEqual(said, ["False not installed"])
        self.assertEqual(self.everything(), before)

    def test_gateway_killed(self) -> None:
        """The gateway is killed: the rules stay, the claim is free, the keeper is gone."""
        self._killed()
        self.assertIn("tproxygw_50080", self.everything())
        self.keep("keeper.stopped(); keeper.close()")
        self.assertNotIn("tproxygw_50080", self.everything())

    def _killed(self) -> None:
        """Kill a gateway, and wait for its keeper to follow."""
        process = self.host.start_python(
            GATEWAY + "sys.stdout.flush(); signal.pause()", str(self.directory), str(self.state)
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        # the keeper has our pipe for its standard error: this ends when it does
        process.communicate(timeout=30)

    def test_edited_meanwhile(self) -> None:
        """It does not install what the gateway has not read."""
        (said,) = self.keep("try: keeper.install('stale')\nexcept KernelError as e: print(e)")
        self.assertIn("changed while", said)

    def test_broken_configuration(self) -> None:
        """It says what is wrong, and the rules stay."""
        said = self.keep(
            "(directory / 'services/web.toml').write_text('action = \"sleep\"')\n"
            "try: install()\nexcept KernelError as e: print(e)\n"
            "print(keeper.look().state.value)"
        )
        self.assertIn("services/web.toml:1", said[0])
        self.assertEqual(said[-1], "installed")

    def test_nonsense(self) -> None:
        """A gateway that talks nonsense is left alone, with the rules in place."""
        for nonsense in ("b'[]'", "b'{}'", "b'x'", r"b'{\"ask\": [], \"number\": 1}'"):
            (said,) = self.keep(
                f"keeper._connection.send({nonsense})\n"
                "try: keeper.look(); print('answered')\nexcept KeeperLost as e: print(e)"
            )
            self.assertIn("has ended", said)
            self.assertIn("tproxygw_50080", self.everything())

    def test_privileges(self) -> None:
        """It has what it needs and nothing more, and installs with only that."""
        said = self.keep(
            "for pid in (elder, *others(elder)):\n"
            "    print([l for l in open(f'/proc/{pid}/status') if 'CapEff' in l])"
        )
        self.assertEqual(len(said), 2)
        for line in said:
            self.assertIn("0000008000003004", line)

    def test_second(self) -> None:
        """A second gateway is told that the first is there."""
        (said,) = self.keep(
            "try: Keeper.start(directory, state / 'other').install(fingerprint(directory))\n"
            "except Taken as e: print(e)"
        )
        self.assertIn("another gateway", said)


class NoneTests(KeeperCase):
    """C{backend = "none"}: rules are the operator's."""

    gateway = 'backend = "none"\n'

    def test_look(self) -> None:
        """Nothing is installed, and that is as it should be."""
        before = self.everything()
        said = self.keep("print(keeper.look().state.value)")
        self.assertEqual(said, ["installed"])
        self.assertEqual(self.everything(), before)


class BlockTests(KeeperCase):
    """C{when_stopped = "block"}, the default."""

    def test_stays(self) -> None:
        """When the gateway stops, the rules stay; the next one replaces them."""
        said = self.keep("print(keeper.stopped(), keeper.look().state.value); keeper.close()")
        self.assertEqual(said, ["True installed"])
        self.assertIn("tproxygw_50080", self.everything())
        self.write("gateway.toml", '[divert]\nwhen_stopped = "pass"\n')
        self.keep("keeper.stopped(); keeper.close()")
        self.assertNotIn("tproxygw_50080", self.everything())


class KilledTests(KeeperCase):
    """C{kill -9} of the keeper."""

    gateway = "owned = false\n"

    def test_comes_back(self) -> None:
        """It is there again, knows what is installed, and looks after it as before."""
        said = self.keep(
            "(younger,) = others(elder)\n"
            "before = out('nft list ruleset; ip rule; ip -6 rule')\n"
            "kill(younger)\n"
            "kept = keeper.look()\n"
            "print(kept.state.value, kept.restarts, others(elder) != [younger])\n"
            "print(before == out('nft list ruleset; ip rule; ip -6 rule'))\n"
            "install(); print('reloaded')\n"
            "os.system('nft flush ruleset; ip rule del fwmark 0x1/0x1 lookup 100')\n"
            "until(lambda: keeper.look().restored)\n"
            "print('tproxygw_50080' in out('nft list tables'), keeper.look().state.value)"
        )
        said = [line for line in said if not line.startswith("tproxygw keeper:")]
        self.assertEqual(said, ["installed 1 True", "True", "reloaded", "True installed"])

    def test_flushed_meanwhile(self) -> None:
        """Somebody flushes everything just after it was killed: the rules are back in a moment."""
        said = self.keep(
            "for _ in range(3):\n"
            "    kill(others(elder)[0]); os.system('nft flush ruleset')\n"
            "    print(keeper.look().state.value, 'tproxygw_50080' in out('nft list tables'))"
        )
        said = [line for line in said if not line.startswith("tproxygw keeper:")]
        self.assertEqual(said, ["installed True"] * 3)

    def test_supervisor_killed(self) -> None:
        """Its supervisor is killed: it gets another one, which is as good."""
        said = self.keep(
            "(first,) = others(elder)\n"
            "kill(elder)\n"
            "until(lambda: others(first))\n"
            "(second,) = others(first)\n"
            "print(keeper.look().restarts)\n"
            "kill(second)\n"
            "print(keeper.look().restarts, keeper.look().state.value, others(first) != [second])"
        )
        said = [line for line in said if not line.startswith("tproxygw keeper:")]
        self.assertEqual(said, ["1", "2 installed True"])

    def test_all_killed(self) -> None:
        """Everything of it is killed: the gateway is told that nobody is left, the rules stay."""
        said = self.keep(
            "younger = others(elder); kill(elder); [kill(pid) for pid in younger]\n"
            "try: keeper.look()\nexcept KeeperLost as e: print(e)"
        )
        self.assertIn("has ended", said[-1])
        self.assertIn("tproxygw_50080", self.everything())


class OwnedKilledTests(KilledTests):
    """The same with a table that is owned: its supervisor holds on to it."""

    gateway = ""
    if not kernel_can():
        skip = "this kernel knows no tables that are owned"

    def test_comes_back(self) -> None:
        """There is no moment at which anybody could flush the table."""
        said = self.keep(
            "for _ in range(10):\n"
            "    kill(others(elder)[0])\n"
            "    print(os.system('nft delete table inet tproxygw_50080 2>/dev/null') != 0)\n"
            "    keeper.look()"
        )
        said = [line for line in said if not line.startswith("tproxygw keeper:")]
        self.assertEqual(said, ["True"] * 10)


class WatchTests(KeeperCase):
    """What somebody takes away is put back, without anybody asking."""

    gateway = "owned = false\n"
    there = "inet tproxygw_50080"
    listed = "nft list tables"
    flush = "nft flush ruleset"

    def assertRestored(self, command: str, there: str, listed: str) -> None:
        """What C{command} takes away is there again soon."""
        said = self.keep(
            f"before = out({listed!r}); assert {there!r} in before, before\n"
            f"os.system({command!r})\n"
            f"until(lambda: out({listed!r}) == before)\n"
            "until(lambda: keeper.look().restored)\n"
            "print(keeper.look().state.value)\n"
            "keeper.stopped(); keeper.close()"
        )
        self.assertEqual(said[-1], "installed")
        # It may look in the midst of it, when nothing can be put back yet, or what was put back
        # is in the way of who goes on removing, and says so.
        told = [line for line in said if line.startswith("tproxygw keeper: ")]
        self.assertRegex(told[0], "(somebody removed or changed|the divert is gone)")

    def test_filter(self) -> None:
        """The rules of the packet filter."""
        self.assertRestored(self.flush, self.there, self.listed)

    def test_rule(self) -> None:
        """The policy routing rules."""
        rule = "rule del fwmark 0x1/0x1 lookup 100"
        self.assertRestored(f"ip {rule}", "lookup 100", "ip rule")
        self.assertRestored(f"ip -6 {rule}", "lookup 100", "ip -6 rule")

    def test_route(self) -> None:
        """The routes."""
        self.assertRestored("ip route flush table 100", "local", "ip route show table 100")
        self.assertRestored("ip -6 route flush table 100", "local", "ip -6 route show table 100")

    def test_lo(self) -> None:
        """The routes, after the interface lo was down."""
        down = "ip link set lo down; ip link set lo up"
        self.assertRestored(down, "local", "ip route show table 100")


class WatchNamesTests(KeeperCase):
    """Who did it?"""

    gateway = "owned = false\n"

    def test_named(self) -> None:
        """The message names the program that took the rules away."""
        said = self.keep("os.system('nft flush ruleset'); until(lambda: keeper.look().restored)")
        self.assertRegex(said[0], r"\(by nft, process \d+\)")


class WatchIptablesTests(WatchTests):
    """The same with iptables, whatever it is here."""

    gateway = 'backend = "iptables"\n'
    there = "TPROXYGW_50080"
    listed = "iptables-save -t mangle | grep TPROXYGW"
    flush = "iptables -t mangle -F; iptables -t mangle -X"


LEGACY = "mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi"


class WatchLegacyTests(WatchIptablesTests):
    """The same with the iptables of old, which tells nobody: within a second or so."""

    def setUp(self) -> None:
        super().setUp()
        self.host.before = ("unshare", "--mount", "sh", "-c", f'{LEGACY} && exec "$@"', "sh")
        self.assertIn("legacy", self.host.run("iptables --version"))


class BusyTests(KeeperCase):
    """A host whose routes and rules change all the time."""

    gateway = "owned = false\n"

    def test_others_changes(self) -> None:
        """What others do with what is theirs is no reason to do anything."""
        said = self.keep(
            "routes = [f'192.0.2.{number}/32 dev lo' for number in range(200)]\n"
            "def change(verb):\n"
            "    batch = ''.join(f'route {verb} {route}\\n' for route in routes)\n"
            "    subprocess.run(['ip', '-batch', '-'], input=batch, text=True, check=True)\n"
            "    for number in range(20): os.system(f'nft {verb} table ip t{number}')\n"
            "ticks = lambda: sum(map(int, open(f'/proc/{others(elder)[0]}/stat')"
            ".read().rsplit(')', 1)[1].split()[11:13]))\n"
            "change('add')\n"
            "before = ticks()\n"
            "change('delete')\n"
            "print(keeper.look().restored, ticks() - before < 20)"
        )
        self.assertEqual(said, ["0 True"])


class LastGoodTests(KeeperCase):
    """What is kept for the guard and for a successor."""

    def test_kept(self) -> None:
        """The rules in force, and the configuration that they are made of."""
        self.keep("")
        last = self.state / "last"
        self.assertIn("table inet tproxygw_50080 {", (last / "nft").read_text())
        self.assertIn("rule add", (last / "ip-4").read_text())
        self.assertEqual((last / "configuration/services/web.toml").read_text(), FORWARD)
        names = {path.name for path in self.state.iterdir()}
        self.assertEqual(names, {"last", last.readlink().name})

    def test_broken(self) -> None:
        """A policy that is refused is not kept."""
        self.keep(
            "(directory / 'services/web.toml').write_text('action = \"sleep\"')\n"
            "try: install()\nexcept KernelError as e: print(e)\n"
        )
        last = self.state / "last"
        self.assertEqual((last / "configuration/services/web.toml").read_text(), FORWARD)

    def test_full_disk(self) -> None:
        """With a full disk nothing changes, and the message says what to do."""
        self.state.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "state", str(self.state)], check=True
        )
        self.addCleanup(subprocess.run, ["umount", str(self.state)], check=True)
        said = self.keep(
            "before = out('nft list ruleset')\n"
            "large = '#' * 99999 + '\\naction = \"forward\"\\n[[rule]]\\nports = [81]\\n'\n"
            "(directory / 'services/more.toml').write_text(large)\n"
            "try: install()\nexcept KernelError as e: print(e)\n"
            "print(before == out('nft list ruleset'), keeper.look().state.value)"
        )
        self.assertIn("No space left", said[0])
        self.assertIn(str(self.state), said[0])
        self.assertEqual(said[1], "True installed")
        kept = (self.state / "last/configuration/services").iterdir()
        self.assertEqual([path.name for path in kept], ["web.toml"])
