"""What DNS clients and servers say, written by dnspython."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset

from gateway.interfaces import CLIENT, SERVER
from gateway.testing import FakeDatagrams
from protocols.dns.datagrams import DnsDatagrams
from protocols.dns.rule import Rule
from protocols.dns.settings import DnsSettings

NAME = "www.example.org."


def query(name: str = NAME, kind: str = "A", **more: Any) -> dns.message.QueryMessage:
    """A query, with EDNS unless C{use_edns} is C{None}."""
    more.setdefault("use_edns", 0)
    more.setdefault("payload", 1232)
    more.setdefault("id", 4711)
    if more["use_edns"] is None:
        del more["payload"]
        more["use_edns"] = -1
    return dns.message.make_query(name, kind, **more)


def answer(
    asked: dns.message.Message,
    *records: str,
    rcode: int = 0,
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
    flags: int = dns.flags.RA,
) -> dns.message.Message:
    """The answer to it: each record as C{"name ttl class type data"}."""
    said = dns.message.make_response(asked, our_payload=1232)
    said.flags |= flags
    said.set_rcode(dns.rcode.Rcode.make(rcode))
    for texts, section in (
        (records, said.answer),
        (authority, said.authority),
        (additional, said.additional),
    ):
        for text in texts:
            name, ttl, class_, kind, data = text.split(None, 4)
            section.append(dns.rrset.from_text(name, int(ttl), class_, kind, data))
    return said


def wire(message: dns.message.Message) -> bytes:
    """As it is sent, however long it is."""
    return message.to_wire(max_size=65535)


def session(*rules: Rule, **settings: Any) -> FakeDatagrams:
    """A session by UDP with these rules and settings."""
    return FakeDatagrams(
        DnsDatagrams,
        DnsSettings(rule=rules, **settings),
        server=_DNS,
    )


_DNS = FakeDatagrams(DnsDatagrams).server._replace(port=53)


def exchanged(asked: dns.message.Message, *answers: bytes, **settings: Any) -> FakeDatagrams:
    """A session in which this was asked, and answered like this."""
    rules = settings.pop("rules", ())
    return session(*rules, **settings).says(CLIENT, wire(asked)).says(SERVER, *answers)


def heard(of: FakeDatagrams, at: int = -1) -> dns.message.Message:
    """What the client got, as dnspython reads it."""
    return dns.message.from_wire(of.datagrams[CLIENT][at])


def told(of: FakeDatagrams) -> list[tuple[str, str]]:
    """Verdicts and what denied, of all records."""
    return [(each["verdict"], each.get("denied_by", "")) for each in of.records_of("dns")]
