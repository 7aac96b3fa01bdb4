"""
Encoded words (RFC 2047; with a language: RFC 2231, section 5), read one by one.

Programs disagree about where there may be one, and about one that is not as it
should be: with an unknown charset, a blank in it, base64 that is none. So a value
has several readings. A rule has to be asked about each of them.

::

    =?utf-8?q?Gr=C3=BC=C3=9Fe?=      Grüße
    =?utf-8*de?b?R3LDvMOfZQ==?=      Grüße
    x.=?utf-8?q?exe?=                x.exe to most, as it is to who follows RFC 2047
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator

from attrs import evolve, frozen

from protocols.mime import charset
from protocols.mime.charset import Texts

# What any program may take for an encoded word, also at the end of a value without its end.
_WORD = re.compile(
    r"=\?(?P<charset>[^?]*)\?(?P<encoding>[bBqQ])\?(?P<text>.*?)(?:\?=|\?\Z|\Z)", re.DOTALL
)

# RFC 2047, section 2: what is one.
_SOUND = re.compile(r"=\?[!#$%&'*+^`{|}~A-Za-z0-9_-]+(?:\*[A-Za-z0-9-]*)?\?[bBqQ]\?[!->@-~]*\?=")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")
_QUOTED = re.compile(r"(?:[^=]|=[0-9A-Fa-f]{2})*")

# Where there may be one (section 5): set off by blanks, or by what separates words in a structure.
_BEFORE = frozenset(" \t(\"'")
_AFTER = frozenset(" \t)\"',;")

ROUNDS = 3
"""How often a text is read that is one of encoded words when it was decoded."""


@frozen
class Value:
    """
    What a header's value says.

    @ivar likely: what most programs read, to be shown.
    @ivar readings: all that some program may read, C{likely} and the value as it is among them.
    @ivar problem: why nobody can say that these are all; empty if there is no reason.
    """

    likely: str
    readings: tuple[str, ...]
    problem: str = ""


@frozen
class Word:
    """
    One encoded word, or what may be one.

    @ivar begin: where it begins, and C{end} where it ends.
    @ivar label: its charset in small letters, without a language.
    @ivar texts: what it may say.
    @ivar alone: it stands where there may be one.
    """

    begin: int
    end: int
    label: str
    texts: Texts
    alone: bool


def read(value: str) -> Value:
    """All readings of a value on one line."""
    if "=?" not in value:
        return Value(value, (value,))
    words = list(find(value))
    if not words:
        return Value(value, (value,))
    likely = _replaced(value, words, _likely, True)
    readings = dict.fromkeys((likely, value, *_again(likely)))
    for some in (words, [word for word in words if word.alone]):
        for choose in (_likely, _other, _last):
            for joined in (True, False):
                readings[_replaced(value, some, choose, joined)] = None
    return Value(likely, tuple(readings), _problem(words))


def _problem(words: list[Word]) -> str:
    """Why there may be more readings than those."""
    if len({word.label for word in words if word.texts.others}) > 1:
        return "encoded words in several charsets, each of which not everybody knows"
    return next((word.texts.problem for word in words if word.texts.problem), "")


def _again(text: str) -> Iterator[str]:
    """What some programs make of it that decode as long as there is something to be decoded."""
    for _ in range(ROUNDS - 1):
        words = list(find(text)) if "=?" in text else []
        if not words:
            return
        text = _replaced(text, words, _likely, True)
        yield text


def find(value: str) -> Iterator[Word]:
    """Everything in a value that may be an encoded word, neighbours of one charset as one."""
    group: list[re.Match[str]] = []
    for found in _WORD.finditer(value):
        if group and not _go_together(value, group[-1], found):
            yield _word(value, group)
            group = []
        group.append(found)
    if group:
        yield _word(value, group)


def _go_together(value: str, first: re.Match[str], second: re.Match[str]) -> bool:
    """
    Whether two words are one text: neighbours of one charset. Some programs cut
    within a character, though RFC 2047, section 5, does not have it.
    """
    return (
        not value[first.end() : second.start()].strip(" \t")
        and first["charset"].lower() == second["charset"].lower()
    )


def _word(value: str, group: list[re.Match[str]]) -> Word:
    begin, end = group[0].start(), group[-1].end()
    undone = [_undone(found) for found in group]
    label = group[0]["charset"].partition("*")[0].lower()
    texts = charset.read(b"".join(data for data, _ in undone), label)
    problem = next((wrong for _, wrong in undone if wrong), texts.problem)
    before, after = value[begin - 1 : begin], value[end : end + 1]
    alone = (not before or before in _BEFORE) and (not after or after in _AFTER)
    return Word(begin, end, label, evolve(texts, problem=problem), alone)


def _undone(found: re.Match[str]) -> tuple[bytes, str]:
    """The bytes behind the encoding, and what is wrong with it."""
    text = found["text"]
    form, undo = (_BASE64, _base64) if found["encoding"] in "bB" else (_QUOTED, _quoted)
    sound = _SOUND.fullmatch(found[0]) and form.fullmatch(text)
    return undo(text), "" if sound else f"an encoded word that is none, {found[0][:60]!a}"


def _base64(text: str) -> bytes:
    clean = re.sub(r"[^A-Za-z0-9+/]", "", text)
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    return a2b_base64(clean + "=" * (-len(clean) % 4))


def _quoted(text: str) -> bytes:
    data = text.replace("_", " ").encode("utf-8", "surrogateescape")
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), data)


def _likely(texts: Texts) -> str:
    return texts.likely


def _other(texts: Texts) -> str:
    return texts.others[0] if texts.others else texts.likely


def _last(texts: Texts) -> str:
    return texts.others[-1] if texts.others else texts.likely


def _replaced(value: str, words: list[Word], choose: Callable[[Texts], str], joined: bool) -> str:
    """The value with its words as what they say; blanks between two of them are not theirs."""
    out, at = [], 0
    for word in words:
        between = value[at : word.begin]
        if not (joined and at and not between.strip(" \t")):
            out.append(between)
        out.append(choose(word.texts))
        at = word.end
    return "".join(out) + value[at:]


# Writing


def written(text: str) -> str:
    """
    A text as encoded words that everybody reads alike: UTF-8 in base64, 45 bytes
    in each, never half a character.
    """
    words, data = [], b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(data) + len(encoded) > 45:
            words.append(data)
            data = b""
        data += encoded
    words.append(data)
    return " ".join(f"=?utf-8?b?{_to_base64(each)}?=" for each in words)


def mended(value: str) -> str:
    """The value, with its words written anew if programs may read them in different ways."""
    out, at = [], 0
    words = list(find(value))
    problem = _problem(words)
    for word in words:
        out.append(value[at : word.begin])
        out.append(written(word.texts.likely) if problem else value[word.begin : word.end])
        at = word.end
    return "".join(out) + value[at:]


def _to_base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
