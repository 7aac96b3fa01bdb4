"""Inspectors, through the real gateway."""

from __future__ import annotations

import re

from tests.netns.case import SERVER, SceneCase, hear

FINGER = """
inspector = "finger"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [79]
"""


class FingerTests(SceneCase):
    """Finger (RFC 1288)."""

    services = {"finger": FINGER}

    def test_allowed(self) -> None:
        """A question about one user reaches the server, and its answer the client."""
        listener = self.listen(79)
        ours = self.dial((SERVER, 79))
        ours.sendall(b"alice\r\n")
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        self.assertEqual(hear(theirs, 7), b"alice\r\n")
        theirs.sendall(b"Login: alice\r\n")
        theirs.close()
        self.assertEqual(hear(ours), b"Login: alice\r\n")
        ours.close()
        self.assertEqual(self.flow(peer)["gateway"]["verdict"], "passed")

    def test_denied(self) -> None:
        """A question to be passed on to a third host is denied, and no byte of it passes."""
        listener = self.listen(79)
        ours = self.dial((SERVER, 79))
        source = ours.getsockname()
        ours.sendall(b"alice@inside\r\n")
        self.assertNotIn(b"Login", hear(ours))
        ours.close()
        gateway = self.flow(source)["gateway"]
        self.assertEqual(gateway["verdict"], "denied")
        self.assertRegex(gateway["reason"], re.compile("host|forward|user", re.IGNORECASE))
        listener.settimeout(0.3)
        try:
            theirs, _ = listener.accept()
        except TimeoutError:
            return
        with theirs:
            theirs.settimeout(5)
            try:
                self.assertEqual(theirs.recv(100), b"")
            except ConnectionResetError:
                pass
