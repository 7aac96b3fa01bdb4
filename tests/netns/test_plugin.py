"""An inspector of the operator's own, that announces connections as FTP does."""

from __future__ import annotations

from tests.netns.case import CLIENT, CLIENT6, SERVER, SERVER6, Address, SceneCase, hear, reset
from tests.netns.firewall import FIREWALL

ANNOUNCER = '''
from gateway.inspector import StreamInspector
from gateway.interfaces import CLIENT, SERVER, Address
from gateway.maker import InspectorMaker


class Announcer(StreamInspector):
    """The client says "active PORT", the server says "passive PORT"."""

    async def from_client(self, read):
        while await read.more():
            line = await read.line(100)
            port = int(line.removeprefix(b"active "))
            await self.session.expect(SERVER, Address(self.session.client.host, port), "data")
            self.session.send(SERVER, line + b"\\r\\n")

    async def from_server(self, read):
        while await read.more():
            line = await read.line(100)
            port = int(line.removeprefix(b"passive "))
            await self.session.expect(CLIENT, Address(self.session.server.host, port), "data")
            self.session.send(CLIENT, line + b"\\r\\n")


announcer = InspectorMaker("announcer", Announcer, "announces connections")
'''
CONTROL = """
inspector = "announcer"
[[rule]]
from = ["office"]
ports = [2121]
"""


class AnnouncedTests(SceneCase):
    """Announced connections are sessions of their own, from the right addresses."""

    gateway = "[limits]\nstop_seconds = 1.0\n"
    services = {"control": CONTROL, "data": 'inspector = "relay"\n'}

    def begin(self) -> None:
        """The plugin is a file beside the configuration."""
        folder = self.scene.folder / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "announcer.py").write_text(ANNOUNCER)
        self.scene.configure(self.services, self.gateway, self.zones)
        settings = self.scene.config / "gateway.toml"
        settings.write_text(f'plugin_path = ["{folder}"]\n{settings.read_text()}')
        self.scene.daemon.start()

    def control(self, server: str) -> tuple[Address, Address]:
        listener = self.listen(2121, server)
        self.ours = self.dial((server, 2121))
        self.theirs, _ = self.accept(listener)
        listener.close()
        return self.ours.getsockname()[:2], (server, 2121)

    def test_server_connects(self) -> None:
        """Active: the server connects to the client, which sees the server's address."""
        for server, client in ((SERVER, CLIENT), (SERVER6, CLIENT6)):
            self.control(server)
            listener = self.listen(host=client, namespace=self.client)
            port = listener.getsockname()[1]
            self.ours.sendall(b"active %d\r\n" % port)
            self.assertEqual(hear(self.theirs, 13), b"active %d\r\n" % port)
            data = self.dial((client, port), (server, 20), namespace=self.server)
            at_client, peer = self.accept(listener)
            self.assertEqual(peer, (server, 20))
            data.sendall(b"listing")
            data.close()
            self.assertEqual(hear(at_client), b"listing")
            at_client.close()
            self.assertEqual(self.flow((server, 20))["gateway"]["service"], "data")
            reset(self.ours)
            self.scene.audit.write_text("")

    def test_client_connects(self) -> None:
        """Passive: the client connects to the server, which sees the client's address."""
        for server in (SERVER, SERVER6):
            self.control(server)
            listener = self.listen(host=server)
            port = listener.getsockname()[1]
            self.theirs.sendall(b"passive %d\r\n" % port)
            self.assertEqual(hear(self.ours, 14), b"passive %d\r\n" % port)
            data = self.dial((server, port))
            at_server, peer = self.accept(listener)
            self.assertEqual(peer, data.getsockname()[:2])
            at_server.sendall(b"listing")
            at_server.close()
            self.assertEqual(hear(data), b"listing")
            data.close()
            self.assertEqual(self.flow(peer)["gateway"]["service"], "data")
            reset(self.ours)

    def test_stranger(self) -> None:
        """Somebody else who connects where a connection was announced gets nothing."""
        self.control(SERVER)
        listener = self.listen(host=SERVER)
        port = listener.getsockname()[1]
        self.theirs.sendall(b"passive %d\r\n" % port)
        hear(self.ours, 14)
        self.assertRefused((SERVER, port), "10.1.200.9")
        self.assertQuiet(listener)
        self.dial((SERVER, port))
        self.accept(listener)
        reset(self.ours)


class AnnouncedFirewallTests(AnnouncedTests):
    """The same on a gateway with the usual stateful rules."""

    def prepare(self) -> None:
        self.router.run("nft", "-f", "-", input=FIREWALL)


class IptablesAnnouncedTests(AnnouncedTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n' + AnnouncedTests.gateway


class IptablesAnnouncedFirewallTests(AnnouncedFirewallTests):
    """The same with both."""

    gateway = IptablesAnnouncedTests.gateway
