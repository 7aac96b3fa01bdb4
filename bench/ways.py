"""
The ways to pass traffic that are compared: plain forwarding and the gateway are
here, what a user would choose instead is in L{bench.peers}.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import mailbox, names, tls
from bench.network import CLIENT_INTERFACE, Network, start, start_python, stop
from bench.scanner import MILTER, Milter, Scanner
from bench.server import SMTP_CONTENT_PORT, SMTP_FILTERED_PORT, SMTP_PORT, SMTP_PORTS
from bench.usage import Cpu, cpu

NOT_PAST_IT = f"""
table inet notpast {{
  chain forward {{
    type filter hook forward priority 0;
    iifname {CLIENT_INTERFACE} drop
  }}
}}
"""
"""What is not taken by the program does not reach the server."""

GATEWAY = """
[divert]
interfaces = ["{interface}"]
[limits]
sessions = {sessions}
sessions_per_client = 0
[audit]
file = "{folder}/audit.json"
[tls]
root = "root.pem"
system_roots = false
trust = ["public.crt"]
"""

RELAY = """
inspector = "relay"
[[rule]]
ports = ["7001-7799"]
"""

WEB = """
inspector = "http"
[[rule]]
ports = ["7800-7899"]
[http]
methods = ["GET", "HEAD", "POST", "OPTIONS"]
hosts = [".bench.example", ".example.org", "~cdn[0-9]+[.]example[.]net"]
[[http.request]]
path = ["*/cgi-bin/*", "*.exe"]
[[http.request]]
host = [".ads.bench.example", "tracker.example.org"]
answer = 404
[http.request_headers]
remove = ["X-Forwarded-For", "Proxy-Authorization"]
[[http.response]]
content_type = ["application/x-msdownload", "application/java-archive"]
[http.response_headers]
remove = ["X-Powered-By"]
"""
"""What an operator would ask for: methods, hosts, paths, a block list, types, headers."""


MAIL = """
inspector = "smtp"
[[rule]]
ports = [{port}]
[smtp]
recipient_domains = ["b.example"]
message_bytes = 100_000_000
"""

CONTENT = """
[[smtp.headers]]
name = "X-Spam-Flag"
match = "YES"
action = "reject"
[[smtp.headers]]
name = "X-Originating-IP"
action = "remove"
[[smtp.attachments]]
extensions = ["exe", "scr", "js", "vbs"]
"""
"""Rules for which a message has to be looked into."""

SCANNED = (
    WEB.replace('ports = ["7800-7899"]', "ports = [7880, 7881]")
    + """
[http.stack]
response = "scan"
"""
)
"""The same, and bodies are scanned."""

SCAN = """
inspector = "icap"
[icap]
servers = ["127.0.0.1:1344"]
"""

FILTERED = (
    MAIL.format(port=SMTP_FILTERED_PORT)
    + """
stack = "filters"
"""
)

FILTERS = f"""
inspector = "milter"
[milter]
milters = ["127.0.0.1:{MILTER}"]
"""

FILES = """
inspector = "ftp"
[[rule]]
ports = [7750]
[ftp]
users = "anonymous|[a-z]{1,8}"
read_paths = "/.*"
"""
"""Reading by some users; the server is asked where they are, and their paths are looked at."""

NAMES = f"""
inspector = "dns"
[[rule]]
ports = [{names.PORT}]
protocol = "udp"
[dns]
[[dns.rule]]
name = [".ads.bench.example", "tracker.example.org"]
"""
"""A block list, and private addresses for public names are looked for."""

TLS = """
inspector = "tls"
[[rule]]
ports = [7900]
[tls]
inside = "web"
[[tls.rule]]
name = [".spliced.example"]
mode = "splice"
"""

MAILBOX = """
inspector = "{protocol}"
[[rule]]
ports = [{port}]
[{protocol}]
"""


def mailboxes() -> dict[str, str]:
    """Services for sessions in which a mailbox is fetched, by their names."""
    made = {}
    for protocol, plain, content in (
        ("imap", mailbox.IMAP_PORT, mailbox.IMAP_CONTENT_PORT),
        ("pop3", mailbox.POP3_PORT, mailbox.POP3_CONTENT_PORT),
    ):
        made[protocol] = MAILBOX.format(protocol=protocol, port=plain)
        rules = CONTENT.replace("smtp", protocol)
        made[f"{protocol}-content"] = MAILBOX.format(protocol=protocol, port=content) + rules
    return made


FIRST = {
    "tls": "tls-connections",
    "tls-static": "tls-connections",
    "relay": "connections",
    "http": "http-connections",
    "ftp": "ftp-sessions",
    "dns": "dns-queries",
    "mailbox": "imap-sessions",
    "icap": "scan-small",
    "milter": "milter-small",
}
"""The load that shows whether a way is ready, for each protocol."""


class Way:
    """
    One way to pass traffic, with a network and a server of its own.

    @cvar protocols: what it is compared for, of L{bench.rounds.Load.protocol}.
    """

    name = "forwarding"
    protocols: tuple[str, ...] = ("relay", "http", "smtp", "mailbox", "ftp", "tls", "dns")

    def __init__(self, network: Network, folder: Path, sessions: int) -> None:
        self.network = network
        self.folder = folder
        self.sessions = sessions
        self.log = folder / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.server: subprocess.Popen[bytes] | None = None
        self.sinks: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server and whatever is between."""
        self.server = start_python(self.network.server, "bench.server", output=subprocess.PIPE)
        assert self.server.stdout is not None
        self.server.stdout.readline()
        if "smtp" in self.protocols:
            self.sinks = [self.sink(port) for port in SMTP_PORTS]
        if "milter" in self.protocols:
            self.sinks.append(self.sink(SMTP_FILTERED_PORT))
        if "dns" in self.protocols:
            self.sinks.append(start_python(self.network.server, "bench.names"))
        if self.tls:
            tls.write(self.folder)
            self.sinks.append(start(self.network.server, tls.server(self.folder), self.log))
        self.between()
        self.wait()

    @property
    def tls(self) -> bool:
        """Whether it is compared for TLS."""
        return any(protocol.startswith("tls") for protocol in self.protocols)

    def sink(self, port: int) -> subprocess.Popen[bytes]:
        """Postfix's own server that throws mail away."""
        command = ["smtp-sink", "-4", "-u", "nobody", f"0.0.0.0:{port}", "1000"]
        return start(self.network.server, command, self.log)

    def between(self) -> None:
        """The kernel alone forwards."""

    def wait(self, seconds: float = 60) -> None:
        """
        Wait for the first connection to succeed.

        @raise RuntimeError: it never did; with the program's last words.
        """
        until = time.monotonic() + seconds
        while not self.load(FIRST[self.protocols[0]], 0.2, 1)[0]:
            if time.monotonic() > until or (self.process and self.process.poll() is not None):
                words = self.log.read_text()[-2000:] if self.log.exists() else ""
                raise RuntimeError(f"{self.name}: no connection gets through\n{words}")

    def stop(self) -> None:
        """Stop everything."""
        for process in (self.process, self.server, *self.sinks):
            if process is not None:
                stop(process)

    def cpu(self) -> Cpu:
        """CPU time of the processes between client and server so far."""
        return cpu(self.process.pid) if self.process else Cpu(0.0, 0.0)

    def begin(self, load: str, seconds: float, size: int) -> subprocess.Popen[bytes]:
        """Start a load of L{bench.client} that ends when its standard input does."""
        command = ["ip", "netns", "exec", self.network.client, sys.executable]
        return subprocess.Popen(
            [*command, "-m", "bench.client", load, str(seconds), str(size), str(self.folder)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def load(self, load: str, seconds: float, size: int) -> list[float]:
        """Run a load to its end: count, seconds, errors."""
        return finish(self.begin(load, seconds, size))


class Gateway(Way):
    """
    This gateway: a relay and inspectors, with audit records of all they do.

    @cvar not_past_it: rules by which what it does not take does not reach the server.
    """

    name = "gateway"
    not_past_it = NOT_PAST_IT
    protocols = ("relay", "http", "smtp", "mailbox", "ftp", "dns", "tls", "tls-static")

    def between(self) -> None:
        """The real C{twistd tproxygw} with a service for each protocol."""
        self.network.filter(self.not_past_it)
        config = self.folder / "conf"
        (config / "services").mkdir(parents=True)
        text = GATEWAY.format(
            interface=CLIENT_INTERFACE, sessions=self.sessions, folder=self.folder
        )
        (config / "gateway.toml").write_text(text + self.more)
        for name in ("root.pem", "public.crt"):
            shutil.copy2(self.folder / name, config)
        more = {**mailboxes(), "secure": TLS, "names": NAMES}
        for name, service in {**self.services(), **more}.items():
            (config / "services" / f"{name}.toml").write_text(service)
        twistd = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile="]
        state = str(self.folder / "state")
        command = [*twistd, "tproxygw", "--config", str(config), "--state", state, "--control", ""]
        self.process = start(self.network.gateway, [*self.environment, *command], self.log)

    @property
    def environment(self) -> Sequence[str]:
        """What its command begins with."""
        return ()

    @property
    def more(self) -> str:
        """What gateway.toml says beyond the others'."""
        return ""

    def services(self) -> dict[str, str]:
        """The services that every version has, by their names."""
        mail, content = MAIL.format(port=SMTP_PORT), MAIL.format(port=SMTP_CONTENT_PORT) + CONTENT
        return {"relay": RELAY, "web": WEB, "mail": mail, "content": content, "files": FILES}


class Released(Gateway):
    """The same with a relay whose sessions the kernel has, as soon as it can."""

    name = "released"
    protocols = ("relay",)

    def between(self) -> None:
        """A carrier beside it, started by the gateway."""
        tls.write(self.folder)
        super().between()

    @property
    def more(self) -> str:
        """What gateway.toml says beyond the others'."""
        return "[release]\nkernel = true\nafter_seconds = 0\n"


class Scanned(Way):
    """Beside another class: the same with bodies that are scanned by ICAP."""

    protocols = ("icap",)
    scanner: Scanner

    def between(self) -> None:
        """The scanner first."""
        self.scanner = Scanner(self.network.gateway, self.folder)
        self.scanner.start()
        tls.write(self.folder)
        super().between()

    def stop(self) -> None:
        """The scanner last."""
        super().stop()
        self.scanner.stop()


class ScanningGateway(Scanned, Gateway):
    """The gateway."""

    name = "gateway-icap"

    def services(self) -> dict[str, str]:
        """With one more."""
        return {"web": WEB, "scanned": SCANNED, "scan": SCAN}


class Filtered(Way):
    """Beside another class: the same with mails that a milter sees."""

    protocols = ("milter",)
    milter: Milter

    def between(self) -> None:
        """The milter first."""
        self.milter = Milter(self.network.gateway, self.folder)
        self.milter.start()
        tls.write(self.folder)
        super().between()

    def stop(self) -> None:
        """The milter last."""
        super().stop()
        self.milter.stop()


class FilteringGateway(Filtered, Gateway):
    """The gateway."""

    name = "gateway-milter"

    def services(self) -> dict[str, str]:
        """One, and the filters."""
        return {"web": WEB, "filtered": FILTERED, "filters": FILTERS}


class Before(Gateway):
    """
    An earlier version of this gateway, from a checkout, with what it has of the protocols that
    that of 2026-11-24 had.

    @cvar checkout: where that is.
    """

    name = "before"
    protocols = ("relay", "http", "smtp", "ftp")
    checkout = Path()

    @property
    def environment(self) -> Sequence[str]:
        """Its own modules."""
        return ("env", f"PYTHONPATH={self.checkout}")

    def between(self) -> None:
        """With a configuration that it can read."""
        if (self.checkout / "gateway" / "policy" / "audit.py").exists():
            tls.write(self.folder)
            super().between()
            return
        self.network.filter(NOT_PAST_IT)
        config = self.folder / "conf"
        (config / "services").mkdir(parents=True)
        text = GATEWAY.partition("[tls]")[0].replace("[audit]\nfile", "[log]\naudit")
        (config / "gateway.toml").write_text(
            text.format(interface=CLIENT_INTERFACE, sessions=self.sessions, folder=self.folder)
        )
        for name, service in self.services().items():
            (config / "services" / f"{name}.toml").write_text(service)
        twistd = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile="]
        command = [*twistd, "tproxygw", "--config", str(config)]
        self.process = start(self.network.gateway, [*self.environment, *command], self.log)


def finish(client: subprocess.Popen[bytes]) -> list[float]:
    """
    Wait for a load's last line.

    @raise RuntimeError: the load ended without one.
    """
    output, _ = client.communicate(timeout=120)
    lines = output.splitlines()
    if not lines:
        raise RuntimeError("a load failed; its traceback is above")
    counted: list[float] = json.loads(lines[-1])
    return counted
