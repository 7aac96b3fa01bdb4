"""SMTP through the real gateway: every client's mail arrives at every server as it was sent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from tests.netns.case import CLIENT, SERVER, hear
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import CLIENTS, FROM, HELO, TO
from tests.netns.mail.server import SERVERS, Server

BODY = """\
.dot
..
.

Gr\u00fc\u00dfe
{line}
the end
""".format(line="long " * 150)

MESSAGE = """\
From: {sender}
To: {recipient}
Subject: {subject}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{body}"""


class DeliveryTests(SmtpCase):
    """Five clients, four servers: all of a message arrives, from the client's own address."""

    servers = dict(enumerate(SERVERS, 25))
    services = {"mail": smtp("25, 26, 27, 28")}

    def sends(self, client: str, server: type[Server]) -> None:
        """One client to one server."""
        port = next(port for port, kind in self.servers.items() if kind is server)
        subject = f"{client} to {server.name}"
        path = self.scene.folder / "message"
        path.write_text(MESSAGE.format(sender=FROM, recipient=TO, subject=subject, body=BODY))
        CLIENTS[client](self.client, SERVER, port, path)
        message = self.arrived(self.running[port], subject)
        text = message.get_payload(decode=True).decode()
        self.assertEqual(text.replace("\r\n", "\n").strip(), BODY.strip())
        self.assertIn(CLIENT, f"{message['received']} {message['x-peer']}")
        self.record("email", subject=subject)

    def test_record(self) -> None:
        """The audit has the envelope, the attachments, and the server's own name for the mail."""
        said = self.client.run(
            *("swaks", "--server", SERVER, "--port", "25", "--from", FROM, "--to", TO),
            *("--helo", HELO, "--header", "Subject: recorded"),
            *("--attach-name", "a.txt", "--attach", "x"),
        )
        self.assertNotIn("XCLIENT", said)
        self.assertEqual(self.record("email", subject="recorded")["attachment"], ["a.txt"])
        record = self.records("smtp", helo=HELO, mail_from=f"<{FROM}>")[-1]
        self.assertEqual(record["rcpt_to"], [f"<{TO}>"])
        self.assertIn(f"queued as {record['queue_id']}", said)

    def test_pipelining(self) -> None:
        """A whole session in one piece: two messages, in order, at every server."""
        for port, server in self.running.items():
            ours = self.dial((SERVER, port))
            one, two = f"{server.name} one", f"{server.name} two"
            ours.sendall(b"EHLO c.example\r\n" + transaction(one) + transaction(two) + b"QUIT\r\n")
            heard = hear(ours)
            self.assertEqual(codes(heard), [220, *[250] * 3, 354, *[250] * 3, 354, 250, 221], heard)
            self.arrived(server, one)
            self.arrived(server, two)

    def test_chunks(self) -> None:
        """BDAT: what is in the chunks arrives, dots and all."""
        for port in (25, 26):
            client = self.smtp(port)
            self.mail(client)
            self.assertTrue(client.has_extn("chunking"))
            subject = b"chunks %d" % port
            for chunk, last in (
                (b"Subject: " + subject + b"\r\n", b""),
                (b"\r\n.\r\nb\r\n", b" LAST"),
            ):
                client.send(b"BDAT %d%b\r\n%b" % (len(chunk), last, chunk))
                self.assertEqual(client.getreply()[0], 250)
            client.quit()
            message = self.arrived(self.running[port], subject.decode())
            self.assertEqual(message.get_payload().strip(), ".\nb")

    def test_international(self) -> None:
        """SMTPUTF8: addresses and headers beyond ASCII."""
        for port in (25, 26, 28):
            client = self.smtp(port)
            text = f"Subject: \u00fc {port}\r\nX: {port}\r\n\r\nGr\u00fc\u00dfe\r\n".encode()
            options = ["SMTPUTF8", "BODY=8BITMIME"]
            client.sendmail("\u00fc@a.example", ["\u00e4@b.example"], text, mail_options=options)
            client.quit()
            self.record("smtp", mail_from="<\u00fc@a.example>", rcpt_to=["<\u00e4@b.example>"])
            self.arrived(self.running[port], f"{port}", "x")


def transaction(subject: str) -> bytes:
    """What a client sends for one message, without waiting."""
    return (
        f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nDATA\r\nSubject: {subject}\r\n\r\nx\r\n.\r\n"
    ).encode()


def codes(heard: bytes) -> list[int]:
    """Of the replies that a client has heard."""
    return [int(line[:3]) for line in heard.splitlines() if line[3:4] == b" "]


def _pair(client: str, server: type[Server]) -> Callable[[DeliveryTests], None]:
    def test(self: Any) -> None:
        self.sends(client, server)

    test.__doc__ = f"{client} sends to {server.name}."
    return test


for _client, _server in product(CLIENTS, SERVERS):
    setattr(DeliveryTests, f"test_{_client}_to_{_server.name}", _pair(_client, _server))
