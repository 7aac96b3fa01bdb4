"""A program has one fingerprint, whatever it shuffles and makes up."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from protocols.tls.hello import ClientHello
from protocols.tls.ja4 import ja4
from tests.protocols.tls.hellos import (
    CHROMIUM_ALGORITHMS,
    CHROMIUM_SUITES,
    algorithms,
    alpn,
    body,
    extension,
    groups,
    key_shares,
    server_name,
    versions,
)

OTHERS = (0x05, 0x0B, 0x12, 0x15, 0x17, 0x1B, 0x23, 0x2D, 0x4469, 0xFF01)
NAME = server_name(b"www.example.org")


def chromium(random: Random) -> ClientHello:
    """A browser of 2023: shuffled, with another made up number in each place, each time."""
    grease = [each * 0x1010 + 0x0A0A for each in random.sample(range(16), 5)]
    shuffled = [
        *(NAME, alpn(b"h2", b"http/1.1"), versions(grease[0], 0x0304, 0x0303)),
        *(groups(grease[1], 29, 23, 24), key_shares(grease[1], 29)),
        algorithms(grease[2], *CHROMIUM_ALGORITHMS),
        *(extension(number) for number in OTHERS),
    ]
    random.shuffle(shuffled)
    all_of_them = [extension(grease[3]), *shuffled, extension(grease[4], b"\0")]
    return ClientHello.parse(body(all_of_them, (grease[0], *CHROMIUM_SUITES)))


def of(*extensions: bytes, version: int = 0x0303) -> str:
    """The first part of a fingerprint."""
    return ja4(ClientHello.parse(body(extensions, version=version))).partition("_")[0]


class FingerprintTests(SynchronousTestCase):
    """Rules may name a program by its fingerprint."""

    def test_chromium(self) -> None:
        """The value that is published for it, on twenty connections."""
        random = Random(1)
        found = {ja4(chromium(random)) for _ in range(20)}
        self.assertEqual(found, {"t13d1516h2_8daaf6152771_e5627efa2ab1"})

    def test_transport(self) -> None:
        """QUIC is another program to a policy."""
        self.assertTrue(ja4(chromium(Random(1)), "q").startswith("q13d1516h2_"))

    def test_version(self) -> None:
        """The highest that is offered and known."""
        self.assertEqual(of(versions(0x0303, 0x0304, 0x7F1C)), "t13i020100")
        self.assertEqual(of(versions(0x7F1C)), "t00i020100")
        self.assertEqual(of(version=0x0301), "t10i020000")

    def test_protocol(self) -> None:
        """The ends of the first protocol's name, in hexadecimal where they are no letters."""
        for name, ends in (
            *((b"http/1.1", "h1"), (b"h2", "h2"), (b"x", "xx")),
            *((b"\x0a\x0a", "0a"), (b"h\xab", "6b"), (b"spdy/3!", "71")),
        ):
            self.assertEqual(of(alpn(name)), f"t12i0201{ends}")

    def test_counts(self) -> None:
        """No more than two digits each."""
        many = [extension(0x1000 + number) for number in range(120)]
        hello = ClientHello.parse(body(many, range(0x2000, 0x2000 + 150)))
        self.assertTrue(ja4(hello).startswith("t12i999900_"))

    def test_nothing(self) -> None:
        """No hash of nothing."""
        hello = ClientHello.parse(body(None, (0x0A0A,)))
        self.assertEqual(ja4(hello), "t12i000000_000000000000_000000000000")
