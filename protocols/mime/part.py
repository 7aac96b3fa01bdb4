"""Part: the body of one part while it passes, and its fate."""

from __future__ import annotations

import re
from collections.abc import Iterable

from protocols.magic import LOOK
from protocols.mime.archive import Member
from protocols.mime.attachment import Attachment, found_in
from protocols.mime.contents import Contents, Within
from protocols.mime.described import Described
from protocols.mime.doubt import to_be_mended
from protocols.mime.encoding import DECODERS, LONE, Base64, Plain, Undone
from protocols.mime.findings import Findings
from protocols.mime.header import Field, Header
from protocols.mime.objection import Objection, ambiguous
from protocols.mime.rules import AttachmentRule

HELD = 65536
"""Bytes that may wait for the first L{LOOK} that their encoding stands for."""

MEMBERS = 1000
"""Files of an archive that are remembered until the part is decided upon."""

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")


class Part:
    """
    One part.

    It waits until enough has come to decide. Then it passes as it is, or a
    text is put in its place. What is found after that can only be rejected.

    @param first: it is all of the message, whose header it has.
    @param leaf: there are no parts in it.
    @param within: for a file that mail programs open as a message.
    @ivar dropped: a text stands in its place.
    """

    def __init__(
        self,
        described: Described,
        findings: Findings,
        first: bool = False,
        leaf: bool = True,
        within: Within | None = None,
    ) -> None:
        self.dropped = False
        self._settings = findings.settings
        self._findings = findings
        self._first = first  # its header is that of the message
        self._attachment = Attachment.of(described)
        self._leaf = leaf
        self._decoder = DECODERS.get(described.encoding, Plain)()
        self._read = described.type.startswith("text/")
        self._decided = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._header = Header()
        self._beginning = b""
        self._members: list[Member] = []
        self._rules = self._settings.attachments
        self._contents = None
        if self._settings.judges_parts and leaf:
            self._contents = Contents(self._settings, described, within)
        self._bare = False

    @property
    def base64(self) -> bool:
        """Whether its body is base64."""
        return self._leaf and isinstance(self._decoder, Base64)

    def begin(self, header: Header, gap: bytes) -> bytes:
        """
        Its header, and the empty line after it, if there is one; what passes
        of them is given back.

        @raise Objection: the message is refused; here and below.
        """
        self._header = header
        self._waiting = [gap]
        # Some programs pass over empty lines before a header.
        self._bare = bool(gap) and not header.fields and self._contents is not None
        return b"" if self._waits else self._decide()

    @property
    def _waits(self) -> bool:
        return self._bare or (self._leaf and self._settings.looks_inside)

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
        if self._contents is None:
            return lines
        return self._look(self._contents, self._decoder.feed(lines))

    def _undecided(self, line: bytes) -> bytes:
        if self._bare and line != b"\r\n":
            self._clothe(line)
        assert self._contents is not None
        passing = self._look(self._contents, self._decoder.feed(line))
        self._waiting.append(passing)
        self._size += len(line)
        if self._size > HELD and self._settings.malformed != "pass":
            raise ambiguous("much of a part, and it says next to nothing")
        enough = len(self._beginning) >= LOOK or self._size > HELD or not self._waits
        return self._decide() if enough else b""

    def _clothe(self, line: bytes) -> None:
        """This is the first line of a part without a header. If it looks like one, it gets one."""
        self._bare = False
        problem = "an empty line before what looks like a header" * bool(_FIELD.match(line))
        if to_be_mended(problem, self._findings):
            self._header = Header([Field.of("Content-Type", "text/plain")])

    def end(self) -> bytes:
        """The part is complete; what is left of it is given back."""
        rest = b""
        if self._contents is not None and not self.dropped:
            rest = self._look(self._contents, self._decoder.end())
            if to_be_mended("a text that ends in a header" * self._contents.cut, self._findings):
                rest += b"\r\n"
            self._see(self._contents.end())
        if self._decided:
            return rest
        self._waiting.append(rest)
        return self._decide()

    def _look(self, contents: Contents, undone: Undone) -> bytes:
        """Look at what some lines say, for as long as that matters; the lines are given back."""
        problem = self._decoder.problem
        if self._read and problem == LONE:  # a text has many, and they hide its beginning at most
            problem = problem * (self._settings.mends and not self._decided)
        mended = to_be_mended(problem, self._findings)
        if not self._decided:
            self._beginning += undone.said[: LOOK - len(self._beginning)]
        self._see(contents.feed(undone.said))
        return undone.lines if mended else undone.came

    def _see(self, found: Iterable[Member | Attachment]) -> None:
        for each in found:
            if isinstance(each, Member):
                self._see_member(each)
            else:
                self._see_file(each)

    def _see_member(self, member: Member) -> None:
        """A file of an archive."""
        if not self._decided:
            self._members = [*self._members, member][:MEMBERS]
            return
        for at, rule in enumerate(self._rules):
            if rule.of_archives and found_in(rule, [member]):
                self._late(rule, self._attachment)
                self._rules = self._rules[:at]
                return

    def _see_file(self, inside: Attachment) -> None:
        """A file in a text."""
        if inside.attached:
            self._findings.found(inside)
        rules = tuple(rule for rule in self._settings.attachments if not rule.of_archives)
        rule, _ = chosen(rules, inside, [])
        if rule is not None:
            self._late(rule, inside)

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
        rule, self._rules = chosen(self._rules, self._attachment, self._members)
        waiting, self._waiting = self._waiting, []
        if rule is None:
            return self._header.data() + b"".join(waiting)
        if rule.action in ("reject", "discard"):
            raise _refused(rule, self._attachment)
        if rule.action == "mark":
            marked = self._findings.mark(rule.mark) and self._first
            mark = b"" if marked else f"{rule.mark}\r\n".encode()
            return mark + self._header.data() + b"".join(waiting)
        self.dropped = True
        self._findings.removed.append(self._attachment)
        return _instead(self._header, self._attachment, rule)


def chosen(
    rules: tuple[AttachmentRule, ...], attachment: Attachment, members: list[Member]
) -> tuple[AttachmentRule | None, tuple[AttachmentRule, ...]]:
    """
    The first rule that is about an attachment; C{None} if it may pass. A program
    may read only one of its names, so all of them have to be accepted.

    @return: the rule, and those before it that may yet be about it, by a file in an archive.
    """
    names = attachment.readings()
    later: list[AttachmentRule] = []
    for rule in rules:
        by = attachment.matching(rule, names)
        if not by:
            continue
        if rule.of_archives and not found_in(rule, members):
            later.append(rule)
        elif rule.action != "accept":
            return rule, tuple(later)
        else:
            names -= by
        if not names:
            break
    return None, tuple(later)


def _refused(rule: AttachmentRule, attachment: Attachment) -> Objection:
    return Objection(f"the attachment {attachment}", rule=rule)


def _instead(header: Header, attachment: Attachment, rule: AttachmentRule) -> bytes:
    """A text part; of a message that is all attachment, its other fields stay."""
    kept = [each for each in header.fields if each.name and not _of_content(each)]
    label = attachment.label.encode("ascii", "replace").decode()
    name = "".join(each if " " <= each <= "~" else "?" for each in label)[:200]
    fields = Header([*kept, Field.of("Content-Type", "text/plain; charset=us-ascii")])
    return fields.data() + f"\r\n{rule.text}\r\n{name}\r\n".encode()


def _of_content(field: Field) -> bool:
    return field.name.lower().startswith("content-")
