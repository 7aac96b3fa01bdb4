"""Chains: the names that an answer leads to, one after the other, by CNAME and DNAME."""

from __future__ import annotations

from collections.abc import Iterable

from dns.rcode import Rcode

from protocols.dns.message import Question
from protocols.dns.name import LONGEST, is_below
from protocols.dns.numbers import ANY, ANY_CLASS, CNAME, DNAME, RRSIG
from protocols.dns.record import Record
from protocols.dns.refusal import Refusal


class Chain:
    """
    Where the answers to a question lead.

    @ivar names: all names, in small letters: first the question's.
    @raise Refusal: they lead in a circle, or too far.
    """

    __slots__ = ("_class", "_domains", "_kind", "names")

    def __init__(self, question: Question, answers: Iterable[Record], most: int) -> None:
        name = question.name.lower()
        self.names = [name]
        self._kind = question.kind
        self._class = question.class_
        self._domains: dict[bytes, bytes] = {}
        aliases: dict[bytes, bytes] = {}
        domains: dict[bytes, bytes] = {}
        for record in answers:
            if not self._is_of_class(record):  # leads nobody anywhere, and does not pass
                continue
            if record.kind == CNAME and question.kind != CNAME:
                aliases.setdefault(record.owner.lower(), record.targets[0].lower())
            elif record.kind == DNAME and question.kind != DNAME:
                domains.setdefault(record.owner.lower(), record.targets[0].lower())
        if question.kind == ANY or not (aliases or domains):
            return
        while (target := self._next(name, aliases, domains)) is not None:
            if target in self.names:
                raise Refusal("an answer that leads in a circle", Rcode.SERVFAIL)
            if len(self.names) > most:
                reason = f"an answer that leads to more than {most} names"
                raise Refusal(reason, Rcode.SERVFAIL, by="chain")
            self.names.append(target)
            name = target

    def _next(
        self, name: bytes, aliases: dict[bytes, bytes], domains: dict[bytes, bytes]
    ) -> bytes | None:
        domain = next((each for each in domains if is_below(name, each)), None)
        if domain is not None:
            target = self._domains[domain] = domains[domain]
            made = name[: -len(domain)] + target
            # RFC 6672, section 2.2: a name that is too long leads nowhere
            return made if len(made) <= LONGEST else None
        return aliases.get(name)

    def _is_of_class(self, record: Record) -> bool:
        return self._class in (record.class_, ANY_CLASS)

    def has(self, record: Record) -> bool:
        """
        Whether a record belongs to the answers: it is of the name that they lead to, or what leads
        there. One that leads elsewhere, beside the one that was followed, does not.
        """
        owner, kind, asked = record.owner.lower(), record.kind, self._kind
        if not self._is_of_class(record):
            return False
        if kind == RRSIG:
            return owner in self.names or owner in self._domains
        if kind == DNAME and owner in self._domains:
            return record.targets[0].lower() == self._domains[owner]
        if owner not in self.names:
            return False
        if kind == CNAME and asked not in (CNAME, ANY):
            after = self.names[self.names.index(owner) + 1 :]
            return after[:1] == [record.targets[0].lower()]
        return kind == asked or asked == ANY
