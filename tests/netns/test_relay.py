"""The heart of it: intercepted connections, seen from both ends. With every packet filter."""

from __future__ import annotations

import os
import shutil
import socket

from tests.netns.case import (
    CLIENT,
    CLIENT6,
    RELAY,
    RELAY_UDP,
    SERVER,
    SERVER6,
    SceneCase,
    hear,
    reset,
)

BANK = "203.0.113.9"

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 8081; listen [::]:8081; root {folder};
    location /who {{ return 200 "$remote_addr $remote_port"; }}
  }}
}}
"""


class RelayMixin:
    """What must work with every packet filter alike."""

    services = {"relay": RELAY, "datagrams": RELAY_UDP}
    embedded = True

    def test_server_sees_the_clients_address_and_port(self: SceneCase) -> None:
        """The server sees the client's own address and port; the client sees the server's."""
        listener = self.listen()
        ours = self.dial(listener.getsockname(), (CLIENT, 0))
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        self.assertEqual(ours.getpeername(), listener.getsockname())
        ours.sendall(b"question")
        self.assertEqual(hear(theirs, 8), b"question")
        theirs.sendall(b"answer")
        self.assertEqual(hear(ours, 6), b"answer")

    def test_ipv6(self: SceneCase) -> None:
        """The same over IPv6."""
        listener = self.listen(host=SERVER6)
        ours = self.dial(listener.getsockname(), (CLIENT6, 0))
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname()[:2])
        ours.sendall(b"question")
        self.assertEqual(hear(theirs, 8), b"question")
        theirs.sendall(b"answer")
        self.assertEqual(hear(ours, 6), b"answer")
        ours.close()
        theirs.close()
        self.assertTrue(self.flow(peer)["gateway"]["upstream"]["port_kept"])

    def test_flow_record(self: SceneCase) -> None:
        """One record for a session: who, where to, by which rule, how much, how it ended."""
        ours, theirs, peer = self.pair()
        ours.sendall(b"12345")
        ours.shutdown(socket.SHUT_WR)
        self.assertEqual(hear(theirs), b"12345")
        theirs.sendall(b"123")
        theirs.close()
        self.assertEqual(hear(ours), b"123")
        record = self.flow(peer)
        self.assertEqual((record["dest_ip"], record["proto"]), (SERVER, "TCP"))
        self.assertEqual(record["flow"]["bytes_toserver"], 5)
        self.assertEqual(record["flow"]["bytes_toclient"], 3)
        gateway = record["gateway"]
        self.assertEqual(gateway["service"], "relay")
        self.assertEqual(gateway["rule"], "services/relay.toml:3")
        self.assertEqual(gateway["zones"], {"from": ["office"], "to": ["internet"]})
        self.assertEqual(gateway["verdict"], "passed")
        upstream = gateway["upstream"]
        self.assertEqual((upstream["source_ip"], upstream["source_port"]), peer)
        self.assertEqual((upstream["ip"], upstream["port_kept"]), (SERVER, True))

    def test_server_speaks_first(self: SceneCase) -> None:
        """A server that speaks first (SMTP, FTP, SSH) is heard by a client that waits."""
        ours, theirs, _ = self.pair()
        theirs.sendall(b"220 ready\r\n")
        self.assertEqual(hear(ours, 11), b"220 ready\r\n")

    def test_one_client_port_to_two_servers(self: SceneCase) -> None:
        """A client that uses one port to two servers at once is seen with it by both."""
        one, other = self.listen(host=SERVER), self.listen(host=BANK)
        first = self.dial(one.getsockname(), (CLIENT, 0))
        second = self.dial(other.getsockname(), first.getsockname())
        self.assertEqual(self.accept(one)[1], first.getsockname())
        self.assertEqual(self.accept(other)[1], second.getsockname())

    def test_same_port_again_at_once(self: SceneCase) -> None:
        """A client that uses the same port to the same server again at once is not refused."""
        listener = self.listen()
        for _ in range(3):
            ours = self.dial(listener.getsockname(), (CLIENT, 23456))
            theirs, peer = self.accept(listener)
            self.assertEqual(peer[0], CLIENT)
            reset(ours)
            self.assertReset(theirs)

    def test_many_at_once(self: SceneCase) -> None:
        """A hundred connections at the same time: each one keeps its own address and port."""
        opened = [self.dial((SERVER, 4000)) for _ in range(100)]
        for ours in opened:
            host, port = ours.getsockname()
            self.assertTrue(hear(ours).startswith(f"you are {host}:{port},".encode()))
            ours.close()

    def test_large(self: SceneCase) -> None:
        """What is larger than every buffer arrives whole, both ways at once."""
        sent = os.urandom(1 << 20) * 8
        ours = self.dial((SERVER, 7))
        ours.setblocking(False)
        heard, todo = bytearray(), memoryview(sent)
        while len(heard) < len(sent):
            if todo:
                try:
                    todo = todo[ours.send(todo[:65536]) :]
                except BlockingIOError:
                    pass
            try:
                heard += ours.recv(1 << 18)
            except BlockingIOError:
                pass
        self.assertEqual(bytes(heard), sent)

    def test_curl_and_nginx(self: SceneCase) -> None:
        """A real web server tells curl the address and port that curl really has."""
        folder = self.scene.folder / "nginx"
        if not folder.exists():
            folder.mkdir()
            (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
            nginx = self.server.start(
                "nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")
            )
            self.addCleanup(nginx.wait)
            self.addCleanup(nginx.terminate)
            self.wait(
                lambda: "8081" in self.server.run("ss", "-Htln"), "nginx did not start listening"
            )
        for host in (SERVER, f"[{SERVER6}]"):
            url = f"http://{host}:8081/who"
            said = self.client.run("curl", "-sS", "-w", "\n%{local_ip} %{local_port}", url)
            seen, used = said.split("\n")
            self.assertEqual(seen, used)

    def test_refused(self: SceneCase) -> None:
        """A server that refuses is answered to the client with a reset, and recorded."""
        source = self.assertRefused((SERVER, 9999))
        gateway = self.flow(source)["gateway"]
        self.assertEqual(gateway["verdict"], "failed")
        self.assertIn("refused", gateway["reason"])

    def test_straight_to_the_listener(self: SceneCase) -> None:
        """The listener's port is no open relay: connections made to it are refused."""
        for host in ("10.1.0.1", "198.51.100.1"):
            source = self.assertRefused((host, 50080))
            self.assertEqual(self.flow(source)["gateway"]["verdict"], "denied")
        self.assertRefused(("fd00:1::1", 50080), CLIENT6)

    def test_listeners_port_elsewhere(self: SceneCase) -> None:
        """A server that happens to use the listener's port number is reached as any other."""
        listener = self.listen(50080)
        ours = self.dial((SERVER, 50080))
        _, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        reset(ours)
        self.assertEqual(self.flow(peer)["gateway"]["upstream"]["port"], 50080)

    def test_server_connects_to_the_client(self: SceneCase) -> None:
        """Connections that the server opens (active FTP) work, whatever is diverted."""
        listener = self.listen(host=CLIENT, namespace=self.client)
        ours = self.dial(listener.getsockname(), (SERVER, 20), namespace=self.server)
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, (SERVER, 20))
        theirs.sendall(b"data")
        self.assertEqual(hear(ours, 4), b"data")

    def test_own_addresses_and_own_traffic(self: SceneCase) -> None:
        """Servers on the gateway itself, and its own connections, are left alone."""
        own = self.listen(host="10.1.0.1", namespace=self.router)
        ours = self.dial(own.getsockname())
        self.accept(own)
        self.assertEqual(self.flows(ours.getsockname()), [])
        far = self.listen()
        ours = self.dial(far.getsockname(), namespace=self.router)
        self.assertEqual(self.accept(far)[1], ours.getsockname())
        self.assertEqual(self.flows(ours.getsockname()), [])

    def test_other_networks(self: SceneCase) -> None:
        """What no rule is for passes as if there was no gateway."""
        listener = self.listen()
        ours = self.dial(listener.getsockname(), ("10.2.0.9", 0))
        self.assertEqual(self.accept(listener)[1], ours.getsockname())
        self.assertEqual(self.flows(ours.getsockname()), [])

    def test_datagrams(self: SceneCase) -> None:
        """UDP: the server sees the client's address, the client gets the server's answer."""
        for host, source in ((SERVER, CLIENT), (SERVER6, CLIENT6)):
            theirs = self.datagrams(self.server, host, 5353)
            ours = self.datagrams(self.client, source)
            ours.sendto(b"question", (host, 5353))
            data, peer = theirs.recvfrom(100)
            self.assertEqual((data, peer), (b"question", ours.getsockname()))
            theirs.sendto(b"answer", peer)
            data, answered = ours.recvfrom(100)
            self.assertEqual((data, answered[:2]), (b"answer", (host, 5353)))
            theirs.close()


class NftablesTests(RelayMixin, SceneCase):
    """With nftables."""

    gateway = 'backend = "nftables"\n'


class IptablesMixin(RelayMixin):
    """
    With one of the two variants of iptables under the plain names.

    C{ip netns exec} runs programs in a mount namespace of their own, so Debian's
    alternatives can be different ones for this gateway alone.
    """

    gateway = 'backend = "iptables"\n'
    variant = ""

    def prepare(self: SceneCase) -> None:
        folder = self.scene.folder / "alternatives"
        shutil.copytree("/etc/alternatives", folder, symlinks=True)
        for command in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                (folder / f"{command}{suffix}").unlink()
                (folder / f"{command}{suffix}").symlink_to(
                    f"/usr/sbin/{command}-{self.variant}{suffix}"
                )
        mount = f'mount --bind {folder} /etc/alternatives && exec "$@"'
        self.scene.daemon.before = ("sh", "-c", mount, "sh")
        super().prepare()

    def test_this_variant_has_the_rules(self: SceneCase) -> None:
        """The rules are held by the variant that is called iptables on this host, and no other."""
        for command in ("iptables", "ip6tables"):
            rules = self.router.run(f"{command}-{self.variant}-save", "-t", "mangle")
            self.assertIn("TPROXY", rules)


class IptablesNftTests(IptablesMixin, SceneCase):
    """With iptables as Debian has it: on top of nftables."""

    variant = "nft"


class IptablesLegacyTests(IptablesMixin, SceneCase):
    """With iptables as it was."""

    variant = "legacy"
