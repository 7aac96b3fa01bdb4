"""
What clients make of servers that are not there, when they shake hands with them: the same as
directly. For each port that is inspected there is one where the server is the same and nobody
inspects.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Thread

from tests.netns.case import SERVER, SERVER6
from tests.netns.test_handshake import ANSWERS, CLOSED, DIRECT, OPEN, Page, ThroughCase

BOTH = (SERVER, SERVER6)
MUTE = 7020
"""A port that answers nothing."""

STATES = (OPEN, CLOSED, MUTE, *ANSWERS)

REFUSED, UNREACHABLE, UNHEARD = 7080, 7081, 7082
"""Ports with a page by IPv4; by IPv6 each is broken in its way."""

BROKEN = f"""
table inet broken {{
    chain arrive {{
        type filter hook input priority 1; policy accept;
        ip6 daddr {SERVER6} tcp dport {{ {UNREACHABLE}, {UNREACHABLE + DIRECT} }} reject with \
icmpv6 addr-unreachable
        ip6 daddr {SERVER6} tcp dport {{ {UNHEARD}, {UNHEARD + DIRECT} }} drop
    }}
}}
"""

NAME = "two.example"
"""Of both addresses."""

EYEBALLS = """
import asyncio, sys

async def fetch(port):
    streams = asyncio.open_connection("two.example", port, happy_eyeballs_delay=0.25)
    reader, writer = await asyncio.wait_for(streams, 10)
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    said = await asyncio.wait_for(reader.read(), 10)
    print(port, writer.get_extra_info("peername")[0], said.endswith(b"page"))
    writer.close()

for port in map(int, sys.argv[1:]):
    asyncio.run(fetch(port))
"""

BALANCER = """
global
    stats socket {folder}/haproxy.sock
defaults
    timeout connect 2s
    timeout client 2s
    timeout server 2s
backend them
    mode tcp
    timeout check 2s
{servers}
"""


class ClientsCase(ThroughCase):
    """A relay, and servers in all states."""

    @property
    def owner(self) -> type[ThroughCase]:
        return ClientsCase

    def prepare(self) -> None:
        super().prepare()
        self.server.run("nft", "-f", "-", input=BROKEN)
        # else it would be chance which of many is answered
        self.server.sysctl("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")


class ScanTests(ClientsCase):
    """Who looks for open ports finds the server's."""

    def scan(self, server: str, how: str, more: int) -> dict[int, str]:
        """What nmap says of each port."""
        # an ICMPv6 error that comes while connect() is at work is lost, by chance
        states = (OPEN, CLOSED, MUTE) if ":" in server else STATES
        ports = ",".join(str(port + more) for port in states)
        version = ["-6"] if ":" in server else []
        said = self.client.run(
            *("nmap", "-n", "-Pn", *version, how, "-p", ports, "--max-retries", "1"),
            *("--host-timeout", "20s", "-oG", "-", server),
            seconds=40,
        )
        found = re.findall(r"(\d+)/([a-z|]+)/tcp", said)
        return {int(port) - more: state for port, state in found}

    def test_ports(self) -> None:
        """nmap, by connecting and by half connections, sees the same as directly."""
        for server in BOTH:
            for port in (OPEN, OPEN + DIRECT):
                self.listen(port, server)
            for how in ("-sT", "-sS"):
                found = self.scan(server, how, 0)
                self.assertEqual(found, self.scan(server, how, DIRECT))
                self.assertEqual(found[OPEN], "open")
                self.assertEqual(found[CLOSED], "closed")
                self.assertEqual(found[MUTE], "filtered")


class BalancerTests(ClientsCase):
    """A load balancer behind which all is inspected."""

    def test_checks(self) -> None:
        """HAProxy's checks take dead servers for dead, and say why as directly."""
        folder = self.scene.folder
        servers = []
        for server in BOTH:
            for port in (OPEN, OPEN + DIRECT):
                self.listen(port, server)
            for port in STATES:
                for each in (port, port + DIRECT):
                    name = f"{'six' if ':' in server else 'four'}_{each}"
                    servers.append(f"    server {name} {server}:{each} check inter 300ms fall 1")
        config = folder / "haproxy.cfg"
        config.write_text(BALANCER.format(folder=folder, servers="\n".join(servers)))
        with (folder / "haproxy.log").open("wb") as log:
            process = self.client.start("haproxy", "-db", "-f", str(config), stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait((folder / "haproxy.sock").exists, "no HAProxy")
        self.wait(self.settled, "checks are not as directly", 30)
        found = self.checked()
        up = {name for name, state in found.items() if state.startswith("UP")}
        self.assertEqual(
            up, {f"{family}_{port}" for family in ("four", "six") for port in (OPEN, OPEN + DIRECT)}
        )

    def settled(self) -> bool:
        """Whether each was checked, and has the same state as directly."""
        found = self.checked()
        if not found or "INI" in " ".join(found.values()):
            return False
        return all(
            state == found[f"{name.partition('_')[0]}_{int(name.partition('_')[2]) + DIRECT}"]
            for name, state in found.items()
            if int(name.partition("_")[2]) < OPEN + DIRECT
        )

    def checked(self) -> dict[str, str]:
        """The state of each server, and what the last check found."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.scene.folder / "haproxy.sock"))
            asking.sendall(b"show stat json\n")
            said = b""
            while piece := asking.recv(65536):
                said += piece
        found = {}
        for row in json.loads(said):
            fields = {each["field"]["name"]: each["value"]["value"] for each in row}
            if "check_status" in fields:
                # a check that goes on is told with the last one's result
                found[fields["svname"]] = f"{fields['status']} {fields['check_status'].strip('* ')}"
        return found


class Web(ThreadingHTTPServer):
    """A server of pages."""

    def server_bind(self) -> None:
        """Without asking for a name of the host, which nobody here would answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = SERVER, self.server_address[1]


class EyeballsTests(ClientsCase):
    """A name with an IPv6 address that is broken, and one of IPv4 that works."""

    def setUp(self) -> None:
        super().setUp()
        hosts = Path("/etc/netns") / self.client.name / "hosts"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        self.addCleanup(shutil.rmtree, hosts.parent)
        hosts.write_text(f"{SERVER6} {NAME}\n{SERVER} {NAME}\n")
        self.ports = (REFUSED, UNREACHABLE, UNHEARD)
        for port in self.ports:
            for each in (port, port + DIRECT):
                self.serve(each)

    def serve(self, port: int) -> None:
        """A page, by IPv4 only."""
        with self.server.entered():
            web = Web((SERVER, port), Page)
        self.addCleanup(web.server_close)
        thread = Thread(target=web.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(web.shutdown)

    def test_python(self) -> None:
        """asyncio gets the page by IPv4."""
        ports = [str(port + more) for more in (0, DIRECT) for port in self.ports]
        said = self.client.run(sys.executable, "-c", EYEBALLS, *ports, seconds=60)
        self.assertEqual(said.splitlines(), [f"{port} {SERVER} True" for port in ports])

    def test_curl(self) -> None:
        """So does curl."""
        for port in self.ports:
            for each in (port, port + DIRECT):
                said = self.client.run(
                    *("curl", "-s", "-w", " %{http_code} %{remote_ip}", f"http://{NAME}:{each}/"),
                    seconds=20,
                )
                self.assertEqual(said, f"page 200 {SERVER}")

    def test_browser(self) -> None:
        """So does Chromium."""
        for port in self.ports:
            for each in (port, port + DIRECT):
                said = self.client.run(
                    *("chromium-headless-shell", "--no-sandbox", "--disable-gpu"),
                    *("--no-proxy-server", "--disable-background-networking"),
                    *("--disable-dev-shm-usage", "--dump-dom"),
                    f"--user-data-dir={self.scene.folder / 'browser'}",
                    f"http://{NAME}:{each}/",
                    seconds=60,
                )
                self.assertIn("page", said)
