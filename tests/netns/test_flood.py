"""A flood of forged SYNs, with the kernel's settings as they are by default."""

from __future__ import annotations

import re
import time

from tests.netns.case import RELAY, SERVER, SceneCase, hear, reset
from tests.netns.flood import RATE, SECONDS, Flood
from tests.netns.packets import raw

FORGED = "10.1.99.99"
PORT = 4001
HONEST = 100


class FloodTests(SceneCase):
    """One host fills the listener's queue with half connections."""

    services = {"relay": RELAY}

    def prepare(self) -> None:
        """The gateway knows the way to the forged address, so that its answers leave."""
        shown = self.client.run("ip", "-o", "link", "show", "eth0")
        found = re.search(r"link/ether (\S+)", shown)
        assert found is not None
        self.router.ip(f"neighbour replace {FORGED} lladdr {found[1]} dev lan0 nud permanent")

    def test_honest_connections(self) -> None:
        """All of a hundred honest connections that are made meanwhile work."""
        self.listener = self.listen(PORT)
        ours = raw(self.client, FORGED, whole=True)
        self.addCleanup(ours.close)
        flood = Flood(ours, FORGED, (SERVER, PORT))
        flood.start()
        for _ in range(HONEST):
            self.converse(self.listener.getsockname())
            time.sleep(SECONDS / HONEST / 2)
        flood.join()
        self.assertGreater(flood.sent, RATE * SECONDS * 0.8)
        self.assertGreater(self.cookies(), 0)

    def converse(self, server: tuple[str, int]) -> None:
        """A connection over which the server, which knows nothing of the flood, greets."""
        ours = self.dial(server)
        theirs, peer = self.accept(self.listener)
        self.assertEqual(peer, ours.getsockname())
        theirs.sendall(b"greeting")
        self.assertEqual(hear(ours, 8), b"greeting")
        theirs.close()
        reset(ours)

    def cookies(self) -> int:
        """How many cookies the gateway has sent."""
        said = self.router.run("nstat", "-asz", "TcpExtSyncookiesSent").split()
        return int(said[said.index("TcpExtSyncookiesSent") + 1])


class IptablesFloodTests(FloodTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n'
