"""
Certificates that their issuers have taken back: CRL files that the operator gives (RFC 5280,
section 5), and the OCSP response that a server staples to its certificate (RFC 6960).

Nothing is fetched: a gateway that asks strangers' URLs can be made to ask anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.agreement import Flaw, Invalid

SKEW = timedelta(minutes=5)
"""How much a responder's clock may be ahead of ours. Firefox: a day; nginx: 5 minutes."""

UNDERSTOOD = (x509.CRLNumber, x509.AuthorityKeyIdentifier)
"""Extensions of a CRL that say nothing about what it is for."""


class Revoked:
    """
    What the operator's CRLs say.

    A chain is checked where there is a CRL of an issuer in it: the newest one counts. If that is
    out of date, not signed by that issuer, or not about all of its certificates, nobody knows: the
    certificate is refused.
    """

    def __init__(self, lists: Iterable[x509.CertificateRevocationList] = ()) -> None:
        self._lists: dict[bytes, list[x509.CertificateRevocationList]] = {}
        for each in lists:
            self._lists.setdefault(each.issuer.public_bytes(), []).append(each)

    def check(self, chain: Sequence[x509.Certificate], when: datetime) -> Iterator[Flaw]:
        """What is revoked in a verified chain, leaf first."""
        if not self._lists:
            return
        for depth, (certificate, issuer) in enumerate(pairwise(chain)):
            lists = self._lists.get(issuer.subject.public_bytes())
            if lists is not None:
                text = _listed(certificate, issuer, lists, when)
                if text:
                    yield Flaw(Invalid.REVOKED, text, depth)


def _listed(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    when: datetime,
) -> str:
    """Why one certificate is refused; empty if it is not."""
    signed = [each for each in lists if _signed(each, issuer)]
    if not signed:
        return "no CRL is signed by its issuer"
    about_all = [each for each in signed if not _unknown(each)]
    if not about_all:
        return f"its issuer's CRL has an extension that is not understood: {_unknown(signed[0])}"
    newest = max(about_all, key=lambda each: each.last_update_utc)
    entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None:
        return f"revoked by its issuer on {entry.revocation_date_utc:%Y-%m-%d}"
    if newest.next_update_utc is None or newest.next_update_utc < when:
        return "its issuer's CRL is out of date"
    return ""


def _signed(list_: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether an issuer signed it, and may (RFC 5280, section 6.3.3 f)."""
    try:
        return _may_sign(issuer) and list_.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _may_sign(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _unknown(list_: x509.CertificateRevocationList) -> str:
    """
    The first critical extension that is not understood, as lists have that are for some
    certificates, or tell of changes, only (RFC 5280, sections 5.2.4 and 5.2.5). Empty: none.
    """
    for extension in list_.extensions:
        if extension.critical and not isinstance(extension.value, UNDERSTOOD):
            return str(extension.oid.dotted_string)
    return ""


# Stapled responses


def stapled(chain: Sequence[x509.Certificate], staple: bytes, when: datetime) -> Flaw | None:
    """
    What the server's stapled OCSP response says about its certificate.

    A response that is not in order counts as none; and no response is a flaw only if the
    certificate promises one (RFC 7633).
    """
    certificate = chain[0]
    status = None
    if staple and len(chain) > 1:
        status = _status(certificate, chain[1], staple, when)
    if status is ocsp.OCSPCertStatus.REVOKED:
        return Flaw(Invalid.REVOKED, "revoked, as the stapled OCSP response says")
    if status is not ocsp.OCSPCertStatus.GOOD and _must_staple(certificate):
        return Flaw(Invalid.REVOKED, "it must come with a good OCSP response, and did not")
    return None


def _must_staple(certificate: x509.Certificate) -> bool:
    try:
        features = certificate.extensions.get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return x509.TLSFeatureType.status_request in features


def _status(
    certificate: x509.Certificate, issuer: x509.Certificate, staple: bytes, when: datetime
) -> ocsp.OCSPCertStatus | None:
    """What a response says; C{None} if it is not about this, not for now, or not to be believed."""
    try:
        response = ocsp.load_der_ocsp_response(staple)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        for single in response.responses:
            if _is_about(single, certificate, issuer) and _is_current(single, when):
                return single.certificate_status if _believed(response, issuer, when) else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    return None


def _is_about(
    single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm)
    request = asked.build()
    return (request.issuer_key_hash, request.issuer_name_hash) == (
        single.issuer_key_hash,
        single.issuer_name_hash,
    )


def _is_current(single: ocsp.OCSPSingleResponse, when: datetime) -> bool:
    until = single.next_update_utc
    return single.this_update_utc <= when + SKEW and until is not None and when <= until


def _believed(response: ocsp.OCSPResponse, issuer: x509.Certificate, when: datetime) -> bool:
    """Whether the issuer signed it, or somebody whom it entitled to (RFC 6960, 4.2.2.2)."""
    signers = [each for each in response.certificates if _may_respond(each, issuer, when)]
    return any(_signed_by(response, each) for each in (issuer, *signers))


def _may_respond(signer: x509.Certificate, issuer: x509.Certificate, when: datetime) -> bool:
    if not signer.not_valid_before_utc <= when <= signer.not_valid_after_utc:
        return False
    try:
        purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        signer.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in purposes


def _signed_by(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, signed, data = signer.public_key(), response.signature, response.tbs_response_bytes
    digest = response.signature_hash_algorithm or hashes.SHA256()
    if isinstance(digest, hashes.MD5 | hashes.SHA1):
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signed, data, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signed, data, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signed, data)
        else:
            return False
    except InvalidSignature:
        return False
    return True
