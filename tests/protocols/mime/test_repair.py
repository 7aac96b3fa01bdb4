"""What is malformed, written anew: there is one way left to read it, and no more is changed."""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.mime.encoding import Base64
from protocols.mime.header import Field
from protocols.mime.objection import Objection
from protocols.mime.rules import AttachmentRule, HeaderRule
from protocols.mime.settings import ContentSettings
from tests.protocols.mime import broken, ways
from tests.protocols.mime.mails import passed

NEVER = (
    AttachmentRule(extensions=frozenset({"never"})),
    AttachmentRule(detected=re.compile("never")),
)
MENDING = ContentSettings(attachments=NEVER)
STRICT = ContentSettings(attachments=NEVER, malformed="deny")
PROGRAM = ContentSettings(attachments=(AttachmentRule(detected=re.compile(".*executable")),))

HEAD = b"From: a@a.example\r\nMIME-Version: 1.0\r\n"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=xyz\r\n\r\n"


def mended(data: bytes) -> bytes:
    """What becomes of a message, the same however it comes."""
    outs = {passed(data, MENDING, step)[0] for step in (1, 3, 100000)}
    assert len(outs) == 1, outs
    return outs.pop()


class SoundTests(SynchronousTestCase):
    """What leaves is sound."""

    def check(self, data: bytes) -> None:
        outs: set[Any] = set()
        for step in (1, 100000):
            try:
                outs.add(passed(data, MENDING, step)[0])
            except Objection as refused:
                outs.add(refused.reason)
        self.assertEqual(len(outs), 1, data)
        out = outs.pop()
        if isinstance(out, bytes):
            try:
                self.assertEqual(passed(out, STRICT)[0], out)
            except Objection as refused:
                self.assertIn("a boundary that another one begins with", refused.reason)

    def test_ways(self) -> None:
        """Where malformed messages are denied, nothing of it is, and it is not mended twice."""
        for _, data in ways.all_ways():
            self.check(data)

    def test_broken(self) -> None:
        """Nor of what is broken somewhere."""
        for data in broken.mails(250, seed=7):
            self.check(data)

    def test_untouched(self) -> None:
        """What is sound passes byte for byte, with everything that mail programs write."""
        for lines in broken.SOUND:
            data = b"".join(line + b"\r\n" for line in lines)
            self.assertEqual(mended(data), data)


class HeaderTests(SynchronousTestCase):
    """Headers that end where not everybody sees it."""

    def test_no_field(self) -> None:
        """The header ends there, with an empty line, as Postfix has it."""
        for first, rest in (
            (b"A: b\r\n", b"no field\r\nB: c\r\n\r\nx\r\n"),
            (b"", b" A: b\r\n\r\nx\r\n"),
        ):
            self.assertEqual(mended(first + rest), first + b"\r\n" + rest)
        data = MIXED + b"--xyz\r\nContent-Type: text/plain\r\nHello\r\n--xyz--\r\n"
        self.assertEqual(mended(data), data.replace(b"Hello", b"\r\nHello"))

    def test_fields(self) -> None:
        """Blanks before the colon, lines of blanks, a mailbox's line, a line not folded."""
        for came, leaves in (
            (b"A : b\r\nC: d\r\n", b"A: b\r\nC: d\r\n"),
            (b"A: b\r\n \r\n\tc\r\n", b"A: b\r\n\tc\r\n"),
            (b"From a@b Mon Jan 1\r\nA: b\r\n", b"X-Mailbox-Line: From a@b Mon Jan 1\r\nA: b\r\n"),
            (b">From a@b\r\nA: b\r\n", b"X-Mailbox-Line: >From a@b\r\nA: b\r\n"),
            (b"A: b;\r\nname=x\r\nC: d\r\n", b"A: b;\r\n name=x\r\nC: d\r\n"),
        ):
            self.assertEqual(mended(came + b"\r\nx\r\n"), leaves + b"\r\nx\r\n")

    def test_empty_line_first(self) -> None:
        """A text that looks like a header, behind no header, gets one of its own."""
        part = b"--xyz\r\n\r\nContent-Type: x/y; name=a.pdf\r\n\r\nx\r\n--xyz--\r\n"
        out = mended(MIXED + part)
        self.assertEqual(
            out, MIXED + part.replace(b"z\r\n\r", b"z\r\nContent-Type: text/plain\r\n\r")
        )
        fine = MIXED + b"--xyz\r\n\r\nHello\r\n--xyz--\r\n"
        self.assertEqual(mended(fine), fine)

    def test_header_rules_alone(self) -> None:
        """Rules for headers mend the header of the message, and no part."""
        rules = ContentSettings(headers=(HeaderRule("X", "reject"),))
        data = b"A : b\r\nContent-Type: multipart/mixed\r\n\r\n--x\r\n"
        self.assertEqual(passed(data, rules)[0], data.replace(b"A :", b"A:"))
        self.assertEqual(passed(b"A: b\r\nno\r\n", rules)[0], b"A: b\r\n\r\nno\r\n")
        self.assertRaises(Objection, passed, b"X : b\r\n\r\n", rules)


class DescriptionTests(SynchronousTestCase):
    """Content-Type, Content-Disposition and Content-Transfer-Encoding."""

    def fields(self, *fields: bytes) -> bytes:
        """What leaves of these fields of a part."""
        header = b"".join(field + b"\r\n" for field in fields)
        out = mended(MIXED + b"--xyz\r\n" + header + b"\r\nx\r\n--xyz--\r\n")
        return out.removeprefix(MIXED + b"--xyz\r\n").partition(b"\r\n\r\nx\r\n")[0]

    def test_encodings(self) -> None:
        """What is meant by those that are written wrong; what nobody knows, nobody undoes."""
        name = b"Content-Transfer-Encoding: "
        for came, leaves in (
            (b"7-bit", b"7bit"),
            (b"8bits", b"8bit"),
            (b"8bit;", b"8bit"),
            (b"plain", b"8bit"),
            (b"", b"8bit"),
            (b"utf-8", b"8bit"),
            (b"text/html", b"8bit"),
            (b"quoted printable", b"quoted-printable"),
            (b"Base-64", b"base64"),
            (b'"base64"', b"base64"),
            (b"base64 (really)", b"base64"),
        ):
            self.assertEqual(self.fields(name + came), name + leaves, came)
        folded = b"Content-Transfer-Encoding:\r\n quoted-printable"
        self.assertEqual(self.fields(folded), folded)

    def test_types(self) -> None:
        """A type that is none is text (RFC 2045, section 5.2); of two, the first counts."""
        name = b"Content-Type: "
        for came, leaves in (
            (b"text", b"text/plain"),
            (b"<html>", b"text/plain"),
            (b"text/plain, text/html", b"text/plain"),
            (b"(a) text/html; charset=utf-8", b'text/html;\r\n charset="utf-8"'),
            (b"text/html; charset=a b", b'text/html;\r\n charset="a b"'),
            (b"text/html; boundary=x; charset=y", b'text/html;\r\n charset="y"'),
            (b"a/b; x=y; charset=(", b'a/b;\r\n x="y";\r\n charset="("'),
        ):
            self.assertEqual(self.fields(name + came), name + leaves)
        twice = (b"Content-Type: x", b"Content-Type: a/b", b"Content-Type: c/d")
        self.assertEqual(self.fields(*twice), b"Content-Type: a/b")

    def test_names(self) -> None:
        """A name is written so that everybody reads it; what it says is what most have read."""
        name = b"Content-Disposition: attachment; filename"
        for came, leaves in (
            (b"=my file.pdf", b'="my file.pdf"'),
            (b"=a_(1).pdf", b'="a_(1).pdf"'),
            (b"=a.pdf; filename=b.txt", b'="a.pdf"'),
            (b"*1=.pdf; filename*0=a", b'="a.pdf"'),
            (b'="=?x-unknown?q?a=2Epdf?="', b'="a.pdf"'),
            (b"*=x-unknown''a%2Epdf", b'="a.pdf"'),
            (b"*=utf-8''%C3%BC.pdf; filename=\"", b"*=utf-8''%C3%BC%2E%70%64%66"),
        ):
            out = self.fields(name + came).replace(b"attachment;\r\n ", b"attachment; ")
            if b"%" in leaves:
                out = out.replace(b"%2E%70%64%66", b"%2E%70%64%66")
            self.assertEqual(out, name + leaves, came)

    def test_multiparts(self) -> None:
        """Without a boundary there are no parts; behind an encoding, most see them in the raw."""
        part = b"--xyz\r\n\r\nHi\r\n--xyz--\r\n"
        kind = b"Content-Type: multipart/mixed; boundary=xyz\r\n"
        out = mended(kind + b"Content-Transfer-Encoding: base64\r\n\r\n" + part)
        self.assertEqual(out, kind + b"\r\n" + part)
        out = mended(b"Content-Type: multipart/mixed\r\n\r\n" + part)
        self.assertEqual(out, b"Content-Type: text/plain\r\n\r\n" + part)
        two = b"Content-Type: multipart/mixed; boundary=xyz; boundary=abc\r\n\r\n"
        self.assertIn(b'mixed;\r\n boundary="xyz"\r\n', mended(two + part))

    def test_lost_fields(self) -> None:
        """Nothing else of the header is touched."""
        data = b"X: y\r\nContent-Type: text\r\nZ:  a\r\n b\r\n\r\nx\r\n"
        self.assertEqual(mended(data), data.replace(b": text", b": text/plain"))

    def test_hopeless(self) -> None:
        """Half a message is refused: nobody can say what the other half is."""
        for data in (
            b"Content-Type: message/partial; id=1; number=1; total=2\r\n\r\nx\r\n",
            b"Content-Type: text/plain; x=" + b"y" * 9000 + b"\r\n\r\nx\r\n",
            MIXED + b"--xyz\r\nContent-Type: multipart/mixed; boundary=xyz\r\n\r\n",
            MIXED + b"--xyz\r\nContent-Type: text/plain\r\n--xyzz\r\n\r\n",
        ):
            self.assertRaises(Objection, passed, data, MENDING)


class BodyTests(SynchronousTestCase):
    """Bodies that programs decode differently."""

    def base64(self, *lines: bytes) -> tuple[bytes, bytes]:
        """What leaves of some lines, and what they say."""
        decoder = Base64()
        undone = [*(decoder.feed(line + b"\r\n") for line in lines), decoder.end()]
        return b"".join(each.lines for each in undone), b"".join(each.said for each in undone)

    def test_base64(self) -> None:
        """What is of no alphabet is left out, and the padding is the end (RFC 2045, 6.8)."""
        for came, leaves, said in (
            ((b"AAAA", b"AA=="), b"AAAA\r\nAA==\r\n", bytes(4)),
            ((b"AA!A A", b"BBBB"), b"AAAABBBB\r\n", b"\0\0\0\4\x10\x41"),
            ((b"AA==", b"AAAA"), b"AA==\r\n", b"\0"),
            ((b"AA==", b"", b"-- ", b"a footer"), b"AA==\r\n\r\n", b"\0"),
            ((b"AA",), b"AA\r\n==\r\n", b"\0"),
            ((b"AAA", b"A!AAA"), b"AAA\r\nAAAA=\r\n", bytes(5)),
            ((b"=AAAA",), b"AAAA\r\n", bytes(3)),
            ((b"A",), b"A\r\n", b""),
        ):
            self.assertEqual(self.base64(*came), (leaves, said), came)

    @settings(max_examples=200, deadline=None)
    @given(
        st.binary(max_size=200),
        st.lists(st.tuples(st.integers(0, 300), st.sampled_from("!-. ")), max_size=4),
    )
    def test_same(self, content: bytes, junk: list[tuple[int, str]]) -> None:
        """What is strewn in changes nothing."""
        text = bytearray(encodebytes(content).replace(b"\n", b"\r\n"))
        for at, what in junk:
            text[min(at, len(text)) : min(at, len(text))] = what.encode()
        out, said = self.base64(*bytes(text).split(b"\r\n"))
        self.assertEqual(said, content)
        self.assertEqual(self.base64(*out.split(b"\r\n"))[1], content)

    def test_footer(self) -> None:
        """A list's footer behind base64 is left out: no program shows it as it was meant."""
        part = b"--xyz\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(b"Hi\n" * 50)
        part = part.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")
        footer = b"____________\r\nlist mailing list\r\nlist@a.example\r\n"
        out = mended(MIXED + part + footer + b"--xyz--\r\n")
        self.assertEqual(out, MIXED + part + b"--xyz--\r\n")

    def test_quoted_printable(self) -> None:
        """A "=" that begins nothing is one; not in a text, which may have thousands."""
        body = b"a=b=\r\nc=3D= \r\n=zz=C3=BC\r\n"
        for kind, leaves in (
            (b"application/x", b"a=3Db=\r\nc=3D= \r\n=3Dzz=C3=BC\r\n"),
            (b"application/x", b"a=3Db=\r\nc=3D= \r\n=3Dzz=C3=BC\r\n"),
        ):
            head = (
                b"Content-Type: "
                + kind
                + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            )
            self.assertEqual(mended(head + body), head + leaves)
        text = (
            b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + body
        )
        names = ContentSettings(attachments=NEVER[:1])
        self.assertEqual(passed(text, names)[0], text)

    def test_boundaries(self) -> None:
        """What begins as a boundary and is none, or comes again, is set off by a blank."""
        for before, line in (
            (b"--xyz\r\n\r\n", b"--xyz2"),
            (b"--xyz\r\n\r\n", b"--XYZ"),
            (b"--xyz\r\n\r\nHi\r\n--xyz--\r\n", b"--xyz"),
        ):
            out = mended(MIXED + before + line + b"\r\nx\r\n")
            self.assertEqual(out, MIXED + before + b" " + line + b"\r\nx\r\n")
        data = MIXED + b"--xyz\r\n--xyz--\r\n"
        self.assertEqual(mended(data), MIXED + b"--xyz\r\n\r\n--xyz--\r\n")


class WrappedTests(SynchronousTestCase):
    """A message that is encoded as a whole (against RFC 2046, section 5.2.1)."""

    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: "
    inner = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n%b--in--\r\n"
    program = b"Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAA=\r\n"

    def wrapped(self, inner: bytes) -> bytes:
        return encodebytes(inner).replace(b"\n", b"\r\n")

    def test_plain(self) -> None:
        """It passes without the encoding, as the message that it is."""
        inner = self.inner % b"Content-Type: text/plain\r\n\r\nHi\r\n"
        out = mended(self.head + b"base64\r\n\r\n" + self.wrapped(inner))
        self.assertEqual(out, self.head + b"8bit\r\n\r\n" + inner)
        quoted = inner.replace(b"=", b"=3D")
        out = mended(self.head + b"quoted-printable\r\n\r\n" + quoted)
        self.assertEqual(out, self.head + b"8bit\r\n\r\n" + inner)

    def test_line_ends(self) -> None:
        """Whatever ends its lines."""
        for inner in (b"A: b\n\nx\n", b"A: b\r\rx", b"A: b\r\n\r\nx"):
            out = mended(self.head + b"base64\r\n\r\n" + self.wrapped(inner))
            self.assertEqual(out, self.head + b"8bit\r\n\r\nA: b\r\n\r\nx\r\n")

    def test_judged(self) -> None:
        """So is all that is in it."""
        data = self.head + b"base64\r\n\r\n" + self.wrapped(self.inner % self.program)
        self.assertRaises(Objection, passed, data, PROGRAM)
        drop = AttachmentRule(detected=re.compile(".*executable"), action="drop", text="Gone:")
        out, record = passed(data, ContentSettings(attachments=(drop,)))
        self.assertIn(b"--in\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nGone:\r\n", out)
        self.assertEqual(record["removed"], ["text/plain"])

    def test_no_way_out(self) -> None:
        """Its lines can't be a delimiter of what it is in."""
        head = b"--xyz\r\n" + self.head
        inner = self.wrapped(b"A: b\n\n--xyz\nContent-Type: text/plain\n\nx\n--xyz--\n")
        out = mended(MIXED + head + b"base64\r\n\r\n" + inner + b"--xyz--\r\n")
        plain = b"A: b\r\n\r\n --xyz\r\nContent-Type: text/plain\r\n\r\nx\r\n --xyz--\r\n"
        self.assertEqual(out, MIXED + head + b"8bit\r\n\r\n" + plain + b"--xyz--\r\n")

    def test_long_lines(self) -> None:
        """A line that is too long to pass can't be broken without a change."""
        data = self.head + b"base64\r\n\r\n" + self.wrapped(b"A: b\n\n" + b"x" * 999)
        self.assertRaises(Objection, passed, data, MENDING)

    def test_files(self) -> None:
        """A message that is attached as a file is looked into, and not changed."""
        for name in (b"a.eml", b"A.EML", b"a.mht"):
            head = b"Content-Type: application/octet-stream; name=%b\r\n" % name
            head += b"Content-Transfer-Encoding: base64\r\n\r\n"
            evil = head + self.wrapped(self.inner % self.program)
            for action in ("reject", "drop", "mark"):
                rule = AttachmentRule(detected=re.compile(".*executable"), action=action)  # type: ignore[arg-type]
                settings = ContentSettings(attachments=(rule,))
                self.assertRaises(Objection, passed, evil, settings)
            fine = head + self.wrapped(self.inner % b"Content-Type: text/plain\r\n\r\nHi\r\n")
            self.assertEqual(passed(fine, PROGRAM)[0], fine)
            broken_ = head + self.wrapped(b"Content-Type: multipart/mixed\n\n--x\n")
            self.assertRaises(Objection, passed, broken_, PROGRAM)


class WordTests(SynchronousTestCase):
    """Values that rules are asked about."""

    def test_written_anew(self) -> None:
        """A word that can't be read says afterwards what it was taken for."""
        rule = ContentSettings(headers=(HeaderRule("Subject", "reject", re.compile(".*never.*")),))
        data = b"To: =?x-a?q?b?=\r\nSubject: =?x-unknown?q?a=FFb?= and =?utf-8?q?c?=\r\n\r\n"
        out, _ = passed(data, rule)
        self.assertEqual(
            out,
            b"To: =?x-a?q?b?=\r\nSubject: =?utf-8?b?Ye+/vWI=?= and =?utf-8?b?Yw==?=\r\n\r\n",
        )
        self.assertRaises(
            Objection, passed, data, ContentSettings(headers=rule.headers, malformed="deny")
        )
        self.assertEqual(
            passed(data, ContentSettings(headers=rule.headers, malformed="pass"))[0], data
        )

    def test_folded(self) -> None:
        """A long value stays on lines of the usual length, cut at its blanks."""
        field = Field.folded("Subject", "word " * 40)
        self.assertTrue(all(len(line) <= 77 for line in field.raw.split(b"\r\n")))
        self.assertEqual(field.text, b"word " * 39 + b"word")
        self.assertEqual(b64encode(b"x"), b"eA==")
