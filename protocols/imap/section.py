"""
Sections: what stands where in a message (RFC 9051, section 6.4.5).

They are cut out of a message that was examined, so that nobody gets a part of one that was not.
"""

from __future__ import annotations

import re

from attrs import evolve, frozen

from protocols.imap.item import Item
from protocols.mime.described import Described, described
from protocols.mime.header import Header
from protocols.mime.heading import Heading
from protocols.mime.objection import Objection

_PARTS = 1000
"""Parts of one multipart that have numbers here."""

_HEADER = 1 << 20


@frozen
class Piece:
    """
    A message, or a part of one.

    @ivar header: with the empty line behind it.
    @ivar alone: it was asked for as the only part of itself.
    """

    header: bytes
    body: bytes
    default: str = "text/plain"
    alone: bool = False

    @property
    def said(self) -> Described:
        """What its header says of it."""
        return described(Header.parse(self.header.removesuffix(b"\r\n")), self.default)


def split(message: bytes, default: str = "text/plain") -> Piece:
    """A header, and what follows it."""
    whole = message.rfind(b"\n") + 1
    try:
        end = Heading(_HEADER).feed(message[:whole])
    except Objection:
        end = 0
    if end is None:
        return Piece(message, b"", default)
    end += 2 * (message[end : end + 2] == b"\r\n")
    return Piece(message[:end], message[end:], default)


def cut(message: bytes, item: Item) -> bytes | None:
    """
    What an item asks for.

    @return: C{None} if there is no such part.
    """
    found = _cut(message, item)
    if found is None or item.origin is None:
        return found
    end = None if item.count is None else item.origin + item.count
    return found[item.origin : end]


def _cut(message: bytes, item: Item) -> bytes | None:
    if not (item.part or item.text):
        return message
    piece = split(message)
    for depth, number in enumerate(item.part):
        inside = _parts(piece, first=depth == 0)
        if not 1 <= number <= len(inside):
            return None
        found = inside[number - 1]
        piece = evolve(found, alone=True) if found is piece else found
    return _said(piece, item)


def _said(piece: Piece, item: Item) -> bytes | None:
    """What is asked of a message, or of a part."""
    if not item.part:
        return _of_message(piece, item)
    if item.text == "MIME":
        return piece.header
    if not item.text:
        return piece.body
    return _of_message(split(piece.body), item) if piece.said.message else None


def _of_message(piece: Piece, item: Item) -> bytes:
    if item.text == "TEXT":
        return piece.body
    if item.text == "HEADER":
        return piece.header
    named = item.text == "HEADER.FIELDS"
    fields = Header.parse(piece.header.removesuffix(b"\r\n")).fields
    kept = [each.raw for each in fields if (each.name.upper().encode() in item.fields) is named]
    return b"".join(kept) + b"\r\n"


def _parts(piece: Piece, first: bool) -> list[Piece]:
    """
    What a message or a part has within it, by number.

    @param first: it is the message itself.
    """
    said = piece.said
    if said.boundary:
        inside = "message/rfc822" if said.type == "multipart/digest" else "text/plain"
        return [split(part, inside) for part in _split(piece.body, said.boundary)]
    if said.message and not first:
        return _parts(split(piece.body), first=True)
    return [] if piece.alone else [piece]  # also of a part, as servers have it, but once


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """The parts of a multipart (RFC 2046, section 5.1)."""
    pattern = rb"(?:\A|(?<=\n))--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r\n|\Z)"
    parts: list[bytes] = []
    begin = None
    for found in re.finditer(pattern, body):
        if begin is not None:
            parts.append(body[begin : found.start()].removesuffix(b"\r\n"))
        begin = None if found[1] else found.end()
        if found[1] or len(parts) == _PARTS:
            return parts
    if begin is not None:
        parts.append(body[begin:])
    return parts
