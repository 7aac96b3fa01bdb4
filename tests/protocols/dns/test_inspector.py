"""DNS by TCP: pipelines, answers in any order, servers that end in the middle, zone transfers."""

from __future__ import annotations

import dns.edns
import dns.message
import dns.rcode
import dns.rrset
import dns.tsigkeyring
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.dns.inspector import DnsInspector
from protocols.dns.kinds import read_kinds
from protocols.dns.rule import Rule
from protocols.dns.settings import DnsSettings
from tests.protocols.dns.speak import NAME, answer, query, wire

A = f"{NAME} 300 IN A 198.51.100.7"
SOA = "example.org. 300 IN SOA ns.example.org. admin.example.org. {} 2 3 4 5"
TRANSFERS = DnsSettings(rule=(Rule(action="allow", type=read_kinds(frozenset({"AXFR", "IXFR"}))),))


def framed(*messages: dns.message.Message | bytes) -> bytes:
    """Each with its length before it."""
    every = (each if isinstance(each, bytes) else wire(each) for each in messages)
    return b"".join(len(each).to_bytes(2, "big") + each for each in every)


def unframed(data: bytes) -> list[bytes]:
    """The messages in a stream."""
    found = []
    while data:
        size = 2 + int.from_bytes(data[:2], "big")
        found.append(data[2:size])
        data = data[size:]
    return found


def asked(*ids: int) -> list[dns.message.QueryMessage]:
    return [query(id=each) for each in ids]


ONE, TWO, THREE = asked(1, 2, 3)


class DnsSuite(InspectorSuite, SynchronousTestCase):
    """The generic promises."""

    inspector = DnsInspector
    memory = 24 * 65536  # 256 queries that wait, and the longest answer
    conversations = (
        Conversation(
            "a pipeline, answered the other way round",
            [
                (CLIENT, framed(ONE, TWO)),
                (SERVER, framed(answer(TWO, A))),
                (CLIENT, framed(THREE)),
                (SERVER, framed(answer(ONE, A), answer(THREE, rcode=3))),
                (CLIENT, END),
                (SERVER, END),
            ],
        ),
        Conversation(
            "a client that half-closes before it is answered",
            [
                (CLIENT, framed(ONE)),
                (CLIENT, END),
                (SERVER, framed(answer(ONE, A))),
                (SERVER, END),
            ],
        ),
        Conversation(
            "answered by the gateway",
            [(CLIENT, framed(query(kind="AXFR"), ONE)), (SERVER, framed(answer(ONE, A)))],
            outcome=Outcome.CLOSED,
        ),
        Conversation(
            "a zone transfer",
            [
                (CLIENT, framed(query("example.org.", "AXFR"))),
                (SERVER, framed(answer(query("example.org.", "AXFR"), SOA.format(1), A))),
                (SERVER, framed(answer(query("example.org.", "AXFR"), SOA.format(1)))),
                (CLIENT, END),
                (SERVER, END),
            ],
            settings=TRANSFERS,
        ),
        Conversation("an answer", [(CLIENT, framed(answer(ONE)))], outcome=Outcome.DENIED),
        Conversation("nothing", [(CLIENT, b"\0\0")], outcome=Outcome.DENIED),
        Conversation(
            "cut off", [(CLIENT, framed(ONE)[:-3]), (CLIENT, END)], outcome=Outcome.DENIED
        ),
    )


class Case(SynchronousTestCase):
    def begin(
        self,
        *queries: dns.message.Message,
        settings: DnsSettings | None = None,
        reconnects: bool = True,
    ) -> FakeSession:
        session = FakeSession(DnsInspector, settings, reconnects=reconnects).start()
        session.says(CLIENT, framed(*queries))
        return session

    def ids(self, session: FakeSession, side: object = CLIENT) -> list[int]:
        """The identifiers of what a side was sent."""
        found = unframed(session.sent[CLIENT if side is CLIENT else SERVER])
        return [int.from_bytes(each[:2], "big") for each in found]


class PipelineTests(Case):
    """Many queries on one connection (RFC 7766)."""

    def test_order(self) -> None:
        """Queries go on at once; answers come as the server gives them."""
        session = self.begin(ONE, TWO, THREE)
        self.assertEqual(self.ids(session, SERVER), [1, 2, 3])
        session.says(SERVER, framed(answer(THREE), answer(ONE), answer(TWO)))
        self.assertEqual(self.ids(session), [3, 1, 2])
        self.assertEqual(len(session.records_of("dns")), 3)

    def test_half_closed(self) -> None:
        """The server hears of the client's end when it has answered all: BIND would forget."""
        session = self.begin(ONE, TWO)
        session.hangs_up(CLIENT)
        session.says(SERVER, framed(answer(TWO)))
        self.assertEqual(session.halves, set())
        session.says(SERVER, framed(answer(ONE)))
        self.assertEqual(session.halves, {SERVER})

    def test_waits(self) -> None:
        """More than so many wait unread."""
        session = self.begin(ONE, TWO, THREE, settings=DnsSettings(pending=2))
        self.assertEqual(self.ids(session, SERVER), [1, 2])
        session.says(SERVER, framed(answer(TWO)))
        self.assertEqual(self.ids(session, SERVER), [1, 2, 3])

    def test_not_connected(self) -> None:
        """Nobody is connected to for what is not allowed."""
        session = self.begin(query(kind="AXFR"))
        self.assertEqual(session.connected, [])
        (got,) = unframed(session.sent[CLIENT])
        self.assertEqual(dns.message.from_wire(got).rcode(), dns.rcode.REFUSED)

    def test_twice(self) -> None:
        """The same query twice at one time is no pipeline: which one would be answered?"""
        session = self.begin(ONE, ONE)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.DENIED)

    def test_unasked(self) -> None:
        """An answer to nothing is dropped, and recorded."""
        session = self.begin(ONE)
        session.says(SERVER, framed(answer(TWO, A), answer(ONE, A)))
        self.assertEqual(self.ids(session), [1])
        verdicts = [each["verdict"] for each in session.records_of("dns")]
        self.assertEqual(verdicts, ["denied", "passed"])

    def test_no_answer(self) -> None:
        """A client that waits for too long is told SERVFAIL, and the rest goes on."""
        session = self.begin(ONE)
        session.advance(6)
        session.says(CLIENT, framed(TWO))
        session.advance(5)
        (got,) = unframed(session.sent[CLIENT])
        self.assertEqual(dns.message.from_wire(got).rcode(), dns.rcode.SERVFAIL)
        session.says(SERVER, framed(answer(TWO, A)))
        self.assertEqual(self.ids(session), [1, 2])


class AgainTests(Case):
    """A server that ends a connection is asked again what it has not answered."""

    def test_ended(self) -> None:
        """dnsmasq closes after a hundred queries, in the middle of a pipeline."""
        session = self.begin(ONE, TWO, THREE)
        session.says(SERVER, framed(answer(ONE)))
        session.hangs_up(SERVER)
        self.assertEqual(len(session.connected), 2)
        self.assertEqual(self.ids(session, SERVER), [1, 2, 3, 2, 3])
        session.says(SERVER, framed(answer(TWO), answer(THREE)))
        self.assertEqual(self.ids(session), [1, 2, 3])
        self.assertIsNone(session.verdict)

    def test_in_the_middle(self) -> None:
        """What it had begun to say is forgotten."""
        session = self.begin(ONE)
        session.says(SERVER, framed(answer(ONE))[:7])
        session.hangs_up(SERVER)
        session.says(SERVER, framed(answer(ONE)))
        self.assertEqual(self.ids(session), [1])

    def test_reset(self) -> None:
        """The same if it resets the connection."""
        session = self.begin(ONE)
        session.resets(SERVER)
        session.says(SERVER, framed(answer(ONE)))
        self.assertEqual(self.ids(session), [1])

    def test_enough(self) -> None:
        """Who never answers is not asked for ever; the client hears of it."""
        session = self.begin(ONE, settings=DnsSettings(again=2))
        for _ in range(3):
            session.hangs_up(SERVER)
        self.assertEqual(len(session.connected), 3)
        (got,) = unframed(session.sent[CLIENT])
        self.assertEqual(dns.message.from_wire(got).rcode(), dns.rcode.SERVFAIL)
        self.assertEqual(session.halves, {CLIENT})

    def test_in_tls(self) -> None:
        """Where there can't be another server, such as in TLS, nobody is asked in plaintext."""
        session = self.begin(ONE, reconnects=False)
        session.hangs_up(SERVER)
        self.assertEqual(len(session.connected), 1)
        (got,) = unframed(session.sent[CLIENT])
        self.assertEqual(dns.message.from_wire(got).rcode(), dns.rcode.SERVFAIL)

    def test_more_than_may_wait(self) -> None:
        """A query that waited while the server ended ends the session, and that is all."""
        session = self.begin(ONE, TWO, settings=DnsSettings(pending=1), reconnects=False)
        session.hangs_up(SERVER)
        assert session.verdict is not None
        self.assertEqual(session.verdict.reason, "a query after the server has ended")
        self.assertEqual(self.ids(session), [1])
        self.assertEqual(session.late, [])

    def test_nothing_left(self) -> None:
        """An end after all answers is passed on; a query that comes later is too late."""
        session = self.begin(ONE)
        session.says(SERVER, framed(answer(ONE)))
        session.hangs_up(SERVER)
        self.assertEqual((len(session.connected), session.halves), (1, {CLIENT}))
        session.says(CLIENT, framed(TWO))
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.DENIED)


class TransferTests(Case):
    """Zone transfers, where a rule allows them by name."""

    AXFR = query("example.org.", "AXFR")

    def test_refused(self) -> None:
        """By default."""
        session = self.begin(self.AXFR)
        self.assertEqual(session.records_of("dns")[0]["denied_by"], "refused_types")

    def transfer(self, kind: str, *messages: list[str]) -> FakeSession:
        wanted = query("example.org.", kind)
        if kind == "IXFR":
            wanted.authority.append(answer(wanted, SOA.format(1)).answer[0])
        session = self.begin(wanted, settings=TRANSFERS)
        for number, records in enumerate(messages):
            said = answer(query("example.org.", kind))
            if number:
                said.question = []
            data = bytearray(wire(said))
            data[6:8] = len(records).to_bytes(2, "big")
            opt = len(data) - 11
            data[opt:opt] = b"".join(map(_uncompressed, records))
            session.says(SERVER, framed(bytes(data)))
        return session

    def test_many_messages(self) -> None:
        """All of them pass, the later ones without a question; one record for all."""
        session = self.transfer("AXFR", [SOA.format(1), A], [A] * 3, [SOA.format(1)])
        self.assertEqual(len(unframed(session.sent[CLIENT])), 3)
        self.assertEqual(len(session.records_of("dns")), 1)
        session.says(SERVER, framed(answer(self.AXFR, A)))
        self.assertEqual(len(unframed(session.sent[CLIENT])), 3)

    def test_takes_time(self) -> None:
        """A long transfer goes on for as long as it goes on."""
        session = self.transfer("AXFR", [SOA.format(1), A])
        later = bytearray(wire(answer(self.AXFR)))
        later[6:8] = b"\0\1"
        later[-11:-11] = _uncompressed(A)
        for _ in range(3):
            session.advance(8)
            session.says(SERVER, framed(bytes(later)))
        self.assertEqual(len(unframed(session.sent[CLIENT])), 4)
        session.advance(20)
        self.assertEqual(session.records_of("dns")[0]["verdict"], "failed")

    def test_too_long(self) -> None:
        """An answer that can't be written is SERVFAIL, and the connection goes on."""
        name = b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\0"
        question = name + b"\0\x21\0\1"
        record = b"\xc0\x0c\0\x21\0\1\0\0\0\0\0\x08" + b"\0" * 6 + b"\xc0\x0c"
        session = FakeSession(DnsInspector).start()
        session.says(CLIENT, framed(b"\0\7\1\0\0\1\0\0\0\0\0\0" + question))
        said = b"\0\7\x81\x80\0\1\3\xe8\0\0\0\0" + question + record * 1000
        session.says(SERVER, framed(said))
        (got,) = unframed(session.sent[CLIENT])
        self.assertEqual(dns.message.from_wire(got).rcode(), dns.rcode.SERVFAIL)
        self.assertIsNone(session.verdict)

    def test_incremental(self) -> None:
        """Differences: the new serial stands at the beginning, and twice at the end."""
        new, old = SOA.format(2), SOA.format(1)
        session = self.transfer("IXFR", [new, old, A, new], [A], [new])
        self.assertEqual(len(unframed(session.sent[CLIENT])), 3)
        self.assertEqual(len(session.records_of("dns")), 1)
        session = self.transfer("IXFR", [new])
        self.assertEqual(len(session.records_of("dns")), 1)
        session = self.transfer("IXFR", [new, A], [A, new])
        self.assertEqual(len(session.records_of("dns")), 1)

    def test_nonsense(self) -> None:
        """What does not begin with the SOA record, or goes on behind it, is none."""
        for messages in ([[A]], [[SOA.format(1), A, SOA.format(1), A]]):
            session = self.transfer("AXFR", *messages)
            (got,) = unframed(session.sent[CLIENT])
            self.assertEqual(dns.message.from_wire(got).rcode(), dns.rcode.SERVFAIL)

    def signed(self, **settings: object) -> tuple[FakeSession, bytes, dns.message.Message]:
        """A session in which a signed query was asked."""
        ring = dns.tsigkeyring.from_text({"key.": "c2VjcmV0"})
        wanted = query("example.org.", "AXFR")
        wanted.use_tsig(ring)
        data = wire(wanted)
        session = FakeSession(DnsInspector, evolve(TRANSFERS, **settings)).start()
        session.says(CLIENT, framed(data))
        return session, data, wanted

    def test_signed(self) -> None:
        """A signed query passes, letter by letter, and so do all answers to it."""
        session, data, _ = self.signed()
        self.assertEqual(unframed(session.sent[SERVER]), [data])
        said = bytearray(wire(answer(query("example.org.", "AXFR"))))
        said[6:8] = b"\0\2"
        said[-11:-11] = _uncompressed(SOA.format(1)) * 2  # a server may compress as it likes
        session.says(SERVER, framed(bytes(said)))
        self.assertEqual(unframed(session.sent[CLIENT]), [bytes(said)])

    def test_signed_refused(self) -> None:
        """One that would have to be changed does not pass, nor any if the operator says so."""
        session, _, wanted = self.signed(signed="refuse")
        self.assertEqual(session.records_of("dns")[0]["denied_by"], "signed")
        wanted.use_edns(0, options=[dns.edns.ECSOption("192.0.2.0", 24)])
        session = FakeSession(DnsInspector, TRANSFERS).start()
        session.says(CLIENT, framed(wire(wanted)))
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(session.records_of("dns")[0]["denied_by"], "edns.options")


def _uncompressed(text: str) -> bytes:
    """A record without pointers."""
    name, ttl, class_, kind, data = text.split(None, 4)
    found = dns.rrset.from_text(name, int(ttl), class_, kind, data)
    rdata = found[0].to_wire()
    owner = found.name.to_wire()
    assert rdata is not None and owner is not None
    head = (int(found.rdtype), 1, int(ttl), len(rdata))
    return (
        owner
        + b"".join(
            each.to_bytes(size, "big") for each, size in zip(head, (2, 2, 4, 2), strict=True)
        )
        + rdata
    )
