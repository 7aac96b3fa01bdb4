"""Headers are read strictly, and what is written in an end's name is read back."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.bare import ACK, RST, checksum
from gateway.kernel.handshake.segment import (
    LONGEST,
    Unreadable,
    acknowledgement,
    glance,
    read,
    resets,
)
from tests.kernel.handshake.said import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    answer,
    first,
    last,
    packet,
)

PAIRS = ((CLIENT, SERVER), (CLIENT6, SERVER6))


class ReadTests(SynchronousTestCase):
    """L{read}."""

    def test_first(self) -> None:
        """Of a SYN, both ends, its number and all options that matter."""
        for client, server in PAIRS:
            found = read(first(client, server))
            self.assertEqual((found.sender, found.receiver), (client, server))
            self.assertEqual((found.sequence, found.next, found.window), (1000, 1001, 500))
            self.assertEqual((found.mss, found.scale, found.sack), (1460, 7, True))
            self.assertEqual((found.stamp, found.echo), (7, 0))

    def test_key(self) -> None:
        """What belongs together has one key, whoever has sent it."""
        for ends in PAIRS:
            seen = [glance(said(*ends)) for said in (first, answer, last)]
            self.assertEqual(len({each.key for each in seen if each}), 1)
            self.assertNotIn(None, seen)

    def test_without_options(self) -> None:
        """Without options a peer can do what every peer can."""
        found = read(first(options=b""))
        self.assertEqual(
            (found.mss, found.scale, found.sack, found.stamp), (536, None, False, None)
        )
        self.assertEqual(read(first(CLIENT6, SERVER6, b"")).mss, 1220)

    def test_scale(self) -> None:
        """A scale that is too large is the largest one (RFC 7323)."""
        self.assertEqual(read(first(options=b"\x03\x03\xff\x00")).scale, 14)

    def test_cut(self) -> None:
        """Half a header is none, wherever it is cut; and data is not asked for."""
        for ends in PAIRS:
            whole = first(*ends)
            for length in range(len(whole)):
                self.assertRaises(Unreadable, read, whole[:length])
            self.assertEqual(read(last(*ends, b"x" * 500)[:LONGEST]), read(last(*ends)))

    def test_odd(self) -> None:
        """Options that run over, or are of an odd length, are refused."""
        for options in (
            b"\x02\x00\x00\x00",
            b"\x02\x05\x00\x00",
            b"\x03\x02\x00\x00",
            b"\x01\x01\x01\x08",
        ):
            self.assertRaises(Unreadable, read, first(options=options))

    def test_others(self) -> None:
        """So are IP options, other protocols and other versions."""
        whole = first()
        for at, value in ((0, 0x46), (0, 0x55), (9, 17)):
            self.assertRaises(Unreadable, read, whole[:at] + bytes((value,)) + whole[at + 1 :])

    @given(st.binary(max_size=120))
    def test_anything(self, data: bytes) -> None:
        """Whatever comes is read or refused."""
        with contextlib.suppress(Unreadable):
            read(data)

    @given(st.binary(max_size=40))
    def test_any_options(self, options: bytes) -> None:
        """So are any options."""
        padded = options + b"\0" * (-len(options) % 4)
        with contextlib.suppress(Unreadable):
            read(packet(CLIENT, SERVER, ACK, 1, options=padded))


class WriteTests(SynchronousTestCase):
    """What is said in the ends' names."""

    def test_acknowledgement(self) -> None:
        """The server hears what the client has said, without its data."""
        for ends in PAIRS:
            said = read(last(*ends, b"data"))
            self.assertEqual(read(acknowledgement(said)), said)

    def test_resets(self) -> None:
        """Each end is reset with the number that it expects."""
        for client, server in PAIRS:
            there, back = map(read, resets(read(last(client, server))))
            self.assertEqual((there.sender, there.receiver), (client, server))
            self.assertEqual((there.flags, there.sequence), (RST, 1001))
            self.assertEqual((back.sender, back.receiver), (server, client))
            self.assertEqual((back.flags, back.sequence), (RST, 5001))

    def test_checksum(self) -> None:
        """A checksum that is right adds up to nothing."""
        whole = acknowledgement(read(last()))
        pseudo = whole[12:20] + b"\0\x06" + (len(whole) - 20).to_bytes(2, "big")
        self.assertEqual(checksum(pseudo + whole[20:]), 0)
