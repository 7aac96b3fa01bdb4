"""The process that workers come from."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.local import environment
from gateway.kernel.packets import send


class SeedTests(SynchronousTestCase):
    """The real program."""

    def test_broken_nursery(self) -> None:
        """Of a nursery that can't even begin standard error says why, to which the log refers."""
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            seed = subprocess.Popen(
                (sys.executable, "-P", "-m", "gateway.workers"),
                stdin=theirs.fileno(),
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            )
        supervisor, nursery = socket.socketpair(type=socket.SOCK_SEQPACKET)
        spec = os.memfd_create("spec")
        os.write(spec, b'{"of": "another version"}')
        with ours, supervisor, nursery:
            send(ours, {"begin": True}, [spec, nursery.fileno()])
        os.close(spec)
        _, said = seed.communicate(timeout=100)
        self.assertIn("TypeError", said)
        self.assertEqual(seed.returncode, 0, said)
