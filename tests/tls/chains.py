"""
Chains of certificates, good and bad, and what three judges say of each.

The judges: OpenSSL's own program as a client would use it (C{openssl verify
-purpose sslserver -auth_level 2 -verify_hostname}), the verifier of the
I{cryptography} package (the Web PKI's profile), and the gateway. Where the three
do not agree there is a reason.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.agreement import Invalid
from tests.tls.pki import DAY, LEFT_OUT, NOW, Authority, Issued, key_usage, p256, rsa_key

NAME = "www.server.example"

EXPIRED, WRONG, UNTRUSTED, INCOMPLETE, REVOKED, WEAK = Invalid
GOOD: tuple[Invalid, ...] = ()


@frozen
class Row:
    """
    One chain.

    C{gateway} is what the gateway finds; C{openssl} and C{cryptography} whether the other two
    accept it. C{why} is the reason of a difference.
    """

    what: str
    make: Callable[[], Issued] = field(repr=False, converter=cache)
    gateway: tuple[Invalid, ...]
    openssl: bool
    cryptography: bool
    why: str = ""
    name: str = NAME
    when: datetime = NOW + timedelta(hours=1)
    trusted: Callable[[], tuple[x509.Certificate, ...]] = field(
        default=lambda: (root().issued.certificate,), repr=False
    )


@cache
def root() -> Authority:
    """The root that is trusted, unless a row says otherwise."""
    return Authority.root("Root")


@cache
def middle() -> Authority:
    """What issues most certificates."""
    return root().below("Middle")


@cache
def stranger() -> Authority:
    """A root that nobody trusts."""
    return Authority.root("Stranger")


@cache
def dsa_key() -> Any:
    """A key of a kind that TLS 1.3 has given up."""
    return dsa.generate_private_key(2048)


def leaf(**ways: Any) -> Callable[[], Issued]:
    """A certificate for L{NAME}, unless C{ways} say otherwise, by the usual issuer."""
    return lambda: middle().issue(NAME, **ways)


def named(*names: x509.GeneralName, **ways: Any) -> Callable[[], Issued]:
    """A certificate for these names."""
    return lambda: middle().issue(NAME, names=names, **ways)


def dns(*names: str) -> Callable[[], Issued]:
    """A certificate for these DNS names."""
    return named(*map(x509.DNSName, names))


def by(**ways: Any) -> Callable[[], Issued]:
    """A certificate by an issuer that is special."""
    return lambda: root().below("Special", **ways).issue(NAME)


def by_root(**ways: Any) -> tuple[Callable[[], Issued], Callable[[], Any]]:
    """A certificate by a root that is special, and this root."""
    made = cache(lambda: Authority.root("Special Root", **ways))
    return (lambda: made().issue(NAME)), (lambda: (made().issued.certificate,))


def alone(made: Callable[[], Issued]) -> Callable[[], Issued]:
    """A server that forgot the certificates in between."""
    return lambda: Issued(made().certificate, made().key)


def purposes(*each: Any) -> x509.ExtendedKeyUsage:
    """An extended key usage."""
    return x509.ExtendedKeyUsage(list(each))


def constraints(permitted: Any = None, excluded: Any = None) -> x509.NameConstraints:
    """Name constraints on DNS names."""

    def names(each: Any) -> Any:
        return None if each is None else [x509.DNSName(name) for name in each]

    return x509.NameConstraints(names(permitted), names(excluded))


def constrained(permitted: Any = None, excluded: Any = None, **ways: Any) -> Callable[[], Issued]:
    """A certificate by an issuer that may not issue for all names."""
    limits = constraints(permitted, excluded)
    return lambda: root().below("Constrained", constraints=limits).issue(NAME, **ways)


def unknown(critical: bool) -> tuple[Any, bool]:
    """An extension that nobody knows."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), critical


def deep(length: int) -> Issued:
    """A certificate far from its root."""
    issuer = root()
    for number in range(length):
        issuer = issuer.below(f"Level {number}")
    return issuer.issue(NAME)


def between(path_length: int) -> Issued:
    """Below an issuer of this path length there is one more."""
    return root().below("Short", path_length=path_length).below("One too many").issue(NAME)


def crossed() -> Issued:
    """Signed by an issuer that has two certificates: one that has expired, and a good one."""
    good = root().below("Crossed")
    old = make_again(good, begin=NOW - 90 * DAY, end=NOW - DAY)
    issued = good.issue(NAME)
    return Issued(issued.certificate, issued.key, (old, *issued.between))


def make_again(authority: Authority, **ways: Any) -> x509.Certificate:
    """Another certificate for the same name and key."""
    again = root().below("Crossed", key=authority.issued.key, **ways)
    return again.issued.certificate


def shuffled() -> Issued:
    """Everything is there, in the wrong order."""
    issued = root().below("Upper").below("Lower").issue(NAME)
    return Issued(issued.certificate, issued.key, issued.between[::-1])


def crowded() -> Issued:
    """With certificates that have nothing to do with it."""
    issued = middle().issue(NAME)
    other = stranger().below("Other").issued.certificate
    return Issued(issued.certificate, issued.key, (other, *issued.between))


def with_root() -> Issued:
    """The root is sent too, as many servers do."""
    issued = middle().issue(NAME)
    return Issued(issued.certificate, issued.key, (*issued.between, root().issued.certificate))


def tampered() -> Issued:
    """Somebody changed it after it was signed."""
    issued = middle().issue(NAME)
    der = bytearray(issued.der[0])
    der[-1] ^= 1
    return Issued(x509.load_der_x509_certificate(bytes(der)), issued.key, issued.between)


def impostor() -> Issued:
    """An issuer of the right name, with a key of its own."""
    false = stranger().below("Middle")
    issued = false.issue(NAME)
    return Issued(issued.certificate, issued.key, (middle().issued.certificate,))


def self_signed(**ways: Any) -> Issued:
    """By nobody."""
    return Authority.root(NAME, names=[x509.DNSName(NAME)], **ways).issued


def ROWS() -> Iterator[Row]:
    """The table."""
    strict = "the Web PKI's profile asks for more than RFC 5280"
    yield Row("as it should be", leaf(), GOOD, True, True)
    yield Row("by the root itself", lambda: root().issue(NAME), GOOD, True, True)
    yield Row("far from its root", lambda: deep(6), GOOD, True, True)
    yield Row("RSA, 2048 bits", lambda: middle().issue(NAME, key=rsa_key(2048)), GOOD, True, True)
    yield Row(
        "P-384",
        lambda: middle().issue(NAME, key=ec.generate_private_key(ec.SECP384R1())),
        GOOD,
        True,
        True,
    )
    yield Row(
        "P-521",
        lambda: middle().issue(NAME, key=ec.generate_private_key(ec.SECP521R1())),
        GOOD,
        True,
        True,
    )
    yield Row(
        "Ed25519",
        lambda: middle().issue(NAME, key=ed25519.Ed25519PrivateKey.generate()),
        GOOD,
        True,
        True,
    )
    yield Row("its issuer's certificates in the wrong order", shuffled, GOOD, True, True)
    yield Row("with a stranger's certificate in between", crowded, GOOD, True, True)
    yield Row("with its root", with_root, GOOD, True, True)
    yield Row("an expired certificate of its issuer, and a good one", crossed, GOOD, True, True)
    # Times
    yield Row("expired", leaf(end=NOW - DAY), (EXPIRED,), False, False)
    yield Row(
        "expired a second ago", leaf(end=NOW - timedelta(seconds=1)), (EXPIRED,), False, False
    )
    yield Row("not yet valid", leaf(begin=NOW + DAY), (EXPIRED,), False, False)
    yield Row(
        "expired for three years",
        leaf(begin=NOW - 2000 * DAY, end=NOW - 1100 * DAY),
        (EXPIRED,),
        False,
        False,
    )
    yield Row("valid for ten years", leaf(end=NOW + 3650 * DAY), GOOD, True, True)
    yield Row(
        "an issuer that has expired",
        by(begin=NOW - 9 * DAY, end=NOW - DAY),
        (EXPIRED,),
        False,
        False,
    )
    expired_root, its_root = by_root(end=NOW - DAY)
    yield Row("a root that has expired", expired_root, (EXPIRED,), False, False, trusted=its_root)
    # Names
    yield Row("another name", dns("other.example"), (WRONG,), False, False)
    yield Row(
        "no name at all",
        named(),
        (WRONG,),
        True,
        False,
        "OpenSSL falls back to the common name; no browser does (RFC 9525)",
    )
    yield Row(
        "common name only, another address",
        named(x509.IPAddress(ip_address("192.0.2.1"))),
        (WRONG,),
        True,
        False,
        "OpenSSL falls back to the common name beside an address",
    )
    yield Row("upper case", dns("WWW.Server.EXAMPLE"), GOOD, True, True)
    yield Row("one of many", dns("a.example", "b.example", NAME), GOOD, True, True)
    yield Row("a wildcard", dns("*.server.example"), GOOD, True, True)
    yield Row("a wildcard for two labels", dns("*.example"), (WRONG,), False, False)
    yield Row(
        "a wildcard for the name above it", dns("*.www.server.example"), (WRONG,), False, False
    )
    yield Row(
        "half a wildcard",
        dns("w*.server.example"),
        (WRONG,),
        True,
        False,
        "OpenSSL's default takes partial wildcards; RFC 9525 does not",
    )
    yield Row("a wildcard in the middle", dns("www.*.example"), (WRONG,), False, False)
    yield Row(
        "a wildcard of a top level domain",
        dns("*.example"),
        (WRONG,),
        False,
        True,
        "browsers and OpenSSL want two labels after it",
        name="server.example",
    )
    yield Row("a wildcard alone", dns("*"), (WRONG,), False, False)
    yield Row(
        "a wildcard for an internationalized label",
        dns("*.server.example"),
        GOOD,
        True,
        True,
        name="xn--mgba3a4f16a.server.example",
    )
    yield Row("the name's end", dns("server.example"), (WRONG,), False, False)
    yield Row("a final dot in the certificate", dns(NAME + "."), (WRONG,), False, False)
    yield Row(
        "an underscore",
        dns("a_b.server.example"),
        GOOD,
        True,
        False,
        strict,
        name="a_b.server.example",
    )
    yield Row(
        "an address",
        named(x509.IPAddress(ip_address("192.0.2.7"))),
        GOOD,
        True,
        True,
        name="192.0.2.7",
    )
    yield Row(
        "an IPv6 address",
        named(x509.IPAddress(ip_address("2001:db8::7"))),
        GOOD,
        True,
        True,
        name="2001:db8::7",
    )
    yield Row(
        "another address",
        named(x509.IPAddress(ip_address("192.0.2.8"))),
        (WRONG,),
        False,
        False,
        name="192.0.2.7",
    )
    yield Row(
        "an address written as a DNS name",
        dns("192.0.2.7"),
        (WRONG,),
        False,
        False,
        name="192.0.2.7",
    )
    yield Row(
        "an address, asked for as a name's certificate",
        dns(NAME),
        (WRONG,),
        False,
        False,
        name="192.0.2.7",
    )
    yield Row("two things are wrong", dns_expired(), (EXPIRED, WRONG), False, False)
    # Chains
    yield Row("an issuer's certificate is missing", alone(leaf()), (INCOMPLETE,), False, False)
    yield Row("self-signed", self_signed, (UNTRUSTED,), False, False)
    yield Row(
        "self-signed, and trusted",
        SELF,
        GOOD,
        True,
        False,
        "no certificate of an authority may be a server's own, says the Web PKI; an operator "
        "who trusts it means it",
        trusted=lambda: (SELF().certificate,),
    )
    yield Row(
        "an unknown root", lambda: stranger().below("Other").issue(NAME), (UNTRUSTED,), False, False
    )
    yield Row(
        "an unknown root that is sent", lambda: sent_root(stranger()), (UNTRUSTED,), False, False
    )
    yield Row("changed after it was signed", tampered, (UNTRUSTED,), False, False)
    yield Row("an issuer of the same name", impostor, (UNTRUSTED,), False, False)
    yield Row("by a server's certificate", by(authority=False), (UNTRUSTED,), False, False)
    yield Row(
        "by an issuer that may not issue",
        by(usage=key_usage(True, key_cert_sign=False)),
        (UNTRUSTED,),
        False,
        False,
    )
    yield Row("path length 0, and one below", lambda: between(0), (UNTRUSTED,), False, False)
    yield Row("path length 1, and one below", lambda: between(1), GOOD, True, True)
    yield Row(
        "trust in its issuer only",
        leaf(),
        GOOD,
        False,
        True,
        "the operator trusts this authority for itself; OpenSSL's program wants a root",
        trusted=lambda: (middle().issued.certificate,),
    )
    yield Row("no authority is trusted", leaf(), (UNTRUSTED,), False, False, trusted=lambda: ())
    # Purposes
    client = purposes(ExtendedKeyUsageOID.CLIENT_AUTH)
    yield Row("for clients", leaf(purposes=client), (UNTRUSTED,), False, False)
    yield Row(
        "for clients and servers",
        leaf(purposes=purposes(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)),
        GOOD,
        True,
        True,
    )
    yield Row(
        "for code",
        leaf(purposes=purposes(ExtendedKeyUsageOID.CODE_SIGNING)),
        (UNTRUSTED,),
        False,
        False,
    )
    yield Row("for nothing in particular", leaf(purposes=LEFT_OUT), GOOD, True, True)
    yield Row(
        "for any purpose",
        leaf(purposes=purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)),
        (UNTRUSTED,),
        False,
        False,
    )
    yield Row("an issuer for clients", by(purposes=client), (UNTRUSTED,), False, False)
    yield Row(
        "a key that may not sign",
        leaf(usage=key_usage(False, digital_signature=False, key_agreement=True)),
        GOOD,
        True,
        True,
    )
    yield Row("no key usage", leaf(usage=LEFT_OUT), GOOD, True, True)
    # Name constraints
    yield Row("a name within its issuer's", constrained(["server.example"]), GOOD, True, True)
    yield Row(
        "a name outside its issuer's", constrained(["other.example"]), (UNTRUSTED,), False, False
    )
    yield Row(
        "a name that its issuer may not have",
        constrained(None, ["server.example"]),
        (UNTRUSTED,),
        False,
        False,
    )
    yield Row(
        "an address outside its issuer's names",
        constrained(
            ["server.example"], names=[x509.DNSName(NAME), x509.IPAddress(ip_address("192.0.2.7"))]
        ),
        GOOD,
        True,
        True,
    )
    # Strength
    keys = "cryptography looks at the keys of authorities only"
    yield Row(
        "RSA, 1024 bits",
        lambda: middle().issue(NAME, key=rsa_key(1024)),
        (WEAK,),
        False,
        True,
        keys,
    )
    yield Row(
        "RSA, 2047 bits",
        lambda: middle().issue(NAME, key=rsa_key(2047)),
        (WEAK,),
        True,
        True,
        "OpenSSL takes its strength for 112 bits; NIST and the Web PKI want 2,048 bits",
    )
    yield Row(
        "P-192",
        lambda: middle().issue(NAME, key=ec.generate_private_key(ec.SECP192R1())),
        (WEAK,),
        False,
        True,
        keys,
    )
    yield Row(
        "P-224",
        lambda: middle().issue(NAME, key=ec.generate_private_key(ec.SECP224R1())),
        GOOD,
        True,
        True,
    )
    yield Row(
        "DSA",
        lambda: middle().issue(NAME, key=dsa_key()),
        (WEAK,),
        True,
        True,
        "no browser, and no TLS 1.3, has DSA; the other two judges do not mind",
    )
    yield Row("an issuer with RSA of 1024 bits", by(key=rsa_key(1024)), (WEAK,), False, False)
    yield Row("signed with SHA-1", lambda: signed_with_sha1(middle()), (WEAK,), False, False)
    yield Row("an issuer signed with SHA-1", below_sha1, (WEAK,), False, False)
    yield Row("signed with SHA-384", leaf(digest=hashes.SHA384()), GOOD, True, True)
    yield Row(
        "a root signed with SHA-1",
        lambda: SHA1_ROOT().issue(NAME),
        GOOD,
        True,
        True,
        trusted=lambda: (SHA1_ROOT().issued.certificate,),
    )
    # Extensions
    yield Row("an unknown extension", leaf(extra=[unknown(False)]), GOOD, True, True)
    yield Row(
        "an unknown critical extension", leaf(extra=[unknown(True)]), (UNTRUSTED,), False, False
    )
    yield Row(
        "names that are critical",
        leaf(names_critical=True),
        GOOD,
        True,
        False,
        "critical names beside a subject: the Web PKI forbids it, nobody else minds",
    )
    yield Row(
        "no subject",
        lambda: middle().issue(NAME, subject=x509.Name([]), names_critical=True),
        GOOD,
        True,
        True,
    )
    yield Row(
        "a stapled answer is promised",
        leaf(extra=[(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)]),
        (REVOKED,),
        True,
        True,
        "only browsers and the gateway hold a server to its promise (RFC 7633)",
    )
    yield Row(
        "1,000 names",
        lambda: middle().issue(
            NAME,
            names=[
                *(x509.DNSName(f"n{number}.example") for number in range(999)),
                x509.DNSName(NAME),
            ],
        ),
        GOOD,
        True,
        True,
    )
    yield Row(
        "a name beside it that is not ASCII",
        odd_name,
        (WRONG,),
        True,
        False,
        "its names can't be read in the way that they are written",
    )


def by_openssl(issuer: Authority | None, key: Any, *extensions: str) -> x509.Certificate:
    """A certificate signed with SHA-1, which I{cryptography} does not make any more."""
    with TemporaryDirectory() as folder:
        own = Issued(root().issued.certificate, key)
        Path(folder, "key.pem").write_bytes(own.key_pem)
        command = ["openssl", "req", "-x509", "-new", "-sha1", "-days", "60", "-subj", "/CN=SHA1"]
        command += ["-key", "key.pem", "-outform", "DER"]
        if issuer is not None:
            Path(folder, "issuer.pem").write_bytes(issuer.issued.pem)
            command += ["-CA", "issuer.pem", "-CAkey", "issuer.pem"]
        for extension in extensions:
            command += ["-addext", extension]
        made = subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
    return x509.load_der_x509_certificate(made.stdout)


def signed_with_sha1(issuer: Authority) -> Issued:
    """A server's certificate."""
    key = p256()
    names = (f"subjectAltName=DNS:{NAME}", "extendedKeyUsage=serverAuth")
    made = by_openssl(issuer, key, "basicConstraints=critical,CA:FALSE", *names)
    return Issued(made, key, (issuer.issued.certificate, *issuer.issued.between))


def below_sha1() -> Issued:
    """A good certificate by an issuer that is signed with SHA-1."""
    key = p256()
    made = by_openssl(root(), key, "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign")
    return Authority(Issued(made, key), False).issue(NAME)


@cache
def SHA1_ROOT() -> Authority:
    """A root as old ones are."""
    key = p256()
    return Authority(Issued(by_openssl(None, key, "keyUsage=critical,keyCertSign"), key))


def dns_expired() -> Callable[[], Issued]:
    """Expired, and for somebody else."""
    return lambda: middle().issue("other.example", end=NOW - DAY)


@cache
def SELF() -> Issued:
    """Self-signed."""
    return self_signed()


def sent_root(authority: Authority) -> Issued:
    """A root that is sent as well."""
    issued = authority.issue(NAME)
    return Issued(issued.certificate, issued.key, (authority.issued.certificate,))


def odd_name() -> Issued:
    """A DNS name with a byte that is neither ASCII nor UTF-8."""
    issued = middle().issue(NAME, names=[x509.DNSName(NAME), x509.DNSName("zqzq.example")])
    content = issued.certificate.tbs_certificate_bytes.replace(b"zqzq", b"zq\xe4q")
    signature = middle().issued.key.sign(content, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256, RFC 5758
    der = sequence(content, algorithm, element(3, b"\0" + signature))
    return Issued(x509.load_der_x509_certificate(der), issued.key, issued.between)


def element(tag: int, content: bytes) -> bytes:
    """One element of DER."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(length))) + length + content


def sequence(*contents: bytes) -> bytes:
    """A sequence in DER."""
    return element(0x30, b"".join(contents))
