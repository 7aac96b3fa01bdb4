"""Lists of domains and URLs from files."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.policy.files import NamedFile
from protocols.http.policy.lists import UrlList, read_list
from protocols.http.policy.url import Url
from tests.protocols.http.policy.case import PolicyCase, asks

EVERY_FORMAT = b"""\
# A comment
! Another kind
127.0.0.1 localhost localhost.localdomain
::1 ip6-localhost ip6-loopback
0.0.0.0 0.0.0.0
0.0.0.0 one.example two.example # trailing
domain.example
.Dotted.Example.
*.below.example
192.0.2.66
http://urls.example/evil.exe
https://secure.example/x
http://urls.example:8080/port
http://urls.example/q?a=1
folder.example/ads/
http://whole.example/
user.example/%7Ejoe/../jim\r
"""

LISTED = (
    ("one.example", 80, "/", ""),
    ("two.example", 80, "/any", "x"),
    ("domain.example", 80, "/", ""),
    ("a.b.domain.example", 8080, "/", ""),
    ("dotted.example", 80, "/", ""),
    ("a.below.example", 80, "/", ""),
    ("192.0.2.66", 80, "/", ""),
    ("urls.example", 80, "/evil.exe", ""),
    ("urls.example", 80, "/evil.exe", "any=query"),
    ("secure.example", 443, "/x", ""),
    ("urls.example", 8080, "/port", ""),
    ("urls.example", 80, "/q", "a=1"),
    ("folder.example", 80, "/ads/", ""),
    ("folder.example", 80, "/ads/a/b/c", "d"),
    ("whole.example", 80, "/", ""),
    ("whole.example", 80, "/a/b", ""),
    ("user.example", 80, "/jim", ""),
)

NOT_LISTED = (
    ("localhost", 80, "/", ""),
    ("sub.one.example", 80, "/", ""),
    ("adomain.example", 80, "/", ""),
    ("example", 80, "/", ""),
    ("below.example", 80, "/", ""),
    ("192.0.2.6", 80, "/", ""),
    ("urls.example", 80, "/", ""),
    ("urls.example", 80, "/evil.exe/more", ""),
    ("urls.example", 80, "/port", ""),
    ("urls.example", 80, "/q", "a=2"),
    ("urls.example", 80, "/q", ""),
    ("folder.example", 80, "/ads", ""),
    ("folder.example", 80, "/", ""),
    ("a.folder.example", 80, "/ads/", ""),
    ("domain.example\nurls.example", 80, "/", ""),
)

WRONG = {
    b"||example.com^": "Adblock Plus",
    b"@@||example.com": "Adblock Plus",
    b"address=/example.com/": "dnsmasq",
    b"example.com CNAME .": "response policy zone",
    b"<!DOCTYPE html>": "HTML",
    b"not_ip example.com": "not_ip",
    b"exa$mple.com": "not the name",
    b"stra\xc3\x9fe.de": "xn--",
    b"\xff\xfe": "not UTF-8",
    b"a..b": "not the name",
    b"http:///path": "not the name",
}


def made(content: bytes) -> tuple[UrlList, list[str]]:
    file = NamedFile("list.txt", "http.request.lists", content)
    return read_list(file), [str(problem) for problem in file.told()]


LABELS = st.sampled_from(["a", "b", "c", "example"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


class UrlListTests(SynchronousTestCase):
    """A public list can be used as it is."""

    def test_formats(self) -> None:
        """Everything that is meant by a line is found, and nothing else."""
        found, said = made(EVERY_FORMAT)
        self.assertEqual(said, [])
        for asked in LISTED:
            self.assertIsNotNone(found.find(Url(*asked)), asked)
        for asked in NOT_LISTED:
            self.assertIsNone(found.find(Url(*asked)), asked)

    @given(st.lists(DOMAINS, max_size=20), st.lists(DOMAINS, max_size=20), DOMAINS)
    @settings(max_examples=200, deadline=None)
    def test_model(self, domains: list[str], hosts: list[str], asked: str) -> None:
        """A list of domains and a hosts file mean what a slow reader would say."""
        lines = [*domains, *(f"0.0.0.0 {host}" for host in hosts)]
        found, said = made("\n".join(lines).encode())
        self.assertEqual(said, [])
        below = any(f".{asked}".endswith(f".{domain}") for domain in domains)
        on_list = found.find(Url(asked, 80, "/")) is not None
        self.assertEqual(on_list, below or asked in hosts)

    def test_wrong(self) -> None:
        """A line that is something else is said with its place; other formats by their name."""
        for line, said in WRONG.items():
            found = made(b"good.example\n " + line)[1]
            self.assertEqual(len(found), 1, line)
            self.assertTrue(found[0].startswith("list.txt:2:2: "), found)
            self.assertIn(said, found[0])

    def test_deep_paths(self) -> None:
        """A path of many folders is not looked up more often than the list is deep."""
        found, _ = made(b"example.com/a/")
        candidates = list(found._candidates(Url("x", 80, "/b" * 4000)))
        self.assertLess(len(candidates), 10)

    def test_entry(self) -> None:
        """The entry says why."""
        found, _ = made(EVERY_FORMAT)
        self.assertEqual(found.find(Url("x.domain.example", 80, "/")), "domain.example")


class ListSettingTests(PolicyCase):
    """Lists in the policy."""

    text = '[[http.request]]\nlists = ["a.txt", "b.txt"]\nreason = ""'

    def test_refused(self) -> None:
        """What is on a list is refused, and the record says by which entry."""
        decisions = self.decisions(self.text, {"a.txt": "a.example", "b.txt": "b.example"})
        self.assertTrue(self.passes(decisions, asks()))
        refused = self.refused(self.decide(decisions, asks(host="x.b.example")))
        self.assertEqual(
            refused.reason,
            'services/web.toml:3:1: x.b.example is in b.txt as "b.example"',
        )

    def test_wrong(self) -> None:
        """What is wrong in a list is said with its own place."""
        said = self.problems(self.text, {"a.txt": "fine.example\n!x\nnot/ok$?\n???", "b.txt": ""})
        self.assertEqual(len(said), 1)
        self.assertTrue(said[0].startswith("a.txt:4:1: http.request.lists: "), said)
