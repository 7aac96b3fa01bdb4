"""The grammar of IMAP: read, written, read again, and compared with other people's readers."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from imapclient.response_parser import parse_response
from twisted.mail import imap4
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from protocols.imap.access import MailboxRule
from protocols.imap.command import COMMANDS, begun
from protocols.imap.item import Item
from protocols.imap.mailbox import compared, decoded, encoded
from protocols.imap.refusal import Refusal
from protocols.imap.reply import Reply
from protocols.imap.section import cut
from protocols.imap.settings import ImapSettings
from protocols.imap.value import (
    Atom,
    Group,
    Malformed,
    Mark,
    Sentence,
    String,
    Value,
    marked,
    plainer,
    written,
)
from tests.protocols.imap.speak import Talk

EXAMPLES = settings(max_examples=300, deadline=None)

WORDS = st.from_regex(rb"[A-Z][A-Z0-9.-]{0,8}|\\[A-Z][a-z]{0,5}", fullmatch=True)
TEXTS = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"x"))
PRINTED = st.characters(min_codepoint=32, max_codepoint=126)
QUOTABLE = st.text(PRINTED, max_size=12).map(str.encode)
WITHOUT = QUOTABLE.map(lambda text: text.replace(b"\\", b"x"))
"""Twisted's reader knows no backslash in quotes."""


def atoms() -> st.SearchStrategy[Value]:
    return WORDS.filter(lambda word: word != b"NIL").map(Atom)


def strings(quotable: st.SearchStrategy[bytes]) -> st.SearchStrategy[Value]:
    quoted = quotable.map(String)
    return st.one_of(quoted, TEXTS.map(lambda data: String(data, True)))


def values(quotable: st.SearchStrategy[bytes] = QUOTABLE) -> st.SearchStrategy[list[Value]]:
    """What an answer may be made of."""
    leaf = st.one_of(atoms(), strings(quotable))
    nested = st.recursive(leaf, lambda inner: st.lists(inner, max_size=4).map(Group), max_leaves=12)
    return st.lists(nested, min_size=1, max_size=5)


def read(data: bytes, depth: int = 50) -> list[Value]:
    """Read text with literals in it."""
    sentence = Sentence(depth, 100000)
    while True:
        line, _, data = data.partition(b"\r\n")
        text, mark = marked(line)
        sentence.words(text, most=len(text) + 1)
        if mark is None:
            assert not data, data
            return sentence.end()
        literal, data = data[: mark.size], data[mark.size :]
        sentence.literal(literal, mark)


def plainly(value: Value) -> Any:
    """As another reader has it: bytes, and lists of them."""
    if isinstance(value, Group):
        return [plainly(each) for each in value.items]
    return value.text if isinstance(value, Atom) else value.data


def listed(value: Any) -> Any:
    """Tuples as lists, numbers as text."""
    if isinstance(value, tuple | list):
        return [listed(each) for each in value]
    return b"%d" % value if isinstance(value, int) else value


class ValueTests(SynchronousTestCase):
    """Values of all kinds."""

    @EXAMPLES
    @given(values())
    def test_again(self, said: list[Value]) -> None:
        """What is written is read as what it was."""
        self.assertEqual(read(written(said)), said)
        again = [plainly(each) for each in read(written(plainer(said)))]
        self.assertEqual(again, [plainly(each) for each in said])

    @EXAMPLES
    @given(values(WITHOUT))
    def test_twisted(self, said: list[Value]) -> None:
        """Twisted's reader, which takes blanks off the end, be they a literal's, finds the same."""
        theirs = imap4.parseNestedParens(written([*said, Atom(b"END")]))
        self.assertEqual(theirs, [*(plainly(each) for each in said), b"END"])

    @EXAMPLES
    @given(values())
    def test_imapclient(self, said: list[Value]) -> None:
        """So does imapclient's."""
        pieces: list[Any] = []
        data = written(said)
        while data:
            line, _, data = data.partition(b"\r\n")
            _, mark = marked(line)
            if mark is None:
                pieces.append(line)
            else:
                literal, data = data[: mark.size], data[mark.size :]
                pieces.append((line, literal))
        theirs = listed(parse_response(pieces))
        self.assertEqual(theirs, [listed(plainly(each)) for each in said])

    @EXAMPLES
    @given(
        st.one_of(
            st.binary(max_size=40),
            st.text('()[]<>{}"\\ab1.* +~BODY', max_size=40).map(str.encode),
        )
    )
    def test_anything(self, text: bytes) -> None:
        """Whatever comes is none, or is read and written so that it is read as the same."""
        text, _ = marked(text)
        sentence = Sentence(10, 100)
        try:
            sentence.words(text, most=len(text) + 1)
            said = sentence.end()
        except Malformed:
            return
        self.assertEqual(read(written(said)), said)
        self.assertNotIn(b"\n", written(said))

    def test_not_values(self) -> None:
        """What has two ways to be read has none."""
        for text in (
            b'a"b"',
            b'"a"b',
            b"a(b)",
            b"(a)b",
            b'"a\\n"',
            b'"a',
            b"a{1}",
            b"{1} a",
            b"a)",
            b"(a",
            b"\x80",
            b"a\tb",
            b"BODY[\x00]",
            b'"a\x00"',
        ):
            with self.assertRaises(Malformed, msg=repr(text)):
                read(text)

    def test_no_loop(self) -> None:
        """What looks like a section again and again is none the first time."""
        for text in (b"BODY[ " * 100000, b"BODY[(" * 100000, b"BINARY.SIZE[" * 100000):
            with self.assertRaises(Malformed):
                read(text)

    def test_marks(self) -> None:
        """What announces a literal, and what looks like it."""
        self.assertEqual(marked(b"a {5}"), (b"a ", Mark(5)))
        self.assertEqual(marked(b"({5+}"), (b"(", Mark(5, True)))
        self.assertEqual(marked(b"a ~{0}"), (b"a ", Mark(0, False, True)))
        for text in (b"a {5} ", b"a{5}", b"a {-5}", b"a {5", b"a {}", b"a {" + b"1" * 20 + b"}"):
            self.assertEqual(marked(text), (text, None))


class NameTests(SynchronousTestCase):
    """Names of mailboxes."""

    names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)

    @EXAMPLES
    @given(names)
    def test_twisted(self, name: str) -> None:
        """Twisted writes them alike, and what is written is read as what it was."""
        self.assertEqual(encoded(name), name.encode("imap4-utf-7"))
        self.assertEqual(decoded(encoded(name)), name)
        self.assertEqual(decoded(name.encode(), utf8=True), name)

    @EXAMPLES
    @given(st.text("&-,+/ABCab1 \u00e9", max_size=10).map(lambda text: text.encode("latin-1")))
    def test_one_way(self, raw: bytes) -> None:
        """No two ways to write one name."""
        try:
            name = decoded(raw)
        except ValueError:
            return
        self.assertEqual(encoded(name), raw)

    def test_compared(self) -> None:
        """What is the same for a server is the same for a rule."""
        for name, other in (
            ("inbox", "INBOX"),
            ("iNbOx/a", "INBOX/a"),
            ("inbox.a", "INBOX.a"),
            ("inboxes", "inboxes"),
            ("a/", "a"),
            ("e\u0301", "\u00e9"),
            ("/", "/"),
            ("", ""),
        ):
            self.assertEqual(compared(name), other)


class ItemTests(SynchronousTestCase):
    """Items of FETCH."""

    def test_items(self) -> None:
        """They are written as they are meant."""
        for said, asked, answered in (
            (b"body.peek[]", b"BODY.PEEK[]", b"BODY[]"),
            (b"BODY[1.2.mime]<0.10>", b"BODY[1.2.MIME]<0.10>", b"BODY[1.2.MIME]<0>"),
            (
                b'BODY[HEADER.FIELDS.NOT ("a" b)]',
                b"BODY[HEADER.FIELDS.NOT (A B)]",
                b"BODY[HEADER.FIELDS.NOT (A B)]",
            ),
            (
                b"BODY[3.HEADER.FIELDS (x)]",
                b"BODY[3.HEADER.FIELDS (X)]",
                b"BODY[3.HEADER.FIELDS (X)]",
            ),
            (b"BINARY.SIZE[1]", b"BINARY.SIZE[1]", b"BINARY.SIZE[1]"),
            (b"rfc822.text", b"RFC822.TEXT", b"RFC822.TEXT"),
        ):
            item = Item.parse(said)
            assert item is not None
            self.assertEqual((item.written(asked=True), item.written()), (asked, answered))

    def test_none(self) -> None:
        """What is none, and can be none."""
        self.assertIsNone(Item.parse(b"FLAGS"))
        for said in (
            b"BODY[MIME]",
            b"BODY[0]",
            b"BODY[1.]",
            b"BODY[.TEXT]",
            b"BODY[1TEXT]",
            b"BODY[HEADER.FIELDS]",
            b"BODY[HEADER.FIELDS ()]",
            b"BODY[HEADER.FIELDS (a b:c)]",
            b'BODY[HEADER.FIELDS ("a]BODY[2]")]',
            b'BODY[HEADER.FIELDS ("a b")]',
            b'BODY[HEADER.FIELDS ("a\\"")]',
            b"BODY[TEXT.1]",
            b"BINARY[TEXT]",
            b"BODY.SIZE[1]",
        ):
            with self.assertRaises(Malformed, msg=repr(said)):
                Item.parse(said)

    @EXAMPLES
    @given(st.binary(max_size=300), st.sampled_from((b"BODY[1]", b"BODY[2.1.MIME]", b"BODY[TEXT]")))
    def test_cut(self, message: bytes, name: bytes) -> None:
        """Whatever a message is, a section is a part of it, or nothing."""
        item = Item.parse(name)
        assert item is not None
        found = cut(message, item)
        self.assertTrue(found is None or found in message)


class ReplyTests(SynchronousTestCase):
    """What servers say in words."""

    @EXAMPLES
    @given(st.binary(max_size=60).map(lambda text: re.sub(rb"[\r\n]", b"", text)))
    def test_anything(self, text: bytes) -> None:
        """It is one line, drives no terminal, and announces nothing."""
        reply = Reply.parse(b"OK " + text)
        assert reply is not None
        said = reply.written()
        self.assertTrue(said.endswith(b"\r\n"))
        self.assertEqual(marked(said[:-2])[1], None)
        self.assertIsNone(re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", said[:-2]))
        self.assertIsNone(re.search(rb"\{[0-9]+\+?\}\Z", said[:-2]))

    def test_codes(self) -> None:
        """Those that are known, with what belongs to them."""
        for code in (
            b"ALERT",
            b"APPENDUID 1 2:3",
            b"COPYUID 1 2,4 5:6",
            b"PERMANENTFLAGS (\\Seen $x \\*)",
            b"PERMANENTFLAGS ()",
            b"UNSEEN 4",
            b"BADCHARSET (UTF-8)",
            b"MODIFIED 1:3",
            b"MAILBOXID (a-b_c)",
        ):
            reply = Reply.parse(b"OK [" + code + b"] text")
            assert reply is not None
            self.assertEqual(reply.written(), b"* OK [" + code + b"] text\r\n")
        for code in (b"REFERRAL imap://a/", b"ALERT x", b"UNSEEN", b"UIDNEXT 1 2", b"NEWNAME a b"):
            reply = Reply.parse(b"OK [" + code + b"] text")
            assert reply is not None
            self.assertEqual(reply.written(), b"* OK text\r\n")


def forms(said: bytes) -> st.SearchStrategy[bytes]:
    """The ways to write a string."""
    ways = [b"{%d+}\r\n%s" % (len(said), said), String(said).quoted()]
    if re.fullmatch(rb"[A-Za-z0-9/&+,-]+", said) and said.upper() != b"NIL":
        ways.append(said)
    return st.sampled_from(ways)


class CommandTests(SynchronousTestCase):
    """Commands as the server hears them."""

    @EXAMPLES
    @given(WITHOUT, WITHOUT, st.data())
    def test_login(self, user: bytes, password: bytes, data: st.DataObject) -> None:
        """However a user is written, the server hears the same one; Twisted reads it so."""
        one = Talk().greeted()
        said = data.draw(forms(user)) + b" " + data.draw(forms(password))
        passed, _ = one.client(b"a LOGIN " + said + b"\r\n")
        self.assertTrue(passed.startswith(b"a LOGIN ") and passed.endswith(b"\r\n"), passed)
        theirs = imap4.parseNestedParens(passed.removeprefix(b"a LOGIN ")[:-2])
        self.assertEqual(theirs, [user, password])

    @EXAMPLES
    @given(st.text("abSecret/&\u00e9INBOXinbox", min_size=1, max_size=10), st.data())
    def test_hidden(self, name: str, data: st.DataObject) -> None:
        """However a mailbox is written, the server never hears of one that is hidden."""
        rules = (MailboxRule(re.compile("(?:Secret|INBOX|.*\u00e9).*"), "none"),)
        one = Talk(ImapSettings(mailboxes=rules)).logged_in()
        said = data.draw(forms(encoded(name)))
        passed, heard = one.client(b"a SELECT " + said + b"\r\n")
        hidden = rules[0].name.fullmatch(compared(name)) is not None
        self.assertEqual(hidden, passed == b"", (passed, heard))

    @EXAMPLES
    @given(st.lists(st.sampled_from(sorted(COMMANDS)), max_size=5), st.binary(max_size=30))
    def test_anything(self, names: list[str], rest: bytes) -> None:
        """Whatever follows a command's name, it is read or refused; the server hears lines."""
        one = Talk(ImapSettings(errors=0)).selected()
        for name in names:
            if one.session.verdict is None:
                one.client(b"x " + name.encode("ascii") + b" " + rest + b"\r\n")
        sent = one.session.sent[SERVER]
        self.assertTrue(sent.endswith(b"\r\n"))
        self.assertTrue(one.session.sent[CLIENT].endswith(b"\r\n"))

    @EXAMPLES
    @given(st.binary(max_size=60).map(lambda text: text.replace(b"\r", b"").replace(b"\n", b"")))
    def test_begun(self, line: bytes) -> None:
        """A line begins a command, or does not; and a command reads its arguments, or does not."""
        found = begun(line)
        if found is None:
            return
        command, rest = found
        sentence = Sentence(10, 100)
        try:
            sentence.words(rest, most=len(rest) + 1)
            command.values = sentence.end()
            command.read(utf8=False)
        except (Malformed, Refusal):
            return
        self.assertIn(command.name, COMMANDS)
