"""Four real DNS servers: BIND and Knot have the zones, unbound and dnsmasq ask BIND."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.namespace import CommandFailed, Namespace
from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SERVER6, SceneCase, network

FOLDER = Path(__file__).resolve().parents[2] / ".make" / "unpacked"

UNBOUND = network.BANK
DNSMASQ = network.MIRROR
KNOT = "198.51.100.53"

SERVERS = (SERVER, UNBOUND, DNSMASQ, KNOT)

KEY = "hmac-sha256:transfer:c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

NAMED = """
options {
  directory "FOLDER";
  listen-on { SERVER; };
  listen-on-v6 { SERVER6; };
  recursion no;
  pid-file none;
  session-keyfile "FOLDER/session.key";
  notify no;
};
key transfer { algorithm hmac-sha256; secret "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="; };
controls { };
zone "example.org" { type primary; file "example.org"; allow-transfer { any; };
  allow-update { key transfer; }; };
zone "signed.example" { type primary; file "signed.example"; dnssec-policy default;
  inline-signing yes; allow-transfer { key transfer; }; };
zone "tracker.example" { type primary; file "tracker.example"; };
"""

HEAD = """$TTL 300
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 198.51.100.7
"""

ECH = (
    "AEj+DQBEAQAgACAdd+scUi0IYFsXnUIU7ko2Nd9+F8M26pAGZVpz/KrWPgAEAAEAAWQVZWNoLXNpdGVzLmV4YW1wbGUu"
    "bmV0AAA="
)

ZONES = {
    "example.org": HEAD
    + f"""www A 198.51.100.7
www AAAA 2001:db8:100::7
alias CNAME www
hidden CNAME x.tracker.example.
inside A 10.1.2.3
@ MX 10 mail
mail A 198.51.100.7
_sip._udp SRV 1 2 5060 www
@ CAA 0 issue "ca.example"
web HTTPS 1 . alpn=h2,h3 ipv4hint=198.51.100.7 ech={ECH}
sub DNAME tracker.example.
"""
    + "".join(f'big TXT "{n:03}{"x" * 200}"\n' for n in range(40))
    + "".join(f"n{n} A 198.51.100.{n % 250}\n" for n in range(300)),
    "signed.example": HEAD + "www A 198.51.100.7\nweb HTTPS 1 . alpn=h2\n",
    "tracker.example": HEAD + "x A 198.51.100.66\n",
}

UNBOUND_CONF = """
server:
  interface: UNBOUND
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: "FOLDER"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  minimal-responses: no
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: SERVER
"""

KNOT_CONF = """
server:
    rundir: FOLDER/knot
    user: root:root
    listen: KNOT@53
log:
  - target: stderr
    any: info
database:
    storage: FOLDER/knot
acl:
  - id: anybody
    action: transfer
template:
  - id: default
    storage: FOLDER/knot
    file: "%s"
    zonefile-sync: -1
    acl: anybody
zone:
  - domain: example.org
  - domain: tracker.example
  - domain: signed.example
    dnssec-signing: on
    zonefile-load: whole
"""

SERVICE = """
inspector = "dns"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [53]
protocol = ["udp", "tcp"]
[dns]
"""


class DnsCase(SceneCase):
    """The servers, and what asks them."""

    settings: ClassVar[str] = ""

    @property
    def folder(self) -> Path:
        return self.scene.folder / "dns"

    @property
    def words(self) -> dict[str, str]:
        """What stands for what in the configurations."""
        places = {"FOLDER": str(self.folder), "UNBOUND": UNBOUND, "KNOT": KNOT}
        return {**places, "SERVER6": SERVER6, "SERVER": SERVER}

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "knot").mkdir(parents=True, exist_ok=True)
        for name, text in ZONES.items():
            (self.folder / "knot" / name).write_text(text)
        self.scene.network.add_server_addresses([KNOT])
        confs = {"named.conf": NAMED, "unbound.conf": UNBOUND_CONF, "knot.conf": KNOT_CONF}
        for name, text in {**ZONES, **confs}.items():
            for word, meant in self.words.items():
                text = text.replace(word, meant)
            (self.folder / name).write_text(text)
        named = FOLDER / "bind9/usr/sbin/named"
        unbound = FOLDER / "unbound/usr/sbin/unbound"
        self.launch(str(named), "-g", "-n", "1", "-c", f"{self.folder}/named.conf")
        self.launch(str(unbound), "-d", "-c", f"{self.folder}/unbound.conf")
        self.launch(
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv"),
            *("--no-hosts", f"--server={SERVER}", f"--listen-address={DNSMASQ}"),
            *("--bind-interfaces", "--user=root", "--pid-file="),
        )
        knot = FOLDER / "knot/usr/sbin/knotd"
        self.launch(str(knot), "-c", f"{self.folder}/knot.conf")
        for server in SERVERS:
            self.wait_for(server)

    def begin(self) -> None:
        self.scene.configure({"dns": SERVICE + self.settings})
        self.scene.daemon.start()

    def launch(self, *command: str) -> None:
        """A server, for as long as the namespace is there."""
        with (self.folder / "servers.log").open("ab") as log:
            self.server.start(*command, stdout=log, stderr=log)

    def wait_for(self, server: str) -> None:
        """Until it answers, with signatures where there are some."""

        def ready() -> bool:
            said = self.dig(server, "signed.example", "DNSKEY", "+tcp", namespace=self.server)
            return "DNSKEY" in said and "198.51.100.7" in self.dig(
                server, "www.example.org", namespace=self.server
            )

        if not wait_until(ready, seconds=30):
            raise AssertionError((self.folder / "servers.log").read_text()[-3000:])

    def dig(self, server: str, *what: str, namespace: Namespace | None = None) -> str:
        """What dig prints: the answer, or why there is none."""
        command = ("dig", f"@{server}", "+tries=2", "+time=10", "+nottlid", *what)
        try:
            return (namespace or self.client).run(*command, seconds=60)
        except CommandFailed as failed:
            return str(failed)

    def records(self) -> list[dict[str, Any]]:
        """The DNS records so far."""
        return [each for each in self.scene.records() if each["event_type"] == "dns"]

    def resolved(self) -> subprocess.Popen[bytes]:
        """systemd-resolved in the client's namespace, which asks BIND."""
        home = self.scene.folder / "resolved"
        for place in ("run/systemd/resolve", "etc/systemd"):
            (home / place).mkdir(parents=True, exist_ok=True)
        users = Path("/etc/passwd").read_text()
        (home / "etc/passwd").write_text(f"{users}systemd-resolve:x:65121:65121::/:/bin/false\n")
        groups = Path("/etc/group").read_text()
        (home / "etc/group").write_text(f"{groups}systemd-resolve:x:65121:\n")
        (home / "etc/resolv.conf").write_text("nameserver 127.0.0.53\n")
        (home / "etc/systemd/resolved.conf").write_text(
            f"[Resolve]\nDNS={SERVER}\nDomains=~.\nLLMNR=no\nMulticastDNS=no\nCache=no\nDNSSEC=no\n"
        )
        script = f"""
        set -e
        mount -t overlay -o lowerdir={home}/etc:/etc overlay /etc
        mount --bind {home}/run /run
        chown -R 65121:65121 /run/systemd
        exec {FOLDER}/systemd-resolved/lib/systemd/systemd-resolved
        """
        with (self.folder / "resolved.log").open("wb") as log:
            return self.client.start("sh", "-c", script, stdout=log, stderr=log)
