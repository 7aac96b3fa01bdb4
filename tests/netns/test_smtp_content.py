"""SMTP through the real gateway: what is in messages, and lists of addresses."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage

from tests.netns.case import RELOADED
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, HELO, TO
from tests.netns.mail.server import Aiosmtpd

CONTENT = """
received_by = "gw.example"
recipient_domain_lists = ["ours.txt"]
[[smtp.attachments]]
detected = "application/x-executable"
action = "drop"
[[smtp.attachments]]
extensions = ["exe"]
"""


class ContentTests(SmtpCase):
    """A message passes without its program, and goes on in the gateway's own words."""

    servers = {25: Aiosmtpd}
    services = {"mail": smtp(25, CONTENT)}

    def begin(self) -> None:
        """The list is a file beside the configuration."""
        self.scene.configure(self.services, self.gateway, self.zones)
        (self.scene.config / "ours.txt").write_text("b.example\n")
        self.scene.daemon.start()

    def test_dropped(self) -> None:
        """By its first bytes, whatever it is called; the rest arrives as it was."""
        message = EmailMessage()
        message["Subject"] = "photos"
        message.set_content("Look!\n")
        message.add_attachment(b"MZ" + bytes(900), "image", "png", filename="a.png")
        message.add_attachment(b"\x89PNG\r\n\x1a\n" + bytes(99), "image", "png", filename="b.png")
        client = self.smtp()
        client.send_message(message, FROM, [TO])
        client.quit()
        arrived = self.arrived(self.running[25], "photos")
        program, picture = arrived.get_payload()[1:]
        self.assertEqual(program.get_payload().split("\r\n")[1], "a.png")
        self.assertEqual(picture.get_payload(decode=True)[:4], b"\x89PNG")
        self.assertIn(f"from {HELO} (", arrived["received"])
        self.assertIn("by gw.example with ESMTP id mail.", arrived["received"])
        record = self.record("email", subject="photos")
        self.assertEqual(record["removed"], ["a.png"])

    def test_goes_on(self) -> None:
        """A message that is refused costs nothing but itself."""
        message = EmailMessage()
        message["Subject"] = "program"
        message.add_attachment(b"harmless", "text", "x", filename="a.exe")
        client = self.smtp()
        self.mail(client)
        code, said = client.data(message.as_bytes(policy=policy.SMTP))
        self.assertEqual((code, said), (550, b"5.7.1 Not accepted with this attachment"))
        client.sendmail(FROM, [TO], b"Subject: next\r\n\r\nx\r\n")
        client.quit()
        self.arrived(self.running[25], "next")

    def test_list(self) -> None:
        """Domains in a file, which is read again with the policy: then the server is asked."""
        self.assertEqual(self.smtp_to("bob@new.example"), (550, b"5.7.1 Relaying denied"))
        (self.scene.config / "ours.txt").write_text("b.example\nnew.example\n")
        self.scene.reload(RELOADED)
        self.assertEqual(self.smtp_to("bob@new.example"), (550, b"5.7.1 No relaying here"))

    def smtp_to(self, recipient: str) -> tuple[int, bytes]:
        """How a recipient is answered."""
        client = self.smtp()
        client.ehlo()
        client.mail(FROM)
        return client.rcpt(recipient)
