"""SSH connections are those that the policy has, and reach the server unchanged."""

from __future__ import annotations

import re
from hashlib import md5
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.ssh.inspector import SshInspector
from protocols.ssh.numbers import Reason
from protocols.ssh.packet import disconnect, string
from protocols.ssh.settings import SshSettings
from tests.protocols.ssh.speak import (
    CIPHERS,
    CLIENT_BANNER,
    COMPRESSION,
    FINGERPRINT,
    KEX,
    KEX_INIT,
    KEX_REPLY,
    MACS,
    NEWKEYS,
    SERVER_BANNER,
    kexinit,
    message,
)

HELLO = [
    (CLIENT, CLIENT_BANNER + kexinit()),
    (SERVER, SERVER_BANNER + kexinit()),
    (CLIENT, KEX_INIT),
    (SERVER, KEX_REPLY + NEWKEYS),
    (CLIENT, NEWKEYS),
]


class SshSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = SshInspector
    memory = 2 * 35000 + 4 * 65536
    conversations = (
        Conversation(
            "a login",
            [*HELLO, (CLIENT, b"encrypted"), (SERVER, b"encrypted"), (CLIENT, END), (SERVER, END)],
        ),
        Conversation(
            "a server that says more, and a client that says all at once",
            [
                (CLIENT, CLIENT_BANNER + kexinit() + KEX_INIT),
                (SERVER, b"Welcome\r\nSSH\r\n" + SERVER_BANNER + kexinit() + message(4, b"debug")),
                (SERVER, KEX_REPLY + NEWKEYS + b"early"),
                (CLIENT, NEWKEYS),
                (CLIENT, END),
                (SERVER, END),
            ],
        ),
        Conversation("not SSH", [(CLIENT, b"GET / HTTP/1.1\r\n")], outcome=Outcome.DENIED),
        Conversation("SSH 1", [(CLIENT, b"SSH-1.5-old\r\n")], outcome=Outcome.DENIED),
        Conversation("no packet", [(CLIENT, CLIENT_BANNER + b"x" * 8)], outcome=Outcome.DENIED),
        Conversation(
            "encrypted too early",
            [(CLIENT, CLIENT_BANNER + kexinit() + NEWKEYS)],
            outcome=Outcome.DENIED,
        ),
        Conversation("nothing", [(CLIENT, END), (SERVER, END)]),
    )


def session(**settings: Any) -> FakeSession:
    return FakeSession(SshInspector, SshSettings(**settings)).start()


def agree(made: FakeSession, client: bytes, server: bytes) -> FakeSession:
    """Both sides say what they offer."""
    made.says(CLIENT, CLIENT_BANNER + client)
    made.says(SERVER, SERVER_BANNER + server)
    return made


def reason_of(made: FakeSession) -> str:
    assert made.verdict is not None
    return made.verdict.reason


class PassedTests(SynchronousTestCase):
    """What is allowed is as if there were no gateway."""

    def test_unchanged(self) -> None:
        """Every byte of both sides arrives, since the keys are made from them."""
        made = session()
        for side, data in HELLO:
            made.says(side, data)
        self.assertEqual(
            made.sent,
            {
                SERVER: b"".join(data for side, data in HELLO if side is CLIENT),
                CLIENT: b"".join(data for side, data in HELLO if side is SERVER),
            },
        )
        self.assertTrue(made.released)

    def test_nobody_waits(self) -> None:
        """What a client says first reaches the server before that has said a word."""
        made = session()
        made.says(CLIENT, CLIENT_BANNER + kexinit() + KEX_INIT)
        self.assertEqual(made.sent[SERVER], CLIENT_BANNER + kexinit() + KEX_INIT)

    def test_record(self) -> None:
        """The audit says who talked with whom, how, and with which key."""
        made = session()
        for side, data in HELLO:
            made.says(side, data)
        (record,) = made.records_of("ssh")
        self.assertEqual(record["client"]["software_version"], "OpenSSH_9.2p1")
        self.assertEqual(record["server"]["software_version"], "dropbear_2022.83")
        lists = (KEX, CIPHERS, MACS, COMPRESSION)
        text = ";".join(",".join(names) for names in lists)
        found = {"hash": md5(text.encode()).hexdigest(), "string": text}
        self.assertEqual(record["client"]["hassh"], found)
        self.assertEqual(record["agreed"]["kex"], "curve25519-sha256")
        self.assertEqual(record["agreed"]["macs"], [])
        self.assertEqual(record["host_key"], {"kind": "ssh-ed25519", "fingerprint": FINGERPRINT})
        self.assertEqual(record["verdict"], "passed")

    def test_group_exchange(self) -> None:
        """Where the group is sent first, the key is in another message."""
        offer = kexinit(kex=("diffie-hellman-group-exchange-sha256",))
        made = agree(session(fingerprints={"198.51.100.2": (FINGERPRINT,)}), offer, offer)
        made.says(CLIENT, message(34, b"\0" * 12))
        made.says(SERVER, message(31, string(b"p") + string(b"g")))
        made.says(CLIENT, message(32, string(b"e")))
        made.says(SERVER, message(33, KEX_REPLY[6:-9]) + NEWKEYS)
        self.assertIsNone(made.verdict)


class DeniedTests(SynchronousTestCase):
    """What the policy does not have is told in words that SSH clients show."""

    def test_client_software(self) -> None:
        """A program that may not connect is told so; it has heard no banner yet."""
        made = session(client_software=re.compile(r"OpenSSH_.*"))
        made.says(CLIENT, b"SSH-2.0-libssh_0.9\r\n")
        self.assertIn("setting 'client_software'", reason_of(made))
        self.assertEqual(
            made.sent[CLIENT],
            b"SSH-2.0-gateway\r\n"
            + disconnect(Reason.HOST_NOT_ALLOWED_TO_CONNECT, reason_of(made)),
        )
        self.assertEqual(made.sent[SERVER], b"")
        (record,) = made.records_of("ssh")
        self.assertEqual(record["denied_by"], "client_software")

    def test_server_software(self) -> None:
        """The same for servers."""
        made = session(server_software=re.compile(r"OpenSSH_.*"))
        made.says(CLIENT, CLIENT_BANNER)
        made.says(SERVER, SERVER_BANNER)
        self.assertIn("setting 'server_software'", reason_of(made))
        self.assertNotIn(SERVER_BANNER, made.sent[CLIENT])

    def test_algorithms(self) -> None:
        """What the two would agree on is not allowed: the second offer does not arrive."""
        weak = ("diffie-hellman-group1-sha1",)
        for lists, settings, by in (
            ({"kex": weak}, {}, "refused"),
            ({"ciphers": ("none",)}, {}, "refused"),
            ({"ciphers": ("aes128-cbc",)}, {}, "refused"),
            ({"macs": ("hmac-md5",), "ciphers": ("aes128-ctr",)}, {}, "refused"),
            ({"host_keys": ("ssh-dss",)}, {}, "refused"),
            ({}, {"kex": ("sntrup761*",)}, "kex"),
            ({}, {"ciphers": ("aes*",)}, "ciphers"),
            ({"compression": ("zlib",)}, {"compression": ("none",)}, "compression"),
        ):
            made = agree(session(**settings), kexinit(**lists), kexinit(**lists))
            self.assertIn(f"(setting '{by}')", reason_of(made), (lists, settings))
            reply = disconnect(Reason.KEY_EXCHANGE_FAILED, reason_of(made))
            self.assertEqual(made.sent[CLIENT], SERVER_BANNER + reply)

    def test_offered_only(self) -> None:
        """A weak algorithm that is offered and not chosen harms nobody; nor does a MAC of none."""
        offer = kexinit(ciphers=("chacha20-poly1305@openssh.com", "aes128-cbc"), macs=("hmac-md5",))
        self.assertIsNone(agree(session(), offer, offer).verdict)

    def test_host_key(self) -> None:
        """A server with another key than the known one is not reached, though it is there."""
        made = agree(
            session(fingerprints={"198.51.100.2": ("SHA256:" + "A" * 43,)}), kexinit(), kexinit()
        )
        made.says(CLIENT, KEX_INIT)
        made.says(SERVER, KEX_REPLY)
        self.assertIn(f"shows ssh-ed25519 {FINGERPRINT}", reason_of(made))
        self.assertNotIn(KEX_REPLY, made.sent[CLIENT])
        self.assertEqual(made.records_of("ssh")[0]["denied_by"], "fingerprints")

    def test_unknown_host(self) -> None:
        """Only known servers, if the policy says so; methods that show no key are no way around."""
        for settings in (
            {"unknown_hosts": False},
            {"fingerprints": {"198.51.100.2": (FINGERPRINT,)}},
        ):
            offer = kexinit(kex=("rsa2048-sha256",))
            made = agree(session(**settings), offer, offer)
            made.says(CLIENT, KEX_INIT)
            made.says(SERVER, KEX_REPLY + NEWKEYS)
            self.assertIs(made.verdict and made.verdict.outcome, Outcome.DENIED)

    def test_time(self) -> None:
        """Who never comes to keys does not stay."""
        made = session(handshake_seconds=10.0)
        made.says(CLIENT, CLIENT_BANNER)
        made.advance(11)
        self.assertIn("setting 'handshake_seconds'", reason_of(made))

    def test_limits(self) -> None:
        """Packets, lines and their lengths are bounded."""
        made = session(packets=4)
        made.says(CLIENT, CLIENT_BANNER + message(2, b"") * 5)
        self.assertIn("setting 'packets'", reason_of(made))
        made = session(banner_lines=1)
        made.says(SERVER, b"one\r\ntwo\r\n")
        self.assertIn("not SSH", reason_of(made))
        made = session(packet_bytes=256)
        made.says(CLIENT, CLIENT_BANNER + kexinit(kex=("x" * 64,) * 10))
        self.assertIs(made.verdict and made.verdict.outcome, Outcome.DENIED)


class MalformedTests(SynchronousTestCase):
    """What is not SSH goes nowhere."""

    def denied(self, *said: tuple[Any, bytes]) -> None:
        made = session()
        for side, data in said:
            made.says(side, data)
        self.assertIs(made.verdict and made.verdict.outcome, Outcome.DENIED, said)

    def test_banners(self) -> None:
        """First lines that are none, or that end in another way."""
        for line in (
            *(b"SSH-2.0\r\n", b"SSH-2.0-\r\n", b"SSH-2-x\r\n", b"SSH-2.0-a\x07\r\n"),
            *(b"SSH-2.0-a\n", b"SSH-2.0-" + b"a" * 300 + b"\r\n", b"ssh-2.0-a\r\n"),
        ):
            self.denied((CLIENT, line))
        self.denied((SERVER, b"\x1b[2J\r\n"))

    def test_packets(self) -> None:
        """Lengths and paddings that can't be."""
        for data in (
            *(b"\0\0\0\x0c\x03" + b"x" * 11, b"\0\0\0\x0c\x0b" + b"x" * 11),
            *(b"\0\0\0\0", b"\0\0\0\x05" + b"x" * 5, b"\xff\xff\xff\xfc"),
        ):
            self.denied((CLIENT, CLIENT_BANNER + data))

    def test_kexinit(self) -> None:
        """Offers that are none, or come twice."""
        for data in (
            kexinit(end=b"\0" * 6),
            kexinit(end=b"\0" * 4),
            kexinit(end=b"\0" * 4 + b"\1"),
            kexinit(kex=()),
            kexinit(kex=("a", "", "b")),
            kexinit(kex=("a b",)),
            kexinit(kex=("x" * 65,)),
            kexinit() + kexinit(),
        ):
            self.denied((CLIENT, CLIENT_BANNER + data))

    def test_order(self) -> None:
        """Messages that have no place there."""
        for data in (KEX_INIT, NEWKEYS, message(5), message(50), message(99)):
            self.denied((CLIENT, CLIENT_BANNER + data))
        self.denied(
            (CLIENT, CLIENT_BANNER + kexinit()), (SERVER, SERVER_BANNER + kexinit() + NEWKEYS)
        )
