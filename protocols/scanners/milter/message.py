"""Message: a mail as filters see it."""

from __future__ import annotations

from attrs import frozen

from gateway.tools import ISpool
from protocols.scanners.fault import Unfit
from protocols.scanners.held import BLOCK

HEADER = 1 << 20
"""Bytes of the longest header. SMTP's own limits are less."""

CRLF = b"\r\n"


@frozen
class Field:
    """
    One field of a header.

    @ivar name: as it is written.
    @ivar value: all that is behind the colon, with its leading white space; folds are CRLFs.
    """

    name: bytes
    value: bytes

    def is_called(self, name: bytes) -> bool:
        """Small and capital letters are the same."""
        return self.name.strip(b" \t").lower() == name.lower()

    @property
    def line(self) -> bytes:
        """As it is sent."""
        return self.name + b":" + self.value + CRLF


@frozen
class Message:
    """
    A mail.

    @ivar body: where it begins in the spool.
    """

    spool: ISpool
    fields: tuple[Field, ...]
    body: int


def message(spool: ISpool) -> Message:
    """
    @param spool: has a mail whose lines end with CRLF.
    @raise Unfit: its header is too long.
    """
    begin = b""
    while b"\r\n\r\n" not in begin and not begin.startswith(CRLF):
        piece = spool.read(len(begin), BLOCK)
        if not piece:
            break
        begin += piece
        if len(begin) > HEADER:
            raise Unfit(f"a header of more than {HEADER} bytes")
    fields: list[Field] = []
    at = 0
    while (end := _end_of_field(begin, at)) > at:
        name, colon, value = begin[at : end - 2].partition(b":")
        if not colon or b"\n" in name:
            return Message(spool, tuple(fields), at)  # it has no empty line: a body without header
        fields.append(Field(name, value))
        at = end
    return Message(spool, tuple(fields), at + 2 if begin.startswith(CRLF, at) else at)


def _end_of_field(text: bytes, begin: int) -> int:
    """Behind its last CRLF; C{begin} if there is none."""
    if text.startswith(CRLF, begin):
        return begin
    at = begin
    while (found := text.find(CRLF, at)) >= 0:
        at = found + 2
        if text[at : at + 1] not in (b" ", b"\t"):
            return at
    return begin
