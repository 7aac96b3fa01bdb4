"""Paths and addresses: what is one, and that it is written as what it was."""

from __future__ import annotations

import re
from email.headerregistry import Address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.smtp.grammar.address import (
    NULL,
    AddressError,
    Mailbox,
    Path,
    parse_mailbox,
    parse_path,
    written_local,
)

atoms = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=8)
dotted = st.lists(atoms, min_size=1, max_size=4).map(".".join)
anything = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)


class AddressTests(SynchronousTestCase):
    """RFC 5321, section 4.1.2."""

    def test_paths(self) -> None:
        """All the forms that a path may have."""
        for text, path in (
            ("<>", Path(NULL)),
            ("<a@b>", Path(Mailbox("a", "b"))),
            ("<A.b@B.example>", Path(Mailbox("A.b", "B.example"))),
            ('<"a b\\"@c"@d>', Path(Mailbox('a b"@c', "d"))),
            ('<"a"@d>', Path(Mailbox("a", "d"))),
            ("<a@[192.0.2.1]>", Path(Mailbox("a", "[192.0.2.1]"))),
            ("<a@[IPv6:2001:db8::1]>", Path(Mailbox("a", "[IPv6:2001:db8::1]"))),
            ("<@x.example,@y:a@b>", Path(Mailbox("a", "b"), ("x.example", "y"))),
            ("<poStmaster>", Path(Mailbox("poStmaster"))),
            ("<\u00fc@\u00fc.example>", Path(Mailbox("\u00fc", "\u00fc.example"))),
        ):
            self.assertEqual(parse_path(text), (path, ""), text)

    def test_lenient(self) -> None:
        """What mail servers take too is written as the standard has it (setting 'addresses')."""
        for text, written in (
            ("<a..b@c>", '<"a..b"@c>'),
            ("<a.@c>", '<"a."@c>'),
            ("<.a@c>", '<".a"@c>'),
            ("<a@b_c.example>", "<a@b_c.example>"),
            ("<a@-b-.c>", "<a@-b-.c>"),
            ("<a@b.example.>", "<a@b.example>"),
            ("a@b", "<a@b>"),
            ("<root>", "<root>"),
            ("root", "<root>"),
            (f"<{'a' * 200}@b>", f"<{'a' * 200}@b>"),
            ("<@x:a..b@c>", '<"a..b"@c>'),
        ):
            self.assertRaises(AddressError, parse_path, text)
            path, rest = parse_path(text, lenient=True)
            self.assertEqual((str(path), rest), (written, ""))
            if "@" in written and len(written) < 100 and "_" not in written and "-" not in written:
                self.assertEqual(parse_path(written), (Path(path.mailbox), ""))

    def test_lenient_is_no_free_for_all(self) -> None:
        """What may be read in two ways is refused, and so is what nobody has ever seen."""
        for text in (
            *("", "<", "<a@b", "<a b@c>", "<a@b@c>", "<a@>", "<@b>", "<a@b..c>", "<a@b...>"),
            *(
                "a@b>",
                "<a@b,c@d>",
                "<a(x)@b>",
                "<a@[1.2.3]>",
                '<"a"b@c>',
                "<a\0@b>",
                "a b",
                "<a,b@c>",
            ),
            *(f"<{'a' * 257}@b>", f"<a@{'b' * 64}>", f"<{'a' * 200}@{'b.' * 126}b.{'c.' * 60}c>"),
        ):
            with self.assertRaises(AddressError, msg=text):
                path, rest = parse_path(text, lenient=True)
                if rest[:1] not in ("", " ") or (rest and path):
                    raise AddressError

    def test_no_paths(self) -> None:
        """What is none is refused, as much as it may look like one."""
        for text in (
            *("", "a@b", "<a@b", "<a>", "<@b>", "<a@>", "<.a@b>", "<a.@b>", "<a..b@c>", "<a b@c>"),
            *("<a@b c>", "<a@b@c>", '<""@b>', '<"a@b>', '<"a"b@c>', "<a@-b>", "<a@b->", "<a@b.>"),
            *("<a@.b>", "<a@b..c>", "<a@[1.2.3]>", "<a@[1.2.3.4>", "<a@[IPv6:fe80::1%eth0]>"),
            *("<a@[x:y]>", "<a@b_c>", "<@a>", "<@a:>", "<a\0@b>", "<a@b\r\n>", "<a\u0085@b>"),
            *(f"<{'a' * 65}@b>", f"<a@{'b' * 64}>", f"<a@{'b.' * 128}b>", "<\u00fc\ud800@b>"),
            *(f"<{chr(252) * 33}@b>", "<<a@b>>", "<a@b,c@d>", '<"a\n"@b>', "<a(x)@b>"),
        ):
            with self.assertRaises(AddressError, msg=repr(text)):
                path, rest = parse_path(text)
                if rest:
                    raise AddressError(rest)
                self.fail(f"{text!r}: {path}")

    def test_longest(self) -> None:
        """A path has 256 characters at most, with its brackets."""
        domain = ".".join(["d" * 47] * 4)
        self.assertEqual(len(f"<{'a' * 62}@{domain}>"), 256)
        parse_path(f"<{'a' * 62}@{domain}>")
        self.assertRaises(AddressError, parse_path, f"<{'a' * 63}@{domain}>")

    def test_route_is_left_out(self) -> None:
        """A source route is understood, and not written again (appendix C)."""
        self.assertEqual(str(parse_path("<@x,@y:a@b>")[0]), "<a@b>")

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(dotted, anything), domains)
    def test_independent(self, local: str, domain: str) -> None:
        """The standard library reads the same address out of what we write."""
        text = f"{written_local(local)}@{domain}"
        theirs = Address(addr_spec=text)
        ours = parse_mailbox(text)
        self.assertEqual((ours.local, ours.domain), (local, domain))
        self.assertEqual((theirs.username, theirs.domain), (local, domain))

    @settings(max_examples=500, deadline=None)
    @given(st.text('ab.@"\\ <>[]:,1(\u00fc', max_size=12))
    def test_round_trip(self, text: str) -> None:
        """What is written is read again as the same, and has nothing that ends it early."""
        try:
            path, _ = parse_path(f"<{text}>")
        except AddressError:
            return
        self.assertEqual(parse_path(str(path)), (Path(path.mailbox), ""))
        self.assertFalse(re.search(r"[\x00-\x1f\x7f]", str(path)))

    @settings(max_examples=500, deadline=None)
    @given(st.text("ab.@-1", min_size=1, max_size=10))
    def test_not_more_than_the_library(self, text: str) -> None:
        """No simple address is read here that the standard library refuses."""
        try:
            ours = parse_path(f"<{text}>")[0].mailbox
        except AddressError:
            return
        if ours.null or not ours.domain:
            return
        theirs = Address(addr_spec=text)
        self.assertEqual((theirs.username, theirs.domain), (ours.local, ours.domain))
