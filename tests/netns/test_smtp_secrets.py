"""SMTP through the real gateway: TLS that is hidden, required or passed; passwords."""

from __future__ import annotations

import smtplib
import ssl
from base64 import b64encode

from gateway.lab.namespace import CommandFailed
from tests.netns.case import SERVER, hear
from tests.netns.mail import PASSWORD, USERNAME
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, HELO, TO
from tests.netns.mail.server import Aiosmtpd, Exim, Postfix

HIDE, REQUIRE, PASS, PASS_PYTHON, BARE = 25, 26, 27, 28, 30


class TlsTests(SmtpCase):
    """STARTTLS, with servers that really have it."""

    servers = {HIDE: Exim, REQUIRE: Exim, PASS: Postfix, PASS_PYTHON: Aiosmtpd}
    services = {
        "hide": smtp(HIDE),
        "require": smtp(REQUIRE, 'starttls = "require"'),
        "pass": smtp("27, 28, 30", 'starttls = "pass"'),
    }

    def curl(self, port: int, subject: str, *options: str) -> str:
        """Send by curl, which checks that the certificate is the server's own."""
        return self.client.run(
            *("curl", "-sS", "--crlf", "--resolve", f"mail.b.example:{port}:{SERVER}"),
            *("--cacert", f"{self.certificate}", f"smtp://mail.b.example:{port}/{HELO}"),
            *("--mail-from", FROM, "--mail-rcpt", TO, "--upload-file", "-", *options),
            input=f"Subject: {subject}\n\n.x\n",
        )

    def test_hidden(self) -> None:
        """Who can do without TLS does without it; who can't sends nothing."""
        self.curl(HIDE, "hidden", "--ssl")
        self.assertNotIn("esmtps", self.arrived(self.running[HIDE], "hidden")["received"])
        with self.assertRaises(CommandFailed):
            self.curl(HIDE, "never", "--ssl-reqd")
        client = self.smtp(HIDE)
        client.ehlo()
        self.assertFalse(client.has_extn("starttls"))
        self.assertEqual(client.docmd("STARTTLS")[0], 502)
        self.assertNotIn("never", self.running[HIDE].subjects())

    def test_required(self) -> None:
        """No mail in plaintext; in TLS it passes, end to end."""
        self.curl(REQUIRE, "secure", "--ssl-reqd")
        self.assertIn("esmtps", self.arrived(self.running[REQUIRE], "secure")["received"])
        with self.assertRaises(CommandFailed) as caught:
            self.curl(REQUIRE, "never", "--verbose")
        self.assertIn("530 5.7.0 Say STARTTLS first", str(caught.exception))
        self.assertNotIn("never", self.running[REQUIRE].subjects())
        self.record("smtp", starttls="passed, not inspected from here on")

    def test_passed(self) -> None:
        """Both ways, as the client likes."""
        for port in (PASS, PASS_PYTHON):
            self.curl(port, "plain")
            self.curl(port, "secure", "--ssl-reqd")
            for subject in ("plain", "secure"):
                self.arrived(self.running[port], subject)
                seen = self.records("email", subject=subject)
                self.assertEqual(bool(seen), subject == "plain")

    def test_large(self) -> None:
        """Five megabytes within TLS."""
        client = self.smtp(PASS)
        tls = ssl.create_default_context(cafile=f"{self.certificate}")
        tls.check_hostname = False
        client.starttls(context=tls)
        body = (b"y" * 70 + b"\r\n") * 70_000
        client.sendmail(FROM, [TO], b"Subject: large\r\n\r\n" + body)
        client.quit()
        text = self.arrived(self.running[PASS], "large").get_payload()
        self.assertEqual(text.encode(), body.replace(b"\r\n", b"\n") + b"\n")

    def test_plaintext_behind(self) -> None:
        """What a client sends behind STARTTLS in plaintext reaches nobody."""
        for port in (REQUIRE, PASS):
            ours = self.dial((SERVER, port))
            ours.sendall(b"EHLO c\r\nSTARTTLS\r\nEHLO injected\r\nRSET\r\n")
            self.assertIn(b"\r\n421 4.7.0 Nothing may follow STARTTLS\r\n", hear(ours))
            self.assertNotIn("injected", self.running[port].log)

    def test_reply_behind(self) -> None:
        """Neither does what a server says behind its agreement."""
        listener = self.listen(BARE)
        ours = self.dial((SERVER, BARE))
        theirs, _ = self.accept(listener)
        theirs.sendall(b"220 hi\r\n")
        ours.sendall(b"EHLO c\r\n")
        self.hears(theirs, b"EHLO c\r\n")
        theirs.sendall(b"250-hi\r\n250 STARTTLS\r\n")
        self.hears(ours, b"250 STARTTLS\r\n")
        ours.sendall(b"STARTTLS\r\n")
        self.hears(theirs, b"STARTTLS\r\n")
        theirs.sendall(b"220 go\r\n250 injected\r\n")
        ours.sendall(b"\x16\x03\x01")
        self.assertNotIn(b"injected", hear(ours))


class PasswordTests(SmtpCase):
    """AUTH, with its continuation lines, and where it must not be."""

    servers = {25: Exim, 26: Aiosmtpd, 27: Exim, 28: Exim}
    services = {
        "open": smtp("25, 26", 'auth = "always"'),
        "closed": smtp(27),
        "required": smtp(28, 'auth = "always"\nauth_required = true'),
    }

    def swaks(self, port: int, mechanism: str, password: str = PASSWORD) -> str:
        """Log in and send."""
        return self.client.run(
            *("swaks", "--server", SERVER, "--port", f"{port}", "--from", FROM, "--to", TO),
            *("--helo", HELO, "--auth", mechanism, "--auth-user", USERNAME),
            *("--auth-password", password, "--header", f"Subject: {mechanism}"),
        )

    def test_mechanisms(self) -> None:
        """In one line, in several, and with a challenge, each in its own way."""
        for port, mechanisms in ((25, ("PLAIN", "LOGIN", "CRAM-MD5")), (26, ("PLAIN", "LOGIN"))):
            for mechanism in mechanisms:
                self.swaks(port, mechanism)
                self.arrived(self.running[port], mechanism)
                with self.assertRaises(CommandFailed) as caught:
                    self.swaks(port, mechanism, "wrong")
                self.assertIn("exit code 28", str(caught.exception))

    def test_wrong(self) -> None:
        """The client hears the server's words."""
        for port in (25, 26):
            client = self.smtp(port)
            with self.assertRaises(smtplib.SMTPAuthenticationError) as caught:
                client.login(USERNAME, "wrong")
            self.assertEqual(caught.exception.smtp_code, 535)

    def test_continued(self) -> None:
        """PLAIN without its first words; and an exchange that the client breaks off."""
        for port in (25, 26):
            client = self.smtp(port)
            client.ehlo()
            self.assertEqual(client.docmd("AUTH LOGIN")[0], 334)
            self.assertEqual(client.docmd("*")[0], 501)
            client.user, client.password = USERNAME, PASSWORD
            self.assertEqual(
                client.auth("PLAIN", client.auth_plain, initial_response_ok=False)[0], 235
            )

    def test_nowhere(self) -> None:
        """Without a setting, a password is not asked for, and not passed on if it comes."""
        client = self.smtp(27)
        client.ehlo()
        self.assertFalse(client.has_extn("auth"))
        self.assertEqual(client.docmd("AUTH", "PLAIN " + plain())[0], 502)
        self.assertNotIn("auth", self.running[27].log.lower())

    def test_required(self) -> None:
        """Mail is taken only from who has logged in."""
        client = self.smtp(28)
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail(FROM, [TO], b"Subject: no\r\n\r\n")
        self.assertEqual(caught.exception.smtp_error, b"5.7.0 Say AUTH first")
        self.swaks(28, "PLAIN")
        self.arrived(self.running[28], "PLAIN")

    def test_secret(self) -> None:
        """No password is in any log of the gateway's."""
        for mechanism in ("PLAIN", "LOGIN"):
            self.swaks(25, mechanism)
        self.record("smtp", auth="LOGIN")
        client = self.smtp(25)
        client.ehlo()
        client.docmd("AUTH PLAIN " + plain() + "=====")
        said = self.scene.audit.read_text() + self.scene.daemon.said
        for secret in (PASSWORD, plain(), b64encode(PASSWORD.encode()).decode()):
            self.assertNotIn(secret, said)


def plain() -> str:
    """The name and the password as PLAIN has them."""
    return b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
