"""OpenSSH and dropbear through the real gateway: logins and copies as without it, or a reason."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.namespace import CommandFailed
from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SERVER6, SceneCase

OPENSSH = 22
DROPBEAR = 2022

SSHD = """\
ListenAddress 0.0.0.0:{port}
ListenAddress [::]:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/login.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
Ciphers +aes128-cbc
KexAlgorithms {kex}
Subsystem sftp internal-sftp
"""

SERVICE = """
inspector = "ssh"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [22, 2022]
[ssh]
"""


class SshCase(SceneCase):
    """OpenSSH's server, and dropbear's, in the server's namespace."""

    settings: ClassVar[str] = ""

    @property
    def folder(self) -> Path:
        return self.scene.folder

    def prepare(self) -> None:
        """Keys, made anew, and the two servers."""
        super().prepare()
        for name in ("host", "login"):
            for path in self.folder.glob(f"{name}*"):
                path.unlink()
            self.run_here("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
        # dropbear's client and server have a form of their own
        for name in ("host", "login"):
            self.run_here("dropbearkey", "-t", "ed25519", "-f", f"{name}.dropbear")
        self.folder.chmod(0o755)
        config = SSHD.format(port=OPENSSH, folder=self.folder, kex=",".join(self.methods()))
        (self.folder / "sshd_config").write_text(config)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", f"{self.folder}/sshd_config")
        key = f"{self.folder}/host.dropbear"
        self.start("dropbear", "-F", "-E", "-r", key, "-p", str(DROPBEAR), "-P", "")
        listening = (f":{OPENSSH} ", f":{DROPBEAR} ")

        def ready() -> bool:
            return all(port in self.server.run("ss", "-ltn") for port in listening)

        if not wait_until(ready, seconds=10):
            raise AssertionError((self.folder / "servers.log").read_text())

    def begin(self) -> None:
        """With the class's settings, or those that the test asks for."""
        self.scene.configure({"ssh": SERVICE + self.settings})
        self.scene.daemon.start()

    def methods(self) -> list[str]:
        """The methods of key exchange that OpenSSH has, and that are not refused by default."""
        every = self.run_here("ssh", "-Q", "kex").split()
        return [method for method in every if method != "diffie-hellman-group1-sha1"]

    def run_here(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout

    def start(self, *command: str) -> None:
        """A server, for as long as the namespace is there."""
        with (self.folder / "servers.log").open("ab") as log:
            self.server.start(*command, stdout=log, stderr=log)

    def options(self, host: str) -> list[str]:
        known = self.folder / "known_hosts"
        key = (self.folder / "host.pub").read_text().rsplit(" ", 1)[0]
        known.write_text(f"{host} {key}\n")
        return [
            *("-F", "none", "-i", f"{self.folder}/login", "-o", "BatchMode=yes"),
            *("-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10"),
        ]

    def ssh(self, host: str, *more: str, command: str = "echo hello") -> str:
        """A command on the server, by OpenSSH's client."""
        return self.client.run("ssh", *self.options(host), *more, f"root@{host}", command)

    def refused(self, *more: str) -> str:
        """What OpenSSH's client says of a connection that is not to be."""
        with self.assertRaises(CommandFailed) as raised:
            self.ssh(SERVER, *more)
        return str(raised.exception)

    def record(self) -> dict[str, Any]:
        """The only SSH record so far."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [each for each in self.scene.records() if each["event_type"] == "ssh"]
            return bool(found)

        self.wait(there, "no record")
        self.assertEqual(len(found), 1)
        return found[0]


class PassedTests(SshCase):
    """Who may log in does not notice that somebody looks."""

    fresh = True

    def test_login(self) -> None:
        """OpenSSH to OpenSSH: the host key is verified, the login works, the audit has it all."""
        self.assertEqual(self.ssh(SERVER), "hello\n")
        record = self.record()
        self.assertTrue(record["ssh"]["client"]["software_version"].startswith("OpenSSH_"))
        self.assertEqual(record["gateway"]["verdict"], "passed")
        shown = self.run_here("ssh-keygen", "-lf", "host.pub").split()[1]
        self.assertEqual(record["gateway"]["host_key"]["fingerprint"], shown)

    def test_login_ipv6(self) -> None:
        """The same over IPv6."""
        self.assertEqual(self.ssh(SERVER6), "hello\n")

    def test_copy(self) -> None:
        """A large file each way by scp, with new keys in between."""
        source, there, back = (self.folder / name for name in ("source", "there", "back"))
        source.write_bytes(os.urandom(8_000_000))
        options = [*self.options(SERVER), "-o", "RekeyLimit=1M"]
        self.client.run("scp", *options, str(source), f"root@{SERVER}:{there}")
        self.client.run("scp", *options, f"root@{SERVER}:{there}", str(back))
        digests = {hashlib.sha256(path.read_bytes()).digest() for path in (source, there, back)}
        self.assertEqual(len(digests), 1)

    def test_key_exchanges(self) -> None:
        """Every method that OpenSSH has, group exchange and compression included."""
        for method in self.methods():
            found = self.ssh(SERVER, "-C", "-o", f"KexAlgorithms={method}")
            self.assertEqual(found, "hello\n", method)

    def test_dropbear(self) -> None:
        """dropbear's client, which says all at once, to both servers; OpenSSH's to dropbear."""
        key = f"{self.folder}/login.dropbear"
        public = self.run_here("dropbearkey", "-y", "-f", key).splitlines()
        line = next(each for each in public if each.startswith("ssh-ed25519"))
        with (self.folder / "login.pub").open("a") as keys:
            keys.write(f"{line}\n")
        for port in (OPENSSH, DROPBEAR):
            told = self.dbclient(key, port)
            self.assertIn("hello" if port == OPENSSH else "password:", told)
        self.wait(lambda: len(self.handshakes()) == 2, "no records")
        self.assertEqual(self.handshakes(), ["passed", "passed"])

    def dbclient(self, key: str, port: int) -> str:
        """What dropbear's client hears; its own server would want a password."""
        command = (
            "dbclient",
            "-y",
            "-y",
            "-i",
            key,
            "-p",
            str(port),
            f"root@{SERVER}",
            "echo hello",
        )
        try:
            return self.client.run(*command)
        except CommandFailed as failed:
            return str(failed)

    def handshakes(self) -> list[str]:
        records = self.scene.records()
        return [r["gateway"]["verdict"] for r in records if r["event_type"] == "ssh"]


class SoftwareTests(SshCase):
    """A policy about programs."""

    settings = 'server_software = "OpenSSH_9.*"\nclient_software = "(?!OpenSSH).*"'

    def test_refused(self) -> None:
        """The client's person reads why."""
        self.assertIn("the client's program 'OpenSSH_", self.refused())
        self.assertEqual(self.record()["gateway"]["denied_by"], "services/ssh.toml:9")


class AlgorithmTests(SshCase):
    """A policy about algorithms."""

    fresh = True

    def test_refused(self) -> None:
        """A cipher that nobody should use any more, though both would."""
        self.assertIn("the two sides agree on aes128-cbc", self.refused("-c", "aes128-cbc"))
        self.assertEqual(self.record()["gateway"]["denied_by"], "refused")


class PinnedTests(SshCase):
    """A policy about servers' keys."""

    settings = f'[ssh.fingerprints]\n"{SERVER}" = ["SHA256:{"A" * 43}"]'

    def test_other_key(self) -> None:
        """A server that shows another key is not reached, and the client reads which one."""
        self.assertIn("the server shows ssh-ed25519 SHA256:", self.refused())
        self.assertIn("fingerprints", self.record()["gateway"]["reason"])


class ReleasedTests(SshCase):
    """What is encrypted is the kernel's, if it may be."""

    gateway = "[release]\nkernel = true\nafter_seconds = 0\n"

    def begin(self) -> None:
        self.scene.configure({"ssh": SERVICE + self.settings}, self.gateway)
        self.scene.daemon.start()

    def test_login(self) -> None:
        """After the key exchange the gateway has no sockets, and the login goes on."""
        ssh = self.client.start(
            *("ssh", *self.options(SERVER), f"root@{SERVER}", "echo begun; cat"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(ssh.wait)
        self.addCleanup(ssh.kill)
        assert ssh.stdin is not None and ssh.stdout is not None
        self.assertEqual(ssh.stdout.readline(), b"begun\n")
        states = ("state", "connected", "exclude", "time-wait")
        self.wait(lambda: not self.router.run("ss", "-tnH", *states), "it still has sockets", 30)
        self.assertEqual(ssh.communicate(b"hello\n")[0], b"hello\n")
        self.wait(self.flows_there, "no record")
        (flow,) = self.flows_there()
        self.assertEqual(flow["gateway"]["released_in"], "kernel")

    def flows_there(self) -> list[dict[str, Any]]:
        return [each for each in self.scene.records() if each["event_type"] == "flow"]
