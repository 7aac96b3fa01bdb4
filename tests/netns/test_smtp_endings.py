"""SMTP through the real gateway: who dies, who hears of it, and what becomes of the mail."""

from __future__ import annotations

import smtplib
import socket

from gateway.lab.namespace import CommandFailed
from tests.netns.case import SERVER, hear, reset
from tests.netns.mail.case import SmtpCase, smtp
from tests.netns.mail.client import FROM, HELO, TO
from tests.netns.mail.server import SERVERS, Aiosmtpd

ENVELOPE = f"EHLO c\r\nMAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\n".encode()
HALF = b"Subject: half\r\n\r\nhalf of\r\n"


class EndingTests(SmtpCase):
    """Peers that die, and servers that are not there."""

    servers = {**dict(enumerate(SERVERS, 25)), 29: Aiosmtpd}
    services = {"mail": smtp('25, "27-30"'), "repairing": smtp(26, 'bare_newline = "repair"')}

    def test_client_dies(self) -> None:
        """Before the dot, in any way, at any server: that does not take the mail for complete."""
        for port, server in self.running.items():
            for die in (socket.socket.close, reset, _say_no_more):
                ours = self.dial((SERVER, port))
                ours.sendall(ENVELOPE + b"DATA\r\n" + HALF)
                self.hears(ours, b"\r\n354 ")
                die(ours)
            self.proves_alive(port)
            self.assertNotIn("half", server.subjects())

    def test_client_dies_in_a_chunk(self) -> None:
        """Also in chunks: within one, and before the last one."""
        for port in (25, 26):
            for chunk in (b"BDAT 100 LAST\r\n" + HALF, b"BDAT %d\r\n" % len(HALF) + HALF):
                ours = self.dial((SERVER, port))
                ours.sendall(ENVELOPE + chunk)
                self.hears(ours, b"Ok\r\n" if port == 25 else b"Accepted\r\n")
                ours.close()
            self.proves_alive(port)
            self.assertNotIn("half", self.running[port].subjects())

    def proves_alive(self, port: int) -> None:
        """A message that is complete arrives: what came before it would have arrived, too."""
        client = self.smtp(port)
        subject = f"whole {len(self.running[port].messages())}"
        client.sendmail(FROM, [TO], f"Subject: {subject}\r\n\r\nx\r\n".encode())
        client.quit()
        self.arrived(self.running[port], subject)

    def test_reset(self) -> None:
        """The server sees a reset: even one that takes an orderly end for a dot can't."""
        ours, theirs = self.in_data()
        ours.sendall(HALF)
        ours.close()
        with self.assertRaises(ConnectionResetError):
            while theirs.recv(4096):
                pass
            self.fail("an orderly end")

    def test_server_dies(self) -> None:
        """Within the message, the client is told 421; with its dot, nothing: nobody knows."""
        for message, expected in ((HALF, b"421 4.4.2 "), (HALF + b".\r\n", b"")):
            ours, theirs = self.in_data()
            ours.sendall(message)
            self.hears(theirs, message)
            theirs.shutdown(socket.SHUT_WR)  # close() would reset, with bytes unread
            self.assertEqual(hear(ours)[:10], expected)
            theirs.close()

    def test_server_resets(self) -> None:
        """A reset of the server's is no answer either."""
        for message in (HALF, HALF + b".\r\n"):
            ours, theirs = self.in_data()
            ours.sendall(message)
            self.hears(theirs, message)
            reset(theirs)
            self.assertNotIn(b"250", self.hears_all(ours))

    def test_server_dies_after_it_took(self) -> None:
        """What the server said before it died, the client hears."""
        ours, theirs = self.in_data()
        ours.sendall(HALF + b".\r\n")
        self.hears(theirs, b"\r\n.\r\n")
        theirs.sendall(b"250 2.0.0 Taken\r\n")
        theirs.close()
        self.assertTrue(hear(ours).startswith(b"250 2.0.0 Taken\r\n"))

    def test_server_is_killed(self) -> None:
        """By its own hand, with the dot: no client takes that for an agreement."""
        client = self.smtp(29)
        with self.assertRaises(smtplib.SMTPServerDisconnected):
            client.sendmail(FROM, ["die@b.example"], HALF)
        self.assertTrue(self.record("smtp", rcpt_to=["<die@b.example>"])["reason"])
        self.assertIn("bytes for ['die@b.example']", self.running[29].log)
        with self.assertRaises(CommandFailed) as failed:
            self.client.run(
                *("msmtp", "--file=/dev/null", f"--host={SERVER}", "--port=29", "--tls=off"),
                *(f"--from={FROM}", f"--domain={HELO}", TO),
                input="Subject: nobody\n\nis there\n",
            )
        self.assertIn("421 4.4.1 ", str(failed.exception))

    def test_unreachable(self) -> None:
        """A client whose server is down is told to come back."""
        ours = self.dial((SERVER, 30))
        self.assertTrue(hear(ours).startswith(b"421 4.4.1 "))

    def in_data(self) -> tuple[socket.socket, socket.socket]:
        """A client that may send its message, and the server."""
        listener = self.listen(30)
        ours = self.dial((SERVER, 30))
        theirs, _ = self.accept(listener)
        listener.close()
        ours.sendall(ENVELOPE + b"DATA\r\n")
        for reply in (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            theirs.sendall(reply)
            if reply[:3] != b"354":
                self.assertTrue(theirs.recv(4096).endswith(b"\r\n"))
        self.hears(ours, b"354 go\r\n")
        return ours, theirs


def _say_no_more(ours: socket.socket) -> None:
    ours.shutdown(socket.SHUT_WR)
