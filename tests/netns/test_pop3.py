"""POP3 end to end: real clients, and dovecot, through the gateway."""

from __future__ import annotations

import poplib
import ssl
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

from cryptography import x509

from gateway.tls.key import write_root
from tests.netns.case import SERVER, SceneCase, family
from tests.netns.scene import ZONES
from tests.netns.tls_case import TRUST, gateway_root, pem, public, public_root
from tests.observe.reading import told

SECONDS = 20
NOBODY = 65534
NAME = "pop.example"

SERVICE = """
inspector = "pop3"
[[rule]]
from = ["office"]
ports = [110]
[pop3]
stls = "inspect"
[pop3.tls]
invalid = "deny"
[[pop3.attachments]]
extensions = ["exe"]
"""
IMPLICIT = SERVICE.replace("[110]", "[995]").replace('stls = "inspect"', "implicit = true")

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = pop3
listen = {host}
ssl = yes
ssl_cert = <{folder}/pem
ssl_key = <{folder}/pem
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 apop
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=plain {folder}/users
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={folder}/mail/%u
}}
"""

GOOD = b"From: alice@a.example\nSubject: good\n\n" + b".a line\n..\nand more\n" * 500
BAD = b"""\
From: mallory@b.example
Subject: bad
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: application/octet-stream; name=a.exe
Content-Disposition: attachment; filename=a.exe

MZ, a program
--x--
"""
MAILS = {"1": GOOD, "2": BAD, "3": GOOD.replace(b"good", b"also good")}


@cache
def server_pem() -> bytes:
    """The server's certificate: its name and address."""
    names: list[x509.GeneralName] = [x509.DNSName(NAME), x509.IPAddress(ip_address(SERVER))]
    return public().issue(NAME, names=names).pem


class Pop3Tests(SceneCase):
    """A mailbox with three messages, of which one may not pass."""

    services: ClassVar = {"pop3": SERVICE, "pop3s": IMPLICIT}
    gateway = TRUST

    def prepare(self) -> None:
        """dovecot, and mailboxes."""
        super().prepare()
        folder = self.scene.folder / "dovecot"
        (folder / "run").mkdir(parents=True)
        (folder / "users").write_text("joe:{PLAIN}sesame\nann:{PLAIN}sesame\n")
        (folder / "pem").write_bytes(server_pem())
        for user in ("joe", "ann"):
            self.fill(folder / "mail" / user)
        settings = folder / "dovecot.conf"
        settings.write_text(DOVECOT.format(folder=folder, host=SERVER, nobody=NOBODY))
        with (folder / "output").open("wb") as output:
            self.server.start(
                "/usr/sbin/dovecot", "-F", "-c", str(settings), stdout=output, stderr=output
            )
        self.wait(lambda: self.listens(110), f"dovecot: {(folder / 'output').read_text()}", SECONDS)

    @staticmethod
    def fill(mailbox: Path) -> None:
        """Put the mails there."""
        for part in ("cur", "new", "tmp"):
            (mailbox / part).mkdir(parents=True)
        for name, content in MAILS.items():
            (mailbox / "new" / name).write_bytes(content)
        for path in (mailbox.parent, mailbox, *mailbox.rglob("*")):
            path.chmod(0o777)

    def listens(self, port: int) -> bool:
        with self.server.socket(family(SERVER)) as probe:
            return probe.connect_ex((SERVER, port)) == 0

    def begin(self) -> None:
        """Write the root and the authorities beside the configuration, then start."""
        self.scene.configure(self.services, self.gateway, ZONES)
        write_root(self.scene.config / "root.pem", gateway_root())
        root = pem(public_root().issued.certificate)
        (self.scene.config / "public.pem").write_bytes(root)
        self.trusted.write_bytes(pem(gateway_root().certificate))
        self.scene.daemon.start()

    @property
    def trusted(self) -> Path:
        """What clients believe."""
        return self.scene.folder / "gateway.crt"

    def fetched(self) -> list[dict[str, Any]]:
        """The records of messages so far."""
        found = [one for one in self.scene.records() if one["event_type"] == "pop3"]
        return [
            told(one)
            for one in found
            if one["pop3"].get("request", {}).get("command") in ("RETR", "TOP")
        ]

    def check(self, mails: list[bytes]) -> None:
        """What has come of the three."""
        self.assertEqual(len(mails), 3)
        texts = [mail.replace(b"\r\n", b"\n") for mail in mails]
        body = GOOD.partition(b"\n\n")[2]
        for text, subject in ((texts[0], b"good"), (texts[2], b"also good")):
            self.assertIn(b"Subject: " + subject + b"\n", text)
            self.assertIn(body.strip(), text)
        self.assertIn(b"Subject: A message was refused\n", texts[1])
        self.assertIn(b"From: mallory@b.example\n", texts[1])
        self.assertNotIn(b"a program", texts[1])

    def test_curl(self) -> None:
        """In plain text, by STLS, and on port 995."""
        common = ("curl", "-sS", "--max-time", str(SECONDS), "-u", "joe:sesame")
        trust = ("--cacert", str(self.trusted))
        resolve = ("--resolve", f"{NAME}:995:{SERVER}")
        for way, url in (
            ((), f"pop3://{SERVER}/"),
            ((*trust, "--ssl-reqd"), f"pop3://{SERVER}/"),
            ((*trust, *resolve), f"pop3s://{NAME}/"),
        ):
            mails = [self.client.run(*common, *way, url + name).encode() for name in sorted(MAILS)]
            self.check(mails)
        names = [one["tls"] for one in self.scene.records() if one["event_type"] == "tls"]
        self.assertEqual([one.get("sni") for one in names[-3:]], [NAME] * 3)

    def test_poplib(self) -> None:
        """CPython's: by APOP; in TLS, with sizes that are true, and what is deleted is."""
        with self.client.entered():
            plain = poplib.POP3(SERVER, timeout=SECONDS)
        plain.apop("joe", "sesame")
        self.assertEqual(plain.stat()[0], 3)
        self.assertEqual(len(plain.uidl()[1]), 3)
        plain.quit()
        context = ssl.create_default_context(cafile=str(self.trusted))
        with self.client.entered():
            client = poplib.POP3(SERVER, timeout=SECONDS)
            client.stls(context)
        self.assertNotIn("STLS", client.capa())
        client.user("ann")
        client.pass_("sesame")
        mails = []
        for number in (1, 2, 3):
            answer, lines, _ = client.retr(number)
            mails.append(b"".join(line + b"\r\n" for line in lines))
            self.assertEqual(answer, b"+OK %d octets" % len(mails[-1]))
        self.check(mails)
        client.dele(2)
        client.quit()
        mailbox = self.scene.folder / "dovecot" / "mail" / "ann"
        left = [path.name[0] for part in ("cur", "new") for path in (mailbox / part).iterdir()]
        self.assertEqual(sorted(left), ["1", "3"])

    def test_fetchmail(self) -> None:
        """fetchmail, which fetches by TOP, and goes over to TLS by itself."""
        folder = self.scene.folder / "fetchmail"
        folder.mkdir()
        settings = folder / "rc"
        settings.write_text(
            f"poll {SERVER} protocol pop3 auth password user joe password sesame keep "
            f'sslproto "auto" sslcertfile "{self.trusted}" sslcommonname "{NAME}" '
            f"mda \"sh -c 'cat >{folder}/$$'\""
        )
        (folder / "ids").touch()
        for path in folder.iterdir():
            path.chmod(0o600)
        before = len(self.fetched())
        command = ("fetchmail", "-f", str(settings), "-i", str(folder / "ids"))
        pid = ("--pidfile", str(folder / "pid"))
        self.client.run(*command, *pid, "--nodetach", "--nosyslog", "-v", seconds=SECONDS)
        mails = [path.read_bytes() for path in folder.iterdir() if path.name.isdecimal()]
        order = (b"Subject: good", b"was refused", b"also good")
        self.check([next(mail for mail in mails if mark in mail) for mark in order])
        self.wait(lambda: len(self.fetched()) >= before + 3, "messages are missing in the audit")
        verdicts = [one["verdict"] for one in self.fetched()[-3:]]
        self.assertEqual(verdicts, ["passed", "denied", "passed"])

    def test_mpop(self) -> None:
        """mpop, which sends its commands ahead (PIPELINING)."""
        folder = self.scene.folder / "mpop"
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        tls = ("--tls=on", "--tls-starttls=on", f"--tls-trust-file={self.trusted}")
        self.client.run(
            *("mpop", f"--host={SERVER}", "--port=110", "--user=joe", *tls, "--keep=on"),
            *("--passwordeval=echo sesame", "--auth=plain", f"--uidls-file={folder}/uidls"),
            *(f"--delivery=maildir,{folder}", "--pipelining=on"),
            seconds=SECONDS,
        )
        mails = [path.read_bytes() for path in (folder / "new").iterdir()]
        order = (b"Subject: good", b"was refused", b"also good")
        self.check([next(mail for mail in mails if mark in mail) for mark in order])
