"""SMTP's TLS, looked into by the real gateway: STARTTLS, port 465, and TLS that is required."""

from __future__ import annotations

import smtplib
import socket
import ssl
from functools import cache
from pathlib import Path
from threading import Thread
from typing import ClassVar

from gateway.lab.namespace import CommandFailed
from tests.netns.case import CLIENT, SERVER, hear
from tests.netns.mail import PASSWORD, USERNAME
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, HELO, TO
from tests.netns.mail.server import Exim, Postfix
from tests.netns.tls_case import TrustingCase, public
from tests.observe.reading import told

NAME = "mail.b.example"
OPEN, LOGIN, ONWARD, SMTPS, AROUND, BARE = 25, 587, 27, 465, 466, 30

DENY = '[smtp.tls]\ninvalid = "deny"\n'
INSPECT = 'starttls = "inspect"\n'

TLS = """
inspector = "tls"
server = "{server}:465"
[[rule]]
to = ["internet"]
ports = [466]
[tls]
inside = "inside"
pages = false
without_name = "inspect"
"""


@cache
def server_pem() -> bytes:
    """The servers' certificate."""
    return public().issue(NAME).pem


class InspectedTests(TrustingCase, SmtpCase):
    """Real clients and servers; the gateway reads all mail, and all of it comes in TLS."""

    servers: ClassVar = {OPEN: Postfix, LOGIN: Exim, SMTPS: Exim}
    services: ClassVar = {
        "open": smtp(f"{OPEN}, {BARE}", INSPECT),
        "login": smtp(LOGIN, INSPECT + 'tls_required = "client"\n' + DENY),
        "onward": f'server = "{SERVER}:{OPEN}"\n' + smtp(ONWARD, 'tls_required = "server"\n'),
        "smtps": smtp(SMTPS, "implicit = true\n" + DENY),
        "around": TLS.format(server=SERVER),
        "inside": 'inspector = "smtp"\n[smtp]\nauth = "always"\n',
    }

    def make_certificate(self, folder: Path) -> Path:
        """By somebody whom the gateway believes."""
        path = folder / f"{NAME}.pem"
        path.write_bytes(server_pem())
        return path

    @property
    def context(self) -> ssl.SSLContext:
        """As a careful program has it."""
        return ssl.create_default_context(cafile=f"{self.trusted}")

    def swaks(self, port: int, subject: str, *options: str) -> str:
        """Send a mail. The whole dialogue is given back."""
        return self.client.run(
            *("swaks", "--server", SERVER, "--port", f"{port}", "--from", FROM, "--to", TO),
            *("--helo", HELO, "--header", f"Subject: {subject}", *options),
        )

    def verified(self, port: int, subject: str, *options: str) -> str:
        """The same in TLS, by a client that believes the gateway's root only."""
        trust = ("--tls-verify", "--tls-ca-path", f"{self.trusted}", "--tls-sni", NAME)
        return self.swaks(port, subject, *trust, *options)

    def came_in_tls(self, port: int, subject: str) -> None:
        """The server has the mail, by TLS; the gateway has read it, and nothing went wrong."""
        received = self.arrived(self.running[port], subject)["received"]
        self.assertRegex(received, r"(?i)esmtps")
        self.record("email", subject=subject)
        (email,) = (each for each in self.scene.records() if told(each).get("subject") == subject)

        def flows() -> list[str]:
            flows = (each for each in self.scene.records() if each["event_type"] == "flow")
            return [told(one)["verdict"] for one in flows if one["flow_id"] == email["flow_id"]]

        self.wait(flows, f"the session of {subject!r} has no end")
        self.assertEqual(flows(), ["passed"])

    def test_starttls(self) -> None:
        """swaks, Python, curl; each believes the gateway, and it believes the server."""
        self.verified(OPEN, "by swaks", "--tls")
        client = self.smtp(OPEN)
        with self.client.entered():
            client._host = NAME  # type: ignore[attr-defined]
            client.starttls(context=self.context)
        client.sendmail(FROM, [TO], b"Subject: by Python\r\n\r\nx\r\n")
        client.quit()
        self.client.run(
            *("curl", "-sS", "--crlf", "--ssl-reqd", "--resolve", f"{NAME}:{OPEN}:{SERVER}"),
            *("--cacert", f"{self.trusted}", f"smtp://{NAME}:{OPEN}/{HELO}"),
            *("--mail-from", FROM, "--mail-rcpt", TO, "--upload-file", "-"),
            input="Subject: by curl\n\nx\n",
        )
        for subject in ("by swaks", "by Python", "by curl"):
            self.came_in_tls(OPEN, subject)
        told = self.record("tls", sni=NAME)
        self.assertEqual((told["verdict"], told["tls"]["rule"]), ("passed", "starttls"))

    def test_other_clients(self) -> None:
        """OpenSSL's and Postfix's own clients say that all is well with the certificate."""
        said = self.client.run(
            *("openssl", "s_client", "-starttls", "smtp", "-connect", f"{SERVER}:{OPEN}"),
            *("-servername", NAME, "-verify_hostname", NAME, "-verify_return_error"),
            *("-CAfile", f"{self.trusted}", "-quiet", "-crlf"),
            input="EHLO c\nQUIT\n",
        )
        self.assertIn("CHUNKING", said)
        self.assertNotIn("STARTTLS", said)
        said = self.client.run(
            *("posttls-finger", "-c", "-l", "secure", "-F", f"{self.trusted}"),
            *(f"[{SERVER}]:{OPEN}", NAME),
        )
        self.assertIn("Verified TLS connection established", said)

    def test_mail_server(self) -> None:
        """Postfix itself sends: in TLS, although it need not, and it has nothing against it."""
        relay = Postfix(self.client, self.scene.folder / "relay", CLIENT, OPEN, self.certificate)
        relay.start()
        relay.relay(
            *(SERVER, OPEN),
            smtp_tls_security_level="may",
            smtp_tls_CAfile=self.trusted,
            smtp_tls_loglevel=1,
        )
        with self.client.entered():
            client = smtplib.SMTP(CLIENT, OPEN, local_hostname=HELO, timeout=20)
        client.sendmail(FROM, [TO], b"Subject: relayed\r\n\r\nx\r\n")
        client.quit()
        self.came_in_tls(OPEN, "relayed")
        self.assertIn("Trusted TLS connection established", relay.log)

    def test_plaintext(self) -> None:
        """Who wants no TLS needs none, where it is not required."""
        self.swaks(OPEN, "plain")
        self.assertNotRegex(self.arrived(self.running[OPEN], "plain")["received"], "(?i)esmtps")

    def test_login(self) -> None:
        """In TLS, and only there."""
        login = ("--auth", "PLAIN", "--auth-user", USERNAME, "--auth-password", PASSWORD)
        self.verified(LOGIN, "in", "--tls", *login)
        self.came_in_tls(LOGIN, "in")
        with self.assertRaises(CommandFailed) as caught:
            self.swaks(LOGIN, "no", *login)
        self.assertIn("authentication", str(caught.exception))
        with self.assertRaises(CommandFailed) as caught:
            self.swaks(LOGIN, "no")
        self.assertIn("530 5.7.0 Say STARTTLS first", str(caught.exception))

    def test_onward(self) -> None:
        """A client that knows no TLS, and a server that gets mail in TLS only."""
        self.assertNotIn("STARTTLS", self.swaks(ONWARD, "onward"))
        self.came_in_tls(OPEN, "onward")
        self.assertEqual(self.record("tls")["tls"]["rule"], "tls_required")

    def test_from_the_first_byte(self) -> None:
        """Port 465: by the inspector of SMTP itself, and by that of TLS."""
        login = ("--auth", "LOGIN", "--auth-user", USERNAME, "--auth-password", PASSWORD)
        for port in (SMTPS, AROUND):
            self.verified(port, f"by {port}", "--tls-on-connect", *login)
            self.came_in_tls(SMTPS, f"by {port}")
        with self.client.entered():
            client = smtplib.SMTP_SSL(
                SERVER, SMTPS, local_hostname=HELO, timeout=20, context=self.unnamed
            )
        client.sendmail(FROM, [TO], b"Subject: no name\r\n\r\nx\r\n")
        client.quit()
        self.came_in_tls(SMTPS, "no name")

    @property
    def unnamed(self) -> ssl.SSLContext:
        """A client that says no name, as the server's address is none."""
        context = self.context
        context.check_hostname = False
        return context

    def test_injected(self) -> None:
        """Plaintext behind STARTTLS reaches nobody."""
        for port in (OPEN, LOGIN):
            ours = self.dial((SERVER, port))
            ours.sendall(b"EHLO c\r\nSTARTTLS\r\nEHLO injected\r\nRSET\r\n")
            self.assertIn(b"\r\n421 4.7.0 Nothing may follow STARTTLS\r\n", hear(ours))
            self.assertNotIn("injected", self.running[port].log)

    def asked(self, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
        """A client that has said STARTTLS, and a server of the test's own that has heard it."""
        ours = self.dial((SERVER, BARE))
        theirs, _ = self.accept(listener)
        theirs.sendall(b"220 hi\r\n")
        ours.sendall(b"EHLO c\r\n")
        self.hears(theirs, b"EHLO c\r\n")
        theirs.sendall(b"250-hi\r\n250 STARTTLS\r\n")
        self.hears(ours, b"250 STARTTLS\r\n")
        ours.sendall(b"STARTTLS\r\n")
        self.hears(theirs, b"STARTTLS\r\n")
        return ours, theirs

    def test_injected_by_server(self) -> None:
        """What a server says behind 220 in plaintext does not reach the client, in TLS or not."""
        listener = self.listen(BARE)
        ours, theirs = self.asked(listener)
        theirs.sendall(b"220 go\r\n250 injected\r\n")
        heard = self.hears_all(ours)
        self.assertNotIn(b"injected", heard)

        ours, theirs = self.asked(listener)
        theirs.sendall(b"220 go\r\n")
        self.assertEqual(self.hears(ours, b"go\r\n"), b"220 go\r\n")
        secured: list[ssl.SSLSocket] = []
        shakes = Thread(
            target=lambda: secured.append(self.context.wrap_socket(ours, server_hostname=NAME))
        )
        shakes.start()
        self.assertEqual(theirs.recv(1), b"\x16")  # the gateway's hello
        theirs.sendall(b"250 injected\r\n")
        shakes.join(20)
        self.addCleanup(secured[0].close)
        self.assertIn(b"421 4.7.0 TLS with the server", self.hears_all(secured[0]))
