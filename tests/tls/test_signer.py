"""The signer: a process of its own that has the root's key."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gateway.tls.desk import Desk, Pace
from gateway.tls.issuer import make_root
from gateway.tls.key import load_root, write_root
from gateway.tls.signer import Started, connect, start
from gateway.tls.signing import SignerError, Signing
from gateway.tls.template import for_name
from gateway.tls.uri import RootError
from tests.tls.minting import leaf_key, trusted, untrusted
from tests.tls.pki import Authority, Issued, p256, rsa_key

NAME = "www.server.example"
PIN = "1234"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


ASKING = """
import base64, os, pwd, socket, sys
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
key = ec.generate_private_key(ec.SECP256R1()).public_key()
spki = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
os.setgroups([])
os.setuid(pwd.getpwnam(sys.argv[2]).pw_uid)
connection.connect(sys.argv[1])
try:
    connection.send(b'{"number": 0, "key": "%b"}' % spki)
    print(connection.recv(65536))
except OSError as error:
    print(error)
"""
"""A program of another user's that greets as a gateway does."""


_numbers = count()


def received(told: socket.socket) -> list[dict[str, str]]:
    """What a process has told systemd, and what it will in a moment."""
    heard = []
    with contextlib.suppress(TimeoutError):
        while True:
            message = told.recv(4096).decode()
            heard.append(dict(line.split("=", 1) for line in message.splitlines()))
    return heard


class SignerTests(TestCase):
    """The process, and the gateway's end of it."""

    timeout = 60
    place: Path | None = None

    def folder(self) -> Path:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        return folder

    def started(self, folder: Path, root: str, certificate: str = "", rate: float = 1000) -> Any:
        """A signer, and who asks it."""
        began = start(folder, root, certificate, rate)
        self.addCleanup(began.process.wait, 20)
        signing = Signing(began.connection, reactor)
        self.addCleanup(signing.stop)
        return began, signing

    def with_file(self, rate: float = 1000) -> tuple[Started, Signing]:
        folder = self.folder()
        write_root(folder / "root.pem", trusted())
        began, signing = self.started(folder, "root.pem", rate=rate)
        roots = signing.greet(leaf_key().public_key())
        self.assertEqual(roots.trusted, trusted().chain)
        return began, signing

    async def test_signs(self) -> None:
        """A certificate for the gateway's own key, by the root that clients trust."""
        _, signing = self.with_file()
        made = await signing.sign(for_name(NAME, time.time()))
        made.verify_directly_issued_by(trusted().certificate)
        self.assertEqual(made.public_key(), leaf_key().public_key())

    async def test_many(self) -> None:
        """Whatever is asked for at once is answered, each in its turn."""
        _, signing = self.with_file()
        names = [f"n{number}.example" for number in range(300)]
        made = await gatherResults([signing.sign(for_name(name, time.time())) for name in names])
        for name, certificate in zip(names, made, strict=True):
            names_of = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            self.assertEqual(names_of.value.get_values_for_type(x509.DNSName), [name])

    async def test_is_nobody(self) -> None:
        """The process with the key has no privileges, no core file, and no debugger."""
        if os.geteuid():
            raise AssertionError("these tests want root")
        began, signing = self.with_file()
        await signing.sign(for_name(NAME, time.time()))
        status = Path(f"/proc/{began.process.pid}/status").read_text()
        words = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
        self.assertEqual(words["Uid"], ["65534"] * 4)
        self.assertEqual(words["Gid"], ["65534"] * 4)
        self.assertEqual(words["Groups"], [])
        self.assertEqual(words["CapEff"] + words["CapPrm"], ["0" * 16] * 2)
        self.assertEqual(words["NoNewPrivs"], ["1"])
        # what is not dumpable belongs to root, so that its own user can't look into it
        self.assertEqual(Path(f"/proc/{began.process.pid}/mem").stat().st_uid, 0)
        limits = Path(f"/proc/{began.process.pid}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core")]
        self.assertEqual(core.split()[4:6], ["0", "0"])

    async def test_paced(self) -> None:
        """Not more are signed in a second than the operator says; the next second has more."""
        _, signing = self.with_file(rate=0.1)
        await signing.sign(for_name(NAME, time.time()))
        with self.assertRaises(SignerError) as refused:
            await signing.sign(for_name(NAME, time.time()))
        self.assertIn("certificates_per_second", str(refused.exception))

    async def test_dies(self) -> None:
        """Without a signer nobody gets a certificate, at once and for good, and the log says so."""
        began, signing = self.with_file()
        asked = [signing.sign(for_name(NAME, time.time())) for _ in range(3)]
        began.process.kill()
        began.process.wait()
        for each in [*asked, signing.sign(for_name(NAME, time.time()))]:
            try:
                await each
            except SignerError as error:
                self.assertIn("signer", str(error))
        with self.assertRaises(SignerError):
            await signing.sign(for_name(NAME, time.time()))

    async def test_ends_with_the_gateway(self) -> None:
        """The key is in no process that nobody needs any more."""
        began, signing = self.with_file()
        signing.stop()
        self.assertEqual(began.process.wait(20), 0)

    def served(
        self, folder: Path, user: str = "root", **environment: str
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """A signer that is a service of its own, and its socket."""
        if self.place is None:  # the path of a socket may have no more than 107 bytes
            self.place = Path(tempfile.mkdtemp())
            self.place.chmod(0o755)
            self.addCleanup(shutil.rmtree, self.place)
        path = self.place / "socket"
        self.said = self.place / "said"
        with self.said.open("wb") as said:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gateway.tls.signer", "--config", str(folder)),
                    *("--listen", str(path), "--for", user),
                ],
                stderr=said,
                env={**os.environ, "JOURNAL_STREAM": "1:1", **environment},
            )
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.kill)
        return process, path

    async def until(self, condition: Any) -> Any:
        """What a condition gives, as soon as it gives something."""
        deadline = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not happen"
            await deferLater(reactor, 0.02, lambda: None)
        return found

    def connection(self, path: Path) -> Any:
        """A connection to it, as soon as it listens."""
        try:
            return connect(path)
        except OSError:
            return None

    async def test_service(self) -> None:
        """A signer that is a service of its own may be restarted; its gateways go on."""
        folder = self.folder()
        write_root(folder / "root.pem", trusted())
        (folder / "gateway.toml").write_text('[tls]\nroot = "root.pem"\n')
        process, path = self.served(folder)
        found = await self.until(lambda: self.connection(path))
        signing = Signing(found, reactor, lambda: connect(path))
        self.addCleanup(signing.stop)
        signing.greet(leaf_key().public_key())
        await signing.sign(for_name(NAME, time.time()))
        process.kill()
        process.wait()
        with self.assertRaises(SignerError):
            for _ in range(2):
                await signing.sign(for_name(NAME, time.time()))
        self.served(folder)
        await self.until(lambda: not signing._over)
        made = await signing.sign(for_name(NAME, time.time()))
        made.verify_directly_issued_by(trusted().certificate)

    def notified(self, folder: Path) -> tuple[subprocess.Popen[bytes], list[dict[str, str]]]:
        """A service that ends, or has said that it is ready; and what systemd was told by then."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            name = f"\0tproxygw-test-{os.getpid()}-{next(_numbers)}"
            told.bind(name)
            told.settimeout(0.05)
            process, _ = self.served(folder, NOTIFY_SOCKET="@" + name[1:])
            heard: list[dict[str, str]] = []
            while not heard and process.poll() is None:
                heard += received(told)
            return process, heard + received(told)

    async def test_ready(self) -> None:
        """systemd takes it for started when it has the key, and a gateway is answered."""
        folder = self.folder()
        write_root(folder / "root.pem", trusted())
        (folder / "gateway.toml").write_text('[tls]\nroot = "root.pem"\n')
        process, heard = self.notified(folder)
        self.assertEqual(heard, [{"READY": "1", "STATUS": "Signs certificates"}])
        assert self.place is not None
        signing = Signing(connect(self.place / "socket"), reactor)
        self.addCleanup(signing.stop)
        self.assertEqual(signing.greet(leaf_key().public_key()).trusted, trusted().chain)
        status = Path(f"/proc/{process.pid}/status").read_text()
        self.assertIn("Uid:\t65534\t65534", status)

    async def test_never_ready(self) -> None:
        """Not if the root can't be used; the journal shows why, as an error, and no traceback."""
        folder = self.folder()
        write_root(folder / "root.pem", trusted())
        (folder / "root.pem").chmod(0o640)
        for text, words in (
            ('[tls]\nroot = "root.pem"\n', "chmod 600"),
            ("[tls\n", "gateway.toml: "),
            ('tls = "root.pem"\n', "gateway.toml: "),
        ):
            (folder / "gateway.toml").write_text(text)
            process, heard = self.notified(folder)
            self.assertEqual((process.wait(), heard), (1, []))
            (said,) = self.said.read_text().splitlines()
            self.assertTrue(said.startswith("<3>tproxygw signer: not started: "), said)
            self.assertIn(words, said)

    async def test_not_needed(self) -> None:
        """Without a root there is nothing to do, and that is no failure of the unit."""
        folder = self.folder()
        (folder / "gateway.toml").write_text("")
        process, heard = self.notified(folder)
        self.assertEqual(process.wait(), 0)
        self.assertEqual([each["READY"] for each in heard], ["1"])
        self.assertIn("<6>tproxygw signer: not needed", self.said.read_text())

    async def test_another_root(self) -> None:
        """One that comes back with another root is not asked: clients would get both."""
        folder = self.folder()
        write_root(folder / "root.pem", trusted())
        (folder / "gateway.toml").write_text('[tls]\nroot = "root.pem"\n')
        process, path = self.served(folder)
        found = await self.until(lambda: self.connection(path))
        signing = Signing(found, reactor, lambda: connect(path))
        self.addCleanup(signing.stop)
        signing.greet(leaf_key().public_key())
        (folder / "root.pem").unlink()
        write_root(folder / "root.pem", untrusted())
        process.kill()
        process.wait()
        self.served(folder)
        await self.until(lambda: "another root" in signing._over)
        self.failureResultOf(signing.sign(for_name(NAME, time.time())), SignerError)

    async def test_for_one_user(self) -> None:
        """Others may connect to its socket, and hear nothing."""
        folder = self.folder()
        folder.chmod(0o755)
        for above in folder.parents:
            above.chmod(above.stat().st_mode | 0o111)
        write_root(folder / "root.pem", trusted())
        (folder / "gateway.toml").write_text('[tls]\nroot = "root.pem"\n')
        _, path = self.served(folder, "daemon")
        await self.until(lambda: self.connection(path))
        for user, answered in (("daemon", True), ("games", False)):
            done = subprocess.run(
                [sys.executable, "-c", ASKING, str(path), user],
                capture_output=True,
                text=True,
                timeout=30,
            )
            self.assertEqual("trusted" in done.stdout, answered, done)

    async def test_unusable(self) -> None:
        """A root that can't be used stops the start, with words that say what to do."""
        folder = self.folder()
        write_root(folder / "root.pem", trusted())
        (folder / "root.pem").chmod(0o640)
        _, signing = self.started(folder, "root.pem")
        with self.assertRaises(SignerError) as refused:
            signing.greet(leaf_key().public_key())
        self.assertIn("chmod 600", str(refused.exception))

    def token(self, folder: Path, key: Any) -> str:
        """A new token with this key in it; its address."""
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {folder}/tokens\n")
        former = os.environ.get("SOFTHSM2_CONF", "")
        self.addCleanup(os.environ.__setitem__, "SOFTHSM2_CONF", former)
        os.environ["SOFTHSM2_CONF"] = str(config)
        (folder / "key.pem").write_bytes(Issued(trusted().certificate, key).key_pem)
        (folder / "pin").write_text(PIN + "\n")
        begin = ["softhsm2-util", "--init-token", "--free", "--label", "gateway", "--so-pin", PIN]
        put = ["softhsm2-util", "--import", str(folder / "key.pem"), "--token", "gateway"]
        put += ["--label", "root", "--id", "01"]
        for command in (begin, put):
            subprocess.run([*command, "--pin", PIN], check=True, capture_output=True, timeout=30)
        (folder / "key.pem").unlink()
        return f"pkcs11:token=gateway;object=root?module-path={MODULE}&pin-source={folder}/pin"

    async def signs_in_a_token(self, key: Any) -> None:
        folder = self.folder()
        address = self.token(folder, key)
        root = make_root("In a token", datetime.now(UTC), 30, key=key)
        (folder / "root.crt").write_bytes(root.certificate.public_bytes(Encoding.PEM))
        _, signing = self.started(folder, address, "root.crt")
        signing.greet(leaf_key().public_key())
        made = await signing.sign(for_name(NAME, time.time()))
        made.verify_directly_issued_by(root.certificate)

    async def test_token_ec(self) -> None:
        """An EC key that never leaves its PKCS#11 token signs as one in a file."""
        await self.signs_in_a_token(p256())

    async def test_token_rsa(self) -> None:
        """So does an RSA key."""
        await self.signs_in_a_token(rsa_key(2048))

    async def test_token_without_a_key(self) -> None:
        """What is wrong with a token is said in words."""
        folder = self.folder()
        address = self.token(folder, p256())
        (folder / "root.crt").write_bytes(trusted().certificate.public_bytes(Encoding.PEM))
        for wrong, words in (
            (address.replace("object=root", "object=other"), "NoSuchKey"),
            (address.replace("object=root", "id=1"), "object= is missing"),
            (address.replace("token=gateway", "token=lost"), "NoSuchToken"),
            (address.replace(MODULE, "/nowhere.so"), "nowhere.so"),
            (address, "for another key"),
            ("pkcs11:", "write pkcs11:"),
        ):
            _, signing = self.started(folder, wrong, "root.crt")
            with self.assertRaises(SignerError) as refused:
                signing.greet(leaf_key().public_key())
            self.assertIn(words, str(refused.exception))


class DeskTests(SynchronousTestCase):
    """What the signer answers."""

    def test_nonsense(self) -> None:
        """Whoever does not speak as a gateway does gets no answer: the connection ends."""
        desk = Desk(trusted(), untrusted(), Pace(1, 1, lambda: 0.0))
        good = for_name(NAME, time.time()).encode()
        for packet in (
            b"",
            b"{",
            b"[" * 100_000,
            b"[]",
            b'{"number": 0}',
            b'{"number": 0, "key": "AAAA"}',
            json.dumps({"number": 1, "template": good}).encode(),  # nobody has said a key
            json.dumps({"number": 1, "template": {**good, "names": ["\ud800"]}}).encode(),
        ):
            self.assertIsNone(desk.answer(packet))

    def test_pace(self) -> None:
        """A burst, then so many a second, and never more than a burst at once."""
        now = 0.0
        pace = Pace(2, 3, lambda: now)
        self.assertEqual([pace.take() for _ in range(4)], [True, True, True, False])
        now = 0.5
        self.assertEqual([pace.take() for _ in range(2)], [True, False])
        now = 1000.0
        self.assertEqual([pace.take() for _ in range(4)], [True, True, True, False])


class RootTests(SynchronousTestCase):
    """Roots in files."""

    def test_written(self) -> None:
        """A new root is for its owner only, and nothing that is there is lost."""
        folder = Path(self.mktemp())
        folder.mkdir()
        write_root(folder / "root.pem", trusted())
        self.assertEqual((folder / "root.pem").stat().st_mode & 0o777, 0o600)
        self.assertEqual(load_root(folder, "root.pem").chain, trusted().chain)
        with self.assertRaises(FileExistsError):
            write_root(folder / "root.pem", untrusted())

    def test_wrong(self) -> None:
        """Each thing that may be wrong with a root has its own words."""
        folder = Path(self.mktemp())
        folder.mkdir()
        key = Issued(trusted().certificate, trusted().key).key_pem
        certificate = trusted().certificate.public_bytes(Encoding.PEM)
        server = Authority(Issued(trusted().certificate, trusted().key)).issue(NAME)
        for content, words in (
            (certificate, "no private key"),
            (key, "no certificate"),
            (key + untrusted().certificate.public_bytes(Encoding.PEM), "another key"),
            (server.pem, "CA:TRUE is missing"),
            (None, "No such file"),
        ):
            path = folder / "root.pem"
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
                path.chmod(0o600)
            with self.assertRaises(RootError) as refused:
                load_root(folder, "root.pem")
            self.assertIn(words, str(refused.exception))
        with self.assertRaises(RootError):
            load_root(folder, ".")
