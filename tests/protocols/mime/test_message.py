"""Messages: what is in them, and what becomes of them."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.testing import hostile
from protocols.mime.objection import Objection
from protocols.mime.rules import AttachmentRule, HeaderRule
from protocols.mime.settings import ContentSettings
from tests.protocols.mime.mails import mail, nested, passed


class HeaderTests(SynchronousTestCase):
    """Rules for headers."""

    data = b"A: 1\r\nb:  x\r\n y\r\nA: =?utf-8?q?=C3=BC?=\r\nC:\r\n\r\nA: body\r\n"

    def judged(self, *rules: HeaderRule) -> bytes:
        return passed(self.data, ContentSettings(headers=rules), 2)[0]

    def test_untouched(self) -> None:
        """Without a rule, a message passes byte for byte."""
        self.assertEqual(self.judged(), self.data)

    def test_remove(self) -> None:
        """Fields of that name and with that value are gone, decoded and unfolded or not."""
        gone = self.judged(HeaderRule("a", "remove", re.compile("\u00fc")))
        self.assertEqual(gone, self.data.replace(b"A: =?utf-8?q?=C3=BC?=\r\n", b""))
        gone = self.judged(HeaderRule("B", "remove", re.compile("x y")))
        self.assertEqual(gone, self.data.replace(b"b:  x\r\n y\r\n", b""))

    def test_set_and_add(self) -> None:
        """One in place of all, or one more."""
        self.assertEqual(
            self.judged(HeaderRule("a", "set", value="2"), HeaderRule("D", "add", value="3")),
            b"b:  x\r\n y\r\nC:\r\na: 2\r\nD: 3\r\n\r\nA: body\r\n",
        )

    def test_reject_and_require(self) -> None:
        """By the rule that says so, whose words the client hears."""
        for rule in (
            HeaderRule("c", "reject"),
            HeaderRule("a", "reject", re.compile("\u00fc")),
            HeaderRule("d", "require"),
            HeaderRule("a", "require", re.compile("body")),
        ):
            with self.assertRaises(Objection) as caught:
                self.judged(rule)
            self.assertIs(caught.exception.rule, rule)
        self.judged(HeaderRule("d", "reject"), HeaderRule("A", "require", re.compile("1")))

    def test_ambiguous(self) -> None:
        """Where programs disagree which lines are the header, rules could be walked around."""
        rule = HeaderRule("X-Other", "reject")
        for data in (
            b"A: 1\r\nno field\r\nX-Never: 1\r\n\r\n",
            b"A: 1\r\n \r\nX-Never: 1\r\n\r\n",
            b" A: 1\r\n\r\n",
            b"X-Never : 1\r\n\r\n",
            b"From me\r\nX-Never: 1\r\n\r\n",
            b"just text\r\n",
        ):
            with self.assertRaises(Objection, msg=data):
                passed(data, ContentSettings(headers=(rule,), malformed="deny"))
            self.assertEqual(passed(data)[0], data)

    def test_long(self) -> None:
        """A value of any length is decoded."""
        rule = HeaderRule("subject", "reject", re.compile(".*evil.*"))
        for begin, end in ((b"", b" x" * 5000), (b"=?utf-8?q?a?=\r\n " * 3000, b"")):
            for word, refused in ((b"=?utf-8?q?e=76il?=", True), (b"=?utf-8?q?good?=", False)):
                data = b"Subject: " + begin + word + end + b"\r\n\r\n"
                if refused:
                    self.assertRaises(Objection, passed, data, ContentSettings(headers=(rule,)))
                else:
                    self.assertEqual(passed(data, ContentSettings(headers=(rule,)))[0], data)

    def test_limit(self) -> None:
        """A header has a largest size; text without a header is not a header."""
        limit = ContentSettings(header_bytes=1024)
        self.assertRaises(Objection, passed, b"A: 1\r\n" * 200, limit)
        body = b"text\r\n" * 300
        self.assertEqual(passed(body, limit)[0], body)


class PartTests(SynchronousTestCase):
    """Rules for attachments."""

    def refused(self, data: bytes, **rule: Any) -> bool:
        try:
            passed(
                data, ContentSettings(attachments=(AttachmentRule(**rule),), malformed="deny"), 3
            )
        except Objection:
            return True
        return False

    def test_record(self) -> None:
        """The audit record has the essential headers and the names, decoded."""
        data = mail("a.exe", "\u00fcber.zip").as_bytes()
        out, record = passed(data)
        self.assertEqual(out, data)
        self.assertEqual(
            record,
            {
                "from": "Alice <alice@a.example>",
                "to": ["bob@b.example"],
                "subject": "Gr\u00fc\u00dfe",
                "attachment": ["a.exe", "\u00fcber.zip"],
            },
        )

    def test_names(self) -> None:
        """By the end of the name, as the client's computer sees it, or by all of it."""
        exe = {"extensions": frozenset({"exe"})}
        for name in ("a.exe", "A.EXE", "a.exe.", "a.exe . ", "\u00fc.exe", "a.txt.exe"):
            self.assertTrue(self.refused(mail(name).as_bytes(), **exe), name)
        for name in ("a.txt", "exe", "a.exe.txt", "a.exercise"):
            self.assertFalse(self.refused(mail(name).as_bytes(), **exe), name)
        self.assertTrue(
            self.refused(mail("Invoice 7.zip").as_bytes(), names=re.compile("invoice.*"))
        )
        self.assertTrue(self.refused(mail("a").as_bytes(), types=re.compile("application/zip")))

    def test_any_name(self) -> None:
        """Of a part with two names, none is safe."""
        data = (
            b"Content-Type: application/x; name=a.exe\r\n"
            b"Content-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"
        )
        self.assertTrue(self.refused(data, extensions=frozenset({"exe"})))

    def test_split_name(self) -> None:
        """Names in pieces, and encoded ones (RFC 2231, RFC 2047), are names."""
        for parameter in (
            b"filename*0=a.e; filename*1=xe",
            b"filename*=utf-8''a%2Eexe",
            b'filename="=?utf-8?b?YS5leGU=?="',
            b'\r\n filename="a.exe"',
        ):
            data = b"Content-Disposition: attachment; " + parameter + b"\r\n\r\n\r\n"
            self.assertTrue(self.refused(data, extensions=frozenset({"exe"})), parameter)

    def test_nested(self) -> None:
        """Also in a message in a message."""
        outer = mail()
        outer.add_attachment(mail("inner.exe"))
        self.assertTrue(self.refused(outer.as_bytes(), extensions=frozenset({"exe"})))
        self.assertEqual(passed(outer.as_bytes())[1]["attachment"][-1], "inner.exe")

    def test_order(self) -> None:
        """The first rule that matches counts."""
        rules = (
            AttachmentRule(names=re.compile("ok.zip"), action="accept"),
            AttachmentRule(extensions=frozenset({"zip"})),
        )
        for name, refused in (("ok.zip", False), ("other.zip", True)):
            try:
                passed(mail(name).as_bytes(), ContentSettings(attachments=rules))
                self.assertFalse(refused)
            except Objection:
                self.assertTrue(refused)

    def test_counts(self) -> None:
        """Not too many, and not too deep."""
        two = mail("a", "b").as_bytes()
        passed(two, ContentSettings(attachments_per_message=2))
        self.assertRaises(Objection, passed, two, ContentSettings(attachments_per_message=1))
        deep = mail("a")
        for _ in range(3):
            outer = mail()
            outer.add_attachment(deep)
            deep = outer
        passed(deep.as_bytes(), ContentSettings(nesting=8))
        self.assertRaises(Objection, passed, deep.as_bytes(), ContentSettings(nesting=4))

    def test_siblings_are_not_deep(self) -> None:
        """Many parts beside each other are not parts in each other."""
        outer = mail()
        for _ in range(9):
            outer.add_attachment(mail("a"))
        passed(outer.as_bytes(), ContentSettings(nesting=3))

    def test_ambiguous(self) -> None:
        """Structures that programs read differently are refused where it matters."""
        for header in (
            b"Content-Type: text/plain\r\nContent-Type: application/x; name=a.exe\r\n",
            b"Content-Type: multipart/mixed\r\n",
            b"Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: base64\r\n",
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n",
            b"Content-Type: text/plain; x=" + b"y" * 9000 + b"\r\n",
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nno field\r\n\r\n",
        ):
            self.assertTrue(self.refused(header + b"\r\n", extensions=frozenset({"exe"})), header)

    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            st.text("ab.\u00fc ", min_size=1, max_size=5),
            lambda x: st.lists(x, max_size=3),
            max_leaves=8,
        )
    )
    def test_independent(self, tree: Any) -> None:
        """The same attachments as the standard library finds, when it has all of the message."""
        data = nested([tree]).as_bytes()
        theirs = message_from_bytes(data, policy=policy.SMTP)
        names = [part.get_filename() for part in theirs.walk() if part.get_filename()]
        out, record = passed(data, step=1)
        self.assertEqual(out, data)
        found = [name for name in record.get("attachment", []) if name != "message/rfc822"]
        self.assertEqual(found, [name.strip() for name in names])

    def test_hostile(self) -> None:
        """Whatever it is: it passes as it is, or it is refused."""
        samples = [mail("a.exe", "\u00fc").as_bytes(), nested([["a"], "b", [["c"]]]).as_bytes()]
        rules = (AttachmentRule(extensions=frozenset({"exe"})),)
        strict = ContentSettings(attachments=rules, malformed="deny")
        for data in hostile(samples, count=60):
            data = data.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
            for mode in (ContentSettings(), strict):
                try:
                    self.assertEqual(passed(data, mode)[0], data)
                except Objection:
                    continue
