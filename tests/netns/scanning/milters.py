"""The real opendkim, clamav-milter and rspamd, each with what it needs in a folder of its own."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until
from tests.netns.mail.unpacked import FOLDER, Unpacked

SELECTOR = "gate"
DOMAIN = "a.example"

OPENDKIM = """
Socket inet:{port}@127.0.0.1
Mode s
Canonicalization simple/simple
Domain {domain}
Selector {selector}
KeyFile {folder}/key.pem
InternalHosts {folder}/hosts
RequireSafeKeys false
Background false
UserID root
Syslog false
"""

CLAMAV = """
MilterSocket inet:{port}@127.0.0.1
ClamdSocket unix:{clamd}
OnInfected {infected}
RejectMsg It has %v
AddHeader Add
Foreground yes
User root
TemporaryDirectory {folder}
"""

RSPAMD = """
options {{
    pidfile = "{folder}/pid";
    filters = "";
    url_tld = "{folder}/tld";
    dns {{ nameserver = ["127.0.0.1"]; }}
}}
lang_detection {{ languages = ["en"]; short_text_limit = 1; }}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; }}
worker "rspamd_proxy" {{
    bind_socket = "127.0.0.1:{port}";
    milter = yes;
    count = 1;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""


class Filter:
    """
    One filter.

    @ivar port: where it listens, on the gateway's loopback.
    """

    def __init__(self, namespace: Namespace, folder: Path, port: int) -> None:
        self.port = port
        self._namespace = namespace
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    def _run(self, *command: str | Path) -> None:
        """Until it listens."""
        with (self._folder / "output").open("wb") as output:
            process = self._namespace.start(
                *map(str, command), stdout=output, stderr=output, start_new_session=True
            )
        self._await(process)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        listening = "ss", "-Htln", f"sport = :{self.port}"
        if not wait_until(lambda: "LISTEN" in self._namespace.run(*listening), 20):
            raise AssertionError(f"port {self.port}: nobody listens; see {self._folder}")

    def stop(self) -> None:
        """At once, with its children."""
        process, self._process = self._process, None
        if process is not None:
            subprocess.run(("pkill", "-KILL", "-s", str(process.pid)), check=False)
            process.wait()


class OpenDKIM(Filter):
    """
    Signs.

    @ivar record: the key, as DNS would have it.
    """

    record: bytes

    def start(self) -> None:
        """With a key of its own."""
        key = self._folder / "key.pem"
        openssl = "openssl", "rsa", "-in", str(key), "-pubout", "-outform", "DER"
        subprocess.run(("openssl", "genrsa", "-out", key, "2048"), check=True, capture_output=True)
        public = subprocess.run(openssl, check=True, capture_output=True).stdout
        self.record = b"v=DKIM1; k=rsa; p=" + b64encode(public)
        (self._folder / "hosts").write_text("0.0.0.0/0\n")
        conf = self._folder / "conf"
        conf.write_text(
            OPENDKIM.format(port=self.port, domain=DOMAIN, selector=SELECTOR, folder=self._folder)
        )
        self._run(FOLDER / "opendkim/usr/sbin/opendkim", "-f", "-x", conf)


class ClamavMilter(Filter):
    """Asks clamd."""

    def start(self, clamd: Path, infected: str = "Reject") -> None:
        """With this clamd's socket; C{infected} is what becomes of a virus."""
        conf = self._folder / "conf"
        told = {"port": self.port, "clamd": clamd, "folder": self._folder, "infected": infected}
        conf.write_text(CLAMAV.format(**told))
        self._run(FOLDER / "clamav-milter/usr/sbin/clamav-milter", "-c", conf)


READDRESSER = """
import sys, Milter
class Readdresser(Milter.Base):
    def header(self, name, value):
        if name.lower() == "subject":
            self.subject = value
        return Milter.CONTINUE
    def eom(self):
        for change in self.subject.split(";"):
            do, _, argument = change.strip().partition(" ")
            if do:
                getattr(self, do)(*argument.split(","))
        self.progress()
        return Milter.ACCEPT
Milter.factory = Readdresser
Milter.set_flags(Milter.ADDHDRS | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGFROM)
Milter.runmilter("readdresser", "inet:%s@127.0.0.1" % sys.argv[1], 60)
"""


class Readdresser(Filter):
    """Changes the envelope as the subject says, with Sendmail's own library (python3-milter)."""

    def start(self) -> None:
        """By the Python that the package is for."""
        script = self._folder / "readdresser.py"
        script.write_text(READDRESSER)
        packages = FOLDER / "python3-milter/usr/lib/python3/dist-packages"
        self._run("env", f"PYTHONPATH={packages}", "/usr/bin/python3", script, str(self.port))


class Rspamd(Filter):
    """Knows GTUBE, the test of spam filters, without any rules."""

    def start(self) -> None:
        """Without its lists of domains and languages, which take it ten seconds."""
        (self._folder / "tld").write_text("example\n")
        conf = self._folder / "conf"
        conf.write_text(RSPAMD.format(port=self.port, folder=self._folder))
        unpacked = Unpacked("rspamd", self._folder)
        unpacked.prepare("_rspamd")
        command = "/usr/bin/rspamd", "-f", "-i", "-u", "root", "-g", "root", "-c", str(conf)
        self._await(unpacked.start(self._namespace, *command))
