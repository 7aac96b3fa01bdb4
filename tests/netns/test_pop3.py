"""POP3 end to end: real clients, and dovecot, through the gateway."""

from __future__ import annotations

import poplib
import ssl
from typing import ClassVar

from tests.netns.case import SERVER
from tests.netns.mailbox_case import MAILS, SECONDS, MailboxCase
from tests.netns.tls_case import TrustingCase

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
auth_mechanisms = plain login cram-md5 apop
mail_location = maildir:{folder}/mail/%u
"""


class Pop3Tests(TrustingCase, MailboxCase):
    """One of the three messages may not pass."""

    services: ClassVar = {"pop3": SERVICE, "pop3s": IMPLICIT}
    protocol = "pop3"
    port = 110
    name = NAME
    users = ("joe", "ann")
    dovecot = DOVECOT

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
        self.wait(
            lambda: self.names()[-3:] == [NAME] * 3, "records of TLS are missing in the audit"
        )

    def names(self) -> list[str | None]:
        """The names that clients asked for in TLS so far."""
        found = [one["tls"] for one in self.scene.records() if one["event_type"] == "tls"]
        return [one.get("sni") for one in found]

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
        before = len(self.records("RETR", "TOP"))
        command = ("fetchmail", "-f", str(settings), "-i", str(folder / "ids"))
        pid = ("--pidfile", str(folder / "pid"))
        self.client.run(*command, *pid, "--nodetach", "--nosyslog", "-v", seconds=SECONDS)
        mails = [path.read_bytes() for path in folder.iterdir() if path.name.isdecimal()]
        order = (b"Subject: good", b"was refused", b"also good")
        self.check([next(mail for mail in mails if mark in mail) for mark in order])
        self.wait(
            lambda: len(self.records("RETR", "TOP")) >= before + 3,
            "messages are missing in the audit",
        )
        verdicts = [one["verdict"] for one in self.records("RETR", "TOP")[-3:]]
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
