"""Certificates of our own, in place of servers'."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from gateway.tls.certificate import read
from gateway.tls.issuer import Issuer, make_root
from gateway.tls.minter import KEPT, Minted
from gateway.tls.revocation import Revoked
from gateway.tls.template import LONGEST, Template, for_name, like
from gateway.tls.trust import Trust
from gateway.tls.verifier import Verifier
from tests.tls.chains import ROWS, odd_name
from tests.tls.minting import leaf_key, minter, trusted, untrusted
from tests.tls.pki import DAY, NOW, Authority, Issued, common_name

NAME = "www.server.example"
ROOT = Authority.root("Somebody")
WHEN = NOW.timestamp()


def extension(certificate: x509.Certificate, kind: Any) -> Any:
    """What an extension holds."""
    return certificate.extensions.get_extension_for_class(kind).value


class TemplateTests(SynchronousTestCase):
    """What of a server's certificate ours has."""

    def minted(self, issued: Issued) -> x509.Certificate:
        return trusted().issue(like(read(issued.der[0]), WHEN), leaf_key().public_key())

    def test_like(self) -> None:
        """It is for the same names and as long; it has its own serial number, and nothing else."""
        must = x509.TLSFeature([x509.TLSFeatureType.status_request])
        names = [x509.DNSName(NAME), x509.IPAddress(ip_address("2001:db8::1"))]
        server = ROOT.issue(NAME, names=names, extra=[(must, False)])
        made = self.minted(server)
        self.assertEqual(list(extension(made, x509.SubjectAlternativeName)), names)
        self.assertEqual(made.subject, common_name(NAME))
        self.assertEqual(made.not_valid_after_utc, server.certificate.not_valid_after_utc)
        self.assertEqual(made.not_valid_before_utc, trusted().certificate.not_valid_before_utc)
        self.assertNotEqual(made.serial_number, server.certificate.serial_number)
        self.assertEqual(
            {each.oid for each in made.extensions},
            {
                x509.SubjectAlternativeName.oid,
                x509.BasicConstraints.oid,
                x509.KeyUsage.oid,
                x509.ExtendedKeyUsage.oid,
                x509.SubjectKeyIdentifier.oid,
                x509.AuthorityKeyIdentifier.oid,
            },
        )
        self.assertFalse(extension(made, x509.BasicConstraints).ca)
        purposes = list(extension(made, x509.ExtendedKeyUsage))
        self.assertEqual(purposes, [ExtendedKeyUsageOID.SERVER_AUTH])

    def test_believed(self) -> None:
        """What is minted after a good certificate is good itself."""
        made = self.minted(ROOT.issue(NAME))
        verifier = Verifier(Trust([trusted().certificate]), Revoked())
        der = Issued(made, None).der
        self.assertEqual(verifier.flaws([read(der[0])], NAME, WHEN + 3600), ())

    def test_expired(self) -> None:
        """Of an expired one it has the true dates: the client is to see why."""
        issuer = make_root("Older", NOW - 90 * DAY, 900)
        server = ROOT.issue(NAME, end=NOW - DAY)
        made = issuer.issue(like(read(server.der[0]), WHEN), leaf_key().public_key())
        self.assertEqual(made.not_valid_after_utc, NOW - DAY)

    def test_expired_before_the_root(self) -> None:
        """Also if that was before there was a root."""
        server = ROOT.issue(NAME, begin=NOW - 900 * DAY, end=NOW - 800 * DAY)
        made = self.minted(server)
        self.assertEqual(made.not_valid_before_utc, NOW - 800 * DAY)
        self.assertLess(made.not_valid_after_utc, NOW)

    def test_for_ever(self) -> None:
        """One that is good for longer than clients accept is minted for less, and is good now."""
        server = ROOT.issue(NAME, begin=NOW - 2000 * DAY, end=NOW + 2000 * DAY)
        template = like(read(server.der[0]), WHEN)
        self.assertLessEqual(template.end - template.begin, LONGEST.total_seconds())
        self.assertTrue(template.begin < WHEN < template.end - 30 * DAY.total_seconds())

    def test_longer_than_the_root(self) -> None:
        """Nothing is good for longer than its root."""
        short = make_root("Short", NOW, 2)
        made = short.issue(like(read(ROOT.issue(NAME).der[0]), WHEN), leaf_key().public_key())
        self.assertEqual(made.not_valid_after_utc, short.certificate.not_valid_after_utc)

    def test_hostile(self) -> None:
        """Whatever strangers put into certificates, a template comes of it that can be signed."""
        odd = [
            odd_name(),
            ROOT.issue("a" * 64),
            ROOT.issue(NAME, subject=x509.Name([])),
            ROOT.issue(NAME, subject=common_name("\n" + "\u202ebank.example")),
            ROOT.issue(NAME, subject=common_name("\u00e4" * 32)),
            ROOT.issue(NAME, names=[x509.DNSName("a..b"), x509.DNSName("-x"), x509.DNSName("*.*")]),
            ROOT.issue(NAME, names=[x509.DNSName(f"n{each}.example") for each in range(1500)]),
            ROOT.issue(NAME, names=[x509.RFC822Name("a@b.example")]),
            *(row.make() for row in ROWS()),
        ]
        for issued in odd:
            template = like(read(issued.der[0]), WHEN)
            self.assertEqual(Template.decode(template.encode()), template)
            trusted().issue(template, leaf_key().public_key())
        self.assertEqual(like(read(b"nonsense"), WHEN).names, ())

    def test_no_way_around(self) -> None:
        """
        A certificate whose names are all none (such as "localhost", NUL, "h") leaves no common
        name, which many clients would go by where they find no other name.
        """
        odd = ROOT.issue(NAME, names=[x509.DNSName(f"{NAME}\0h")])
        template = like(read(odd.der[0]), WHEN)
        self.assertEqual((template.names, template.subject), ((), ""))
        made = trusted().issue(template, leaf_key().public_key())
        self.assertEqual(made.subject, x509.Name([]))
        beside = ROOT.issue(NAME, names=[x509.DNSName(f"{NAME}\0h"), x509.DNSName("b.example")])
        self.assertEqual(like(read(beside.der[0]), WHEN).names, ("b.example",))

    def test_for_name(self) -> None:
        """A page of our own is under a certificate for the name that was asked for."""
        for name in (NAME, "192.0.2.7", "2001:db8::7", "a" * 63 + ".example"):
            made = trusted().issue(for_name(name, WHEN), leaf_key().public_key())
            verifier = Verifier(Trust([trusted().certificate]), Revoked())
            sent = [read(Issued(made, None).der[0])]
            self.assertEqual(verifier.flaws(sent, name, WHEN + 3600), ())

    def test_no_template(self) -> None:
        """What no certificate has is not signed, whoever asks for it."""
        good = Template((NAME,), ("192.0.2.7",), NAME, 0, 1000).encode()
        self.assertEqual(Template.decode(good).names, (NAME,))
        for bad in (
            {"names": ["a b"]},
            {"names": [7]},
            {"names": ["*.*.example"]},
            {"names": ["a."]},
            {"names": 5},
            {"names": [f"n{each}.example" for each in range(1001)]},
            {"addresses": ["nowhere"]},
            {"addresses": [5]},
            {"subject": "x" * 65},
            {"subject": 5},
            {"begin": "now"},
            {"end": None},
            {"trusted": "yes"},
        ):
            with self.assertRaises((ValueError, TypeError)):
                Template.decode({**good, **bad})


class RootTests(SynchronousTestCase):
    """Roots of our own."""

    def test_constrained(self) -> None:
        """One that may issue for some domains only is of no use for others, or for addresses."""
        root = make_root("Only", NOW, 900, (".example.org", "intern.example"))
        verifier = Verifier(Trust([root.certificate]), Revoked())
        for name, believed in (
            ("a.example.org", True),
            ("example.org", True),
            ("b.intern.example", True),
            ("other.example", False),
            ("192.0.2.7", False),
        ):
            made = root.issue(for_name(name, WHEN), leaf_key().public_key())
            sent = [read(Issued(made, None).der[0])]
            self.assertEqual(not verifier.flaws(sent, name, WHEN + 3600), believed, name)

    def test_issues_servers_only(self) -> None:
        """No authority below it is believed."""
        root = make_root("Root", NOW, 900)
        below = Authority(Issued(root.certificate, root.key), True).below("Below")
        verifier = Verifier(Trust([root.certificate]), Revoked())
        sent = [read(der) for der in below.issue(NAME).der]
        self.assertNotEqual(verifier.flaws(sent, NAME, WHEN + 3600), ())


class MinterTests(SynchronousTestCase):
    """L{Minter}."""

    def minted(self, deferred: Any) -> Minted:
        made: Minted = self.successResultOf(deferred)
        return made

    def test_cached(self) -> None:
        """The signer is asked once for each certificate and root, and again after a day."""
        mint, signing = minter()
        server, other = (read(ROOT.issue(NAME).der[0]) for _ in range(2))
        first = self.minted(mint.like(server, True, WHEN))
        self.assertIs(self.minted(mint.like(server, True, WHEN + 60)), first)
        self.assertEqual(signing.asked, 1)
        shown = self.minted(mint.like(server, False, WHEN))
        self.assertEqual(shown.chain[0].issuer, untrusted().certificate.subject)
        self.assertIsNot(self.minted(mint.like(other, True, WHEN)), first)
        self.assertIsNot(self.minted(mint.for_name(NAME, True, WHEN)), first)
        self.assertIsNot(self.minted(mint.like(server, True, WHEN + KEPT)), first)
        self.assertEqual(signing.asked, 5)

    def test_serial_numbers(self) -> None:
        """
        No two certificates of a root share one, not even for the same name; and another root has
        another key identifier, by which clients tell them apart (RFC 5280, 4.2.1.1).
        """
        roots = [make_root("Root", NOW, 900) for _ in range(2)]
        made = [root.issue(for_name(NAME, WHEN), leaf_key().public_key()) for root in roots * 20]
        self.assertEqual(len({each.serial_number for each in made}), len(made))
        self.assertLess(max(each.serial_number.bit_length() for each in made), 160)
        by = x509.AuthorityKeyIdentifier
        keys = {each.extensions.get_extension_for_class(by).value.key_identifier for each in made}
        self.assertEqual(len(keys), 2)

    def test_bounded(self) -> None:
        """No more are kept than the operator says; the least used goes first."""
        mint, signing = minter(most=2)
        for name in ("a.example", "b.example", "a.example", "c.example", "a.example", "b.example"):
            self.minted(mint.for_name(name, True, WHEN))
        self.assertEqual(signing.asked, 4)

    def test_at_once(self) -> None:
        """A browser's six connections to a new server cost one signature."""
        from twisted.internet.defer import Deferred

        mint, signing = minter()
        held: list[Any] = []
        sign = signing.sign

        def later(template: Any) -> Any:
            held.append((template, Deferred()))
            return held[-1][1]

        signing.sign = later  # type: ignore[method-assign]
        asked = [mint.for_name(NAME, True, WHEN) for _ in range(6)]
        self.assertEqual(len(held), 1)
        sign(held[0][0]).addCallback(held[0][1].callback)
        self.assertEqual(len({self.minted(each).fingerprint for each in asked}), 1)
        again = [mint.for_name("b.example", True, WHEN) for _ in range(2)]
        held[1][1].errback(ValueError("no"))
        for each in again:
            self.failureResultOf(each, ValueError)
        self.assertIs(type(trusted()), Issuer)
        self.assertEqual(timedelta(seconds=KEPT), DAY)
