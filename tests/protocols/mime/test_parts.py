"""What attachments really are, and what becomes of them."""

from __future__ import annotations

import re
import uuid
from base64 import encodebytes
from binascii import b2a_qp, b2a_uu
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.testing import every_split
from protocols.magic import LOOK
from protocols.mime.archive import Archive, Member
from protocols.mime.attachment import Attachment
from protocols.mime.encoding import DECODERS
from protocols.mime.inline import Inline
from protocols.mime.message import Message
from protocols.mime.objection import Objection
from protocols.mime.part import HELD
from protocols.mime.rules import AttachmentRule, HeaderRule
from protocols.mime.settings import ContentSettings
from tests.protocols.mime.mails import mail, passed

PROGRAM = b"MZ\x90\0" + bytes(range(256)) * 8
BENIGN = b"%PDF-1.7\n" + bytes(range(256)) * 8

PROGRAMS = AttachmentRule(detected=re.compile("application/x-executable"))
EXE = AttachmentRule(extensions=frozenset({"exe"}))


def rules(*some: AttachmentRule, malformed: Any = "deny", **more: Any) -> ContentSettings:
    """With these rules; what is malformed is refused."""
    return ContentSettings(attachments=some, malformed=malformed, **more)


def part(body: bytes, *headers: bytes) -> bytes:
    """A part as it is within a multipart."""
    return b"\r\n".join([*headers, b"", body.removesuffix(b"\r\n"), b""])


def multipart(*parts: bytes, boundary: bytes = b"xyz", kind: bytes = b"mixed") -> bytes:
    """A message of parts."""
    head = b'Subject: s\r\nContent-Type: multipart/%b; boundary="%b"\r\n\r\n' % (kind, boundary)
    body = b"".join(b"--%b\r\n%b" % (boundary, each) for each in parts)
    return head + body + b"--%b--\r\n" % boundary


def wrapped(data: bytes) -> bytes:
    """In base64, as mail programs write it."""
    return encodebytes(data).replace(b"\n", b"\r\n")


def quoted(data: bytes) -> bytes:
    """In quoted-printable."""
    lines = b2a_qp(data, istext=False).replace(b"\r\n", b"\n")
    return lines.replace(b"\n", b"\r\n") + b"\r\n"


def uu(data: bytes) -> bytes:
    """In uuencode's lines."""
    return b"".join(
        b2a_uu(data[at : at + 45]).removesuffix(b"\n") + b"\r\n" for at in range(0, len(data), 45)
    )


BASE64 = b"Content-Transfer-Encoding: base64"
TEXT = part(b"Hello\r\n", b"Content-Type: text/plain")


def zipped(*names: str, how: int = ZIP_DEFLATED, body: bytes = b"x" * 99) -> bytes:
    """An archive with such files."""
    file = BytesIO()
    with ZipFile(file, "w", how) as archive:
        for name in names:
            archive.writestr(name, body)
    return file.getvalue()


def encrypted(data: bytes, local: bool = True, central: bool = True) -> bytes:
    """The same, as if its files were encrypted."""
    out = bytearray(data)
    for mark, at, wanted in ((b"PK\3\4", 6, local), (b"PK\1\2", 8, central)):
        for found in re.finditer(re.escape(mark), data) if wanted else ():
            out[found.start() + at] |= 1
    return bytes(out)


class MimeCase(SynchronousTestCase):
    """What these tests have in common."""

    def refused(self, data: bytes, *some: AttachmentRule, **more: Any) -> bool:
        """Whether it is, the same however it comes."""
        answers = set()
        for step in (1, 7, 100000):
            try:
                passed(data, rules(*some, **more), step)
                answers.add(False)
            except Objection:
                answers.add(True)
        self.assertEqual(len(answers), 1, data)
        return answers.pop()


class DetectedTests(MimeCase):
    """Types by the first bytes, whatever is said about them."""

    def test_encodings(self) -> None:
        """A program is one in every encoding, with any name, type and disposition, and without."""
        for headers in (
            (b"Content-Type: application/pdf; name=a.pdf",),
            (b"Content-Type: text/plain",),
            (b"Content-Disposition: inline",),
            (),
        ):
            for encoding, encode in (
                (b"base64", wrapped),
                (b"BASE64", wrapped),
                (b"quoted-printable", quoted),
                (b"x-uuencode", lambda data: b"begin 644 a.pdf\r\n" + uu(data) + b"`\r\nend\r\n"),
            ):
                named = (*headers, b"Content-Transfer-Encoding: " + encoding)
                for content, expected in ((PROGRAM, True), (BENIGN, False)):
                    data = multipart(TEXT, part(encode(content), *named))
                    self.assertEqual(self.refused(data, PROGRAMS), expected, named)

    def test_plain(self) -> None:
        """Also without an encoding, or as all of the message."""
        self.assertTrue(self.refused(multipart(part(b"MZ text\r\n")), PROGRAMS))
        self.assertTrue(self.refused(b"A: b\r\n\r\nMZ\r\n", PROGRAMS))
        self.assertTrue(
            self.refused(b"A: b\r\n" + BASE64 + b"\r\n\r\n" + wrapped(PROGRAM), PROGRAMS)
        )
        self.assertFalse(self.refused(b"A: b\r\n\r\nHello MZ\r\n", PROGRAMS))

    def test_small(self) -> None:
        """A part of few bytes is decided upon at its end."""
        for end in (b"TVo=\r\n", b"TVo=", b"TVqQ\r\n"):
            self.assertTrue(self.refused(multipart(part(end, BASE64), TEXT), PROGRAMS))
        self.assertFalse(self.refused(multipart(part(b"", BASE64), TEXT), PROGRAMS))

    def test_unknown(self) -> None:
        """A rule can be about what has no known beginning."""
        rule = AttachmentRule(extensions=frozenset({"pdf"}), detected=re.compile(""))
        pdf = b"Content-Type: application/pdf; name=a.pdf"
        self.assertFalse(self.refused(multipart(part(wrapped(BENIGN), pdf, BASE64)), rule))
        self.assertTrue(self.refused(multipart(part(wrapped(b"what?" * 9), pdf, BASE64)), rule))

    def test_disguised(self) -> None:
        """A rule can be about what is something else than it says."""
        rule = AttachmentRule(disguised=True)
        for kind, content, expected in (
            (b"application/pdf", BENIGN, False),
            (b"application/octet-stream", BENIGN, False),
            (b"image/png", BENIGN, True),
            (b"application/pdf", PROGRAM, True),
            (b"application/x-msdownload", PROGRAM, False),
            (b"image/png", b"what?" * 9, False),
            (b"text/plain", PROGRAM, True),
            (b"application/vnd.oasis.opendocument.text", zipped("a"), False),
        ):
            data = multipart(part(wrapped(content), b"Content-Type: " + kind, BASE64))
            self.assertEqual(self.refused(data, rule), expected, kind)

    def test_says_nothing(self) -> None:
        """What goes on and on without a byte of content is not waited for."""
        blank = b" " * 70 + b"\r\n"
        data = multipart(part(blank * (HELD // 72 + 2), BASE64))
        self.assertTrue(self.refused(data, PROGRAMS))
        lax = rules(PROGRAMS, malformed="pass")
        self.assertEqual(passed(data, lax)[0], data)
        message = Message(lax)
        early = message.feed(data[: -len(b"--xyz--\r\n")])
        self.assertGreater(len(early), HELD)

    def test_untouched(self) -> None:
        """What is accepted passes byte for byte."""
        for content in (BENIGN, b"", b"short"):
            for encode, encoding in ((wrapped, b"base64"), (quoted, b"quoted-printable")):
                named = b"Content-Transfer-Encoding: " + encoding
                data = multipart(TEXT, part(encode(content), named), TEXT)
                for step in (1, 3, 1000):
                    self.assertEqual(passed(data, rules(PROGRAMS, EXE), step)[0], data)

    @settings(max_examples=150, deadline=None)
    @given(
        st.binary(max_size=LOOK + 100),
        st.sampled_from(["base64", "quoted-printable"]),
        st.integers(1, 9),
    )
    def test_independent(self, content: bytes, encoding: str, step: int) -> None:
        """The same bytes as the standard library makes of a part."""
        message = EmailMessage(policy=policy.SMTP)
        message.set_content(content, "application", "x", cte=encoding)
        parsed = message_from_bytes(message.as_bytes())
        theirs = parsed.get_payload(decode=True)
        lines = message.as_bytes().partition(b"\r\n\r\n")[2].splitlines(keepends=True)
        decoder = DECODERS[encoding]()
        ours = b"".join(
            decoder.feed(b"".join(lines[at : at + step])).said for at in range(0, len(lines), step)
        )
        self.assertEqual(ours + decoder.end().said, theirs)
        self.assertEqual(decoder.problem, "")


class ArchiveTests(MimeCase):
    """Files in ZIP archives."""

    locked = AttachmentRule(encrypted=True)
    inside = AttachmentRule(archived=frozenset({"exe"}))

    def sent(self, archive: bytes) -> bytes:
        return multipart(TEXT, part(wrapped(archive), BASE64, b"Content-Type: x/y; name=a.dat"))

    def test_encrypted(self) -> None:
        """By any header of any file, wherever it is."""
        plain = zipped("a.txt", "b.txt", body=uuid.uuid4().hex.encode() * 50)
        for archive, expected in (
            (plain, False),
            (encrypted(plain), True),
            (encrypted(plain, local=False), True),
            (encrypted(plain, central=False), True),
            (zipped("big", how=ZIP_STORED, body=b"y" * 5000) + encrypted(plain), True),
            (PROGRAM * 3 + encrypted(plain), True),
            (b"no archive", False),
        ):
            self.assertEqual(self.refused(self.sent(archive), self.locked), expected)

    def test_names(self) -> None:
        """By the ends of the files' names, also in an archive that is stored in another."""
        stored = zipped("in.zip", how=ZIP_STORED, body=zipped("deep.exe"))
        for archive, expected in (
            (zipped("a.txt"), False),
            (zipped("a.txt", "b.EXE"), True),
            (zipped(*(f"{n}.txt" for n in range(100)), "b.exe"), True),
            (zipped("folder/\u00fc.exe"), True),
            (stored, True),
            (b"a.exe", False),
        ):
            self.assertEqual(self.refused(self.sent(archive), self.inside), expected)

    def test_both(self) -> None:
        """One file has to be all of it."""
        both = AttachmentRule(archived=frozenset({"exe"}), encrypted=True)
        self.assertTrue(self.refused(self.sent(encrypted(zipped("a.exe"))), both))
        self.assertFalse(self.refused(self.sent(zipped("a.exe")), both))
        self.assertFalse(self.refused(self.sent(encrypted(zipped("a.txt"))), both))

    def test_every_split(self) -> None:
        """A header may be cut anywhere."""
        data = b"PK" + zipped("a.txt", "\u00fc.exe") + b"PK\3\4" + encrypted(zipped("c"))
        name = b"PK\3\4\x14\0" + b"." * 30 + b".exe"
        data += zipped("x" * len(name)).replace(b"x" * len(name), name)
        whole = list(Archive().feed(data))
        self.assertIn(Member(name.decode(), False), whole)
        self.assertEqual(whole.count(Member("\u00fc.exe", False)), 2)
        self.assertIn(Member("c", True), whole)
        for pieces in every_split(data):
            archive = Archive()
            found = {member for piece in pieces for member in archive.feed(piece)}
            self.assertEqual(found, set(whole))

    def test_order(self) -> None:
        """The first rule that matches counts, also if it takes the whole part to know."""
        late = self.sent(zipped("x", how=ZIP_STORED, body=b"y" * 5000) + zipped("late.exe"))
        named = AttachmentRule(names=re.compile("a.dat"), action="accept")
        self.assertTrue(self.refused(late, self.inside, named))
        self.assertFalse(self.refused(late, named, self.inside))
        trusted = AttachmentRule(archived=frozenset({"exe"}), action="accept")
        self.assertFalse(self.refused(late, trusted, self.inside))
        texts = AttachmentRule(archived=frozenset({"txt"}), action="accept")
        filler = zipped("x", how=ZIP_STORED, body=b"y" * 5000)
        early = self.sent(zipped("a.txt") + filler + zipped("late.exe"))
        later = self.sent(filler + zipped("a.txt") + filler + zipped("late.exe"))
        for data in (early, later):
            self.assertFalse(self.refused(data, texts, self.inside))
            self.assertTrue(self.refused(data, self.inside, texts))
        other = AttachmentRule(names=re.compile("other"), archived=frozenset({"exe"}))
        self.assertFalse(self.refused(late, other))

    def test_cut(self) -> None:
        """Which file comes first does not depend on how it is cut."""
        filler = zipped("x", how=ZIP_STORED, body=b"y" * 5000)
        data = self.sent(filler + zipped("a.exe", "b.txt"))
        texts = AttachmentRule(archived=frozenset({"txt"}), action="accept")
        self.assertTrue(self.refused(data, texts, self.inside))

    def test_too_late_to_drop(self) -> None:
        """What has begun to pass can only be refused."""
        rule = AttachmentRule(archived=frozenset({"exe"}), action="drop")
        out, _ = passed(self.sent(zipped("a.exe")), rules(rule))
        self.assertIn(b"An attachment was removed:\r\na.dat\r\n", out)
        late = self.sent(zipped("x", how=ZIP_STORED, body=b"y" * 5000) + zipped("late.exe"))
        self.assertTrue(self.refused(late, rule))


class DropTests(MimeCase):
    """Parts that are taken out."""

    drop = AttachmentRule(extensions=frozenset({"exe"}), action="drop", text="Gone:")
    dropped = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nGone:\r\na.exe\r\n"
    exe = part(wrapped(PROGRAM), b"Content-Type: x/y; name=a.exe", BASE64, b"Content-ID: <1>")

    def test_exact(self) -> None:
        """A text stands in its place; all else is as it was."""
        for step in (1, 4, 1000):
            out, record = passed(multipart(TEXT, self.exe, TEXT), rules(self.drop), step)
            self.assertEqual(out, multipart(TEXT, self.dropped, TEXT))
            self.assertEqual((record["attachment"], record["removed"]), (["a.exe"], ["a.exe"]))

    def test_by_content(self) -> None:
        """Also if the first bytes have to come before that is clear."""
        rule = AttachmentRule(detected=PROGRAMS.detected, action="drop", text="Gone:")
        for step in (1, 4, 1000):
            out, _ = passed(multipart(TEXT, self.exe, TEXT), rules(rule), step)
            self.assertEqual(out, multipart(TEXT, self.dropped, TEXT))

    def test_nested(self) -> None:
        """A whole message, or multipart, that is attached goes with all that is in it."""
        inner = multipart(TEXT, self.exe, boundary=b"inner")
        for kind in (
            b"Content-Type: message/rfc822; name=a.exe",
            b"Content-Type: multipart/mixed; boundary=inner; name=a.exe",
        ):
            body = inner if b"rfc822" in kind else inner.partition(b"\r\n\r\n")[2]
            data = multipart(TEXT, part(body, kind), TEXT)
            out, _ = passed(data, rules(self.drop), 2)
            self.assertEqual(out, multipart(TEXT, self.dropped, TEXT))
        out, _ = passed(multipart(part(inner, b"Content-Type: message/rfc822")), rules(self.drop))
        self.assertEqual(
            out,
            multipart(
                part(
                    multipart(TEXT, self.dropped, boundary=b"inner"),
                    b"Content-Type: message/rfc822",
                )
            ),
        )

    def test_whole_message(self) -> None:
        """A message that is nothing but an attachment keeps its header."""
        data = b"From: a@b\r\nContent-Type: x/y; name=a.exe\r\nMIME-Version: 1.0\r\n" + BASE64
        out, _ = passed(data + b"\r\n\r\n" + wrapped(PROGRAM), rules(self.drop))
        self.assertEqual(out, b"From: a@b\r\nMIME-Version: 1.0\r\n" + self.dropped)

    def test_junk(self) -> None:
        """A header ends with what is no field. What follows is a text, and found in it too late."""
        data = multipart(b"junk\r\nContent-Type: x/y; name=a.exe\r\nX: y\r\n\r\nx\r\n")
        for malformed in ("pass", "deny", "repair"):
            self.assertTrue(self.refused(data, self.drop, malformed=malformed))

    def test_strange_names(self) -> None:
        """A name can't break out of the text."""
        name = b"filename*=utf-8''%0D%0A--xyz%0D%0A%C3%BC.exe"
        data = multipart(part(b"x\r\n", b"Content-Disposition: attachment; " + name))
        out, _ = passed(data, rules(self.drop))
        self.assertTrue(out.endswith(b"\r\n\r\nGone:\r\n--xyz???.exe\r\n--xyz--\r\n"), out)

    def test_valid(self) -> None:
        """The standard library finds the other parts, and the text."""
        data = mail("a.exe", "b.zip", "c.exe").as_bytes()
        out, _ = passed(data, rules(self.drop), 2)
        theirs = message_from_bytes(out, policy=policy.SMTP)
        self.assertEqual(theirs.defects, [])
        self.assertEqual(
            [each.get_content_type() for each in theirs.walk()],
            ["multipart/mixed", "text/plain", "text/plain", "application/zip", "text/plain"],
        )
        self.assertEqual([each.get_filename() for each in theirs.iter_attachments()][1], "b.zip")

    def test_mark(self) -> None:
        """Or it is marked, and the message too, for whoever sorts mail further on."""
        rule = AttachmentRule(detected=PROGRAMS.detected, action="mark", mark="X-W: program")
        marked = multipart(TEXT, b"X-W: program\r\n" + self.exe, b"X-W: program\r\n" + self.exe)
        data = multipart(TEXT, self.exe, self.exe)
        for step in (1, 4, 1000):
            out, _ = passed(data, rules(rule), step)
            self.assertEqual(out, b"X-W: program\r\n" + marked)
            for hold in (0, 20):
                self.assertEqual(passed(data, rules(rule, hold_bytes=hold), step)[0], marked)
            self.assertEqual(passed(multipart(TEXT), rules(rule), step)[0], multipart(TEXT))

    def test_mark_once(self) -> None:
        """A message that is nothing but an attachment has one header."""
        rule = AttachmentRule(extensions=frozenset({"exe"}), action="mark", mark="X-W: program")
        data = b"Content-Type: x/y; name=a.exe\r\n\r\nMZ\r\n"
        for hold in (0, 1000):
            out, _ = passed(data, rules(rule, hold_bytes=hold))
            self.assertEqual(out, b"X-W: program\r\n" + data)

    def test_mark_late(self) -> None:
        """What is found in a text, or late in an archive, marks a message that is held."""
        rule = AttachmentRule(archived=frozenset({"exe"}), action="mark", mark="X-W: program")
        late = zipped("x", how=ZIP_STORED, body=b"y" * 5000) + zipped("late.exe")
        archive = multipart(part(wrapped(late), BASE64))
        text = b"A: b\r\n\r\nbegin 644 a.exe\r\n#86)C\r\n`\r\nend\r\n"
        named = AttachmentRule(extensions=frozenset({"exe"}), action="mark", mark="X-W: program")
        for data, one in ((archive, rule), (text, named)):
            self.assertEqual(passed(data, rules(one))[0], b"X-W: program\r\n" + data)
            self.assertTrue(self.refused(data, one, hold_bytes=10))

    def test_mark_without_a_header(self) -> None:
        """It does not run into a body, or a body into it."""
        rule = AttachmentRule(detected=PROGRAMS.detected, action="mark", mark="X-W: program")
        out, _ = passed(b"MZ text\r\n", rules(rule, malformed="pass"))
        self.assertEqual(out, b"X-W: program\r\n\r\nMZ text\r\n")


class InlineTests(MimeCase):
    """Files within texts, from before MIME."""

    def text(self, *lines: bytes) -> bytes:
        return b"Subject: x\r\n\r\nHello\r\n" + b"\r\n".join(lines) + b"\r\nBye\r\n"

    def test_names(self) -> None:
        """They are attachments, with a name, and recorded so."""
        body = uu(PROGRAM[:90]).split(b"\r\n")[0]
        for begin in (
            b"begin 644 a.exe",
            b"begin 0755  a.exe ",
            b"begin-base64 644 a.exe",
            b"=ybegin line=128 size=9 name=a.exe",
            b"=ybegin part=1 total=2 line=128 size=9 name=a.exe",
        ):
            data = self.text(begin, body, b"`", b"end")
            self.assertTrue(self.refused(data, EXE), begin)
            _, record = passed(data, rules(AttachmentRule(names=re.compile("other"))))
            self.assertEqual(record["attachment"], ["a.exe"])
        for begin in (b"to begin 644 a.exe", b"begin 9 a.exe", b"begin at a.exe"):
            self.assertFalse(self.refused(self.text(begin, body), EXE), begin)

    def test_within_an_encoding(self) -> None:
        """Also in a text that is encoded, in a part."""
        text = b"Hi\r\nbegin 644 a.exe\r\n" + uu(PROGRAM) + b"`\r\nend\r\n"
        for encode, encoding in ((wrapped, b"base64"), (quoted, b"quoted-printable")):
            named = b"Content-Transfer-Encoding: " + encoding
            self.assertTrue(self.refused(multipart(part(encode(text), named)), EXE))

    def test_detected(self) -> None:
        """By their first line."""
        for content, expected in ((PROGRAM, True), (BENIGN, False)):
            line = uu(content[:45]).strip()
            self.assertEqual(self.refused(self.text(b"begin 644 a", line), PROGRAMS), expected)
            line = wrapped(content[:45]).strip()
            self.assertEqual(
                self.refused(self.text(b"begin-base64 644 a", line), PROGRAMS), expected
            )

    def test_order(self) -> None:
        """The first rule that matches counts."""
        data = self.text(b"begin 644 ok.exe", b"x")
        ok = AttachmentRule(names=re.compile("ok.exe"), action="accept")
        self.assertFalse(self.refused(data, ok, EXE))
        self.assertTrue(
            self.refused(data, AttachmentRule(extensions=frozenset({"exe"}), action="drop"))
        )

    def test_every_split(self) -> None:
        """However it is cut."""
        data = (
            b"x\r\nbegin 644 a\r\n#86)C\r\n`\r\nend\r\n=ybegin name=b\r\nyy\r\nbegin 644 c\r\n\r\n"
        )
        for pieces in every_split(data):
            inline = Inline()
            found = [each for piece in pieces for each in inline.feed(piece)]
            self.assertEqual(found, [("a", b"abc"), ("b", b"OO"), ("c", b"")])


class MalformedTests(MimeCase):
    """Messages that programs read in different ways."""

    type = b"Content-Type: "
    mixed = b"multipart/mixed; boundary=x"

    def test_headers(self) -> None:
        """Refused if there are rules, passed as they are if there are none, or if that is told."""
        for header in (
            self.type + b"text/plain\r\nContent-Type: application/x",
            self.type + b"multipart/mixed",
            self.type + b"multipart/mixed; boundary=",
            self.type + b'multipart/mixed; boundary=""',
            self.type + b"multipart/mixed; boundary=" + b"x" * 201,
            self.type + b"multipart/mixed; boundary=x; boundary=y",
            self.type + b"multipart/mixed; boundary*=utf-8''x",
            self.type + b"multipart/mixed; boundary*0=x; boundary*1=y",
            self.type + b"multipart/mixed; boundary=a b",
            self.type + b"multipart/mixed, boundary=x",
            self.type + b"(comment) text/plain",
            self.type + b"text/plain; name=a.e(x)xe",
            self.type + b"text/plain; name=my a.exe",
            self.type + b'text/plain; name="a.exe',
            self.type + b"text",
            self.type,
            self.type + b"message/partial; id=1; number=1; total=2",
            self.type + b"message/external-body; access-type=x",
            self.type + b"text/plain; x=" + b"y" * 9000,
            self.type + b"text/plain\r\nno field",
            self.type + self.mixed + b"\r\n" + BASE64,
            self.type + b"message/rfc822\r\n" + BASE64,
            BASE64 + b" (really)",
            b"Content-Transfer-Encoding: x-unknown",
            b"Content-Transfer-Encoding: 7bit\r\n" + BASE64,
            b"Content-Disposition: attachment filename=a.exe",
        ):
            body = b"--x\r\n\r\ntext\r\n--x--\r\n"
            for data in (header + b"\r\n\r\n" + body, multipart(part(body, header))):
                self.assertTrue(self.refused(data, PROGRAMS), header)
                self.assertTrue(self.refused(data, EXE), header)
                for lax in (ContentSettings(), rules(PROGRAMS, EXE, malformed="pass")):
                    try:
                        self.assertEqual(passed(data, lax, 1)[0], data, header)
                    except Objection as refused:  # what it may be, is refused
                        self.assertIn("attachments", refused.by)

    def test_fine(self) -> None:
        """What many programs write is not held against them."""
        for header in (
            self.type + b"text/plain;",
            self.type + b"text/plain; charset=utf-8; format=flowed",
            self.type + b'text/plain;\r\n\tname="=?utf-8?q?a_b?="',
            self.type + b"application/pdf; name==?utf-8?B?YQ==?=",
            self.type + b'x/y; name="a \\"b\\" (c).pdf" ; x="y"',
            self.type + "x/y; name=\u00fc.pdf".encode(),
            b"Content-Disposition: attachment; filename=\"a.txt\"; size=5; filename*=utf-8''a.txt",
            b"Content-Disposition: attachment; filename*0=a; filename*1*=%20.txt",
            b"Content-Transfer-Encoding: 8BIT",
            b"Content-Transfer-Encoding:  binary ",
        ):
            data = multipart(part(b"text\r\n", header))
            self.assertEqual(passed(data, rules(PROGRAMS, EXE), 1)[0], data)

    def test_base64(self) -> None:
        """Base64 that programs decode differently."""
        for body in (
            b"TV!o=\r\n",
            b"TVo=TVo=\r\n",
            b"TVo=\r\nTVo=\r\n",
            b"TVo=\r\nTVqQ\r\n",
            b"T=Vo\r\n",
            b"\xffTVo=\r\n",
        ):
            self.assertTrue(
                self.refused(
                    multipart(part(body, BASE64)), AttachmentRule(detected=re.compile("never"))
                ),
                body,
            )
        for body in (b"TVo=\r\n", b"T V o =\r\n", b"TV\r\no=\r\n\r\n", b"\r\n", b"TVqQ\r\n"):
            self.assertFalse(
                self.refused(
                    multipart(part(body, BASE64)), AttachmentRule(detected=re.compile("never"))
                ),
                body,
            )

    def test_boundaries(self) -> None:
        """Parts that some programs see and others don't."""
        exe = part(b"MZ\r\n", b"Content-Type: x/y; name=a.exe")
        inner = multipart(TEXT, boundary=b"xyz").replace(b"Subject: s\r\n", b"")
        for data in (
            multipart(TEXT) + b"--xyz\r\n" + exe,
            multipart(TEXT) + b"--xyz\r\n" + exe + b"--xyz--\r\n",
            multipart(TEXT, b"Hi\r\n\r\n--xyz2\r\n" + exe),
            multipart(TEXT, b"Hi: x\r\n\r\n--xyz--x\r\n" + exe),
            multipart(inner),
            multipart(inner.replace(b"xyz", b"xy")),
            multipart(
                multipart(TEXT, boundary=b"in").partition(b"\r\n")[2], TEXT + b"--in\r\n" + exe
            ),
        ):
            self.assertTrue(
                self.refused(data, AttachmentRule(extensions=frozenset({"never"}))), data
            )
            self.assertEqual(passed(data)[0], data)
        for data in (
            multipart(TEXT, exe).replace(b"--xyz\r\n", b"--xyz \t\r\n"),
            b"Preamble: x\r\n" + multipart(exe),
            multipart(multipart(TEXT, boundary=b"other").partition(b"\r\n")[2], exe),
            multipart(exe)[: -len(b"--xyz--\r\n")],
            multipart(part(b"", b"Content-Type: x/y; name=a.exe"))[:-12] + b"--xyz--\r\n",
        ):
            self.assertTrue(self.refused(data, EXE), data)
            self.assertEqual(passed(data)[0], data)

    def test_same_boundary_twice(self) -> None:
        """Two messages beside each other may have the same boundaries: forwarded ones often do."""
        inner = part(multipart(TEXT, boundary=b"in"), b"Content-Type: message/rfc822")
        data = multipart(inner, inner)
        self.assertEqual(passed(data, rules(EXE))[0], data)

    def test_digest(self) -> None:
        """In a digest, parts are messages, if they don't say otherwise."""
        inner = multipart(part(b"MZ\r\n", b"Content-Type: x/y; name=a.exe"), boundary=b"in")
        data = multipart(b"\r\n" + inner, kind=b"digest")
        self.assertTrue(self.refused(data, EXE))
        message = part(inner, b"Content-Type: message/rfc822")
        self.assertTrue(self.refused(multipart(message), EXE))

    def test_margins(self) -> None:
        """What stands before the first part and behind the last one is judged as a text."""
        for data in (
            multipart().replace(b"--xyz--", b"MZ"),
            b"Subject: s\r\n" + multipart(TEXT).replace(b"\r\n\r\n", b"\r\n\r\nMZ\r\n", 1),
            multipart(TEXT) + b"MZ\r\n",
        ):
            self.assertTrue(self.refused(data, PROGRAMS), data)
        for data in (multipart(), multipart().replace(b"--xyz--", b"")):
            self.assertFalse(self.refused(data, PROGRAMS), data)

    def test_pass_still_applies_rules(self) -> None:
        """To one of the ways to read it."""
        lax = {"malformed": "pass"}
        data = multipart(part(b"MZ\r\n", b"Content-Type: x/y; name=my a.exe"))
        self.assertTrue(self.refused(data, EXE, **lax))
        inner = multipart(TEXT).replace(b"Subject: s\r\n", b"")
        exe = part(b"MZ\r\n", b"Content-Type: x/y; name=a.exe")
        self.assertTrue(self.refused(multipart(inner, exe), EXE, **lax))
        header = b"A: 1\r\nno field\r\nB: 2\r\n\r\nx\r\n"
        remove = HeaderRule("A", "remove")
        strict = ContentSettings(headers=(remove,), malformed="deny")
        self.assertRaises(Objection, passed, header, strict)
        out, _ = passed(header, ContentSettings(headers=(remove,), malformed="pass"))
        self.assertEqual(out, header.removeprefix(b"A: 1\r\n"))

    def test_header_of_a_part(self) -> None:
        """It has a largest size, like that of the message."""
        data = multipart(part(b"x\r\n", *[b"A: b"] * 300))
        self.assertRaises(Objection, passed, data, ContentSettings(header_bytes=1024))
        passed(data, ContentSettings(header_bytes=2048))

    def test_many(self) -> None:
        """There is an end to the parts."""
        data = multipart(*[b"A: b\r\n\r\n"] * 5)
        passed(data, ContentSettings(parts_per_message=6))
        self.assertRaises(Objection, passed, data, ContentSettings(parts_per_message=5))


class NameTests(MimeCase):
    """Which names a part has."""

    def test_text_to_be_read(self) -> None:
        """A text without a name is no attachment; with one, it is."""
        rule = AttachmentRule(types=re.compile("text/plain"))
        self.assertFalse(self.refused(multipart(TEXT), rule))
        self.assertTrue(
            self.refused(multipart(part(b"x\r\n", b"Content-Type: text/plain; name=a")), rule)
        )
        self.assertTrue(
            self.refused(multipart(part(b"x\r\n", b"Content-Disposition: attachment")), rule)
        )

    def test_streams(self) -> None:
        """A name of one of its streams is a name of the file (NTFS)."""
        for name in ("a.exe::$DATA", "a.exe:x.txt", "x:a.exe"):
            self.assertTrue(Attachment(name, (name,), "x/y").matches(EXE), name)

    def test_all_names(self) -> None:
        """Any of them counts, in either header, in every form."""
        for header in (
            b"Content-Type: x/y; name=a.txt\r\nContent-Disposition: attachment; filename=a.exe",
            b"Content-Type: x/y; name=a.exe\r\nContent-Disposition: attachment; filename=a.txt",
            b"Content-Disposition: attachment; filename=a.txt; filename=a.exe",
            b"Content-Disposition: attachment; filename=a.txt; filename*=utf-8''a.exe",
            b"Content-Disposition: attachment; filename=a.txt; name=a.exe",
            b"Content-Disposition: attachment; FileName*0*=utf-8''a%2e; filename*1=exe",
            b'Content-Type: x/y; name="=?utf-8?q?a=2Eexe?="',
            b'Content-Type: x/y; name="=?utf-8?q?a?= =?utf-8?q?=2Eexe?="',
        ):
            self.assertTrue(self.refused(multipart(part(b"x\r\n", header)), EXE), header)


class AgainstCPythonTests(MimeCase):
    """What passes a rule has nothing in it that the standard library would find against it."""

    lines = st.lists(
        st.sampled_from(
            [
                *(b"--x", b"--x--", b"--y", b"--y--", b"--x ", b"--xy", b"--", b"", b"", b" x"),
                *(
                    b"text",
                    b"MZ",
                    b"TVqQ",
                    b"TVqQAAMAAAAEAAAA//8AALgAAAA=",
                    b"=4D=5A",
                    b"no: field",
                ),
                b"Content-Type: multipart/mixed; boundary=x",
                b"Content-Type: multipart/mixed; boundary=y",
                b"Content-Type: multipart/digest; boundary=y",
                b"Content-Type: multipart/mixed; boundary=z; boundary=y",
                b"Content-Type: message/rfc822",
                b"Content-Type: application/x; name=a.exe",
                b"Content-Type: application/x;",
                b" name=a.exe",
                b"Content-Disposition: attachment; filename=a.exe",
                b"Content-Disposition: attachment; filename*0=a.e; filename*1=xe",
                b"Content-Transfer-Encoding: base64",
                b"Content-Transfer-Encoding: quoted-printable",
            ]
        ),
        max_size=25,
    )

    @settings(max_examples=400, deadline=None)
    @given(lines, st.integers(1, 9), st.sampled_from(["reject", "drop"]))
    def test_names(self, lines: list[bytes], step: int, action: Any) -> None:
        """No name of a program."""
        rule = AttachmentRule(extensions=frozenset({"exe"}), action=action)
        for each in self.parts(lines, step, rule):
            self.assertFalse((each.get_filename() or "").endswith(".exe"), lines)

    @settings(max_examples=400, deadline=None)
    @given(lines, st.integers(1, 9), st.sampled_from(["reject", "drop"]))
    def test_contents(self, lines: list[bytes], step: int, action: Any) -> None:
        """No program, whatever it is called."""
        rule = AttachmentRule(detected=PROGRAMS.detected, action=action)
        for each in self.parts(lines, step, rule):
            content = each.get_payload(decode=True)
            self.assertFalse(content and content.startswith(b"MZ"), lines)

    def parts(self, lines: list[bytes], step: int, rule: AttachmentRule) -> list[Any]:
        data = b"Content-Type: multipart/mixed; boundary=x\r\n" + b"\r\n".join([*lines, b""])
        try:
            out, _ = passed(data, rules(rule), step)
        except Objection:
            return []
        if rule.action == "reject":
            self.assertEqual(out, data)
        return list(message_from_bytes(out).walk())
