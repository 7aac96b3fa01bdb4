"""The name that a QUIC client asks for is read, however its first packets hide it."""

from __future__ import annotations

from itertools import permutations

from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.quic.close import close_packet
from protocols.quic.flight import Flight, Limits
from protocols.quic.frame import crypto_frames
from protocols.quic.keys import Keys
from protocols.quic.packet import VERSIONS, Kind, is_long, packets
from protocols.tls.hello import ClientHello
from protocols.tls.numbers import Alert
from protocols.tls.refusal import Refusal
from tests.protocols.quic.flights import (
    DESTINATION,
    HELLO,
    V1,
    V2,
    client,
    crypto,
    flight,
    packet,
    pieces,
    sent,
)
from tests.protocols.tls.hellos import body, message, server_name

LIMITS = Limits()
PADDING = b"\0" * 20


def read(datagrams: list[bytes], limits: Limits = LIMITS) -> ClientHello | None:
    """What a flight says after these datagrams."""
    found = [each for datagram in datagrams for each in packets(datagram)]
    reader = Flight(found[0], limits)
    for each in found:
        if each.kind is Kind.INITIAL:
            assert reader.takes(each)
    return reader.hello


class ReadTests(SynchronousTestCase):
    """A policy may go by the name that a QUIC client asks for."""

    def test_real_client(self) -> None:
        """Both versions of the protocol, as a real client speaks them."""
        for version in (V1, V2):
            hello = read(sent(client("a.example", version)))
            assert hello is not None
            self.assertEqual((hello.server_name, hello.alpn), ("a.example", (b"h3",)))

    def test_every_order(self) -> None:
        """Pieces in any order, over several datagrams: known when the last has come, not before."""
        for datagrams in permutations(flight(pieces(HELLO, [7, 50, 120]))):
            self.assertIsNone(read(list(datagrams[:-1])))
            hello = read(list(datagrams))
            assert hello is not None
            self.assertEqual(hello.server_name, "www.example.org")

    def test_shuffled_in_one_packet(self) -> None:
        """As browsers do it, with PING, ACK and PADDING between."""
        frames = pieces(HELLO, [7, 50, 120])
        ack = b"\x02" + b"\x00\x00\x01\x00\x00\x00"
        ecn = b"\x03" + b"\x00\x00\x00\x00" + b"\x01\x02\x03"
        shuffled = frames[2] + b"\x01" + frames[0] + PADDING + ack + frames[3] + ecn + frames[1]
        self.assertIsNotNone(read([packet(shuffled)]))

    def test_repeated(self) -> None:
        """What is sent again, in other pieces, is the same."""
        frames = [*pieces(HELLO, [60]), *pieces(HELLO, [10, 90])]
        self.assertIsNotNone(read(flight(frames)))

    def test_coalesced(self) -> None:
        """Two packets in one datagram, and what has a short header behind them."""
        first, second = (packet(frame, n, size=600) for n, frame in enumerate(pieces(HELLO, [60])))
        self.assertIsNotNone(read([first + second + b"\x40rest"]))

    def test_number_wraps(self) -> None:
        """Of a packet's number only the end is sent."""
        frames = pieces(HELLO, [60])
        self.assertIsNotNone(read([packet(frames[0], 65535), packet(frames[1], 65536)]))

    def test_retried(self) -> None:
        """A second hello, after a HelloRetryRequest, for the same name."""
        self.assertIsNotNone(read(flight([crypto(0, HELLO), crypto(len(HELLO), HELLO)])))

    def test_other_connection(self) -> None:
        """A packet with other keys belongs to another connection, and says nothing of this one."""
        (first,) = packets(packet(crypto(0, HELLO)))
        (other,) = packets(packet(crypto(0, HELLO), destination=b"other id"))
        (changed,) = packets(packet(crypto(0, HELLO), 1, V2, destination=b"other id"))
        (later,) = packets(packet(b"\x01", 1, destination=b"server's", keyed_by=DESTINATION))
        reader = Flight(first, LIMITS)
        self.assertEqual(
            [reader.takes(each) for each in (first, other, changed, later)],
            [True, False, False, True],
        )

    def test_changed_version(self) -> None:
        """A server may go on in another version, and its client with it (RFC 9369, 4.1)."""
        (first,) = packets(packet(crypto(0, HELLO)))
        (later,) = packets(packet(b"\x01", 1, V2, destination=b"server's", keyed_by=DESTINATION))
        reader = Flight(first, LIMITS)
        self.assertEqual([reader.takes(each) for each in (first, later)], [True, True])


class RefusedTests(SynchronousTestCase):
    """What a server could understand in another way does not reach it."""

    def refused(self, datagrams: list[bytes], reason: str, limits: Limits = LIMITS) -> Refusal:
        refusal = self.assertRaises(Refusal, read, datagrams, limits)
        self.assertIn(reason, refusal.reason)
        return refusal

    def test_two_things_in_one_place(self) -> None:
        """Pieces that overlap and differ."""
        other = HELLO.replace(b"www.example.org", b"www.example.com")
        self.refused(flight([*pieces(HELLO, [60])[1:], crypto(0, other)]), "two things")
        at = HELLO.index(b"org")
        first = pieces(HELLO, [at + 3])[0]
        self.refused(flight([first, crypto(at, other[at : at + 9])]), "two things")

    def test_second_name(self) -> None:
        """A second hello, for another name."""
        second = message(body((server_name(b"b.example"),)))
        self.refused(flight([crypto(0, HELLO), crypto(len(HELLO), second)]), "another name")

    def test_no_hello(self) -> None:
        """Another message of the handshake, or a hello that is none."""
        self.refused([packet(crypto(0, message(b"", 2)))], "in place of a ClientHello")
        self.refused([packet(crypto(0, message(b"\3\3xx")))], "ends too early")

    def test_limits(self) -> None:
        """Nobody may fill the memory, or wait for ever."""
        small = Limits(handshake=len(HELLO) - 1)
        self.refused([packet(crypto(0, HELLO))], "are allowed", small)
        self.refused([packet(crypto(1 << 20, b"x"))], "are allowed")
        waiting = flight([b"\x01"] * 3)
        self.assertIsNone(read(waiting[:2], Limits(packets=3)))
        self.refused(waiting, "too many packets", Limits(packets=3))

    def test_frames(self) -> None:
        """Frames that have no place there (RFC 9000, section 12.4), cut ones, and none."""
        for frame in (b"\x08\x00x", b"\x1e", b"\x06\x00\x40\xff", b"\x1d\x00\x00"):
            datagram = packet(frame, size=60)
            self.assertRaises(Refusal, read, [datagram])
        self.assertRaises(Refusal, list, crypto_frames(b""))

    def test_headers(self) -> None:
        """Packets that are none, or of versions that nobody here knows."""
        good = packet(crypto(0, HELLO))
        for datagram, reason in (
            (good[:30], "ends too early"),
            (bytes((good[0] & 0xBF,)) + good[1:], "fixed bit"),
            (good[:1] + b"\x0a\x1a\x2a\x3a" + good[5:], "QUIC version 0x0a1a2a3a"),
            (good[:5] + b"\x15" + good[6:], "identifier of 21"),
            (b"\xf0" + good[1:], "Retry"),
            (good[:22] + b"\x0a" + b"x" * 10, "too short"),
        ):
            self.refused([datagram], reason)

    def test_reserved_bits(self) -> None:
        """RFC 9000, section 17.2."""
        self.refused([packet(crypto(0, HELLO), first=4)], "reserved bits")

    def test_every_cut(self) -> None:
        """A datagram that lost its end is refused or says nothing, and raises nothing else."""
        whole = packet(crypto(0, HELLO), size=300)
        for end in range(1, len(whole)):
            self.assertRaises(Refusal, read, [whole[:end]])


class HostileTests(SynchronousTestCase):
    """Whatever comes is read or refused."""

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=80))
    def test_payload(self, payload: bytes) -> None:
        """Any payload, well protected."""
        try:
            self.assertIsNone(read([packet(payload, size=100)]))
        except Refusal:
            pass

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=30), st.integers(0, 60))
    def test_header(self, junk: bytes, at: int) -> None:
        """Any header."""
        whole = packet(crypto(0, HELLO), size=300)
        datagram = whole[:at] + junk + whole[at + len(junk) :]
        try:
            for each in packets(datagram):
                Flight(each, LIMITS).takes(each)
        except Refusal:
            pass


class CloseTests(SynchronousTestCase):
    """A client that is refused knows it at once, and why."""

    def told(self, connection: QuicConnection, alert: Alert | None) -> ConnectionTerminated:
        """What a client makes of it."""
        first = next(packets(sent(connection)[0]))
        connection.receive_datagram(
            close_packet(first, alert, "The policy has no connection."), ("192.0.2.1", 443), 0.1
        )
        connection.handle_timer(100.0)
        while not isinstance(event := connection.next_event(), ConnectionTerminated):
            assert event is not None
        return event

    def test_alert(self) -> None:
        """TLS's alert, in QUIC's way, for both versions."""
        for version in (V1, V2):
            event = self.told(client(version=version), Alert.ACCESS_DENIED)
            self.assertEqual(event.error_code, 0x100 + Alert.ACCESS_DENIED)
            self.assertEqual(event.reason_phrase, "The policy has no connection.")

    def test_refused(self) -> None:
        """Without one, CONNECTION_REFUSED."""
        self.assertEqual(self.told(client(), None).error_code, 2)


class PacketTests(SynchronousTestCase):
    """What the RFCs show as examples comes out the same."""

    def test_keys(self) -> None:
        """RFC 9001, appendix A.1, and RFC 9369, appendix A.1."""
        destination = bytes.fromhex("8394c8f03e515708")
        for version, key, header_key in (
            (V1, "1f369613dd76d5467730efcbe3b1a22d", "9f50449e04a0e810283a1e9933adedd2"),
            (V2, "8b1a0bc121284290a29e0971b5cd045d", "45b95e15235d6f45a6b19cbcb0294ba9"),
        ):
            keys = Keys.of_client(VERSIONS[version], destination)
            self.assertEqual((keys.key.hex(), keys.header_key.hex()), (key, header_key))

    def test_short(self) -> None:
        """What has no long header is of a connection that exists."""
        self.assertFalse(is_long(b"\x40rest") or is_long(b""))
        self.assertEqual(list(packets(b"\x40rest")), [])
