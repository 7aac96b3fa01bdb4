#!/bin/sh
# Twisted 26.10.0, seen 2026-11-30: twisted.names.client.Resolver.getHostByName() asks for the type ANY, and nothing else. A server that answers ANY as
# briefly as RFC 8482 says (with one HINFO record, or with one of the name's types), as large ones do, has no address for it:
# DNSLookupError, where A and AAAA are there and lookupAddress() finds them.
# Where it matters: docs/dns.md; with "types" without ANY such programs find no names.
# Prints: getHostByName asked for ANY and found nothing; lookupAddress found 192.0.2.7
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install twisted==26.10.0
"$place/venv/bin/python" - <<'PROGRAM'
import sys

from twisted.internet.defer import ensureDeferred, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.task import react
from twisted.names.client import Resolver
from twisted.names.common import ResolverBase
from twisted.names.dns import ALL_RECORDS, QUERY_TYPES, DNSDatagramProtocol, Record_A, Record_HINFO, RRHeader
from twisted.names.server import DNSServerFactory


class Brief(ResolverBase):
    """It has one address, and is brief about ANY."""

    asked = []

    def _lookup(self, name, class_, kind, timeout):
        self.asked.append("ANY" if kind == ALL_RECORDS else QUERY_TYPES[kind])
        record = Record_HINFO(b"RFC8482", b"") if kind == ALL_RECORDS else Record_A("192.0.2.7")
        return succeed(([RRHeader(name, record.TYPE, payload=record, ttl=60)], [], []))


async def look(reactor):
    brief = Brief()
    factory = DNSServerFactory(clients=[brief])
    listening = reactor.listenUDP(0, DNSDatagramProtocol(factory), interface="127.0.0.1")
    resolver = Resolver(servers=[("127.0.0.1", listening.getHost().port)], timeout=(5,))
    try:
        found = await resolver.getHostByName("www.example.org")
    except DNSLookupError:
        found = "nothing"
    print(f"getHostByName asked for {', '.join(brief.asked)} and found {found}")
    answers, _, _ = await resolver.lookupAddress("www.example.org")
    address = answers[0].payload.dottedQuad()
    print(f"lookupAddress found {address}")
    sys.exit((brief.asked, found, address) != (["ANY", "A"], "nothing", "192.0.2.7"))


react(lambda reactor: ensureDeferred(look(reactor)))
PROGRAM
