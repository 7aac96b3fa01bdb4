"""DNS by UDP: what is asked, what is answered, and how long a port is a session."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.update
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import Conversation, DatagramSuite, FakeDatagrams
from protocols.dns.datagrams import DnsDatagrams
from protocols.dns.edns import Edns as Opt
from protocols.dns.edns import read_options
from protocols.dns.kinds import read_classes, read_opcodes
from protocols.dns.record import Record
from protocols.dns.settings import DnsSettings, Edns
from tests.protocols.dns.speak import NAME, answer, exchanged, heard, query, session, told, wire

A = "www.example.org. 300 IN A 198.51.100.7"
QUERY = query()
PLAIN = query(use_edns=None)
DSO = bytes.fromhex("1267300000000000000000000001000400000708")
"""A keepalive request of RFC 8490."""


class DnsDatagramSuite(DatagramSuite, SynchronousTestCase):
    """The generic promises."""

    inspector = DnsDatagrams
    memory = 8 * 65536  # 256 queries that wait
    conversations = (
        Conversation("an address", [(CLIENT, wire(QUERY)), (SERVER, wire(answer(QUERY, A)))]),
        Conversation("without EDNS", [(CLIENT, wire(PLAIN)), (SERVER, wire(answer(PLAIN, A)))]),
        Conversation(
            "a chain, and no such name",
            [
                (CLIENT, wire(QUERY)),
                (CLIENT, wire(query(kind="HTTPS", id=1))),
                (SERVER, wire(answer(query(kind="HTTPS", id=1), rcode=3))),
                (
                    SERVER,
                    wire(
                        answer(
                            QUERY,
                            f"{NAME} 300 IN CNAME web.example.net.",
                            "web.example.net. 300 IN A 198.51.100.7",
                            authority=("example.net. 300 IN NS ns.example.net.",),
                            additional=("ns.example.net. 300 IN A 198.51.100.9",),
                        )
                    ),
                ),
            ],
        ),
        Conversation("refused", [(CLIENT, wire(query(kind="AXFR")))]),
        Conversation("no query", [(CLIENT, b"hello")]),
    )


class PassedTests(SynchronousTestCase):
    """What is sound is asked and answered."""

    def test_exchange(self) -> None:
        """Query and answer arrive as they were, and are one record."""
        said = answer(QUERY, A)
        done = exchanged(QUERY, wire(said))
        self.assertEqual(done.datagrams, {SERVER: [wire(QUERY)], CLIENT: [wire(said)]})
        (record,) = done.records_of("dns")
        self.assertEqual(record["queries"], [{"rrname": "www.example.org", "rrtype": "A"}])
        self.assertEqual(
            record["answers"],
            [{"rrname": "www.example.org", "rrtype": "A", "ttl": 300, "rdata": "198.51.100.7"}],
        )
        self.assertEqual(
            (record["type"], record["rcode"], record["id"]), ("response", "NOERROR", 4711)
        )
        self.assertEqual((record["version"], record["verdict"]), (3, "passed"))

    def test_nothing_is_connected_before(self) -> None:
        """What is not allowed does not even open a port towards the server."""
        asked = session().says(CLIENT, wire(query(kind="AXFR")))
        self.assertFalse(asked.connected)

    def test_several(self) -> None:
        """Answers come in any order, also to queries with one identifier."""
        others = [query(kind=kind) for kind in ("A", "AAAA", "HTTPS")]
        asked = session().says(CLIENT, *map(wire, others))
        for each in reversed(others):
            asked.says(SERVER, wire(answer(each)))
        got = [dns.message.from_wire(each).question[0].rdtype for each in asked.datagrams[CLIENT]]
        self.assertEqual(got, [65, 28, 1])

    def test_repeated(self) -> None:
        """A client that asks again is not doubted; the server is, if it answers twice."""
        asked = session().says(CLIENT, wire(QUERY), wire(QUERY))
        self.assertEqual(len(asked.datagrams[SERVER]), 2)
        asked.says(SERVER, wire(answer(QUERY, A)), wire(answer(QUERY, A)))
        self.assertEqual(len(asked.datagrams[CLIENT]), 1)
        self.assertEqual(told(asked), [("passed", ""), ("denied", "protocol")])

    def test_over(self) -> None:
        """A port is let go of a moment after its last answer, or when none will come."""
        done = exchanged(QUERY, wire(answer(QUERY, A)))
        done.advance(0.9)
        self.assertIsNone(done.verdict)
        done.advance(1.2)
        assert done.verdict is not None
        self.assertIs(done.verdict.outcome, Outcome.PASSED)
        waiting = session().says(CLIENT, wire(QUERY))
        waiting.advance(9)
        self.assertIsNone(waiting.verdict)
        waiting.advance(3)
        self.assertIsNotNone(waiting.verdict)
        (record,) = waiting.records_of("dns")
        self.assertEqual(record["reason"], "no answer: answer_seconds = 10")
        self.assertEqual(record["type"], "request")

    def test_over_at_once(self) -> None:
        """With rest_seconds = 0, with its last answer."""
        done = session(rest_seconds=0.0).says(CLIENT, wire(QUERY), wire(query(id=2)))
        done.says(SERVER, wire(answer(QUERY, A)))
        self.assertIsNone(done.verdict)
        done.says(SERVER, wire(answer(query(id=2), A)))
        self.assertIsNotNone(done.verdict)

    def test_about(self) -> None:
        """An operator sees what a session waits for."""
        asked = session().says(CLIENT, wire(QUERY), wire(query(kind="AAAA", id=2)))
        asked.advance(3)
        told = asked.inspector.about()
        self.assertEqual(told, "query 2; 2 not answered, www.example.org A for 3 s")
        asked.says(SERVER, wire(answer(QUERY, A)), wire(answer(query(kind="AAAA", id=2))))
        self.assertEqual(asked.inspector.about(), "query 2; all is answered")

    def test_too_many(self) -> None:
        """The oldest of too many that wait is forgotten."""
        asked = session(pending=2).says(CLIENT, *(wire(query(id=n)) for n in (1, 2, 3)))
        asked.says(SERVER, *(wire(answer(query(id=n), A)) for n in (1, 2, 3)))
        self.assertEqual([heard(asked, n).id for n in (0, 1)], [2, 3])
        self.assertEqual(len(asked.datagrams[CLIENT]), 2)


class UnaskedTests(SynchronousTestCase):
    """What nobody asked for does not reach the client, and the right answer still does."""

    def refuses(self, *forged: bytes, **settings: object) -> FakeDatagrams:
        good = wire(answer(QUERY, A))
        done = exchanged(QUERY, *forged, good, **settings)
        self.assertEqual(done.datagrams[CLIENT], [good])
        return done

    def test_forged(self) -> None:
        """Another identifier, name, type, case of letters, or a query."""
        self.refuses(wire(answer(query(id=4712), A)))
        self.refuses(wire(answer(query("bad.example.org."), A)))
        self.refuses(wire(answer(query(kind="AAAA"), A)))
        self.refuses(wire(answer(query("wWw.example.org."), A)))
        self.refuses(wire(QUERY), wire(PLAIN))
        self.refuses(b"", b"\0" * 12, wire(answer(QUERY, A))[:30])

    def test_without_question(self) -> None:
        """Only errors may lack it; the client gets one with it."""
        bare = answer(QUERY, rcode=5)
        bare.question = []
        done = exchanged(QUERY, wire(bare))
        self.assertEqual((heard(done).rcode(), heard(done).question), (5, QUERY.question))
        bare.set_rcode(dns.rcode.NOERROR)
        self.refuses(wire(bare))

    def test_case(self) -> None:
        """With exact_case = false a server may spell the name as it likes."""
        done = exchanged(QUERY, wire(answer(query("wWw.example.org."), A)), exact_case=False)
        self.assertEqual(str(heard(done).question[0].name), NAME)

    def test_flood(self) -> None:
        """A forger's thousand tries are two records."""
        tries = [wire(answer(query(id=n), A)) for n in range(1000)]
        done = self.refuses(*tries)
        done.over()
        reasons = [each.get("reason") for each in done.records_of("dns")]
        self.assertEqual(
            reasons,
            ["an answer to what was not asked", None, "999 more answers to what was not asked"],
        )


class OwnTests(SynchronousTestCase):
    """What the gateway answers itself."""

    def test_has_edns(self) -> None:
        """OPT if the query had it (else systemd-resolved throws it away), with the reason."""
        refused = heard(session().says(CLIENT, wire(query(kind="AXFR", want_dnssec=True))))
        self.assertEqual((refused.rcode(), refused.edns), (dns.rcode.REFUSED, 0))
        self.assertTrue(refused.ednsflags & dns.flags.DO)
        (option,) = refused.options
        self.assertEqual((option.otype, option.to_wire()), (dns.edns.EDE, b"\0\x0f"))
        plain = heard(session().says(CLIENT, wire(query(kind="AXFR", use_edns=None))))
        self.assertEqual((plain.rcode(), plain.edns), (dns.rcode.REFUSED, -1))
        short = session(extended_errors=False).says(CLIENT, wire(query(kind="AXFR")))
        self.assertEqual(heard(short).options, ())

    def test_flags(self) -> None:
        """Those of the query that an answer repeats; never AD."""
        asked = query(kind="AXFR")
        asked.flags |= dns.flags.CD | dns.flags.AD
        got = heard(session().says(CLIENT, wire(asked))).flags
        self.assertEqual(got, dns.flags.QR | dns.flags.RD | dns.flags.RA | dns.flags.CD | 5)

    def test_flags_of_a_query(self) -> None:
        """Flags that mean something in answers only are not passed on."""
        asked = bytearray(wire(QUERY))
        asked[2:4] = b"\x07\xff"
        (onward,) = session().says(CLIENT, bytes(asked)).datagrams[SERVER]
        self.assertEqual(onward[2:4], b"\x01\x30")

    def test_malformed(self) -> None:
        """FORMERR, if the header could be read; nothing, if that is an answer's."""
        got = heard(session().says(CLIENT, wire(QUERY) + b"x"))
        self.assertEqual((got.rcode(), got.question), (dns.rcode.FORMERR, QUERY.question))
        for silent in (b"", b"x" * 11, wire(answer(QUERY, A))):
            asked = session().says(CLIENT, silent)
            self.assertEqual(asked.datagrams, {CLIENT: [], SERVER: []})
            self.assertEqual(told(asked), [("denied", "protocol")])

    def test_records_in_a_query(self) -> None:
        """A query has none."""
        got = heard(session().says(CLIENT, wire(_with_record(query()))))
        self.assertEqual(got.rcode(), dns.rcode.FORMERR)

    def test_operations(self) -> None:
        """DSO is never implemented here (RFC 8490); updates and notifications where set."""
        asked = session().says(CLIENT, DSO)
        (got,) = asked.datagrams[CLIENT]
        self.assertEqual((got[:2], got[3] & 0xF), (b"\x12\x67", dns.rcode.NOTIMP))
        update = dns.update.UpdateMessage("example.org.")
        update.add("new", 300, "A", "192.0.2.9")
        update.delete("old")
        data = update.to_wire()
        self.assertEqual(heard(session().says(CLIENT, data)).rcode(), dns.rcode.NOTIMP)
        allowed = session(opcodes=read_opcodes(frozenset({"UPDATE"}))).says(CLIENT, data)
        self.assertEqual(
            dns.message.from_wire(allowed.datagrams[SERVER][0]), dns.message.from_wire(data)
        )

    def test_edns_version(self) -> None:
        """Another version of EDNS is BADVERS, with an OPT record."""
        asked = query()
        asked.use_edns(1)
        self.assertEqual(heard(session().says(CLIENT, wire(asked))).rcode(), dns.rcode.BADVERS)

    def test_truncated(self) -> None:
        """What is longer than the client takes comes by TCP."""
        many = [f"{NAME} 300 IN A 198.51.100.{n}" for n in range(100)]
        for asked in (PLAIN, QUERY):
            done = exchanged(asked, wire(answer(asked, *many)))
            self.assertTrue(heard(done).flags & dns.flags.TC)
            self.assertEqual(heard(done).answer, [])

    def test_cut_anywhere(self) -> None:
        """A truncated answer that was cut in the middle of a record is one without records."""
        cut = answer(QUERY, A)
        cut.flags |= dns.flags.TC
        done = exchanged(QUERY, wire(cut)[:-15])
        self.assertTrue(heard(done).flags & dns.flags.TC)
        cookie = query(options=[EdnsTests.COOKIE])
        cut = answer(cookie, A, flags=dns.flags.TC | dns.flags.RA)
        done = exchanged(cookie, wire(cut)[:-15])
        self.assertEqual((heard(done).edns, heard(done).options), (0, ()))
        whole = answer(QUERY, A)
        done = exchanged(QUERY, wire(whole)[:-15])
        self.assertEqual(heard(done).rcode(), dns.rcode.SERVFAIL)


def _with_record(asked: dns.message.Message) -> dns.message.Message:
    said = answer(asked, A)
    said.flags &= ~dns.flags.QR
    return said


class EdnsTests(SynchronousTestCase):
    """Options by table."""

    SUBNET = dns.edns.ECSOption("192.0.2.0", 24)
    COOKIE = dns.edns.GenericOption(dns.edns.COOKIE, b"8 bytes!")

    def test_removed(self) -> None:
        """Where a client is, is not told to far servers; cookies pass."""
        asked = query(options=[self.SUBNET, self.COOKIE])
        said = answer(asked, A)
        said.use_edns(0, payload=1232, options=[self.SUBNET, self.COOKIE])
        done = exchanged(asked, wire(said))
        onward = dns.message.from_wire(done.datagrams[SERVER][0])
        self.assertEqual([each.otype for each in onward.options], [dns.edns.COOKIE])
        self.assertEqual([each.otype for each in heard(done).options], [dns.edns.COOKIE])
        (record,) = done.records_of("dns")
        self.assertEqual(record["removed"], ["option client-subnet"] * 2)

    def test_allowed(self) -> None:
        """What the operator lists passes."""
        listed = Edns(options=read_options(frozenset({"client-subnet"})))
        done = session(edns=listed).says(CLIENT, wire(query(options=[self.SUBNET, self.COOKIE])))
        onward = dns.message.from_wire(done.datagrams[SERVER][0])
        self.assertEqual([each.otype for each in onward.options], [dns.edns.ECS])

    def test_size(self) -> None:
        """Long datagrams are not asked for, short ones are."""
        for size, wanted in ((4096, 1232), (1000, 1000)):
            done = session().says(CLIENT, wire(query(payload=size)))
            self.assertEqual(dns.message.from_wire(done.datagrams[SERVER][0]).payload, wanted)

    def test_unasked(self) -> None:
        """Who did not speak EDNS is not answered with it."""
        said = answer(PLAIN, A)
        said.use_edns(0, payload=1232)
        self.assertEqual(heard(exchanged(PLAIN, wire(said))).edns, -1)

    def test_keepalive(self) -> None:
        """How long a connection is kept open has no place in UDP."""
        option = dns.edns.GenericOption(dns.edns.OptionType.KEEPALIVE, b"")
        done = session().says(CLIENT, wire(query(options=[option])))
        self.assertEqual(dns.message.from_wire(done.datagrams[SERVER][0]).options, ())

    def test_flags(self) -> None:
        """What no RFC has a meaning for is zero."""
        record = Record(b"\0", int(dns.rdatatype.OPT), 1232, 0x0000FFFF, b"")
        self.assertEqual(Opt.parse(record).flags, 0xC000)


class SettingsTests(SynchronousTestCase):
    """What the defaults are."""

    def test_defaults(self) -> None:
        """Queries of the internet's class; no zone transfers."""
        settings = DnsSettings()
        self.assertEqual((settings.opcodes.texts, settings.classes.texts), (("QUERY",), ("IN",)))
        chaos = query("version.bind.", "TXT", rdclass="CH")
        self.assertEqual(heard(session().says(CLIENT, wire(chaos))).rcode(), dns.rcode.REFUSED)
        done = session(classes=read_classes(frozenset({"IN", "CH"}))).says(CLIENT, wire(chaos))
        self.assertEqual(done.datagrams[SERVER], [wire(chaos)])
