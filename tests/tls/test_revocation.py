"""Certificates that were taken back: CRL files, and stapled OCSP responses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Invalid
from gateway.tls.certificate import read
from gateway.tls.revocation import Revoked
from gateway.tls.trust import Trust
from gateway.tls.verifier import Verifier
from tests.tls.pki import DAY, NOW, Authority, Issued, key_usage, rsa_key

NAME = "www.server.example"
ROOT = Authority.root("Root")
MIDDLE = ROOT.below("Middle")
GOOD, BAD = MIDDLE.issue(NAME), MIDDLE.issue(NAME)
STAPLED = x509.TLSFeature([x509.TLSFeatureType.status_request])


def crl(
    issuer: Authority,
    *revoked: x509.Certificate,
    until: datetime = NOW + DAY,
    key: Any = None,
    begin: datetime = NOW - 9 * DAY,
    extra: Any = None,
) -> x509.CertificateRevocationList:
    """A list of these certificates."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.issued.certificate.subject)
        .last_update(begin)
        .next_update(until)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - 2 * DAY).build())
    if extra is not None:
        builder = builder.add_extension(extra, True)
    return builder.sign(key or issuer.issued.key, hashes.SHA256())


def staple(
    issued: Issued,
    status: Any = ocsp.OCSPCertStatus.GOOD,
    issuer: Authority = MIDDLE,
    signer: Issued | None = None,
    begin: datetime = NOW - DAY,
    until: datetime | None = NOW + DAY,
    digest: Any = None,
) -> bytes:
    """What a responder says about a certificate."""
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    who = signer or issuer.issued
    builder = ocsp.OCSPResponseBuilder().add_response(
        issued.certificate,
        issuer.issued.certificate,
        hashes.SHA1(),
        status,
        begin,
        until,
        NOW - DAY if revoked else None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, who.certificate)
    if signer is not None:
        builder = builder.certificates([signer.certificate])
    response = builder.sign(who.key, digest or hashes.SHA256())
    return response.public_bytes(Encoding.DER)


def responder(issuer: Authority, **ways: Any) -> Issued:
    """Somebody whom an issuer has told to answer for it."""
    ways.setdefault("purposes", x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]))
    return issuer.issue("responder.example", **ways)


def found(issued: Issued, *lists: Any, staple: bytes = b"", when: datetime = NOW) -> list[str]:
    """What is wrong with a certificate, in words."""
    verifier = Verifier(Trust([ROOT.issued.certificate]), Revoked(lists))
    flaws = verifier.flaws([read(der) for der in issued.der], NAME, when.timestamp(), staple)
    assert all(flaw.kind is Invalid.REVOKED for flaw in flaws), flaws
    return [flaw.text for flaw in flaws]


class ListTests(SynchronousTestCase):
    """CRL files."""

    def test_revoked(self) -> None:
        """A certificate on its issuer's list is refused, and the operator reads since when."""
        date = f"{NOW - 2 * DAY:%Y-%m-%d}"
        list_ = crl(MIDDLE, BAD.certificate)
        self.assertEqual(found(BAD, list_), [f"revoked by its issuer on {date}"])
        self.assertEqual(found(GOOD, list_), [])

    def test_issuer_revoked(self) -> None:
        """So is everything that an issuer on its own issuer's list has issued."""
        self.assertEqual(len(found(GOOD, crl(ROOT, MIDDLE.issued.certificate))), 1)

    def test_others(self) -> None:
        """Lists of others say nothing, whatever is on them."""
        other = Authority.root("Other")
        self.assertEqual(found(BAD, crl(other, BAD.certificate)), [])

    def test_out_of_date(self) -> None:
        """Of an issuer whose list is old nobody knows what is revoked."""
        list_ = crl(MIDDLE, until=NOW - DAY)
        self.assertEqual(found(GOOD, list_), ["its issuer's CRL is out of date"])
        self.assertEqual(found(GOOD, list_, crl(MIDDLE, begin=NOW - DAY)), [])

    def test_forged(self) -> None:
        """A list that somebody else signed in an issuer's name is none."""
        list_ = crl(MIDDLE, key=ROOT.issued.key)
        self.assertEqual(found(GOOD, list_), ["no CRL is signed by its issuer"])

    def test_partial(self) -> None:
        """A list of changes only, or for some certificates only, does not say that one is good."""
        delta = crl(MIDDLE, extra=x509.DeltaCRLIndicator(3))
        some = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        for partial, number in ((delta, "27"), (crl(MIDDLE, extra=some), "28")):
            (said,) = found(GOOD, partial)
            self.assertIn(f"not understood: 2.5.29.{number}", said)
            self.assertEqual(found(GOOD, partial, crl(MIDDLE)), [])
        self.assertEqual(found(GOOD, crl(MIDDLE, extra=x509.CRLNumber(3))), [])

    def test_newest(self) -> None:
        """Of several lists the newest counts, whichever file came first."""
        old, new = crl(MIDDLE), crl(MIDDLE, BAD.certificate, begin=NOW - DAY)
        for lists in ((old, new), (new, old)):
            self.assertEqual(len(found(BAD, *lists)), 1)

    def test_may_not_sign(self) -> None:
        """An issuer that may not sign lists has signed none."""
        unable = ROOT.below("Unable", usage=key_usage(True, crl_sign=False))
        (said,) = found(unable.issue(NAME), crl(unable))
        self.assertIn("no CRL is signed", said)


class StapleTests(SynchronousTestCase):
    """OCSP responses that servers staple."""

    def test_revoked(self) -> None:
        """The server itself brings the news."""
        said = staple(BAD, ocsp.OCSPCertStatus.REVOKED)
        self.assertEqual(found(BAD, staple=said), ["revoked, as the stapled OCSP response says"])
        self.assertEqual(found(GOOD, staple=staple(GOOD)), [])

    def test_by_a_responder(self) -> None:
        """Whom the issuer has entitled, by a certificate for that purpose, is believed."""
        said = staple(BAD, ocsp.OCSPCertStatus.REVOKED, signer=responder(MIDDLE))
        self.assertEqual(len(found(BAD, staple=said)), 1)
        rsa = responder(MIDDLE, key=rsa_key(2048))
        said = staple(BAD, ocsp.OCSPCertStatus.REVOKED, signer=rsa)
        self.assertEqual(len(found(BAD, staple=said)), 1)

    def test_not_believed(self) -> None:
        """Whoever is not entitled, or says nothing about now, or about this one, says nothing."""
        must = MIDDLE.issue(NAME, extra=[(STAPLED, False)])
        good = ocsp.OCSPCertStatus.GOOD
        wanting = ["it must come with a good OCSP response, and did not"]
        self.assertEqual(found(must, staple=staple(must)), [])
        for said in (
            b"",
            b"nonsense",
            staple(must, ocsp.OCSPCertStatus.UNKNOWN),
            staple(must, good, signer=responder(MIDDLE, purposes=None)),
            staple(must, good, signer=responder(ROOT)),
            staple(must, good, signer=responder(MIDDLE, end=NOW - DAY)),
            staple(must, good, issuer=Authority.root("Middle")),
            staple(must, good, until=NOW - timedelta(minutes=1)),
            staple(must, good, until=None),
            staple(must, good, begin=NOW + DAY, until=NOW + 2 * DAY),
            staple(GOOD, good),
            ocsp.OCSPResponseBuilder.build_unsuccessful(
                ocsp.OCSPResponseStatus.TRY_LATER
            ).public_bytes(Encoding.DER),
        ):
            self.assertEqual(found(must, staple=said), wanting)
