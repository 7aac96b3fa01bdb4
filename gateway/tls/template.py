"""
A Template says what a certificate is to be like that the gateway asks its signer for.

Of a server's certificate it takes who it is for and how long, and nothing else:
serial numbers, policies, revocation addresses, transparency logs and promises of
stapled answers are the true issuer's, and would be lies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from attrs import evolve, frozen
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.agreement import Certificate
from gateway.tls.certificate import load

MOST_NAMES = 1000
"""Names in one certificate."""

LONGEST = timedelta(days=397)
"""What browsers accept of public authorities. Apple wants 825 days at most, of private ones too."""

COMMON_NAME = 64
"""Bytes, at most: RFC 5280 counts characters (appendix A.1), I{cryptography} bytes."""

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
"""A DNS name, or a wildcard, in lower case."""


@frozen
class Template:
    """
    What a certificate is to be like.

    @ivar names: DNS names.
    @ivar addresses: IP addresses.
    @ivar subject: the common name.
    @ivar begin: from when on it is valid, in seconds since the beginning of 1970.
    @ivar end: until when.
    @ivar trusted: by the root that clients trust; else by the one that nobody does.
    """

    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    subject: str = ""
    begin: int = 0
    end: int = 0
    trusted: bool = True

    def encode(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "names": list(self.names),
            "addresses": list(self.addresses),
            "subject": self.subject,
            "begin": self.begin,
            "end": self.end,
            "trusted": self.trusted,
        }

    @classmethod
    def decode(cls, said: Mapping[str, Any]) -> Template:
        """
        Read what L{encode} has written.

        @raise ValueError: it has not, or it is for something that no certificate is for.
        """
        template = cls(
            tuple(said["names"]),
            tuple(said["addresses"]),
            said["subject"],
            said["begin"],
            said["end"],
            said["trusted"],
        )
        _check(template)
        return template


def _check(template: Template) -> None:
    """@raise ValueError: there is something in it that no certificate has."""
    if len(template.names) + len(template.addresses) > MOST_NAMES:
        raise ValueError(f"more than {MOST_NAMES} names")
    for name in template.names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"no name for a certificate: {json.dumps(name)}")
    for address in template.addresses:
        if not isinstance(address, str):
            raise ValueError("no address")
        ip_address(address)
    if not isinstance(template.subject, str) or len(template.subject.encode()) > COMMON_NAME:
        raise ValueError("no common name")
    if not (isinstance(template.begin, int) and isinstance(template.end, int)):
        raise ValueError("no dates")
    if not isinstance(template.trusted, bool):
        raise ValueError("no root")


def like(certificate: Certificate, now: float) -> Template:
    """A template after a server's certificate, so that a client sees its true names and dates."""
    names = [name for name in certificate.names if NAME.fullmatch(name)][:MOST_NAMES]
    addresses = certificate.addresses[: MOST_NAMES - len(names)]
    # Without any of its names left, many would take the common name for one (RFC 6125, 6.4.4).
    nameless = certificate.names and not names and not addresses
    subject = "" if nameless else _common_name(certificate)
    template = Template(tuple(names), addresses, subject)
    begin, end = certificate.not_before, certificate.not_after
    if begin is None or end is None:
        return _current(template, now)
    return _dated(template, begin, end, datetime.fromtimestamp(now, UTC))


def _dated(template: Template, begin: datetime, end: datetime, now: datetime) -> Template:
    """With these dates; if they hold now, cut to what all clients accept."""
    if begin <= now <= end and end - begin > LONGEST:
        begin = max(begin, _midnight(now) - LONGEST / 2)
        end = min(end, begin + LONGEST)
    return evolve(template, begin=int(begin.timestamp()), end=int(end.timestamp()))


def for_name(name: str, now: float) -> Template:
    """A template for a page of our own: there is no server, or none that may be shown."""
    try:
        template = Template(addresses=(str(ip_address(name)),))
    except ValueError:
        template = Template(names=(name,), subject=name if len(name) <= COMMON_NAME else "")
    return _current(template, now)


def _current(template: Template, now: float) -> Template:
    """Valid for some days around now, the same for all of a day."""
    midnight = _midnight(datetime.fromtimestamp(now, UTC))
    begin, end = midnight - timedelta(days=7), midnight + timedelta(days=30)
    return evolve(template, begin=int(begin.timestamp()), end=int(end.timestamp()))


def _midnight(when: datetime) -> datetime:
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def _common_name(certificate: Certificate) -> str:
    """The subject's common name, if it can be somebody's; it is for people to read only."""
    loaded = load(certificate.der)
    if loaded is None:
        return ""
    try:
        found = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return ""
    texts = [each.value for each in found if isinstance(each.value, str)]
    text = texts[0] if texts else ""
    return text if len(text.encode()) <= COMMON_NAME and text.isprintable() else ""


def general_names(template: Template) -> Iterable[x509.GeneralName]:
    """What its subjectAltName holds."""
    yield from (x509.DNSName(name) for name in template.names)
    yield from (x509.IPAddress(ip_address(each)) for each in template.addresses)
