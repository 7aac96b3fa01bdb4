"""Encoded words and charsets: everything that somebody may read."""

from __future__ import annotations

import re
from email.header import decode_header, make_header
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.mime import charset, words
from protocols.mime.objection import Objection
from protocols.mime.rules import HeaderRule
from protocols.mime.settings import ContentSettings
from tests.protocols.mime import ways
from tests.protocols.mime.mails import passed
from tests.protocols.mime.ways import b, q

FORBIDDEN = HeaderRule("Subject", "reject", re.compile(".*forbidden.*"))


class RuleTests(SynchronousTestCase):
    """A rule can't be walked around with a word that is not as it should be."""

    def refused(self, subject: str, malformed: object = "repair") -> bool:
        rules = ContentSettings(headers=(FORBIDDEN,), malformed=malformed)  # type: ignore[arg-type]
        try:
            passed(f"Subject: {subject}\r\n\r\nx\r\n".encode(), rules)
        except Objection:
            return True
        return False

    def test_one_word_for_itself(self) -> None:
        """One that can't be read does not make the others unreadable."""
        for subject in (
            q("forbidden"),
            q("forbidden", label="utf-8*en"),
            b("forbidden", label="utf-8*de-CH"),
            f"=?x-unknown?q?a?= {q('forbidden')}",
            f"{q('forbidden')} =?utf-8?b?!!!?=",
            f"{q('forbidden')} =?utf-8?q?",
            b("forbidden", "utf-16-le", "utf-16"),
            b("forbidden", "utf-16-be", "utf-16"),
            b("forbidden", "utf-32-le", "utf-32"),
            f"for{q('bidden')}",
            f"{q('for')}bidden",
            f"{q('for')} {q('bidden')}",
            f"{q('for')}\r\n {q('bidden')}",
            f"{b('for')}{q('bidden')}",
            "=?utf-8?q?forbidden things?=",
            "=?utf-8?q?forbidden",
            q("forbidden", label="x-unknown"),
            b("forbidden", "cp037"),
            b("forbidden", "utf-8", "cp037"),
            b(q("forbidden")),
            "=?utf-8?b?Zm9yYmlkZGVu=?=",
            "=?utf-8?b?Zm9y!YmlkZGVu?=",
        ):
            self.assertTrue(self.refused(subject, "pass"), subject)
            self.assertTrue(self.refused(subject), subject)
            self.assertTrue(self.refused(subject, "deny"), subject)

    def test_ambiguous(self) -> None:
        """Where malformed messages are denied, what can't be read for sure is."""
        for word in ways.WORDS:
            if words.read(word.replace("\r\n", "")).problem:
                self.assertTrue(self.refused(word, "deny"), word)
        for fine in ("a =? b", "=?", "=?a?b", q("fine"), f"fine{q('fine')}", "=?utf-8?x?a?="):
            self.assertFalse(self.refused(fine, "deny"), fine)

    def test_others(self) -> None:
        """Only of fields that a rule is about."""
        rules = ContentSettings(headers=(FORBIDDEN, HeaderRule("To", "reject")), malformed="deny")
        data = b"From: =?x-unknown?q?a?=\r\nSubject: x\r\n\r\nx\r\n"
        self.assertEqual(passed(data, rules)[0], data)

    def test_require(self) -> None:
        """What is required has to be read by most programs."""
        rule = HeaderRule("Subject", "require", re.compile(".*ok.*"))
        for subject, fine in ((q("ok"), True), (f"{q('a')}ok", True), ("=?utf-8?q?x?=", False)):
            data = f"Subject: {subject}\r\n\r\n".encode()
            if fine:
                passed(data, ContentSettings(headers=(rule,)))
            else:
                self.assertRaises(Objection, passed, data, ContentSettings(headers=(rule,)))

    def test_raw(self) -> None:
        """Bytes beyond ASCII without a charset: UTF-8, or what Windows has in the west."""
        rule = HeaderRule("Subject", "reject", re.compile(".*\u00fcber.*"))
        for raw in ("\u00fcber".encode(), "\u00fcber".encode("latin-1")):
            data = b"Subject: " + raw + b"\r\n\r\n"
            self.assertRaises(Objection, passed, data, ContentSettings(headers=(rule,)))


class ReadingTests(SynchronousTestCase):
    """What a value may say."""

    def test_every_way(self) -> None:
        """The name is among the readings of all ways to encode it."""
        for word in ways.WORDS:
            value = words.read(word.replace("\r\n", ""))
            found = any("x.exe" in reading.replace(" ", "") for reading in value.readings)
            self.assertTrue(found or "??" in word or "?x?" in word or "x=.exe" in word, word)

    def test_likely(self) -> None:
        """What most programs read, as it is shown."""
        for value, likely in (
            ("plain", "plain"),
            (f"a {q('b')} c", "a b c"),
            (f"{q('a')} {q('b')}", "ab"),
            (f"{q('a')}  {b('b', 'utf-16')}", "ab"),
            (b("\u65e5\u672c", "iso-2022-jp"), "\u65e5\u672c"),
            ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\u00fc"),
            ("=?utf-8?q?a_b=5F?=", "a b_"),
        ):
            self.assertEqual(words.read(value).likely, value if value == "plain" else likely)

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=150))
    def test_written(self, text: str) -> None:
        """What is written anew is read by the standard library as it was meant, and by us."""
        written = words.written(text)
        self.assertEqual(str(make_header(decode_header(written))), text)
        self.assertEqual(words.read(written).likely, text)
        self.assertEqual(words.read(written).problem, "")
        self.assertTrue(all(len(word) <= 75 for word in written.split(" ")))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from([*ways.WORDS, " ", "a", "=?", "?=", "?q?"]), max_size=6))
    def test_mended(self, pieces: list[str]) -> None:
        """Afterwards, there is nothing left to disagree about, and it says the same."""
        value = "".join(pieces).replace("\r\n", "")
        again = words.read(words.mended(value))
        self.assertEqual(again.problem, "")
        self.assertEqual(again.likely, words.read(value).likely)

    def test_time(self) -> None:
        """A value of any length takes a time that goes with its length."""
        for piece in ("=?utf-8?q?a?= ", "=?", "=?a?q?", "=?utf-8?b?YQ==?=", "=?x?q?a?=?="):
            begin = process_time()
            words.read(piece * (65536 // len(piece)))
            self.assertLess(process_time() - begin, 2, piece)


class CharsetTests(SynchronousTestCase):
    """Bytes as texts."""

    def test_known(self) -> None:
        """Mail's charsets are read, under the names that mail programs write."""
        for label in ("UTF-8", "iso-8859-15", "windows-1252", "KOI8-R", "GB2312", "x-sjis"):
            self.assertEqual(charset.read(b"abc", label), charset.Texts("abc"))

    def test_no_charsets(self) -> None:
        """Python has codecs that are no charsets, and that no mail is written in."""
        for label in (
            "rot13",
            "hex",
            "idna",
            "punycode",
            "unicode_escape",
            "undefined",
            "mbcs",
            "\0",
        ):
            self.assertIn("unknown", charset.read(b"abc", label).problem)

    def test_byte_order(self) -> None:
        """Without a mark, both orders; with one, that one."""
        read = charset.read("ab".encode("utf-16-le"), "UTF-16")
        self.assertIn("ab", read.others)
        self.assertTrue(read.problem)
        read = charset.read("ab".encode("utf-16"), "UTF-16")
        self.assertEqual((read.likely, read.problem), ("ab", ""))
