"""
Broken: mails as they are in collections of what mail programs should survive,
made here: sound ones, in which lines are lost, doubled, moved, cut, run together.
"""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Callable, Iterator
from io import BytesIO
from random import Random
from zipfile import ZipFile

Lines = list[bytes]


def archive() -> bytes:
    """A ZIP archive."""
    file = BytesIO()
    with ZipFile(file, "w") as made:
        made.writestr("a.txt", "x" * 200)
    return file.getvalue()


ZIP = encodebytes(archive()).splitlines()

_HEAD = [
    b"Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000",
    b"From: Alice <alice@a.example>",
    b"To: Bob <bob@b.example>",
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
    b"MIME-Version: 1.0",
]
_TEXT = [b"Content-Type: text/plain; charset=utf-8", b"", b"Hello,", b"", b"-- ", b"Alice"]
_HTML = [
    b"Content-Type: text/html;",
    b" charset=utf-8",
    b"Content-Transfer-Encoding: quoted-printable",
    b"",
    b'<p class=3D"x">Hello=20=',
    b"</p>",
]
_FILE = [
    b"Content-Type: application/zip;",
    b' name="a.zip"',
    b"Content-Transfer-Encoding: base64",
    b"Content-Disposition: attachment;",
    b' filename="a.zip"',
    b"",
    *ZIP,
]
_BARE = [b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: base64", b"", *ZIP]


def _multipart(kind: bytes, boundary: bytes, *parts: Lines) -> Lines:
    head = [b'Content-Type: multipart/%b; boundary="%b"' % (kind, boundary), b"", b"Preamble", b""]
    inside = [line for part in parts for line in (b"--" + boundary, *part)]
    return [*head, *inside, b"--%b--" % boundary, b""]


SOUND: list[Lines] = [
    [*_HEAD, *_multipart(b"mixed", b"=_outer", _TEXT, _FILE)],
    [
        *_HEAD,
        *_multipart(b"mixed", b"xyz", _multipart(b"alternative", b"xyz2", _TEXT, _HTML), _FILE),
    ],
    [
        *_HEAD,
        *_multipart(b"mixed", b"a", _TEXT, [b"Content-Type: message/rfc822", b"", *_HEAD, *_FILE]),
    ],
    [
        *_HEAD,
        *_multipart(b"digest", b"d", [b"", *_HEAD, *_multipart(b"mixed", b"e", _TEXT, _BARE)]),
    ],
    [*_HEAD, *_FILE],
    [*_HEAD, *_multipart(b"related", b"r", _HTML, _BARE, _FILE)],
    [
        *_HEAD,
        *_multipart(b"report", b"p", _TEXT, [b"Content-Type: text/rfc822-headers", b"", *_HEAD]),
    ],
]


def _lose(lines: Lines, at: int, chance: Random) -> None:
    del lines[at]


def _double(lines: Lines, at: int, chance: Random) -> None:
    lines.insert(at, lines[at])


def _move(lines: Lines, at: int, chance: Random) -> None:
    lines.insert(chance.randrange(len(lines)), lines.pop(at))


def _copy(lines: Lines, at: int, chance: Random) -> None:
    lines.insert(chance.randrange(len(lines)), lines[at])


def _cut(lines: Lines, at: int, chance: Random) -> None:
    lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]


def _join(lines: Lines, at: int, chance: Random) -> None:
    if at + 1 < len(lines):
        lines[at] += lines.pop(at + 1)


def _split(lines: Lines, at: int, chance: Random) -> None:
    cut = chance.randrange(len(lines[at]) + 1)
    lines[at : at + 1] = [lines[at][:cut], lines[at][cut:]]


def _empty(lines: Lines, at: int, chance: Random) -> None:
    lines.insert(at, chance.choice([b"", b" ", b"\t", b"--", b"-- "]))


def _indent(lines: Lines, at: int, chance: Random) -> None:
    lines[at] = chance.choice([b" ", b"\t", b">", b"X: "]) + lines[at]


def _unfold(lines: Lines, at: int, chance: Random) -> None:
    lines[at] = lines[at].lstrip()


def _letters(lines: Lines, at: int, chance: Random) -> None:
    lines[at] = chance.choice([lines[at].upper(), lines[at].lower(), lines[at].swapcase()])


def _character(lines: Lines, at: int, chance: Random) -> None:
    cut = chance.randrange(len(lines[at]) + 1)
    new = chance.choice(
        [b'"', b";", b"=", b":", b"-", b" ", b"(", b"\\", b"\xff", b",", b"*", b"'"]
    )
    lines[at] = lines[at][:cut] + new + lines[at][cut + chance.randrange(2) :]


def _end(lines: Lines, at: int, chance: Random) -> None:
    del lines[at:]


def _swap(lines: Lines, at: int, chance: Random) -> None:
    words = [
        (b"base64", b"quoted-printable"),
        (b"base64", b"7bit"),
        (b"mixed", b"digest"),
        (b"multipart/", b"message/"),
        (b"application/zip", b"multipart/mixed"),
        (b"Content-Type", b"Content-Disposition"),
        (b"boundary", b"name"),
        (b"name", b"boundary"),
        (b'"', b""),
        (b"=", b" = "),
    ]
    one, other = chance.choice(words)
    lines[at] = lines[at].replace(one, other)


_WAYS: list[Callable[[Lines, int, Random], None]] = [
    *(_lose, _double, _move, _copy, _cut, _join, _split, _empty),
    *(_indent, _unfold, _letters, _character, _end, _swap, _swap, _character),
]


def mails(count: int, seed: int) -> Iterator[bytes]:
    """So many broken mails, the same ones for the same seed."""
    chance = Random(seed)
    for number in range(count):
        lines = list(SOUND[number % len(SOUND)])
        for _ in range(chance.randint(1, 4)):
            if lines:
                chance.choice(_WAYS)(lines, _somewhere(lines, chance), chance)
        yield b"".join(line + b"\r\n" for line in lines)


def _somewhere(lines: Lines, chance: Random) -> int:
    """A line, rather one of a header or a boundary than of a body."""
    telling = [
        at
        for at, line in enumerate(lines)
        if not line or line.startswith((b"--", b"Content-", b" ", b"\t", b"PK"))
    ]
    return (
        chance.choice(telling)
        if telling and chance.random() < 0.8
        else chance.randrange(len(lines))
    )
