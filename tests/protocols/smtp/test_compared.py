"""Addresses, parameters and messages, as other programs read them that were written by others."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import Message as TheirMessage
from typing import Any

from aiosmtpd.smtp import SMTP as Aiosmtpd
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.mail.smtp import Address as TwistedAddress
from twisted.mail.smtp import AddressError as TwistedError
from twisted.trial.unittest import SynchronousTestCase

from protocols.smtp.address import AddressError, parse_path
from protocols.smtp.fault import Fault
from protocols.smtp.message import Message
from protocols.smtp.parameter import MAIL, ParameterError, parse_parameters, written
from protocols.smtp.settings import AttachmentRule, SMTPSettings

EXAMPLES = settings(max_examples=400, deadline=None)

pieces = st.sampled_from(
    [
        "a",
        "B",
        ".",
        "@",
        '"',
        "\\",
        " ",
        "<",
        ">",
        "[",
        "]",
        "192.0.2.1",
        "IPv6:::1",
        ",",
        ":",
        "(",
        ")",
        ";",
        "-",
        "x.example",
        "+",
        "\u00fc",
        "!",
        "%",
    ]
)
atoms = st.text("abZ0!#$%&'*+-/=?^_`{|}~\u00fc", min_size=1, max_size=4)
quoted = st.text("a@ .,:;<>()[]!%", min_size=1, max_size=6).map('"{}"'.format)
escaped = st.sampled_from(['"a\\"b"', '"\\\\"', '"\\a"', '"a\\ b"'])
locals_ = st.one_of(st.lists(atoms, min_size=1, max_size=3).map(".".join), quoted, escaped)
domains = st.sampled_from(["b", "x.example", "[192.0.2.1]", "[IPv6:2001:db8::1]", "\u00fc.example"])
routes = st.sampled_from(["", "", "@y.example:", "@y,@z.example:"])
texts = st.one_of(
    st.lists(pieces, max_size=9).map("".join),
    st.tuples(routes, locals_, st.just("@"), domains).map("".join),
    st.just("Postmaster"),
)

# Only its parsers, which want no connection.
server = Aiosmtpd.__new__(Aiosmtpd)
server.local_part_limit = 0


class AddressTests(SynchronousTestCase):
    """What we write, a server reads as what we took it for."""

    @EXAMPLES
    @given(texts, st.sampled_from(["", " SIZE=1", " BODY=7BIT SIZE=1"]))
    @example('"a\\"b"@x.example', "")
    @example("a@[IPv6:::1]", " SIZE=1")
    @example("@x.example,@a:a@x.example", "")
    def test_aiosmtpd(self, text: str, rest: str) -> None:
        """aiosmtpd, which uses the parser of the standard library's headers."""
        try:
            path, ours = parse_path(f"<{text}>{rest}")
        except AddressError:
            return
        if path.mailbox.null:
            return
        address, theirs = server._getaddr(f"{path}{ours}")
        self.assertEqual(theirs, ours.strip())
        mailbox = path.mailbox
        self.assertEqual(unquoted(address), f"{mailbox.local}@{mailbox.domain}".removesuffix("@"))

    @EXAMPLES
    @given(texts)
    @example('"a b"@x.example')
    def test_twisted(self, text: str) -> None:
        """Twisted, which has one of its own, if it can read it at all."""
        try:
            path, rest = parse_path(f"<{text}>")
            address = str(path)[1:-1].encode("ascii")
        except (AddressError, UnicodeEncodeError):
            return
        if rest or not path.mailbox.domain or "[" in path.mailbox.domain:
            return
        try:
            theirs = TwistedAddress(address)
        except TwistedError:  # it can't read everything that is one
            return
        self.assertEqual(theirs.domain.decode(), path.mailbox.domain)

    @EXAMPLES
    @given(
        st.lists(
            st.sampled_from(
                [
                    "SIZE=1",
                    "size=22",
                    "BODY=8BITMIME",
                    "SMTPUTF8",
                    "RET=HDRS",
                    "ENVID=a+2Bb",
                    "AUTH=<>",
                    "AUTH=a+3Db",
                    "SIZE",
                    "x=y",
                    "=",
                    "A==B",
                ]
            ),
            max_size=5,
        ),
        st.sampled_from([" ", "  "]),
    )
    def test_parameters(self, words: list[str], blank: str) -> None:
        """aiosmtpd reads the same parameters out of what we write."""
        try:
            ours = parse_parameters("".join(blank + word for word in words), MAIL)
        except ParameterError:
            return
        theirs = server._getparams(written(ours).split())
        self.assertEqual(
            theirs, {name: value if value is not None else True for name, value in ours}
        )


def unquoted(address: str) -> str:
    """As it is meant."""
    local, at, domain = address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local}{at}{domain}"


NAMES = frozenset({"evil.exe"})

# Everything that a structure is made of, to be put where it belongs and where it does not.
LINES = """
--a
--a--
--ab
--b
--b--
--a\x20
--
text
x: y
\x20
Content-Type: multipart/mixed; boundary=a
Content-Type: multipart/mixed; boundary="b"
Content-Type: multipart/mixed; boundary=ab
Content-Type: multipart/mixed;
 boundary=a
Content-Type: multipart/digest; boundary=b
content-type:multipart/mixed;boundary=b
Content-Type: message/rfc822
Content-Disposition: attachment; filename=evil.exe
Content-Disposition: attachment;
 filename="evil.exe"
 filename*=utf-8''evil%2Eexe
 filename*0=evil.; filename*1=exe
Content-Type: text/plain; name=evil.exe
Content-Type: application/zip
Content-Transfer-Encoding: base64
Content-Transfer-Encoding: quoted-printable
Subject: =?utf-8?q?evil.exe?=
Content-Type: x
"""

lines = st.sampled_from(["", *LINES.splitlines()[1:]])
_folded = "Content-Disposition: attachment;\r\n{}".format
evil = st.sampled_from(
    [
        *(line for line in LINES.splitlines() if "name=evil" in line),
        *(_folded(line) for line in LINES.splitlines() if line.startswith(" filename")),
    ]
)


def _inside(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.one_of(
        st.builds(_multipart, st.sampled_from(["a", "b", "ab"]), st.lists(inner, max_size=2)),
        st.builds(lambda x: ["Content-Type: message/rfc822", "", *x], inner),
        st.builds(_digest, inner),
    )


def _multipart(boundary: str, parts: list[list[str]]) -> list[str]:
    inside = [line for part in parts for line in (f"--{boundary}", *part)]
    return [f"Content-Type: multipart/mixed; boundary={boundary}", "", *inside, f"--{boundary}--"]


def _digest(message: list[str]) -> list[str]:
    return ["Content-Type: multipart/digest; boundary=b", "", "--b", "", *message, "--b--"]


sound = st.recursive(st.builds(lambda header: [header, "", "text"], evil), _inside, max_leaves=4)


@st.composite
def messages(draw: st.DrawFn) -> list[str]:
    """A structure with something wrong in it, or nothing."""
    message = list(draw(sound))
    for line in draw(st.lists(lines, max_size=3)):
        at = draw(st.integers(0, len(message)))
        message[at : at + draw(st.integers(0, 1))] = [line]
    return message


_PROGRAM = ["Content-Disposition: attachment; filename=evil.exe", "", "text"]


class MessageTests(SynchronousTestCase):
    """What a mail program finds in a message, the inspector has found before."""

    rules = SMTPSettings(attachments=(AttachmentRule(extensions=frozenset({"exe"})),))

    @settings(max_examples=1000, deadline=None)
    @given(messages(), st.integers(1, 5))
    @example(["Content-Disposition: attachment; filename*=utf-8''a; filename*0=b", ""], 1)
    @example(["Content-Disposition: attachment; filename*0=a; filename*=b", ""], 1)
    @example([*_digest([])[:3], "--b--", "", *_PROGRAM], 1)
    def test_any(self, lines: list[str], step: int) -> None:
        """No attachment that the standard library finds passes where it may not."""
        message = Message(self.rules)
        try:
            out = b"".join(
                message.feed("".join(f"{line}\r\n" for line in lines[at : at + step]).encode())
                for at in range(0, len(lines), step)
            )
            out += message.end()
        except Fault:
            return
        self.assertEqual(out, "".join(f"{line}\r\n" for line in lines).encode())
        for mode in (policy.SMTP, policy.compat32):
            found = {name for part in walked(out, mode) for name in names(part)}
            self.assertFalse(found & NAMES, out)


def walked(data: bytes, mode: Any) -> list[TheirMessage]:
    """The parts of a message, by the standard library."""
    return list(message_from_bytes(data, policy=mode).walk())


def names(part: TheirMessage) -> list[str]:
    """What a part's file may be called."""
    return [name for name in (part.get_filename(), part.get_param("name")) if isinstance(name, str)]
