"""
SMTP through the real gateway: one message in, one message out, at lenient receivers.

Each receiver is also reached past the gateway, to see that it is fooled there.
"""

from __future__ import annotations

import re
import socket

from tests.netns.case import SERVER
from tests.netns.mail.case import SmtpCase, forward, smtp
from tests.netns.mail.client import FROM, TO
from tests.netns.mail.server import Exim, Lenient, Postfix

ENVELOPE = (f"MAIL FROM:<{FROM}>\r\n".encode(), f"RCPT TO:<{TO}>\r\n".encode())
SMUGGLED = (
    f"MAIL FROM:<ceo@b.example>\r\nRCPT TO:<{TO}>\r\nDATA\r\n"
    "From: ceo@b.example\r\nSubject: smuggled\r\n\r\npay\r\n"
).encode()

VARIANTS = (
    # December 2023: what was found at receivers.
    *(b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\n.\n", b"\r\n.\r"),
    # With NULs, which some leave out.
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\0.\n", b"\r\n\0.\r", b"\n\0.\0\n"),
    # January 2024: several CRs in front of an LF count as one.
    *(b"\r\n.\r\r\n", b"\r\r\n.\r\r\n"),
    # An empty line in front of it, blanks behind it.
    *(b"\n\n.\r\n", b"\r\r.\r\r", b"\r\n. \r\n", b"\r\n.\t\n"),
)
"""What has been taken for the end of a message, and is none."""

WELL_FORMED = b"\r\n. \r\n"
"""The one of them that may be in a message. (Its dot is one that was added for the way.)"""

# Each server is behind three ports: past the gateway, and through it in two ways.
LENIENT, POSTFIX, EXIM = 25, 35, 45
DENY, REPAIR = 1, 2

REDIRECT = """
table ip ports {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    tcp dport {26, 27} redirect to :25
    tcp dport {36, 37} redirect to :35
    tcp dport {46, 47} redirect to :45
  }
}
"""


class SmugglingTests(SmtpCase):
    """A message that hides another one."""

    servers = {LENIENT: Lenient, POSTFIX: Postfix, EXIM: Exim}
    services = {
        "direct": forward("25, 35, 45"),
        "deny": smtp("26, 36, 46"),
        "repair": smtp("27, 37, 47", 'bare_newline = "repair"'),
    }

    def prepare(self) -> None:
        """One server, several ports."""
        super().prepare()
        self.server.run("nft", REDIRECT)

    def test_lenient(self) -> None:
        """All variants at a receiver that takes them all."""
        for variant in VARIANTS:
            denied = ["outer"] if variant == WELL_FORMED else []
            for way, subjects in ((0, ["outer", "smuggled"]), (DENY, denied), (REPAIR, ["outer"])):
                before = self.running[LENIENT].subjects()
                self.send(LENIENT + way, b"Subject: outer\r\n\r\nx" + variant + SMUGGLED)
                found = self.running[LENIENT].subjects()[len(before) :]
                self.assertEqual(found, subjects, (variant, way))

    def test_postfix(self) -> None:
        """All variants at a Postfix as it was in 2023."""
        self.judge(POSTFIX, b"Subject: outer\r\n\r\nx", b"\n.\r\n")

    def test_exim(self) -> None:
        """At an Exim, which ends lines as the message's first one does."""
        self.judge(EXIM, b"Subject: outer\n\nx", b"\n.\n")

    def judge(self, port: int, start: bytes, end: bytes) -> None:
        """
        All variants at a real server.

        @param end: what is one to it behind C{start}.
        """
        server = self.running[port]
        self.send(port, start + end + SMUGGLED)
        self.wait(lambda: "smuggled" in server.subjects(), f"{server.name} is not fooled")
        for variant in VARIANTS:
            self.send(port + DENY, start + variant + SMUGGLED)
            self.send(port + REPAIR, start + variant + SMUGGLED)
        well_formed = b"\n\n" not in start  # and so one variant is
        expected = ["outer"] * (1 + len(VARIANTS) + well_formed) + ["smuggled"]
        self.wait(lambda: len(server.subjects()) >= len(expected), f"{server.subjects()}")
        self.send(port, b"Subject: ready\r\n\r\nx\r\n")
        self.arrived(server, "ready")
        self.assertEqual(sorted(server.subjects()), sorted([*expected, "ready"]))

    def test_chunks(self) -> None:
        """In chunks, cut anywhere: what arrives would be one message for anybody who reads on."""
        for variant in VARIANTS:
            content = b"Subject: outer\r\n\r\nx" + variant + SMUGGLED
            for way, count in ((DENY, variant == WELL_FORMED), (REPAIR, 1)):
                before = self.running[LENIENT].messages()
                for cut in (0, len(content) - len(SMUGGLED) - 1, len(content)):
                    self.send_chunks(LENIENT + way, content[:cut], content[cut:])
                found = self.running[LENIENT].messages()[len(before) :]
                self.assertEqual(len(found), 3 * count, variant)
                for each in found:
                    lines = each.as_bytes().replace(b"\r\n", b"")
                    self.assertFalse(set(lines) & set(b"\r\0"), each)

    def send(self, port: int, message: bytes) -> None:
        """Send one message, and hear to the end of the session."""
        ours = self.begin_mail(port)
        ours.sendall(b"DATA\r\n")
        self.hears(ours, b"354 ")
        ours.sendall(message + b".\r\nQUIT\r\n")
        self.hears_all(ours)

    def send_chunks(self, port: int, *chunks: bytes) -> None:
        """Send one message in chunks."""
        ours = self.begin_mail(port)
        for chunk in chunks:
            last = b" LAST" if chunk is chunks[-1] else b""
            ours.sendall(b"BDAT %d%b\r\n%b" % (len(chunk), last, chunk))
        ours.sendall(b"QUIT\r\n")
        self.hears_all(ours)

    def begin_mail(self, port: int) -> socket.socket:
        """Up to DATA, command by command."""
        ours = self.dial((SERVER, port))
        for command in (b"EHLO c\r\n", *ENVELOPE):
            self.assertTrue(reply(ours).startswith(b"2"))
            ours.sendall(command)
        self.assertTrue(reply(ours).startswith(b"250"))
        return ours


def reply(ours: socket.socket) -> bytes:
    """One reply of the server."""
    heard = b""
    while not re.search(rb"(?m)^\d\d\d .*\r\n\Z", heard):
        data = ours.recv(65536)
        if not data:
            raise AssertionError(f"no reply: {heard!r}")
        heard += data
    return heard
