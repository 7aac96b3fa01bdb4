"""SMTP through the real gateway: who and what is refused, and what the client is told."""

from __future__ import annotations

import smtplib
from pathlib import Path

from gateway.lab.namespace import CommandFailed
from tests.netns.case import SERVER
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, HELO, TO, msmtp
from tests.netns.mail.server import Exim

HEAD = """
from gateway.inspector import StreamInspector
from gateway.interfaces import SERVER, Denied
from gateway.maker import InspectorMaker
"""

REFUSER = '''
class Refuser(StreamInspector):
    """Refuses what has EVIL in it, wherever it is cut."""

    async def from_client(self, read):
        last = b""
        while await read.more():
            piece = await read.some()
            if b"EVIL" in last + piece:
                raise Denied("evil", b"554 5.7.1 No evil here\\r\\n")
            last = (last + piece)[-3:]
            self.session.send(SERVER, piece)


refuser = InspectorMaker("refuser", Refuser, "refuses EVIL")
'''

REWRITER = '''
class Rewriter(StreamInspector):
    """Writes every line anew, and ends with what could be taken for the end of a message."""

    async def from_client(self, read):
        while await read.more():
            self.session.send(SERVER, (await read.line(1000)).replace(b"cat", b"dog") + b"\\n")
        self.session.send(SERVER, b".\\n.\\r\\nQUIT")


rewriter = InspectorMaker("rewriter", Rewriter, "makes dogs of cats")
'''

POLICY = """
recipient_domains = ["b.example"]
message_bytes = 100_000
[[smtp.senders]]
match = ".*@spam.example"
reply = "550 5.7.1 No spam"
[[smtp.recipients]]
match = "slow@.*"
reply = "450 4.2.1 Come back later"
[[smtp.headers]]
name = "X-Spam"
action = "reject"
reply = "554 5.7.1 You said it yourself"
[[smtp.headers]]
name = "X-Internal"
action = "remove"
[[smtp.attachments]]
extensions = ["exe"]
reply = "552 5.7.0 No programs"
"""


class PolicyTests(SmtpCase):
    """What is refused never reaches the server, and the client hears why."""

    servers = {25: Exim, 26: Exim, 27: Exim}
    services = {
        "mail": smtp(25, POLICY),
        "refusing": smtp(26, 'stack = "refuse"'),
        "rewriting": smtp(27, 'stack = "rewrite"'),
        "refuse": 'inspector = "refuser"\n',
        "rewrite": 'inspector = "rewriter"\n',
    }

    def begin(self) -> None:
        """The stacked inspectors are files beside the configuration."""
        folder = self.scene.folder / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "refuser.py").write_text(HEAD + REFUSER)
        (folder / "rewriter.py").write_text(HEAD + REWRITER)
        self.scene.configure(self.services, self.gateway, self.zones)
        settings = self.scene.config / "gateway.toml"
        settings.write_text(f'plugin_path = ["{folder}"]\n{settings.read_text()}')
        self.scene.daemon.start()

    def test_recipients(self) -> None:
        """One is refused for now, one for ever, the third one gets the mail."""
        client = self.smtp()
        recipients = ["bob@c.example", "slow@b.example", TO]
        refused = client.sendmail(FROM, recipients, b"Subject: some\r\n\r\nx\r\n")
        self.assertEqual(
            refused,
            {
                "bob@c.example": (550, b"5.7.1 Relaying denied"),
                "slow@b.example": (450, b"4.2.1 Come back later"),
            },
        )
        message = self.arrived(self.running[25], "some")
        self.assertIn(f"for {TO}", message["received"])
        self.assertNotIn("slow@", self.running[25].log)

    def test_sender(self) -> None:
        """Each client reports the gateway's words in its own way."""
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            self.smtp().sendmail("a@spam.example", [TO], b"Subject: spam\r\n\r\n")
        self.assertEqual(
            (caught.exception.smtp_code, caught.exception.smtp_error), (550, b"5.7.1 No spam")
        )
        dialogue = self.failure(
            *("swaks", "--server", SERVER, "--from", "a@spam.example", "--to", TO, "--helo", HELO),
            "--output-file-stderr=/dev/stdout",
        )
        self.assertIn("<** 550 5.7.1 No spam", dialogue)
        url = f"smtp://{SERVER}/{HELO}"
        said = self.failure(
            *("curl", "-sS", "-v", url, "--mail-from", "a@spam.example", "--mail-rcpt", TO),
            *("--upload-file", "/dev/null"),
        )
        self.assertIn("< 550 5.7.1 No spam", said)
        self.assertNotIn("spam.example", self.running[25].log)

    def failure(self, *command: str) -> str:
        """What a client that fails says."""
        with self.assertRaises(CommandFailed) as caught:
            self.client.run(*command)
        return str(caught.exception)

    def test_size(self) -> None:
        """Announced, it is refused at once; if it is not announced, at its end."""
        client = self.smtp()
        text = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n"
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail(FROM, [TO], text * 2000)
        self.assertEqual(caught.exception.smtp_code, 552)
        self.mail(client)
        self.assertEqual(client.data(text * 2000), (552, b"5.3.4 The message is too large"))
        self.never("big")

    def test_attachment(self) -> None:
        """swaks is told at the end of its message; so is msmtp."""
        said = self.failure(
            *("swaks", "--server", SERVER, "--from", FROM, "--to", TO, "--helo", HELO),
            *("--header", "Subject: program", "--attach-name", "a.EXE", "--attach", "MZ"),
            "--output-file-stderr=/dev/stdout",
        )
        self.assertIn("<** 552 5.7.0 No programs", said)
        with self.assertRaises(CommandFailed) as caught:
            msmtp(self.client, SERVER, 25, self.written("Subject: program\nX-Spam: yes\n\nx\n"))
        self.assertIn("554 5.7.1 You said it yourself", str(caught.exception))
        self.never("program")
        self.record("smtp", answer="552 5.7.0 No programs")

    def test_header(self) -> None:
        """A header that is removed is gone, and nothing else."""
        msmtp(self.client, SERVER, 25, self.written("X-Internal: 1\nSubject: cut\nX-Y: 2\n\nx\n"))
        message = self.arrived(self.running[25], "cut")
        self.assertEqual((message["x-internal"], message["x-y"]), (None, "2"))

    def test_stacked_refuses(self) -> None:
        """In one piece or in two, in DATA or in chunks; what is harmless passes."""
        for body in (b"", b"harmless\r\n" * 10_000):
            start = b"Subject: evil\r\n\r\n" + body
            client = self.smtp(26)
            self.mail(client)
            self.assertEqual(client.data(start + b"EVIL\r\n"), (554, b"5.7.1 No evil here"))
        client = self.smtp(26)
        self.mail(client)
        content = b"Subject: evil\r\n\r\nEVIL"
        client.send(b"BDAT %d LAST\r\n%b" % (len(content), content))
        self.assertEqual(client.getreply(), (554, b"5.7.1 No evil here"))
        client.sendmail(FROM, [TO], b"Subject: good\r\n\r\nEVI\r\nL\r\n")
        self.arrived(self.running[26], "good")
        self.assertNotIn("evil", self.running[26].subjects())

    def test_stacked_rewrites(self) -> None:
        """One message goes in, one comes out, whatever the stacked inspector makes of it."""
        client = self.smtp(27)
        client.sendmail(FROM, [TO], b"Subject: cats\r\n\r\nA cat.\r\n.\r\n")
        text = self.arrived(self.running[27], "dogs").get_payload()
        self.assertEqual(text.strip(), "A dog.\n.\n.\n.\nQUIT")
        client.sendmail(FROM, [TO], b"Subject: bats\r\n\r\nx\r\n")
        self.arrived(self.running[27], "bats")

    def written(self, text: str) -> Path:
        """A message in a file."""
        path = self.scene.folder / "message"
        path.write_text(text)
        return path

    def never(self, subject: str) -> None:
        """The server has not taken it, though it takes what comes later."""
        self.smtp().sendmail(FROM, [TO], f"Subject: after {subject}\r\n\r\nx\r\n".encode())
        self.arrived(self.running[25], f"after {subject}")
        self.assertNotIn(subject, self.running[25].subjects())
