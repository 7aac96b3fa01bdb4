"""
Changes: what a filter wants to be changed of a mail, understood and applied.

A filter reads what attackers wrote. What it writes becomes part of a header, so that is looked at
as if a peer had sent it: a line that is no continuation would be a field of somebody's choice, or
the header's end.
"""

from __future__ import annotations

import re

from gateway.tools import ISpool, ITools
from protocols.scanners.fault import ScannerFault
from protocols.scanners.held import BLOCK
from protocols.scanners.milter.message import CRLF, HEADER, Field, Message
from protocols.scanners.milter.numbers import Reply
from protocols.scanners.milter.packet import numbers, strings
from protocols.scanners.milter.readdressing import Readdressing

MOST = 1000
"""Changes of a header by one filter."""

_NAME = re.compile(rb"[!-9;-~]{1,200}")
_VALUE = re.compile(rb"[^\0\r\n]*(?:\n[ \t][^\0\r\n]*)*")


class Changes:
    """
    What one filter wants to be changed.

    @ivar aside: why it wants the mail to be set aside; empty: it does not.
    @ivar envelope: what it has made of that.
    """

    def __init__(
        self, message: Message, envelope: Readdressing, tools: ITools, memory: int, most: int
    ) -> None:
        """
        @param memory: bytes of a new body in memory.
        @param most: bytes of it at most.
        """
        self.aside = ""
        self.envelope = envelope
        self._message = message
        self._fields = list(message.fields)
        self._tools = tools
        self._memory = memory
        self._most = most
        self._body: ISpool | None = None
        self._count = self._size = 0

    def take(self, reply: Reply, data: bytes, spaced: bool) -> None:
        """
        One change.

        @param spaced: values have the white space behind the colon in them (SMFIP_HDR_LEADSPC).
        @raise ScannerFault: it can't be understood, or not be done.
        @raise SpoolFull: there is no room for a new body.
        """
        if reply is Reply.REPLBODY:
            self._put(data)
            return
        self._count += 1
        self._size += len(data)
        if self._count > MOST or self._size > HEADER:
            raise ScannerFault(f"milter: more than {MOST} changes, or {HEADER} bytes of them")
        if reply is Reply.ADDHEADER:
            self._fields.append(_field(data, spaced))
        elif reply is Reply.INSHEADER:
            (at,) = numbers(data[:4], 1)
            self._fields.insert(min(at, len(self._fields)), _field(data[4:], spaced))
        elif reply is Reply.CHGHEADER:
            (number,) = numbers(data[:4], 1)
            self._change(max(number, 1), data[4:], spaced)
        elif reply in (Reply.ADDRCPT, Reply.ADDRCPT_PAR):
            self.envelope = self.envelope.with_recipient(data)
        elif reply is Reply.DELRCPT:
            self.envelope = self.envelope.without_recipient(data)
        elif reply is Reply.CHGFROM:
            self.envelope = self.envelope.with_sender(data)
        elif reply is Reply.QUARANTINE:
            (reason,) = strings(data, 1)
            self.aside = reason.decode("utf-8", "replace") or "without a reason"
        else:
            raise ScannerFault(f"milter: {reply.name} where it means nothing")

    def result(self) -> ISpool | None:
        """The mail with all changes; C{None}: nothing was changed."""
        message = self._message
        if self._body is None and self._fields == list(message.fields):
            return None
        changed = self._tools.spool(self._memory)
        changed.put(b"".join(field.line for field in self._fields) + CRLF)
        source, at = (message.spool, message.body) if self._body is None else (self._body, 0)
        while block := source.read(at, BLOCK):
            at += len(block)
            changed.put(block)
        self.close()
        return changed

    def close(self) -> None:
        """They are not wanted any more."""
        if self._body is not None:
            self._body.close()

    def _put(self, data: bytes) -> None:
        if self._body is None:
            self._body = self._tools.spool(self._memory)
        if self._body.size + len(data) > self._most:
            raise ScannerFault(f"milter: a new body of more than {self._most} bytes")
        self._body.put(data)

    def _change(self, number: int, data: bytes, spaced: bool) -> None:
        """Which one of its name; from 1 on. Without a value, it goes."""
        name, value = strings(data, 2)
        places = [at for at, field in enumerate(self._fields) if field.is_called(name)]
        at = places[number - 1] if number <= len(places) else None
        if value:
            field = _field(data, spaced)
            if at is None:
                self._fields.append(field)
            else:
                self._fields[at] = field
        elif at is not None:
            del self._fields[at]


def _field(data: bytes, spaced: bool) -> Field:
    """@raise ScannerFault: it is none."""
    name, value = strings(data, 2)
    value = value.replace(CRLF, b"\n")
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ScannerFault(f"milter: a field that is none: {(name + b':' + value)[:100]!r}")
    return Field(name, (b"" if spaced else b" ") + value.replace(b"\n", CRLF))
