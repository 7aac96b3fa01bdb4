"""Mails that real milters judge and change."""

from __future__ import annotations

import json
from email.message import EmailMessage
from email.policy import SMTP as LINES
from pathlib import Path
from typing import ClassVar

import dkim

from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, TO
from tests.netns.mail.server import Aiosmtpd
from tests.netns.scanning.clamav import Clamav
from tests.netns.scanning.eicar import CLEAN, EICAR
from tests.netns.scanning.milters import (
    DOMAIN,
    SELECTOR,
    ClamavMilter,
    OpenDKIM,
    Readdresser,
    Rspamd,
)

MILTER = """
inspector = "milter"
[milter]
milters = [{milters}]
name = "gw.example"
scan_seconds = 20
on_error = "defer"
"""

STACK = 'hold_bytes = 1000000\nstack = "{service}"'

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""What every spam filter takes for spam."""


class MilterTests(SmtpCase):
    """
    Port 25: clamav-milter, then opendkim. Port 26: rspamd. Port 27: nobody. Port 28: clamav-milter,
    as Debian has it. Port 29: one that changes the envelope.
    """

    servers: ClassVar = dict.fromkeys((25, 26, 27, 28, 29), Aiosmtpd)
    services: ClassVar = {
        "sign": smtp(25, STACK.format(service="signed")),
        "spam": smtp(26, STACK.format(service="filtered")),
        "later": smtp(27, STACK.format(service="nobody")),
        "signed": MILTER.format(milters='"127.0.0.1:8892", "127.0.0.1:8891"'),
        "filtered": MILTER.format(milters='"127.0.0.1:11332"'),
        "keep": smtp(28, STACK.format(service="kept")),
        "elsewhere": smtp(29, STACK.format(service="readdressed")),
        "readdressed": MILTER.format(milters='"127.0.0.1:8895"'),
        "nobody": MILTER.format(milters='"127.0.0.1:8893"'),
    }
    signer: ClassVar[OpenDKIM]

    def prepare(self) -> None:
        super().prepare()
        folder = self.scene.folder
        clamav = Clamav(self.router, folder / "clamav")
        clamav.start()
        ClamavMilter(self.router, folder / "cm", 8892).start(clamav.socket)
        type(self).signer = OpenDKIM(self.router, folder / "dkim", 8891)
        self.signer.start()
        ClamavMilter(self.router, folder / "cq", 8894).start(clamav.socket, "Quarantine")
        Readdresser(self.router, folder / "readdress", 8895).start()
        Rspamd(self.router, folder / "rspamd", 11332).start()

    def begin(self) -> None:
        """With a folder for what is set aside."""
        self.aside.mkdir()
        kept = MILTER.format(milters='"127.0.0.1:8894"') + f'aside = "{self.aside}"\n'
        self.services = {**type(self).services, "kept": kept}
        super().begin()

    @property
    def aside(self) -> Path:
        return self.scene.folder / "aside"

    def send(
        self, port: int, text: str, attached: bytes = b"", subject: str = "Two   blanks  in it"
    ) -> tuple[int, bytes]:
        """A mail: the answer to it."""
        message = EmailMessage()
        message["From"], message["To"] = FROM, TO
        message["Subject"] = subject
        message.set_content(text)
        if attached:
            message.add_attachment(attached, "application", "octet-stream", filename="a.bin")
        client = self.smtp(port)
        self.mail(client)
        content = message.as_bytes(policy=LINES).replace(b"Subject: ", b"Subject:  ", 1)
        return client.data(content)

    def test_signed(self) -> None:
        """What is clean is signed; the signature is good where the mail arrives."""
        self.assertEqual(self.send(25, "Hello\n.\n..\n", CLEAN)[0], 250)
        (raw,) = (self.scene.folder / "aiosmtpd25" / "mail" / "new").iterdir()
        mail = raw.read_bytes()
        record = f"{SELECTOR}._domainkey.{DOMAIN}.".encode()
        answers = {record: self.signer.record}
        self.assertTrue(dkim.verify(mail, dnsfunc=lambda name, timeout=5: answers.get(name)))
        self.assertIn(b"\r\nX-Virus-Status: Clean\r\n", mail)
        self.assertNotIn(b"\r\nX-Virus-Status: Infected", mail)
        told = self.record("fileinfo", verdict="passed")
        self.assertTrue(told["scan"]["changed"])

    def test_virus(self) -> None:
        """A virus is refused in the filter's words; nothing of it arrives."""
        code, words = self.send(25, "Hello", EICAR)
        self.assertEqual((code, words), (550, b"5.7.1 It has Eicar-Test.UNOFFICIAL"))
        self.assertEqual(self.record("fileinfo", verdict="denied")["scan"]["result"], "refused")

    def test_set_aside(self) -> None:
        """What Debian's clamav-milter wants in quarantine is there, and nowhere else."""
        code, words = self.send(28, "Hello", EICAR)
        self.assertEqual((code, words[:19]), (250, b"2.0.0 Set aside as "), words)
        mail = self.aside / f"{words[19:].decode()}.eml"
        self.assertIn(b"Subject:  Two   blanks", mail.read_bytes())
        about = json.loads(mail.with_suffix(".json").read_text())
        self.assertEqual((about["sender"], about["recipients"]), (FROM, [TO]))
        self.assertEqual(self.send(28, "Hello", CLEAN)[0], 250)
        self.assertEqual(len(self.running[28].messages()), 1)

    def test_readdressed(self) -> None:
        """A filter adds and takes away recipients, and changes the sender: so the mail arrives."""
        change = "addrcpt <eve@b.example>; delrcpt <bob@b.example>; chgfrom <list@a.example>"
        self.assertEqual(self.send(29, "Hello", subject=change)[0], 250)
        log = self.running[29].log
        self.assertIn("from list@a.example\n", log)
        self.assertIn("bytes for ['eve@b.example']\n", log)
        changed = {
            "added": ["<eve@b.example>"],
            "removed": ["<bob@b.example>"],
            "mail_from": "<list@a.example>",
        }
        self.assertEqual(self.record("smtp", verdict="passed")["readdressed"], changed)
        self.assertEqual(self.send(29, "Hello", subject="addrcpt <nobody at all>")[0], 451)
        self.assertEqual(self.send(29, "Hello", subject=f"delrcpt <{TO}>")[0], 550)
        self.assertEqual(len(self.running[29].messages()), 1)

    def test_spam(self) -> None:
        """Spam is refused; what is none arrives, with what rspamd writes into it."""
        code, words = self.send(26, GTUBE)
        self.assertEqual(code // 100, 5, words)
        self.assertEqual(self.send(26, "Hello")[0], 250)
        self.assertEqual(len(self.running[26].messages()), 1)

    def test_nobody(self) -> None:
        """Without a filter the mail comes later."""
        code, words = self.send(27, "Hello")
        self.assertEqual((code, words[:5]), (451, b"4.7.1"), words)
