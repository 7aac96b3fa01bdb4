"""Described: what the header of a part says about it (RFC 2045, 2183, 2231)."""

from __future__ import annotations

import re
from email.message import Message as ParsedHeader
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value

from attrs import frozen

from protocols.mime.encoding import DECODERS, PLAIN
from protocols.mime.header import Header, decoded

_ONCE = ("content-type", "content-disposition", "content-transfer-encoding")
_LONGEST = 8192
"""Bytes of such a field. For more, the standard library takes too long."""

BOUNDARY = 200
"""Characters of a boundary. RFC 2046, section 5.1.1, has 70."""

# RFC 2045, section 5.1. A value may be what many programs write without the quotes it needs:
# encoded words (RFC 2047) and UTF-8. But not what may be read in two ways: blanks, comments.
_TOKEN = r"[!#$%&'*+.^_`|{}~A-Za-z0-9-]+"
_VALUE = r"(?:[!#$%&'*+.^_`|{}~A-Za-z0-9=?/@:,\[\]\x80-\U0010ffff-]+|\"(?:[^\"\\]|\\.)*\")"
_PARAMETERS = rf"[ \t]*(?:;[ \t]*(?:{_TOKEN}[ \t]*=[ \t]*{_VALUE}[ \t]*)?)*"
_GRAMMAR = {
    "content-type": re.compile(rf"(?P<value>{_TOKEN}/{_TOKEN}){_PARAMETERS}"),
    "content-disposition": re.compile(rf"(?P<value>{_TOKEN}){_PARAMETERS}"),
    "content-transfer-encoding": re.compile(rf"(?P<value>{_TOKEN})"),
}
_BOUNDARY = re.compile(r";[ \t]*boundary(?P<other>\*[^=]*)?[ \t]*=", re.IGNORECASE)

_MESSAGES = frozenset({"message/rfc822", "message/global"})
_FRAGMENTS = frozenset({"message/partial", "message/external-body"})


@frozen
class Described:
    """
    A part, as it says itself.

    @ivar type: its media type, in small letters.
    @ivar encoding: its transfer encoding, in small letters.
    @ivar boundary: of a multipart; empty if it is none.
    @ivar disposition: C{attachment}, C{inline}, …; empty if it says nothing.
    @ivar names: all names of the file; programs disagree on which one counts.
    @ivar problem: why programs may disagree about it; empty if there is no reason.
    """

    type: str = "text/plain"
    encoding: str = ""
    boundary: bytes = b""
    disposition: str = ""
    names: tuple[str, ...] = ()
    problem: str = ""

    @property
    def message(self) -> bool:
        """Whether there is another message in it, with a header and parts of its own."""
        return self.type in _MESSAGES and self.encoding in PLAIN

    @property
    def attached(self) -> bool:
        """Whether it is more than text to be read."""
        kind = self.type.partition("/")[0]
        return bool(self.names) or self.disposition == "attachment" or kind not in _READ


_READ = frozenset({"text", "multipart", "message"})


def described(header: Header, default: str = "text/plain") -> Described:
    """
    Read what a header says.

    @param default: what a part is that does not say it: in a multipart/digest
        a message (RFC 2046, section 5.1.5).
    """
    fields = [each for each in header.fields if each.name.lower() in _ONCE]
    if not fields:
        return Described(default, problem=_unsound(header))
    for each in fields:
        if len(each.raw) > _LONGEST:
            problem = f"{each.name} of more than {_LONGEST} bytes"
            return Described("application/octet-stream", problem=problem)
    parsed = BytesHeaderParser().parsebytes(b"".join(each.raw for each in fields))
    if "content-type" not in parsed:
        parsed.set_default_type(default)
    kind = parsed.get_content_type()
    try:
        boundary = _boundary(parsed) if kind.startswith("multipart/") else b""
        names = _names(parsed)
    except TypeError:  # the standard library can't put them in order
        return Described(kind, problem="a parameter that is there whole and in pieces")
    encoding = str(parsed.get("content-transfer-encoding", "")).strip().lower()
    return Described(
        kind,
        encoding,
        boundary,
        parsed.get_content_disposition() or "",
        names,
        _unsound(header) or _problem(header) or _strange(kind, encoding, boundary),
    )


def _boundary(parsed: ParsedHeader) -> bytes:
    return (parsed.get_boundary() or "").encode("utf-8", "surrogateescape")


def _names(parsed: ParsedHeader) -> tuple[str, ...]:
    """Every name that a program may take for the file's."""
    names: dict[str, None] = {}
    for field in ("content-disposition", "content-type"):
        for key, value in (parsed.get_params([], field) or [])[1:]:
            if key.lower() in ("filename", "name") and value:
                names[decoded(collapse_rfc2231_value(value)).strip()] = None
    return tuple(names)


def _unsound(header: Header) -> str:
    return "" if header.sound else "a line in a header is no field"


def _problem(header: Header) -> str:
    """What is wrong with the fields, each for itself."""
    for name in _ONCE:
        found = header.named(name)
        if len(found) > 1:
            return f"{name} twice in a part"
        for each in found:
            value = each.raw.partition(b":")[2].replace(b"\r\n", b"").strip()
            text = value.decode("utf-8", "replace")
            if not _GRAMMAR[name].fullmatch(text):
                return f"{name} {text[:100]!r}"
            boundaries = list(_BOUNDARY.finditer(text)) if name == "content-type" else []
            if len(boundaries) > 1 or any(one["other"] for one in boundaries):
                return f"a boundary that may be read in two ways: {text[:100]!r}"
    return ""


def _strange(kind: str, encoding: str, boundary: bytes) -> str:
    """What does not fit together."""
    multipart = kind.startswith("multipart/")
    if multipart and not 0 < len(boundary) <= BOUNDARY:
        return "a multipart without a boundary, or with a very long one"
    if (multipart or kind in _MESSAGES) and encoding not in PLAIN:
        return "parts that are encoded as a whole"
    if encoding not in DECODERS:
        return f"an encoding that is not known, {encoding[:100]!r}"
    return f"{kind}, a fragment" if kind in _FRAGMENTS else ""
