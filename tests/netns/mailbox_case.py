"""What the end-to-end tests of POP3 and IMAP subclass: dovecot, and mailboxes."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

from cryptography import x509

from tests.netns.case import SERVER, SceneCase, family
from tests.netns.tls_case import public
from tests.observe.reading import told

SECONDS = 20
NOBODY = 65534

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = {protocol}
listen = {host}
ssl = yes
ssl_cert = <{folder}/pem
ssl_key = <{folder}/pem
disable_plaintext_auth = no
auth_failure_delay = 0
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = scheme=plain {folder}/users
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={folder}/home/%u
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


class MailboxCase(SceneCase):
    """
    Mailboxes with three messages each, of which one may not pass where programs may not.

    @cvar protocol: what dovecot and the records call it.
    @cvar port: where dovecot listens.
    @cvar name: the server's, in its certificate.
    @cvar users: who has a mailbox.
    @cvar dovecot: more settings.
    """

    protocol: ClassVar[str]
    port: ClassVar[int]
    name: ClassVar[str]
    users: ClassVar[tuple[str, ...]]
    dovecot: ClassVar[str]

    def prepare(self) -> None:
        """dovecot, and mailboxes."""
        super().prepare()
        folder = self.scene.folder / "dovecot"
        (folder / "run").mkdir(parents=True)
        (folder / "users").write_text("".join(f"{user}:{{PLAIN}}sesame\n" for user in self.users))
        names: list[x509.GeneralName] = [
            x509.DNSName(self.name),
            x509.IPAddress(ip_address(SERVER)),
        ]
        (folder / "pem").write_bytes(public().issue(self.name, names=names).pem)
        for user in self.users:
            self.fill(folder / "mail" / user)
            (folder / "home" / user).mkdir(parents=True)
        for path in (folder / "home", *(folder / "home").iterdir()):
            path.chmod(0o777)
        settings = folder / "dovecot.conf"
        settings.write_text(
            (DOVECOT + self.dovecot).format(
                folder=folder, host=SERVER, nobody=NOBODY, protocol=self.protocol
            )
        )
        with (folder / "output").open("wb") as output:
            self.server.start(
                "/usr/sbin/dovecot", "-F", "-c", str(settings), stdout=output, stderr=output
            )
        said = (folder / "output").read_text()
        self.wait(lambda: self.listens(self.port), f"dovecot: {said}", SECONDS)

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

    def records(self, *commands: str) -> list[dict[str, Any]]:
        """The records of commands of some kinds so far."""
        name = self.protocol
        found = [one for one in self.scene.records() if one["event_type"] == name]
        requests = [one for one in found if "request" in one[name]]
        return [told(one) for one in requests if one[name]["request"]["command"] in commands]

    def denied(self, command: str) -> list[str]:
        """What did not let commands of one kind pass."""
        return [one["denied_by"] for one in self.records(command) if "denied_by" in one]

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
