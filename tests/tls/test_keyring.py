"""The keyring: who signs is found when the gateway starts, and holds up nothing when it stops."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.policy.tls import Tls
from gateway.tls import keyring
from gateway.tls.key import write_root
from gateway.tls.keyring import Keyring
from gateway.tls.signer import Started, start
from gateway.tls.signing import SignerError
from tests.tls.minting import trusted


class Watching(Clock):
    """A reactor of which nobody wants more than this."""

    def addReader(self, reader: object) -> None:
        pass

    def removeReader(self, reader: object) -> None:
        pass


class KeyringTests(SynchronousTestCase):
    """At the start and at the end."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.keyring = Keyring(Watching())

    def test_no_signer(self) -> None:
        """A signer's unit that is not started is named; so is where it should be."""
        with self.assertRaises(SignerError) as caught:
            self.keyring.open(self.folder, Tls(root="root.pem"), self.folder / "socket")
        self.assertEqual(
            str(caught.exception),
            f"tls.root needs the signer, which can't be reached at {self.folder}/socket: "
            'No such file or directory; see "systemctl status tproxygw-signer"',
        )

    def test_hangs(self) -> None:
        """A signer that does not end is told of, and the rest of the stop goes on."""
        began: list[Started] = []

        def remembered(*arguments: object) -> Started:
            began.append(start(*arguments))
            return began[0]

        self.patch(keyring, "start", remembered)
        self.patch(keyring, "SECONDS", 0.1)
        write_root(self.folder / "root.pem", trusted())
        self.keyring.open(self.folder, Tls(root="root.pem"), None)
        process = began[0].process
        self.addCleanup(process.wait)
        self.addCleanup(os.kill, process.pid, signal.SIGCONT)
        os.kill(process.pid, signal.SIGSTOP)
        told: list[LogEvent] = []
        globalLogPublisher.addObserver(told.append)
        self.addCleanup(globalLogPublisher.removeObserver, told.append)
        self.keyring.close()
        self.assertIn(process.pid, [event.get("process") for event in told])
