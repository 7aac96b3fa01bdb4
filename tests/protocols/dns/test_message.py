"""Messages of DNS are read strictly, and what is written from them means the same."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import dns.exception
import dns.message
import dns.name
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.names.dns import Message as TwistedMessage
from twisted.trial.unittest import SynchronousTestCase

from protocols.dns.message import Message, Reading
from protocols.dns.name import is_below, shown, text_of
from protocols.dns.refusal import Refusal
from tests.protocols.dns.speak import answer, query, wire

RECORDS = (
    "www.example.org. 300 IN A 198.51.100.7",
    "www.example.org. 300 IN AAAA 2001:db8::7",
    "www.example.org. 300 IN CNAME web.example.org.",
    "example.org. 300 IN NS ns.example.org.",
    "example.org. 300 IN SOA ns.example.org. admin.example.org. 1 2 3 4 5",
    "example.org. 300 IN MX 10 mail.example.org.",
    'example.org. 300 IN TXT "v=spf1 -all" "more"',
    "_sip._udp.example.org. 300 IN SRV 1 2 5060 sip.example.org.",
    "example.org. 300 IN DNAME example.net.",
    "7.100.51.198.in-addr.arpa. 300 IN PTR www.example.org.",
    'example.org. 300 IN NAPTR 100 10 "S" "SIP+D2U" "!^.*$!sip:x@example.org!" sip.example.org.',
    'example.org. 300 IN CAA 0 issue "ca.example"',
    "_443._tcp.example.org. 300 IN TLSA 3 1 1 " + "ab" * 32,
    "example.org. 300 IN DS 12345 13 2 " + "cd" * 32,
    "example.org. 300 IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+"
    "KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
    "example.org. 300 IN RRSIG A 13 3 300 20300101000000 20200101000000 1 example.org. AAAA",
    "example.org. 300 IN NSEC www.example.org. A RRSIG NSEC",
    "example.org. 300 IN HTTPS 1 . alpn=h2,h3 ipv4hint=198.51.100.7",
    "example.org. 300 IN SVCB 0 svc.example.org.",
    "example.org. 300 IN RP admin.example.org. text.example.org.",
    "example.org. 300 IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
    'example.org. 300 IN HINFO "PC" "Linux"',
    "example.org. 300 IN SSHFP 1 1 " + "ef" * 20,
)

MOST = 100


def read(data: bytes) -> Message:
    """The message in C{data}."""
    return Reading(data).message(MOST)


def header(*counts: int, flags: int = 0x100) -> bytes:
    return struct.pack("!6H", 1, flags, *counts)


QUESTION = b"\3www\7example\3org\0\0\1\0\1"
TAIL = b"\0\1\0\1\0\0\1\x2c\0\4\xc6\x33\x64\x07"
"""Behind the name of an A record."""


class RoundTests(SynchronousTestCase):
    """What is sound passes."""

    def test_every_kind(self) -> None:
        """Records of all kinds: other programs read the same in what is written as in what came."""
        for text in RECORDS:
            said = answer(query(), text, additional=("ns.example.org. 60 IN A 198.51.100.9",))
            data = wire(said)
            written = read(data).write()
            self.assertEqual(dns.message.from_wire(written), dns.message.from_wire(data), text)
            self.assertEqual(read(written).write(), written)

    def test_same_bytes(self) -> None:
        """What most servers send is written as it came, compressed likewise."""
        said = answer(
            query(),
            "www.example.org. 300 IN CNAME web.example.org.",
            "web.example.org. 300 IN A 198.51.100.7",
            authority=("example.org. 300 IN NS ns.example.org.",),
            additional=("ns.example.org. 60 IN A 198.51.100.9",),
        )
        self.assertEqual(read(wire(said)).write(), wire(said))

    def test_case(self) -> None:
        """Names keep their letters (0x20)."""
        data = wire(query("wWw.ExAmPlE.oRg."))
        self.assertEqual(read(data).write(), data)

    def test_middle_of_a_name(self) -> None:
        """A pointer may lead into the middle of a name that was."""
        data = header(1, 1, 0, 0, flags=0x8180) + QUESTION + b"\4mail\xc0\x10" + TAIL
        (record,) = read(data).answers
        self.assertEqual(shown(record.owner), "mail.example.org")

    def test_long_lived(self) -> None:
        """A time to live with the highest bit set is none (RFC 2181, section 8)."""
        data = header(1, 1, 0, 0) + QUESTION + b"\xc0\x0c\0\1\0\1\xff\xff\xff\xff\0\4\1\2\3\4"
        self.assertEqual(read(data).answers[0].seconds, 0)


def lies() -> Iterator[tuple[str, bytes]]:
    """Messages that somebody's parser took, or hung in."""
    one = header(1, 1, 0, 0, flags=0x8180) + QUESTION
    at = len(one)
    yield "nothing", b""
    yield "eleven bytes", header(0, 0, 0, 0)[:11]
    yield "a pointer to itself", one + struct.pack("!H", 0xC000 | at) + TAIL
    yield "a pointer ahead", one + struct.pack("!H", 0xC000 | at + 2) + TAIL
    yield (
        "a pointer to a pointer that leads back",
        one + b"\1a" + struct.pack("!H", 0xC000 | at) + TAIL,
    )
    yield "a pointer into the header", one + b"\xc0\x00" + TAIL
    yield "a pointer to the middle of a label", one + b"\xc0\x0e" + TAIL
    yield "a pointer to the end of a name", one + b"\xc0\x1c" + TAIL
    yield (
        "a pointer into data",
        (header(1, 2, 0, 0) + QUESTION + b"\xc0\x0c" + TAIL[:-4] + b"\1a\0\0" + b"\xc0\x2d" + TAIL),
    )
    yield "half a pointer", one + b"\xc0"
    yield "a pointer in the question", header(1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
    yield "a label of 64 bytes", header(1, 0, 0, 0) + b"\x40" + b"a" * 64 + b"\0\0\1\0\1"
    yield "an extended label", header(1, 0, 0, 0) + b"\x41\1a\0\0\1\0\1"
    yield "a name of 256 bytes", header(1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"
    yield (
        "a name that grows too long by pointers",
        (
            header(1, 1, 0, 0)
            + (b"\x3f" + b"a" * 63) * 3
            + b"\0\0\1\0\1"
            + (b"\x3f" + b"b" * 63)
            + b"\xc0\x0c"
            + TAIL
        ),
    )
    yield "a name without end", header(1, 0, 0, 0) + b"\3www"
    yield "two questions", header(2, 0, 0, 0) + QUESTION * 2
    yield "65535 questions", header(65535, 0, 0, 0) + QUESTION
    yield "a record that is not there", header(1, 1, 0, 0) + QUESTION
    yield "65535 records", header(1, 65535, 0, 0) + QUESTION + b"\xc0\x0c" + TAIL
    yield "a byte behind", header(1, 0, 0, 0) + QUESTION + b"\0"
    yield "half a record", one + b"\xc0\x0c" + TAIL[:6]
    yield "data longer than the message", one + b"\xc0\x0c" + TAIL[:-6] + b"\0\5\1\2\3\4"
    yield "an address of three bytes", one + b"\xc0\x0c" + TAIL[:-6] + b"\0\3\1\2\3"
    yield "a name longer than its data", (one + b"\xc0\x0c\0\5\0\1\0\0\0\0\0\3\3www\0" + b"\0" * 4)
    yield "bytes behind a name in data", one + b"\xc0\x0c\0\5\0\1\0\0\0\0\0\3\xc0\x0c\0"
    yield "a string longer than its data", one + b"\xc0\x0c\0\x10\0\1\0\0\0\0\0\2\5a"
    yield "an empty TXT", one + b"\xc0\x0c\0\x10\0\1\0\0\0\0\0\0"
    yield "a compressed DNAME", one + b"\xc0\x0c\0\x27\0\1\0\0\0\0\0\2\xc0\x0c"
    yield "a record of type ANY", one + b"\xc0\x0c\0\xff\0\1\0\0\0\0\0\0"
    yield "an address without data", one + b"\xc0\x0c\0\1\0\xff\0\0\0\0\0\0"
    yield "an unknown type", one + b"\xc0\x0c\xff\x00\0\1\0\0\0\0\0\2ab"
    yield (
        "SVCB keys out of order",
        (one + b"\xc0\x0c\0\x41\0\1\0\0\0\0\0\x0f\0\1\0" + b"\0\4\0\4\1\2\3\4" + b"\0\3\0\0"),
    )
    yield "an ISDN number that nobody writes so", one + b"\xc0\x0c\0\x14\0\1\0\0\0\0\0\2\0\0"
    opt = b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    yield "two OPT", header(1, 0, 0, 2) + QUESTION + opt * 2
    yield "an OPT of a name", header(1, 0, 0, 1) + QUESTION + b"\1a" + opt
    yield "an OPT among the answers", header(1, 1, 0, 0) + QUESTION + opt
    yield "half an option", header(1, 0, 0, 1) + QUESTION + opt[:-2] + b"\0\3\0\3\0"
    yield "an option that is too long", header(1, 0, 0, 1) + QUESTION + opt[:-2] + b"\0\5\0\3\0\5a"
    tsig = b"\0\0\xfa\0\xff\0\0\0\0\0\x11\0" + b"\0" * 16
    yield "a TSIG that is not the last", header(1, 0, 0, 2) + QUESTION + tsig + opt


class LongTests(SynchronousTestCase):
    """What is short by its pointers only, and may not be written with them."""

    NAME = b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\0"

    def test_message(self) -> None:
        """Too long a message is refused, not sent cut off."""
        question = self.NAME + b"\0\x21\0\1"
        record = b"\xc0\x0c\0\x21\0\1\0\0\0\0\0\x08" + b"\0" * 6 + b"\xc0\x0c"
        data = header(1, 1000, 0, 0, flags=0x8180) + question + record * 1000
        with self.assertRaisesRegex(Refusal, "a message of"):
            Reading(data).message(1000).write()


class StrictTests(SynchronousTestCase):
    """What lies is refused, with a reason."""

    def test_lies(self) -> None:
        """Loops, counts, lengths, labels, trailing bytes, several questions."""
        for what, data in lies():
            try:
                read(data)
            except Refusal as refusal:
                self.assertTrue(refusal.reason, what)
            else:
                self.fail(f"{what}: it passes")

    def test_every_cut(self) -> None:
        """A message that ends too early is none, wherever that is."""
        data = wire(answer(query(), *RECORDS))
        for size in range(len(data)):
            with self.assertRaises(Refusal):
                read(data[:size])

    def test_many_records(self) -> None:
        """More than the limit are not looked at."""
        data = wire(answer(query(), *(f"www.example.org. 1 IN A 192.0.2.{n}" for n in range(200))))
        with self.assertRaisesRegex(Refusal, "records"):
            read(data)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """No bytes make it fail in another way; and what is read is written, and read again."""
        self.both(data)
        self.both(header(1, 1, 0, 0, flags=0x8180) + QUESTION + data)

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(RECORDS),
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3),
    )
    def test_damaged(self, text: str, faults: list[tuple[int, int]]) -> None:
        """Nor do messages with some bytes changed."""
        data = bytearray(wire(answer(query(), text)))
        for at, value in faults:
            data[at % len(data)] = value
        self.both(bytes(data))

    def both(self, data: bytes) -> None:
        """
        Read it, by dnspython too. What we take, dnspython takes, with the same meaning, before and
        after it is written anew.
        """
        try:
            message = read(data)
        except Refusal:
            return
        written = message.write()
        self.assertEqual(read(written).write(), written)
        try:
            there = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return  # it knows more of opcodes and of sections
        again = dns.message.from_wire(written)
        self.assertEqual(again.id, there.id)
        self.assertEqual(again.question, there.question)
        for section in ("answer", "authority", "additional"):
            ours, theirs = (
                sorted(str(each) for each in getattr(one, section)) for one in (again, there)
            )
            self.assertEqual(len(ours), len(theirs), data)

    def test_twisted(self) -> None:
        """Twisted's parser, which is nobody's cousin, reads the same in it."""
        for text in RECORDS[:9]:
            data = wire(answer(query(), text))
            ours, theirs = TwistedMessage(), TwistedMessage()
            ours.fromStr(read(data).write())
            theirs.fromStr(data)
            self.assertEqual(ours.queries, theirs.queries)
            self.assertEqual(ours.answers, theirs.answers, text)


class NameTests(SynchronousTestCase):
    """Names, as operators read them."""

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=20), max_size=6))
    def test_text(self, labels: list[bytes]) -> None:
        """As dnspython writes them: a dot in a label does not look like two labels."""
        made = dns.name.Name([*labels, b""])
        name = made.to_wire()
        assert name is not None
        self.assertEqual(shown(name), made.to_text(omit_final_dot=True))
        self.assertEqual(text_of(name).lower(), text_of(name))

    def test_below(self) -> None:
        """Below is below a label, not behind some letters."""
        domain = b"\7example\3org\0"
        self.assertTrue(is_below(b"\3www" + domain, domain))
        self.assertFalse(is_below(domain, domain))
        self.assertFalse(is_below(b"\x0bbad\7example\3org\0", domain))
