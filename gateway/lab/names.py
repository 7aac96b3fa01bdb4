"""DNS, as much of it as the laboratory needs: one name, which is who the server sees."""

from __future__ import annotations

from typing import cast

from dns.message import QueryMessage, from_wire, make_query, make_response
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from dns.rrset import from_text

from gateway.interfaces import Address

WHO = "who.example.com."
"""Has a TXT record."""


def query(name: str) -> bytes:
    """Whether there is such a name, and what it says."""
    return make_query(name, RdataType.TXT, use_edns=0).to_wire()


def answer(asked: bytes, peer: Address) -> bytes:
    """What the server says."""
    query = cast(QueryMessage, from_wire(asked))
    said = make_response(query)
    if str(query.question[0].name) == WHO:
        said.answer.append(from_text(WHO, 60, "IN", "TXT", f'"you are {peer}: a name"'))
    else:
        said.set_rcode(Rcode.NXDOMAIN)
    return said.to_wire()


def heard(answered: bytes) -> str:
    """An answer, for people."""
    said = from_wire(answered)
    texts = [str(record).strip('"') for found in said.answer for record in found]
    return "\n".join(texts) or Rcode.to_text(said.rcode())
