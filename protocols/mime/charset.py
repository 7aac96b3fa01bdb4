"""
Charsets: all texts that some bytes may stand for (RFC 2047, section 2; RFC 2978).

Programs disagree about a charset that they don't know, about bytes that it has
no characters for, and about the order of bytes where nothing says it (RFC
2781, section 4.3, says big-endian; Windows and Python, little-endian).
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from functools import lru_cache

from attrs import frozen

_KNOWN = frozenset(
    {
        *("ascii", "utf-8", "utf-7", "utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"),
        *(f"iso8859-{number}" for number in (*range(1, 12), *range(13, 17))),
        *(f"cp{number}" for number in (*range(1250, 1259), 437, 737, 775, 850, 852, 855)),
        *(f"cp{number}" for number in (857, 858, 860, 861, 862, 863, 864, 865, 866, 869)),
        *(f"cp{number}" for number in (874, 932, 949, 950, 1125, 500, 1026, 1140)),
        *("cp037", "koi8-r", "koi8-u", "koi8-t", "kz1048", "ptcp154", "tis-620", "mac-roman"),
        *("mac-cyrillic", "big5", "big5hkscs", "gb2312", "gbk", "gb18030", "hz"),
        *("euc_jp", "euc_kr", "shift_jis", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2"),
        *("iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr", "johab"),
    }
)
"""Python's names of the charsets that mail is written in. It has codecs that are no charsets."""

_ALIASES: Mapping[str, str] = {
    "": "ascii",
    "x-sjis": "shift_jis",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac-roman",
    "ansi_x3.4-1968": "ascii",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "iso-8859-8-i": "iso8859-8",
    "ks_c_5601-1987": "cp949",
    "cp-850": "cp850",
}
"""Names that are in the wild, and not in Python."""

_WIDE: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("utf-16", "utf16", "utf_16", "ucs-2", "unicode", "csunicode", "iso-10646-ucs-2"),
        ("utf-16-be", "utf-16-le"),
    ),
    **dict.fromkeys(
        ("utf-32", "utf32", "utf_32", "ucs-4", "iso-10646-ucs-4"), ("utf-32-be", "utf-32-le")
    ),
}
"""Charsets that say the order of their bytes in the text itself, or not at all."""

_MARKS = {
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
}

_ASCII = bytes(range(0x20, 0x7F))


@frozen
class Texts:
    """
    What some bytes may stand for.

    @ivar likely: what most programs make of them.
    @ivar others: what some do.
    @ivar problem: why they may disagree; empty if there is no reason.
    """

    likely: str
    others: tuple[str, ...] = ()
    problem: str = ""


def read(data: bytes, charset: str) -> Texts:
    """All texts that C{data} may stand for in this charset, whose name a peer wrote."""
    label = charset.strip(" \t\"'").lower()
    wide = _WIDE.get(label)
    if wide is not None:
        return _read_wide(data, wide)
    codec = _codec(label)
    if codec is None:
        return Texts(_as_it_is(data), (), f"an unknown charset, {charset[:40]!a}")
    likely, sound = _decoded(data, codec)
    problem = "" if sound else f"bytes that are none of {charset[:40]!a}"
    # Who does not know the charset takes the bytes as they are.
    others = () if _has_ascii(codec) else (_as_it_is(data),)
    return Texts(likely, others, problem)


def _read_wide(data: bytes, codecs_: tuple[str, str]) -> Texts:
    for codec in codecs_:
        if data.startswith(_MARKS[codec]):
            likely, sound = _decoded(data.removeprefix(_MARKS[codec]), codec)
            return Texts(likely, (_as_it_is(data),), "" if sound else "half a character")
    texts = [_decoded(data, codec)[0] for codec in codecs_]
    return Texts(texts[0], (texts[1], _as_it_is(data)), "a text that does not say its byte order")


def _decoded(data: bytes, codec: str) -> tuple[str, bool]:
    """The text, and whether all of the bytes are one."""
    try:
        return data.decode(codec), True
    except UnicodeError:
        pass
    try:
        return data.decode(codec, "replace"), False
    except UnicodeError:  # a codec that can't
        return _as_it_is(data), False


def _as_it_is(data: bytes) -> str:
    return raw(data)[0]


def raw(data: bytes) -> tuple[str, ...]:
    """What bytes without a charset may stand for: UTF-8, or what Windows has in the west."""
    try:
        return (data.decode(),)
    except UnicodeDecodeError:
        return (data.decode("utf-8", "replace"), data.decode("cp1252", "replace"))


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    try:
        name = codecs.lookup(_ALIASES.get(label, label)).name
    except (LookupError, ValueError, UnicodeError):
        return None
    return name if name in _KNOWN else None


@lru_cache(maxsize=256)
def _has_ascii(codec: str) -> bool:
    """Whether ASCII is itself in it, and nothing else can be ASCII."""
    if codec in ("utf-7", "hz") or codec.startswith("iso2022"):
        return False
    return _ASCII.decode(codec, "replace") == _ASCII.decode("ascii")
