"""
The Debian package in a clean Debian with systemd, which is the router between two namespaces.

Run by C{make deb-test}, as root. The container has no network but those two links.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase

from gateway.lab import network
from gateway.lab.network import Network
from gateway.lab.waiting import wait_until

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent / "build" / "root"
"""The clean Debian, as debootstrap made it. Nothing is ever written into it."""

OPTIONAL = ("tproxygw-carrier.service", "tproxygw-signer.service", "tproxygw-usher.service")
UNITS = tuple(path.name for path in sorted((HERE.parent / "conf").glob("*.service")))

SECONDS = 60.0

WEB = """
inspector = "http"
[[rule]]
ports = [80]
[http]
methods = ["GET"]
[[http.request]]
path = ["/private/*"]
action = "deny"
"""
THROUGH = """
inspector = "relay"
handshake = "through"
[[rule]]
ports = [8200]
"""
FORBIDDEN = b"GET /private/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def package() -> Path:
    """The package that was built last."""
    (found,) = (HERE.parent / "dist").glob("tproxygw_*.deb")
    return found


def run(*command: str | Path, seconds: float = SECONDS) -> str:
    """What a program says, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Container:
    """A booted Debian in the namespace of the laboratory's gateway."""

    def __init__(self, folder: Path, between: Network) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.between = between

    @contextmanager
    def booted(self) -> Iterator[None]:
        """Boot it, and shut it down at the end."""
        with ExitStack() as stack:
            self._mount(stack)
            stack.callback(self.shut_down)
            self.boot()
            yield

    def boot(self) -> None:
        """Boot it, with what is on its disk."""
        boot = (
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
            *("--directory", self.root),
            f"--network-namespace-path={self.between.gateway.path}",
            f"--bind-ro={package().parent}:/dist",
            *(
                "--capability=CAP_NET_ADMIN,CAP_BPF",
                "--rlimit=RLIMIT_NOFILE=65536",
                *("--system-call-filter=bpf", "--console=pipe"),
            ),
            # systemd mounts one on a host, but not in a container
            f"--bind={self.folder / 'bpf'}:/sys/fs/bpf",
        )
        with (self.folder / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                boot, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if not wait_until(self._is_up, SECONDS, 0.2):
            raise AssertionError((self.folder / "console.log").read_text(errors="replace"))

    def _mount(self, stack: ExitStack) -> None:
        """What is written goes into a layer of its own, in memory."""
        layer = self.folder / "layer"
        for part in (self.root, layer):
            part.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "tmpfs", layer)
        stack.callback(run, "umount", "--lazy", layer)
        for part in ("upper", "work"):
            (layer / part).mkdir()
        layers = f"lowerdir={ROOT},upperdir={layer}/upper,workdir={layer}/work"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.root)
        stack.callback(run, "umount", "--lazy", self.root)
        pins = self.folder / "bpf"
        pins.mkdir()
        run("mount", "-t", "bpf", "bpf", pins)
        stack.callback(run, "umount", "--lazy", pins)

    @property
    def leader(self) -> str:
        """The process identifier of its systemd, as the host sees it; empty before it is there."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return children.read_text().strip() if children.exists() else ""

    def _is_up(self) -> bool:
        if not self.leader:
            return False
        state = self.try_to("systemctl", "is-system-running")
        return state.stdout.strip() in ("running", "degraded")

    def shut_down(self) -> None:
        """As somebody who goes home."""
        self.try_to("systemctl", "poweroff")
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def try_to(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        inside = ("nsenter", "--target", self.leader, "--all", "--wd=/")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(
            (*inside, *command), capture_output=True, text=True, timeout=300, env=environment
        )

    def run(self, *command: str) -> str:
        """What a program in it says, which must succeed."""
        done = self.try_to(*command)
        if done.returncode:
            log = self.try_to("journalctl", "--no-pager", "-n", "60").stdout
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}\n{log}")
        return done.stdout

    def path(self, inside: str) -> Path:
        """One of its files, as the host sees it."""
        return self.root / inside.lstrip("/")

    def install(self, name: str) -> None:
        """Install, or upgrade to, a package of F{dist}."""
        self.run("dpkg", "--install", f"/dist/{name}")

    def inspect(self) -> None:
        """Have it inspect port 80."""
        self.path("/etc/tproxygw/services/web.toml").write_text(WEB)
        self.run("systemctl", "restart", "tproxygw")


class PackageCase(SynchronousTestCase):
    """A container between client and server, with nothing installed."""

    def setUp(self) -> None:
        """Boot it between the two."""
        self.folder = Path(self.mktemp()).absolute()
        self.between = Network(f"tproxygw-deb-{os.getpid()}-")
        self.addCleanup(self.between.remove)
        self.between.build()
        self._serve()
        self.container = Container(self.folder, self.between)
        stack = ExitStack()
        self.addCleanup(stack.close)
        stack.enter_context(self.container.booted())

    def _serve(self) -> None:
        self.folder.mkdir(parents=True)
        log = self.folder / "servers.log"
        with log.open("wb") as said:
            self.between.server.start(
                sys.executable, "-m", "gateway.lab.servers", stdout=said, stderr=said
            )
        self.assertTrue(wait_until(lambda: b"ready" in log.read_bytes(), 20))

    def asked(self) -> str:
        """What comes of a request that the policy forbids."""
        with self.between.client.socket() as ours:
            ours.settimeout(2)
            try:
                ours.connect((network.SERVER, 80))
                ours.sendall(FORBIDDEN)
                heard = ours.recv(100)
            except OSError:
                return "blocked"
        return {b"403": "inspected", b"200": "uninspected"}.get(heard[9:12], "blocked")

    def assertInspects(self) -> None:
        """Connections are inspected, now or in a moment."""
        inspected = wait_until(lambda: self.asked() == "inspected", 30, 0.1)
        self.assertTrue(inspected, self.container.try_to("journalctl", "--no-pager").stdout)


class PackageTests(PackageCase):
    """As an operator meets it."""

    def older(self) -> str:
        """The same package as a version before it."""
        folder = self.folder / "older"
        run("dpkg-deb", "--raw-extract", package(), folder)
        control = folder / "DEBIAN" / "control"
        lines = control.read_text().splitlines()
        lines = ["Version: 0.0.1" if one.startswith("Version:") else one for one in lines]
        control.write_text("\n".join(lines) + "\n")
        made = package().parent / f"older-{os.getpid()}.deb"
        self.addCleanup(made.unlink)
        run("dpkg-deb", "--root-owner-group", "--build", "-Zgzip", "-z1", folder, made)
        shutil.rmtree(folder)
        return made.name

    def test_install(self) -> None:
        """It runs at once, as its own user, and intercepts nothing before there is a policy."""
        container = self.container
        container.install(package().name)
        self.assertEqual(container.run("systemctl", "--failed", "--quiet"), "")
        for unit in set(UNITS).difference(OPTIONAL):
            container.run("systemctl", "is-enabled", unit)
        self.assertEqual(container.run("systemctl", "is-active", "tproxygw").strip(), "active")
        user = container.run("ps", "-o", "user=", "-p", container.run(*MAIN, "tproxygw").strip())
        self.assertEqual(user.strip(), "tproxygw")
        self.assertIn("no service has a [[rule]]", container.try_to("tproxygw", "check").stderr)
        self.assertEqual(self.asked(), "uninspected")
        self.assertEqual(container.path("/etc/tproxygw").stat().st_mode & 0o777, 0o750)
        self.assertIn("inspect", container.run("tproxygw", "inspectors", "--help"))
        self.assertIn("http\t", container.run("tproxygw", "inspectors"))

    def test_policy_is_there(self) -> None:
        """A policy that is there before the package is in force, though the gateway can't start."""
        container = self.container
        services = container.path("/etc/tproxygw/services")
        services.mkdir(parents=True)
        (services / "web.toml").write_text(WEB)
        broken = container.path("/etc/systemd/system/tproxygw.service.d/broken.conf")
        broken.parent.mkdir()
        broken.write_text("[Service]\nExecStart=\nExecStart=/bin/false\n")
        self.assertEqual(self.asked(), "uninspected")
        container.install(package().name)
        self.assertEqual(self.asked(), "blocked")
        broken.unlink()
        container.run("systemctl", "daemon-reload")
        self.assertInspects()

    def test_policy(self) -> None:
        """With a service of the examples, a reload is enough; records are rotated and go on."""
        container = self.container
        container.install(package().name)
        container.inspect()
        self.assertInspects()
        audit = container.path("/var/log/tproxygw/eve.json")
        self.assertTrue(wait_until(lambda: '"service":"web"' in audit.read_text(), 10))
        container.run("logrotate", "--force", "/etc/logrotate.d/tproxygw")
        self.assertTrue(audit.with_name("eve.json.1").exists())
        self.assertTrue(wait_until(audit.exists, 10))
        self.assertInspects()
        self.assertTrue(wait_until(lambda: "web" in audit.read_text(), 10))

    def test_documents(self) -> None:
        """There are man pages of all commands, and the shells complete them."""
        container = self.container
        container.install(package().name)
        self.assertIn("--strict", container.run("man", "tproxygw-check"))
        _, _, commands = container.run("tproxygw", "--help").partition("Commands:\n")
        names = [line.split()[0] for line in commands.splitlines() if line.strip()]
        self.assertGreater(len(names), 10)
        container.run("man", "--where", *(f"tproxygw-{name}" for name in names))
        complete = "source /usr/share/bash-completion/completions/tproxygw; "
        complete += "COMP_WORDS=(tproxygw ru); COMP_CWORD=1; _tproxygw_completion tproxygw; "
        complete += 'echo "${COMPREPLY[@]}"'
        self.assertEqual(container.run("bash", "-c", complete).strip(), "rules")
        for file in ("zsh/vendor-completions/_tproxygw", "fish/vendor_completions.d/tproxygw.fish"):
            self.assertIn("tproxygw", container.path(f"/usr/share/{file}").read_text())

    def test_upgrade(self) -> None:
        """Nothing passes uninspected meanwhile; the new version runs, with the policy as it was."""
        container = self.container
        container.install(self.older())
        container.path("/etc/tproxygw/services/through.toml").write_text(THROUGH)
        container.run("systemctl", "enable", "--now", "tproxygw-usher")
        container.inspect()
        self.assertInspects()
        before = [container.run(*MAIN, unit) for unit in RUN]
        heard: list[str] = []
        over = Event()
        prober = Thread(
            target=lambda: [heard.append(self.asked()) for _ in iter(over.is_set, True)]
        )
        prober.start()
        try:
            container.install(package().name)
            self.assertInspects()
        finally:
            over.set()
            prober.join()
        counts = Counter(heard)
        self.assertEqual(counts["uninspected"], 0, counts)
        self.assertGreater(counts["inspected"], 20, counts)
        for unit, process in zip(RUN, before, strict=True):
            self.assertNotIn(container.run(*MAIN, unit), (process, "0\n"), unit)
        self.assertEqual(container.run("systemctl", "--failed", "--quiet"), "")

    def test_remove_and_purge(self) -> None:
        """When it is removed the host is as before; purged, only what others wrote is left."""
        container = self.container
        rules = container.run("nft", "list", "ruleset"), container.run("ip", "rule")
        container.install(package().name)
        container.path("/etc/tproxygw/services/through.toml").write_text(THROUGH)
        with container.path("/etc/tproxygw/gateway.toml").open("a") as gateway:
            gateway.write("\n[release]\nkernel = true\n")
        container.run("systemctl", "enable", "--now", "tproxygw-usher", "tproxygw-carrier")
        self.assertNotEqual(container.run("ls", "/sys/fs/bpf/tproxygw"), "")
        container.inspect()
        self.assertInspects()
        container.run("dpkg", "--remove", "tproxygw")
        self.assertEqual(container.try_to("pgrep", "-af", "tproxygw").stdout, "")
        self.assertNotIn("tproxygw", container.run("ls", "/sys/fs/bpf"))
        self.assertEqual(self.asked(), "uninspected")
        after = container.run("nft", "list", "ruleset"), container.run("ip", "rule")
        self.assertEqual(after, rules)
        for gone in ("/usr/lib/tproxygw", "/usr/bin/tproxygw"):
            self.assertFalse(container.path(gone).exists(), gone)
        self.assertTrue(container.path("/etc/tproxygw/gateway.toml").exists())
        container.run("dpkg", "--purge", "tproxygw")
        for gone in ("/var/lib/tproxygw", "/var/log/tproxygw", "/etc/tproxygw/gateway.toml"):
            self.assertFalse(container.path(gone).exists(), gone)
        self.assertTrue(container.path("/etc/tproxygw/services/web.toml").exists())
        left = container.run(
            "find", "/etc/systemd", "/run", "/var/lib/systemd", "-name", "tproxygw*"
        )
        self.assertEqual(left, "")
        self.assertEqual(container.run("systemctl", "--failed", "--quiet"), "")


MAIN = ("systemctl", "show", "--property=MainPID", "--value")
"""Asks for the process identifier of a unit."""

RUN = ("tproxygw", "tproxygw-keeper", "tproxygw-usher")
"""Those units of which a process stays."""
