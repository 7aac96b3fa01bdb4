"""The settings of the inspector of DNS."""

from __future__ import annotations

from typing import Literal

from attrs import Factory, frozen

from gateway.inspector import Addresses, option
from protocols.dns.edns import read_options
from protocols.dns.kinds import EVERY, Choice, read_classes, read_kinds, read_opcodes
from protocols.dns.private import PRIVATE
from protocols.dns.rule import Rule
from protocols.hosts import Hosts, read_hosts

OPTIONS = (
    *("nsid", "dau", "dhu", "n3u", "expire", "cookie", "tcp-keepalive", "padding", "chain"),
    *("key-tag", "extended-error", "zone-version"),
)

# RFC 6761, 6762 with its appendix G, 8375, and what ICANN has set aside in 2024.
NOT_PUBLIC = (
    *(".localhost", ".local", ".test", ".home.arpa", ".internal", ".intranet", ".private"),
    *(".corp", ".home", ".lan"),
)


REFUSED_TYPES = (
    *("AXFR", "IXFR", "MAILA", "MAILB"),
    *("A6", "AMTRELAY", "APL", "IPSECKEY", "L32", "L64", "WKS"),
)


@frozen
class Edns:
    """The table C{[dns.edns]}: what messages say beyond their headers (RFC 6891)."""

    options: Choice = option(
        "Options that pass, by name or number, in both directions; all others are taken out. Not "
        'among the default ones: "client-subnet", which tells far servers where a client is (RFC '
        '7871, section 11), and "report-channel".',
        read_options(frozenset(OPTIONS)),
        read=read_options,
    )
    udp_bytes: int = option(
        "The longest answer by UDP that a client is said to take, if it says more. Longer ones "
        "come by TCP then, and no fragments.",
        1232,
        unit="bytes",
        minimum=512,
        maximum=65535,
        precedent="DNS flag day 2020; BIND, unbound, Knot, dig",
    )


@frozen
class Rebinding:
    """
    The table C{[dns.rebinding]}: a public name with a private address lets a web page anywhere
    speak to what is here.
    """

    action: Literal["refused", "nxdomain", "remove", "pass"] = option(
        "What is done with private addresses for public names, in A and AAAA records, and in the "
        'hints of HTTPS and SVCB records: the answer becomes "refused" or "nxdomain", the records '
        'are taken out ("remove"), or they "pass".',
        "refused",
        precedent="dnsmasq's stop-dns-rebind, unbound's private-address: off; OPNsense: on",
    )
    names: Hosts = option(
        "Names that may have private addresses, as [[dns.rule]] names them.",
        read_hosts(NOT_PUBLIC),
        read=read_hosts,
    )
    addresses: Addresses = option(
        "Zones and networks that count as private, also where they are embedded in IPv6 addresses "
        "(mapped, NAT64, 6to4, Teredo, ISATAP). By default: private, shared, link-local, loopback, "
        "benchmark, multicast and reserved ones.",
        PRIVATE,
        names_zones=True,
    )


@frozen
class Tunnel:
    """The table C{[dns.tunnel]}: names that carry data rather than mean something."""

    entropy: float = option(
        "A query is refused if its labels below the zone, taken together, have more bits of "
        "entropy for each letter than this. Names of people's making have less than 3.5; base32 "
        "has up to 5, hexadecimal up to 4. 0: not looked at.",
        0.0,
        unit="bits",
        minimum=0,
        maximum=8,
    )
    entropy_letters: int = option(
        "So many letters they have to be, as short ones say nothing.",
        24,
        unit="letters",
        minimum=4,
        maximum=250,
    )
    rate: int = option(
        "So many times a client may ask for names below one zone, within `rate_seconds`. More is "
        "refused. 0: any number.",
        0,
        unit="queries",
        minimum=0,
    )
    rate_seconds: float = option("See there.", 60.0, unit="seconds", minimum=1)
    zone_labels: int = option(
        'A zone is so many labels of a name, from its end: 2 is "example.org", but also "co.uk".',
        2,
        unit="labels",
        minimum=1,
        maximum=10,
    )
    zones: int = option(
        "Zones of clients that are remembered; the oldest is forgotten first.",
        10000,
        unit="zones",
        minimum=100,
    )
    except_: Hosts = option(
        "Names that are not looked at, such as those of a block list's or a virus scanner's own "
        "look-ups.",
        Hosts(),
        read=read_hosts,
    )


@frozen
class DnsSettings:
    """The table C{[dns]} of a service."""

    action: Literal["allow", "nxdomain", "nodata", "refused"] = option(
        "What is done with queries that no [[dns.rule]] is about.", "allow"
    )
    rule: tuple[Rule, ...] = option(
        "Which queries are treated otherwise. The first that is about a query decides; names that "
        "an answer leads to are judged as well.",
        (),
    )
    types: Choice = option(
        'Types that may be asked for; "*" is all. A and AAAA are answered "nodata" where they may '
        'not be, all others "refused".',
        read_kinds(frozenset({EVERY})),
        read=read_kinds,
    )
    refused_types: Choice = option(
        "Types that may not be, whatever `types` says, unless a rule allows them by name: zone "
        "transfers, and addresses that [dns.rebinding] does not look at.",
        read_kinds(frozenset(REFUSED_TYPES)),
        read=read_kinds,
        precedent="RFC 5936, section 5; BIND's allow-transfer since 9.20",
    )
    classes: Choice = option(
        "Classes that may be asked for.", read_classes(frozenset({"IN"})), read=read_classes
    )
    opcodes: Choice = option(
        'Operations that clients may ask for: "QUERY", "NOTIFY", "UPDATE", "STATUS".',
        read_opcodes(frozenset({"QUERY"})),
        read=read_opcodes,
    )
    unknown_types: bool = option(
        "Whether records of types that nobody here knows pass (RFC 3597), as bytes that are not "
        "looked at.",
        False,
    )
    signed: Literal["pass", "refuse"] = option(
        "What is done with messages that are signed as a whole (TSIG, SIG(0)), as zone transfers "
        "and updates are: they pass, byte by byte as they came, if nothing has to be taken out of "
        "them; or not at all.",
        "pass",
    )
    exact_case: bool = option(
        "Whether an answer must have the question's name letter by letter, in capitals or not "
        "(0x20): one more thing that a forger has to guess.",
        True,
        precedent="unbound's use-caps-for-id, Knot: on",
    )
    ech: Literal["pass", "remove"] = option(
        'With "remove", HTTPS and SVCB records lose the keys for encrypted ClientHellos (ECH): '
        "what the operator inspects by its name has to show it.",
        "pass",
    )
    chain: int = option(
        "Names that an answer may lead to, one after the other (CNAME, DNAME).",
        16,
        unit="names",
        minimum=0,
        precedent="BIND: 11, unbound: 11, Google: 16",
    )
    edns: Edns = option("What messages say beyond their headers.", Factory(Edns))
    rebinding: Rebinding = option("Private addresses for public names.", Factory(Rebinding))
    tunnel: Tunnel = option("Signs of tunnels.", Factory(Tunnel))
    extended_errors: bool = option(
        "Whether answers of the gateway's own say that the name is blocked (RFC 8914, code 15), to "
        "clients that have EDNS.",
        True,
    )
    negative_ttl: int = option(
        "For so long clients may remember an answer of the gateway's own that there is nothing: "
        '"nxdomain", "nodata". It has an SOA record then, of nobody\'s. 0: they may not.',
        60,
        unit="seconds",
        minimum=0,
        maximum=86400,
        precedent="AdGuard Home: 10; RFC 2308, section 5",
    )
    pending: int = option(
        "Queries of one connection, or port of a client, that wait for their answers. More wait "
        "unread (TCP), or the oldest is forgotten (UDP).",
        256,
        unit="queries",
        minimum=1,
        precedent="dnsmasq's dns-forward-max for all clients together: 150; BIND's for each: 100",
    )
    answer_seconds: float = option(
        "An answer is waited for so long.",
        10.0,
        unit="seconds",
        minimum=1,
        precedent="BIND's resolver-query-timeout: 10; resolv.conf's timeout: 5",
    )
    rest_seconds: float = option(
        "A client's UDP port is let go of when everything was answered, and nothing was asked for "
        "so long. 0: at once.",
        1.0,
        unit="seconds",
        minimum=0,
        precedent="the kernel's connection tracking: 30, as it does not know what is answered",
    )
    again: int = option(
        "By TCP, a server that ends or breaks off a connection is asked again what it has not "
        "answered, on a new one; so many times without any answer in between.",
        2,
        unit="times",
        minimum=0,
        precedent="RFC 7766, section 6.2.4, says so of clients; dnsmasq closes after 100 queries",
    )
    query_bytes: int = option(
        "The longest query.",
        4096,
        unit="bytes",
        minimum=512,
        maximum=65535,
        precedent="unbound's and Knot's buffers for UDP",
    )
    answer_bytes: int = option(
        "The longest answer.",
        65535,
        unit="bytes",
        minimum=512,
        maximum=65535,
        precedent="DNS's own",
    )
    records: int = option(
        "The most records in a message.",
        512,
        unit="records",
        minimum=16,
        precedent="BIND's max-records-per-type: 100, of each type",
    )
    transfer_records: int = option(
        "The most records in a message of a zone transfer.",
        4096,
        unit="records",
        minimum=16,
        precedent="64 KiB have some 3,000",
    )
    recorded_answers: int = option(
        "So many records of an answer stand in its audit record.",
        16,
        unit="records",
        minimum=0,
    )
