"""
The parts of a message (RFC 2046), found while it passes.

Only headers of parts are kept, one at a time. A part is where a boundary says
so, in the innermost multipart first. Headers are read by the standard library.
"""

from __future__ import annotations

from email.message import Message as ParsedHeader
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value

from attrs import define, field, frozen

from protocols.smtp.fault import Fault, fault
from protocols.smtp.header import Header, ambiguous, decoded
from protocols.smtp.reply import configured
from protocols.smtp.settings import AttachmentRule, SMTPSettings

_ONCE = ("content-type", "content-disposition", "content-transfer-encoding")
_PARAMETERS = 8192
"""Bytes of such a field. For more, the standard library takes too long."""

_MESSAGES = frozenset({"message/rfc822", "message/global"})
_PLAIN = frozenset({"", "7bit", "8bit", "binary"})


@frozen
class Attachment:
    """
    A part with a file name, or one that says that it is attached.

    @ivar names: all of its names; programs disagree on which one counts.
    @ivar type: as declared.
    """

    names: tuple[str, ...]
    type: str

    def matches(self, rule: AttachmentRule) -> bool:
        """Whether a rule is about it: by any of its names."""
        names = self.names or ("",)
        return rule.types.fullmatch(self.type) is not None and any(
            rule.names.fullmatch(name.lower()) is not None
            and (not rule.extensions or extension(name) in rule.extensions)
            for name in names
        )


def extension(name: str) -> str:
    """The end of a file name, as Windows sees it: without dots and blanks at its end."""
    _, dot, end = name.lower().rstrip(". \t").rpartition(".")
    return end if dot else ""


@define
class Parts:
    """
    Follows the structure of one message.

    @ivar attachments: those that were found.
    """

    settings: SMTPSettings
    attachments: list[Attachment] = field(factory=list)
    _boundaries: list[tuple[bytes, int]] = field(factory=list)
    _header: list[bytes] | None = None
    _size: int = 0
    _depth: int = 0

    def begin(self, header: bytes) -> None:
        """
        The header of the message.

        @raise Fault: the message is refused; here and below.
        """
        self._look(header)

    def feed(self, block: bytes) -> None:
        """Whole lines of the body."""
        if self._header is None and not self._boundaries:
            return
        for line in block.split(b"\r\n")[:-1]:
            if line[:2] == b"--" and self._boundary(line.rstrip(b" \t")):
                continue
            if self._header is not None:
                self._header_line(line)

    def _boundary(self, line: bytes) -> bool:
        for at in range(len(self._boundaries) - 1, -1, -1):
            boundary, depth = self._boundaries[at]
            if line in (b"--" + boundary, b"--" + boundary + b"--"):
                last = len(line) > len(boundary) + 2
                if self._header:  # a part whose header has no end has no body either
                    self._look(b"".join(self._header))
                del self._boundaries[at if last else at + 1 :]
                self._depth = depth
                self._header, self._size = None if last else [], 0
                return True
        return False

    def _header_line(self, line: bytes) -> None:
        assert self._header is not None
        if not line:
            header, self._header = self._header, None
            self._look(b"".join(header))
            return
        self._size += len(line)
        if self._size > self.settings.header_bytes:
            raise too_long(self.settings.header_bytes)
        self._header.append(line + b"\r\n")

    def _look(self, data: bytes) -> None:
        header = Header.parse(data)
        for name in _ONCE:
            if any(len(each.raw) > _PARAMETERS for each in header.named(name)):
                raise ambiguous(f"{name} of more than {_PARAMETERS} bytes")
        parsed = BytesHeaderParser().parsebytes(data)
        if self.settings.judges_parts:
            _check(header, parsed)
        boundary = parsed.get_boundary() if parsed.get_content_maintype() == "multipart" else None
        if boundary:
            self._deeper()
            self._boundaries.append((boundary.encode("utf-8", "surrogateescape"), self._depth))
        elif parsed.get_content_type() in _MESSAGES and _encoding(parsed) in _PLAIN:
            self._deeper()
            self._header, self._size = [], 0
        self._attached(parsed)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > self.settings.nesting:
            reason = f"more than {self.settings.nesting} parts in each other (setting 'nesting')"
            raise fault(550, "5.6.0 The message has too many parts in each other", reason)

    def _attached(self, parsed: ParsedHeader) -> None:
        names = _names(parsed)
        if not names and parsed.get_content_disposition() != "attachment":
            return
        attachment = Attachment(names, parsed.get_content_type())
        self.attachments.append(attachment)
        most = self.settings.attachments_per_message
        if len(self.attachments) > most:
            reason = f"more than {most} attachments (setting 'attachments_per_message')"
            raise fault(550, "5.7.1 The message has too many attachments", reason)
        self._decide(attachment)

    def _decide(self, attachment: Attachment) -> None:
        for rule in self.settings.attachments:
            if attachment.matches(rule):
                if rule.action == "reject":
                    reason = f"the attachment {attachment.names}, {attachment.type}"
                    raise Fault(configured(rule.reply), f"{reason} (setting 'attachments')")
                return


def _names(parsed: ParsedHeader) -> tuple[str, ...]:
    """Every name that a program may take for the file's."""
    values = (
        parsed.get_param("filename", None, "content-disposition"),
        parsed.get_param("name", None, "content-type"),
    )
    names = (decoded(collapse_rfc2231_value(value)) for value in values if value)
    return tuple(dict.fromkeys(name.strip() for name in names))


def _encoding(parsed: ParsedHeader) -> str:
    return str(parsed.get("content-transfer-encoding", "")).strip().lower()


def _check(header: Header, parsed: ParsedHeader) -> None:
    """@raise Fault: programs would disagree about this part."""
    if not header.sound:
        raise ambiguous("a line in the header of a part is no field")
    for name in _ONCE:
        if len(header.named(name)) > 1:
            raise ambiguous(f"{name} twice in a part")
    multipart = parsed.get_content_maintype() == "multipart"
    if multipart and not parsed.get_boundary():
        raise ambiguous("a multipart without a boundary")
    if (multipart or parsed.get_content_type() in _MESSAGES) and _encoding(parsed) not in _PLAIN:
        raise ambiguous("parts that are encoded as a whole")


def too_long(limit: int) -> Fault:
    """A header of more than C{limit} bytes."""
    reason = f"a header of more than {limit} bytes (setting 'header_bytes')"
    return fault(552, "5.3.4 The header is too large", reason)
