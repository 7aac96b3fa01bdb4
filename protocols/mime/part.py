"""Part: the body of one part while it passes, and its fate."""

from __future__ import annotations

from protocols.magic import LOOK
from protocols.mime.archive import Archive, Member
from protocols.mime.attachment import Attachment, found_in
from protocols.mime.described import Described
from protocols.mime.encoding import DECODERS, Plain
from protocols.mime.findings import Findings
from protocols.mime.header import Field, Header
from protocols.mime.inline import Inline
from protocols.mime.objection import Objection, ambiguous
from protocols.mime.rules import AttachmentRule
from protocols.mime.settings import ContentSettings

HELD = 65536
"""Bytes that may wait for the first L{LOOK} that their encoding stands for."""

MEMBERS = 1000
"""Files of an archive that are remembered until the part is decided upon."""


class Part:
    """
    One part.

    It waits until enough has come to decide. Then it passes as it is, or a
    text is put in its place. What is found after that can only be rejected.

    @ivar dropped: a text stands in its place.
    """

    def __init__(
        self,
        settings: ContentSettings,
        described: Described,
        findings: Findings,
        first: bool,
    ) -> None:
        self.dropped = False
        self._settings = settings
        self._findings = findings
        self._first = first  # its header is that of the message
        self._attachment = Attachment(described.names, described.type, attached=described.attached)
        self._leaf = not (described.boundary or described.message)
        self._decoder = DECODERS.get(described.encoding, Plain)()
        self._decided = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._header = Header()
        self._beginning = b""
        self._archive = Archive()
        self._members: list[Member] = []
        self._rules = settings.attachments
        self._text = described.type.startswith("text/") and settings.judges_parts
        self._inline = Inline()

    def begin(self, header: Header, gap: bytes) -> bytes:
        """
        Its header, and the empty line after it, if there is one; what passes
        of them is given back.

        @raise Objection: the message is refused; here and below.
        """
        self._header = header
        self._waiting = [gap]
        return b"" if self._leaf and self._settings.looks_inside else self._decide()

    def feed(self, lines: bytes) -> bytes:
        """Some lines of the body; what passes is given back."""
        at, out = 0, b""
        while not self._decided and at < len(lines):  # by line: the cut must not matter
            end = lines.index(b"\n", at) + 1
            out += self._undecided(lines[at:end])
            at = end
        return out + self._passing(lines[at:])

    def _passing(self, lines: bytes) -> bytes:
        if self.dropped or not lines:
            return b""
        if self._rules or self._text:
            self._look(lines)
        return lines

    def _undecided(self, line: bytes) -> bytes:
        self._look(line)
        self._waiting.append(line)
        self._size += len(line)
        if self._size > HELD and self._settings.strict:
            raise ambiguous("much of a part, and it says next to nothing")
        return self._decide() if len(self._beginning) >= LOOK or self._size > HELD else b""

    def end(self) -> bytes:
        """The part is complete; what is left of it is given back."""
        return b"" if self._decided else self._decide()

    def _look(self, lines: bytes) -> None:
        """Look at what the lines say, for as long as that matters."""
        said = self._decoder.feed(lines)
        if self._decoder.problem and self._settings.strict:
            raise ambiguous(self._decoder.problem)
        if not self._decided:
            self._beginning += said[: LOOK - len(self._beginning)]
        if any(rule.of_archives for rule in self._rules):
            for member in self._archive.feed(said):
                self._see(member)
        if self._text:
            self._read(said)

    def _see(self, member: Member) -> None:
        """A file of an archive."""
        if not self._decided:
            self._members = [*self._members, member][:MEMBERS]
            return
        for at, rule in enumerate(self._rules):
            if found_in(rule, [member]):
                self._late(rule, self._attachment)
                self._rules = self._rules[:at]
                return

    def _read(self, text: bytes) -> None:
        """Some of a text, in which there may be files."""
        for name, beginning in self._inline.feed(text):
            inside = Attachment((name,), "application/octet-stream").shown(beginning)
            self._findings.found(inside)
            for rule in self._settings.attachments:
                if inside.matches(rule) and not rule.of_archives:
                    self._late(rule, inside)
                    break

    def _late(self, rule: AttachmentRule, attachment: Attachment) -> None:
        """What is found when the part has begun to pass."""
        marked = rule.action == "mark" and self._findings.mark(rule.mark)
        if not (marked or rule.action == "accept"):
            raise _refused(rule, attachment)

    # The decision

    def _decide(self) -> bytes:
        self._decided = True
        if self._settings.looks_inside and self._leaf:
            self._attachment = self._attachment.shown(self._beginning)
        if self._attachment.attached:
            self._findings.found(self._attachment)
        rule = self._rule()
        waiting, self._waiting = self._waiting, []
        if rule is None or rule.action == "accept":
            return self._header.data() + b"".join(waiting)
        if rule.action == "reject":
            raise _refused(rule, self._attachment)
        if rule.action == "mark":
            marked = self._findings.mark(rule.mark) and self._first
            mark = b"" if marked else f"{rule.mark}\r\n".encode()
            return mark + self._header.data() + b"".join(waiting)
        self.dropped = True
        self._findings.removed.append(self._attachment)
        return _instead(self._header, self._attachment, rule)

    def _rule(self) -> AttachmentRule | None:
        """The first one that matches. Those before it may yet, by a file in an archive."""
        later: list[AttachmentRule] = []
        chosen = None
        for rule in self._rules:
            if not self._attachment.matches(rule):
                continue
            if not rule.of_archives or found_in(rule, self._members):
                chosen = rule
                break
            later.append(rule)
        self._rules = tuple(later)
        return chosen


def _refused(rule: AttachmentRule, attachment: Attachment) -> Objection:
    reason = f"the attachment {attachment} (setting 'attachments')"
    return Objection(reason, rule=rule)


def _instead(header: Header, attachment: Attachment, rule: AttachmentRule) -> bytes:
    """A text part; of a message that is all attachment, its other fields stay."""
    kept = [each for each in header.fields if each.name and not _of_content(each)]
    names = " ".join(attachment.names).encode("ascii", "replace").decode()
    name = "".join(each if " " <= each <= "~" else "?" for each in names)[:200]
    fields = Header([*kept, Field.of("Content-Type", "text/plain; charset=us-ascii")])
    return fields.data() + f"\r\n{rule.text}\r\n{name}\r\n".encode()


def _of_content(field: Field) -> bool:
    return field.name.lower().startswith("content-")
