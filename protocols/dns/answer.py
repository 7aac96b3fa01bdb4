"""Answer: what of a server's answer passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dns.rcode import Rcode
from dns.rdatatype import RdataType

from protocols.dns.chain import Chain
from protocols.dns.edns import KEEPALIVE
from protocols.dns.message import AD, TRANSFERS, Message
from protocols.dns.name import shown
from protocols.dns.numbers import AAAA, ANY, ANY_CLASS, QUERY, A
from protocols.dns.private import Private
from protocols.dns.record import Record, kind_text
from protocols.dns.refusal import Refusal
from protocols.dns.service_binding import BINDINGS, has_ech, hints, without_ech
from protocols.dns.settings import DnsSettings

AUTHORITIES = frozenset(
    (
        *(RdataType.SOA, RdataType.NS, RdataType.DS),
        *(RdataType.NSEC, RdataType.NSEC3, RdataType.RRSIG),
    )
)
"""What the authority section is for: denials, referrals (RFC 1034, RFC 4035)."""

ADDITIONALS = frozenset(
    (
        *(RdataType.A, RdataType.AAAA, RdataType.CNAME, RdataType.SRV, RdataType.TXT),
        *(RdataType.SVCB, RdataType.HTTPS, RdataType.TLSA, RdataType.DNSKEY, RdataType.RRSIG),
    )
)
"""What is said beside an answer (RFC 1035, 2782, 6763, 9460)."""

_ALWAYS = frozenset((RdataType.CNAME, RdataType.DNAME, RdataType.RRSIG))


_NOTHING: tuple[str, ...] = ()


class Judged(NamedTuple):
    """
    An answer that passes.

    @ivar removed: what has been taken out of it, in words.
    @ivar signed: the bytes of one that is signed as a whole, or belongs to a signed query: it
        passes as it came, or not at all.
    """

    message: Message
    removed: tuple[str, ...]
    signed: bytes = b""


class Answer:
    """
    The judgement of one answer.

    @param query: what was asked.
    @param public: whether private addresses are not for the name that was asked for.
    @param stream: it came by TCP.
    """

    def __init__(
        self,
        settings: DnsSettings,
        private: Private,
        query: Message,
        public: bool,
        stream: bool,
    ) -> None:
        assert query.question is not None
        self._settings = settings
        self._addresses = private
        self._question = query.question
        self._edns = query.edns
        self._public = public and settings.rebinding.action != "pass"
        self._stream = stream
        self._removed: list[str] = []

    def judge(self, message: Message, leads: Callable[[bytes], None]) -> Judged:
        """
        What passes of it.

        @param leads: told of each name that it leads to.
        @raise Refusal: nothing; or what C{leads} raises.
        """
        judged, options = message, _NOTHING
        if message.opcode == QUERY and self._question.kind not in TRANSFERS:
            judged = self._sections(message, leads)
        edns = message.edns
        if edns is not None and self._edns is None:
            judged = judged._replace(edns=None)
        elif edns is not None and edns.options:
            passes = passing(self._settings, self._stream)
            options = edns.others(passes)
            judged = judged._replace(edns=edns.only(passes))
        return Judged(judged, (*self._removed, *options))

    def _sections(self, message: Message, leads: Callable[[bytes], None]) -> Message:
        """The sections as they pass."""
        answers, authorities, additionals = message[3:6]
        if answers:
            answers = self._answers(answers, leads)
        if authorities:
            authorities = self._only(authorities, self._is_authority, "records of no authority")
        if additionals:
            additionals = self._beside(additionals)
        if not self._removed:
            return message
        # RFC 4035, section 3.2.3: AD says that the whole answer is authentic
        return message._replace(
            flags=message.flags & ~AD,
            answers=answers,
            authorities=authorities,
            additionals=additionals,
        )

    def _answers(
        self, answers: tuple[Record, ...], leads: Callable[[bytes], None]
    ) -> tuple[Record, ...]:
        chain = Chain(self._question, answers, self._settings.chain)
        for name in chain.names[1:]:
            leads(name)
        answers = self._only(answers, chain.has, "answers to other questions")
        self._check_addresses(answers)
        return self._kept(answers)

    # Sections

    def _only(
        self, section: tuple[Record, ...], belongs: Callable[[Record], bool], others: str
    ) -> tuple[Record, ...]:
        kept = tuple(filter(belongs, section))
        if len(kept) < len(section):
            self._removed.append(f"{len(section) - len(kept)} {others}")
        return kept

    def _beside(self, section: tuple[Record, ...]) -> tuple[Record, ...]:
        section = self._only(section, self._is_additional, "records beside the answer")
        if self._public:
            section = self._only(
                section,
                lambda record: not self._private(record),
                "private addresses beside the answer",
            )
        return self._without_ech(section)

    def _is_authority(self, record: Record) -> bool:
        return record.kind in AUTHORITIES and self._is_of_class(record)

    def _is_additional(self, record: Record) -> bool:
        kind = record.kind
        allowed = kind in ADDITIONALS and (kind in _ALWAYS or kind in self._settings.types)
        return allowed and self._is_of_class(record)

    def _is_of_class(self, record: Record) -> bool:
        return self._question.class_ in (record.class_, ANY_CLASS)

    def _kept(self, answers: tuple[Record, ...]) -> tuple[Record, ...]:
        """The answers that pass, of those that belong to the question."""
        if self._question.kind == ANY:
            types, refused = self._settings.types, self._settings.refused_types
            answers = self._only(
                answers,
                lambda record: (
                    record.kind in _ALWAYS or (record.kind in types and record.kind not in refused)
                ),
                "records of other types",
            )
        if self._public and self._settings.rebinding.action == "remove":
            answers = self._only(
                answers, lambda record: not self._private(record), "private addresses"
            )
        return self._without_ech(answers)

    # Private addresses

    def _check_addresses(self, answers: tuple[Record, ...]) -> None:
        """
        Look for private addresses.

        @raise Refusal: there is one.
        """
        action = self._settings.rebinding.action
        if not self._public or action == "remove":
            return
        for record in answers:
            if self._private(record):
                reason = f"a private address for {shown(record.owner)} ({kind_text(record.kind)})"
                rcode = Rcode.NXDOMAIN if action == "nxdomain" else Rcode.REFUSED
                raise Refusal(reason, rcode, "rebinding.action")

    def _private(self, record: Record) -> bool:
        if record.kind in (A, AAAA):
            return record.before in self._addresses
        if record.kind in BINDINGS:
            return any(each in self._addresses for each in hints(record))
        return False

    # ECH

    def _without_ech(self, section: tuple[Record, ...]) -> tuple[Record, ...]:
        if self._settings.ech != "remove":
            return section
        found = [record for record in section if record.kind in BINDINGS and has_ech(record)]
        if not found:
            return section
        self._removed.append("ech")
        return tuple(without_ech(each) if each in found else each for each in section)


def passing(settings: DnsSettings, stream: bool) -> Callable[[int], bool]:
    """Which EDNS options pass. How long a connection is kept is said by TCP only (RFC 7828)."""
    options = settings.edns.options
    return lambda kind: kind in options and (stream or kind != KEEPALIVE)
