"""Which names are answered, and how: rules, lists, types, and what looks like a tunnel."""

from __future__ import annotations

import base64
from typing import Any

import dns.rcode
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from protocols.dns.kinds import read_kinds
from protocols.dns.rule import Rule, read_addresses
from protocols.dns.settings import Tunnel
from protocols.hostlist import read_host_list
from protocols.hosts import read_hosts
from tests.protocols.dns.speak import NAME, answer, exchanged, heard, query, session, told, wire


class File:
    """A file of the operator's."""

    name = "blocked.txt"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def complain(self, message: str, line: int, column: int) -> None:
        raise AssertionError(message)


def rule(*names: str, **more: Any) -> Rule:
    """A rule for names, written in a file."""
    if names:
        more["name"] = read_hosts(names)
    if "type" in more:
        more["type"] = read_kinds(frozenset(more["type"]))
    return Rule(place="services/dns.toml:7:1", **more)


class RuleTests(SynchronousTestCase):
    """The first rule that is about a query decides."""

    def rcode(self, *rules: Rule, asked: str = NAME, kind: str = "A", **more: Any) -> str:
        done = session(*rules, **more).says(CLIENT, wire(query(asked, kind)))
        if done.datagrams[SERVER]:
            return "asked"
        return dns.rcode.to_text(heard(done).rcode())

    def test_names(self) -> None:
        """By name, by domain, by a regular expression; capitals don't matter."""
        for name in ("www.example.org", ".example.org", "~w+[.]example[.]org"):
            self.assertEqual(self.rcode(rule(name)), "NXDOMAIN")
            self.assertEqual(self.rcode(rule(name), asked="WWW.EXAMPLE.ORG."), "NXDOMAIN")
            self.assertEqual(self.rcode(rule(name), asked="www.example.net."), "asked")

    def test_escaped(self) -> None:
        """A label with a dot in it is not taken for two."""
        self.assertEqual(self.rcode(rule(".example.org"), asked="www\\.example.org."), "asked")

    def test_lists(self) -> None:
        """The files that HTTP's tests have: domains, hosts files; URLs mean nothing."""
        content = b"ads.example\n0.0.0.0 one.example\n*.below.example\nhttp://www.example.org/x\n"
        listed = rule(lists=(read_host_list(File(content)),))
        for name in ("ads.example.", "a.ads.example.", "one.example.", "a.below.example."):
            self.assertEqual(self.rcode(listed, asked=name), "NXDOMAIN")
        for name in ("a.one.example.", "below.example.", NAME):
            self.assertEqual(self.rcode(listed, asked=name), "asked")
        done = session(listed).says(CLIENT, wire(query("a.ads.example.")))
        (record,) = done.records_of("dns")
        self.assertIn('a.ads.example is in blocked.txt as "ads.example"', record["reason"])
        self.assertEqual(record["denied_by"], "services/dns.toml:7")
        self.assertEqual(record["answer"], "nxdomain")

    def test_answers(self) -> None:
        """There is none, there is nothing of this type, refused."""
        for action, wanted in (("nxdomain", "NXDOMAIN"), ("nodata", "NOERROR")):
            self.assertEqual(self.rcode(rule(NAME, action=action)), wanted)
        self.assertEqual(self.rcode(rule(NAME, action="refused")), "REFUSED")

    def test_remembered(self) -> None:
        """That there is nothing may be remembered (RFC 2308), unless that is not wanted."""
        for action in ("nxdomain", "nodata"):
            blocked = rule(NAME, action=action)
            (soa,) = heard(session(blocked).says(CLIENT, wire(query()))).authority
            self.assertEqual((soa.name.to_text(), soa.ttl, soa[0].minimum), (NAME, 60, 60))
            never = session(blocked, negative_ttl=0).says(CLIENT, wire(query()))
            self.assertEqual(heard(never).authority, [])
        refused = session(rule(NAME, action="refused")).says(CLIENT, wire(query()))
        self.assertEqual(heard(refused).authority, [])

    def test_address(self) -> None:
        """A page of the operator's, for both families; nothing for other types."""
        packed = read_addresses(("10.1.0.1", "fd00:1::1"))
        page = rule(NAME, action="address", addresses=packed, ttl=30)
        for kind, wanted in (("A", "10.1.0.1"), ("AAAA", "fd00:1::1")):
            (found,) = heard(session(page).says(CLIENT, wire(query(kind=kind)))).answer
            self.assertEqual((str(found[0]), found.ttl, found.name.to_text()), (wanted, 30, NAME))
        other = heard(session(page).says(CLIENT, wire(query(kind="MX"))))
        self.assertEqual((other.rcode(), other.answer), (dns.rcode.NOERROR, []))

    def test_order(self) -> None:
        """An exception stands before the rule."""
        rules = rule(NAME, action="allow"), rule(".example.org")
        self.assertEqual(self.rcode(*rules), "asked")
        self.assertEqual(self.rcode(*reversed(rules)), "NXDOMAIN")

    def test_counted(self) -> None:
        """A rule that lets something pass is counted, too."""
        allowed = session(rule(NAME, action="allow")).says(CLIENT, wire(query()))
        self.assertEqual(allowed.hits, ["services/dns.toml:7"])

    def test_only_listed(self) -> None:
        """With action = "refused", only what a rule allows is asked."""
        allowed = rule(".example.org", action="allow")
        self.assertEqual(self.rcode(allowed, action="refused"), "asked")
        self.assertEqual(self.rcode(allowed, asked="example.net.", action="refused"), "REFUSED")

    def test_types(self) -> None:
        """By type; a type that is refused passes by a rule only that names it."""
        self.assertEqual(self.rcode(rule(type=["HTTPS"], action="nodata"), kind="HTTPS"), "NOERROR")
        self.assertEqual(self.rcode(rule(type=["HTTPS"], action="nodata")), "asked")
        only = {"types": read_kinds(frozenset({"A", "AAAA"}))}
        self.assertEqual(self.rcode(kind="TXT", **only), "REFUSED")
        self.assertEqual(self.rcode(rule(NAME, action="allow"), kind="TXT", **only), "REFUSED")
        named = rule(NAME, action="allow", type=["TXT"])
        self.assertEqual(self.rcode(named, kind="TXT", **only), "asked")
        self.assertEqual(self.rcode(rule(NAME, action="allow"), kind="AXFR"), "REFUSED")

    def test_contradiction(self) -> None:
        """Keys that mean nothing together are errors."""
        for wrong in ({"action": "address"}, {"addresses": (b"1234",)}, {"chain": False}):
            with self.assertRaises(ValueError):
                Rule(**wrong)  # type: ignore[arg-type]
        for read, text in ((read_kinds, "WRONG"), (read_kinds, "TYPE99999")):
            with self.assertRaises(ValueError):
                read(frozenset({text}))


class ChainTests(SynchronousTestCase):
    """Names that an answer leads to are judged as those that are asked for."""

    CHAIN = (
        f"{NAME} 300 IN CNAME a.example.net.",
        "a.example.net. 300 IN CNAME b.tracker.example.",
        "b.tracker.example. 300 IN A 198.51.100.7",
    )

    def test_blocked(self) -> None:
        """A tracker that hides behind a name of the site."""
        done = exchanged(QUERY, wire(answer(QUERY, *self.CHAIN)), rules=(rule(".tracker.example"),))
        self.assertEqual(heard(done).rcode(), dns.rcode.NXDOMAIN)
        self.assertEqual(heard(done).answer, [])
        self.assertEqual(told(done), [("denied", "services/dns.toml:7")])

    def test_allowed(self) -> None:
        """Unless the operator has allowed the name with all that it leads to."""
        trusting = rule(NAME, action="allow", chain=False)
        rules = (trusting, rule(".tracker.example"))
        done = exchanged(QUERY, wire(answer(QUERY, *self.CHAIN)), rules=rules)
        self.assertEqual(len(heard(done).answer), 3)

    def test_domain(self) -> None:
        """A DNAME leads there as well, whatever CNAME stands beside it."""
        said = answer(
            QUERY,
            "example.org. 300 IN DNAME tracker.example.",
            f"{NAME} 300 IN CNAME harmless.example.net.",
            "www.tracker.example. 300 IN A 198.51.100.7",
        )
        done = exchanged(QUERY, wire(said), rules=(rule(".tracker.example"),))
        self.assertEqual(heard(done).rcode(), dns.rcode.NXDOMAIN)
        done = exchanged(QUERY, wire(said))
        self.assertEqual([each.rdtype for each in heard(done).answer], [39, 1])

    def test_circle(self) -> None:
        """A chain without an end is no answer."""
        said = answer(
            QUERY, f"{NAME} 1 IN CNAME a.example.net.", f"a.example.net. 1 IN CNAME {NAME}"
        )
        done = exchanged(QUERY, wire(said))
        self.assertEqual(heard(done).rcode(), dns.rcode.SERVFAIL)
        self.assertEqual(done.records_of("dns")[0]["reason"], "an answer that leads in a circle")

    def test_too_long(self) -> None:
        """Nor is one of too many names."""
        links = (f"n{n}.example. 1 IN CNAME n{n + 1}.example." for n in range(20))
        asked = query("n0.example.")
        done = exchanged(asked, wire(answer(asked, *links)))
        self.assertEqual(heard(done).rcode(), dns.rcode.SERVFAIL)
        self.assertEqual(told(done), [("denied", "chain")])

    def test_asked_for(self) -> None:
        """Who asks for the CNAME itself gets it."""
        asked = query(kind="CNAME")
        done = exchanged(asked, wire(answer(asked, self.CHAIN[0])))
        self.assertEqual(len(heard(done).answer), 1)


class TunnelTests(SynchronousTestCase):
    """Signs of data in names; off by default."""

    def ask(self, settings: Tunnel, *names: str) -> list[bool]:
        """Which of them are asked."""
        first = session(tunnel=settings)
        found = []
        for name in names:
            one = session(tunnel=settings)
            one.inspector._dialogue._asking._shared = first.shared
            found.append(bool(one.says(CLIENT, wire(query(name))).datagrams[SERVER]))
        return found

    def test_off(self) -> None:
        """By default nobody is suspected."""
        data = base64.b32encode(bytes(range(35))).decode()
        self.assertEqual(self.ask(Tunnel(), f"{data}.t.example."), [True])

    def test_entropy(self) -> None:
        """Data is not like names; short ones say nothing, and some are known to be harmless."""
        data = base64.b32encode(bytes(range(60, 95))).decode().lower()
        names = (f"{data}.t.example.", "w3.t.example.", "communication-department.example.org.")
        self.assertEqual(self.ask(Tunnel(entropy=4.0), *names), [False, True, True])
        known = Tunnel(entropy=4.0, except_=read_hosts((".t.example",)))
        self.assertEqual(self.ask(known, *names), [True, True, True])

    def test_rate(self) -> None:
        """So many of one zone, by one client, in so long."""
        names = [f"{n}.t.example." for n in range(5)]
        self.assertEqual(self.ask(Tunnel(rate=3), *names), [True] * 3 + [False] * 2)
        self.assertEqual(self.ask(Tunnel(rate=3), *names[:3], "other.example.")[-1], True)
        done = session(tunnel=Tunnel(rate=1)).says(CLIENT, wire(query()), wire(query(id=2)))
        self.assertEqual(heard(done).rcode(), dns.rcode.REFUSED)
        self.assertEqual(told(done), [("denied", "tunnel.rate")])

    def test_rate_again(self) -> None:
        """After that time, again."""
        asked = session(tunnel=Tunnel(rate=1), answer_seconds=100.0)
        asked.says(CLIENT, wire(query(id=1)))
        asked.advance(61)
        asked.says(CLIENT, wire(query(id=2)))
        self.assertEqual(len(asked.datagrams[SERVER]), 2)


QUERY = query()
