"""Messages, as other programs read them that were written by others."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import Message as TheirMessage
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.mime.message import Message
from protocols.mime.objection import Objection
from protocols.mime.rules import AttachmentRule
from protocols.mime.settings import ContentSettings

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

    rules = (AttachmentRule(extensions=frozenset({"exe"})),)

    @settings(max_examples=1000, deadline=None)
    @given(messages(), st.integers(1, 5), st.sampled_from(["deny", "repair"]))
    @example(["Content-Disposition: attachment; filename*=utf-8''a; filename*0=b", ""], 1, "deny")
    @example(["Content-Disposition: attachment; filename*0=a; filename*=b", ""], 1, "repair")
    @example([*_digest([])[:3], "--b--", "", *_PROGRAM], 1, "deny")
    def test_any(self, lines: list[str], step: int, malformed: Any) -> None:
        """No attachment that the standard library finds passes where it may not."""
        message = Message(ContentSettings(attachments=self.rules, malformed=malformed))
        try:
            out = b"".join(
                message.feed("".join(f"{line}\r\n" for line in lines[at : at + step]).encode())
                for at in range(0, len(lines), step)
            )
            out += message.end()
        except Objection:
            return
        if malformed == "deny":
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
