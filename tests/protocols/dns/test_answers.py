"""What of an answer passes: private addresses, keys for ECH, records beside the question."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT
from gateway.testing import FakeDatagrams
from protocols.dns.kinds import read_kinds
from protocols.dns.record import parsed
from protocols.dns.settings import Rebinding
from protocols.hosts import read_hosts
from tests.protocols.dns.speak import NAME, answer, exchanged, heard, query, session, told, wire

A = f"{NAME} 300 IN A 198.51.100.7"


ONLY_A = read_kinds(frozenset({"AAAA", "MX"}))


def got(*records: str, kind: str = "A", name: str = NAME, **settings: object) -> FakeDatagrams:
    """An answer with these records."""
    asked = query(name, kind)
    return exchanged(asked, wire(answer(asked, *records)), **settings)


class RebindingTests(SynchronousTestCase):
    """A web page anywhere can't have its name lead to what is here."""

    def test_private(self) -> None:
        """Addresses of this host, of this network, of nobody."""
        for address in ("10.1.2.3", "127.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"):
            done = got(A, f"{NAME} 300 IN A {address}")
            self.assertEqual(heard(done).rcode(), dns.rcode.REFUSED, address)
            self.assertEqual(told(done), [("denied", "rebinding.action")])

    def test_embedded(self) -> None:
        """Also where they hide: mapped, compatible, NAT64, 6to4, Teredo, and IPv6's own."""
        for address in (
            *("::ffff:10.1.2.3", "::10.1.2.3", "64:ff9b::192.168.1.1", "2002:a01:203::1"),
            *("64:ff9b:1::10.1.2.3", "64:ff9b:1:a01:2:300::", "::ffff:0:10.1.2.3"),
            *("2001:0:a01:203::1", "2001:0:c633:6407::f5fe:fdfc", "fd00:1::1", "fe80::1", "::1"),
            *("2001:db8::5efe:10.1.2.3", "2001:db8::200:5efe:192.168.1.1"),
        ):
            done = got(f"{NAME} 300 IN AAAA {address}", kind="AAAA")
            self.assertEqual(heard(done).rcode(), dns.rcode.REFUSED, address)
        for address in ("2001:db8::7", "64:ff9b::198.51.100.7", "2001:db8::5efe:198.51.100.7"):
            done = got(f"{NAME} 300 IN AAAA {address}", kind="AAAA")
            self.assertEqual(len(heard(done).answer), 1, address)

    def test_hints(self) -> None:
        """And in HTTPS records."""
        for hint in ("ipv4hint=198.51.100.7,10.1.2.3", "ipv6hint=::ffff:127.0.0.1"):
            done = got(f"{NAME} 300 IN HTTPS 1 . alpn=h2 {hint}", kind="HTTPS")
            self.assertEqual(heard(done).rcode(), dns.rcode.REFUSED)

    def test_elsewhere(self) -> None:
        """Other types with addresses in them are refused, unless a rule names them."""
        for kind in ("A6", "AMTRELAY", "APL", "IPSECKEY", "L32", "L64", "WKS"):
            asked = session().says(CLIENT, wire(query(kind=kind)))
            self.assertEqual(told(asked), [("denied", "refused_types")], kind)

    def test_addresses_not_allowed(self) -> None:
        """
        A client of A alone is told that there is no AAAA, not that AAAA is refused: musl takes a
        refused one for a failure of both. Other types are refused.
        """
        for settings in ({"types": read_kinds(frozenset({"A"}))}, {"refused_types": ONLY_A}):
            for kind, rcode in (("AAAA", dns.rcode.NOERROR), ("MX", dns.rcode.REFUSED)):
                asked = session(**settings).says(CLIENT, wire(query(kind=kind)))
                self.assertEqual(heard(asked).rcode(), rcode, kind)
                self.assertEqual(told(asked), [("denied", next(iter(settings)))], kind)

    def test_behind_a_chain(self) -> None:
        """It is the name that was asked for that counts, not the one at the end."""
        chain = (f"{NAME} 300 IN CNAME nas.home.arpa.", "nas.home.arpa. 300 IN A 192.168.1.1")
        self.assertEqual(heard(got(*chain)).rcode(), dns.rcode.REFUSED)

    def test_not_public(self) -> None:
        """Names that are not public may have them, by default those of RFC 6762 and such."""
        for name in ("nas.home.arpa.", "printer.local.", "www.corp."):
            self.assertEqual(len(heard(got(f"{name} 300 IN A 10.1.2.3", name=name)).answer), 1)
        ours = Rebinding(names=read_hosts((".example.org",)))
        self.assertEqual(len(heard(got(f"{NAME} 300 IN A 10.1.2.3", rebinding=ours)).answer), 1)

    def test_actions(self) -> None:
        """There is no such name; without these records; or not looked at."""
        records = (A, f"{NAME} 300 IN A 10.1.2.3")
        done = got(*records, rebinding=Rebinding(action="nxdomain"))
        self.assertEqual(heard(done).rcode(), dns.rcode.NXDOMAIN)
        done = got(*records, rebinding=Rebinding(action="remove"))
        self.assertEqual([str(each) for each in heard(done).answer], [A.replace(". ", " ", 0)])
        (record,) = done.records_of("dns")
        self.assertEqual(record["removed"], ["1 private addresses"])
        done = got(*records, rebinding=Rebinding(action="pass"))
        self.assertEqual(len(heard(done).answer[0]), 2)

    def test_beside(self) -> None:
        """Beside an answer they are taken out: a referral would fail for its glue."""
        asked = query(kind="MX")
        said = answer(
            asked,
            f"{NAME} 300 IN MX 10 mail.example.org.",
            additional=("mail.example.org. 300 IN A 10.1.2.3",),
        )
        done = exchanged(asked, wire(said))
        self.assertEqual((len(heard(done).answer), heard(done).additional), (1, []))


class BesideTests(SynchronousTestCase):
    """Records that nobody asked for don't get into a client's cache."""

    def test_other_names(self) -> None:
        """Answers to another question, and what does not belong into a section."""
        asked = query()
        said = answer(
            asked,
            A,
            "bank.example. 300 IN A 198.51.100.66",
            f'{NAME} 300 IN TXT "x"',
            authority=("example.org. 300 IN NS ns.example.org.", "bank.example. 1 IN A 192.0.2.1"),
            additional=(
                "ns.example.org. 1 IN A 198.51.100.9",
                "bank.example. 1 IN SOA a. b. 1 2 3 4 5",
            ),
        )
        done = exchanged(asked, wire(said))
        found = heard(done)
        self.assertEqual([str(each) for each in found.answer], [A])
        self.assertEqual([each.rdtype for each in found.authority], [2])
        self.assertEqual([each.rdtype for each in found.additional], [1])
        (record,) = done.records_of("dns")
        self.assertEqual(
            record["removed"],
            [
                "2 answers to other questions",
                "1 records of no authority",
                "1 records beside the answer",
            ],
        )

    def test_led_by_other_class(self) -> None:
        """An alias of another class, which does not pass, leads to nothing that does."""
        done = got(
            f"{NAME} 300 CH CNAME web.example.net.", "web.example.net. 300 IN A 198.51.100.7"
        )
        self.assertEqual(heard(done).answer, [])

    def test_other_class(self) -> None:
        """A record of another class is none of the answers."""
        done = got(A, f"{NAME} 300 CH A example.org. 1")
        self.assertEqual([str(each) for each in heard(done).answer], [A])
        asked = query()
        said = answer(asked, A, additional=(f'{NAME} 300 CH TXT "x"',))
        self.assertEqual(heard(exchanged(asked, wire(said))).additional, [])

    def test_any(self) -> None:
        """Who asks for all gets all that may be asked for."""
        done = got(A, f'{NAME} 300 IN TXT "x"', kind="ANY")
        self.assertEqual(len(heard(done).answer), 2)


class SignedTests(SynchronousTestCase):
    """DNSSEC: what a change means."""

    RRSIG = f"{NAME} 300 IN RRSIG A 13 3 300 20300101000000 20200101000000 1 example.org. AAAA"

    def test_unchanged(self) -> None:
        """Signatures, DO, AD and CD pass as they are."""
        asked = query(want_dnssec=True)
        asked.flags |= dns.flags.CD
        said = answer(asked, A, self.RRSIG, flags=dns.flags.RA | dns.flags.AD | dns.flags.CD)
        done = exchanged(asked, wire(said))
        self.assertEqual(heard(done), dns.message.from_wire(wire(said)))
        self.assertTrue(heard(done).flags & dns.flags.AD)

    def test_changed(self) -> None:
        """What was changed is not said to be authentic any more."""
        asked = query(want_dnssec=True)
        said = answer(asked, A, "x.example. 1 IN A 192.0.2.1", flags=dns.flags.RA | dns.flags.AD)
        self.assertFalse(heard(exchanged(asked, wire(said))).flags & dns.flags.AD)


class EchTests(SynchronousTestCase):
    """Keys for encrypted ClientHellos, for the operator who inspects TLS."""

    KEYS = (
        "ech=AEj+DQBEAQAgACAdd+scUi0IYFsXnUIU7ko2Nd9+F8M26pAGZVpz/KrWPgAEAAEAAWQVZWNoLXNpdGVzLmV4"
    )
    KEYS += "YW1wbGUubmV0AAA="

    def test_passes(self) -> None:
        """By default, as it is."""
        done = got(f"{NAME} 300 IN HTTPS 1 . alpn=h2 {self.KEYS}", kind="HTTPS")
        self.assertIn("ech=", str(heard(done).answer[0]))

    def test_removed(self) -> None:
        """Taken out, also of what is said to be mandatory; all else stays."""
        for before, after in (
            (
                f"1 . alpn=h2 ipv4hint=198.51.100.7 {self.KEYS}",
                '1 . alpn="h2" ipv4hint="198.51.100.7"',
            ),
            (f"1 . mandatory=alpn,ech alpn=h2 {self.KEYS}", '1 . mandatory="alpn" alpn="h2"'),
            (f"1 . mandatory=ech {self.KEYS}", "1 ."),
        ):
            done = got(f"{NAME} 300 IN HTTPS {before}", kind="HTTPS", ech="remove")
            self.assertEqual(str(heard(done).answer[0][0]), after)
            (record,) = done.records_of("dns")
            self.assertEqual(record["removed"], ["ech"])

    def test_nothing_to_remove(self) -> None:
        """Without keys, a record is as it was."""
        done = got(f"{NAME} 300 IN HTTPS 1 . alpn=h2", kind="HTTPS", ech="remove")
        self.assertEqual(done.records_of("dns")[0].get("removed"), None)


class UnknownTests(SynchronousTestCase):
    """Types that nobody here knows."""

    def test_refused(self) -> None:
        """Not by default: nobody could say what they are."""
        record = f"{NAME} 300 IN TYPE65300 \\# 3 616263"
        done = got(record, kind="TYPE65300")
        self.assertEqual(heard(done).rcode(), dns.rcode.SERVFAIL)
        self.assertEqual(told(done), [("denied", "unknown_types")])
        done = got(record, kind="TYPE65300", unknown_types=True)
        self.assertEqual(len(heard(done).answer), 1)

    def test_nothing_stays(self) -> None:
        """However many types and classes a server makes up, none is remembered."""
        before = len(dns.rdata._rdata_classes)
        for number in range(100):
            self.assertIsNone(parsed(64000 + number, 1, b"abc"))
            self.assertIsNone(parsed(int(dns.rdatatype.APL), 2000 + number, b"abc"))
        self.assertEqual(len(dns.rdata._rdata_classes), before)
