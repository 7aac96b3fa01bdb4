"""Answer: what of a server's answer passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from protocols.dns.chain import Chain
from protocols.dns.edns import KEEPALIVE
from protocols.dns.message import AD, TRANSFERS, Message
from protocols.dns.name import shown
from protocols.dns.private import is_private
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
        self, settings: DnsSettings, query: Message, message: Message, public: bool, stream: bool
    ) -> None:
        self._settings = settings
        self._query = query
        self._message = message
        self._public = public and settings.rebinding.action != "pass"
        self._options = passing(settings, stream)
        self._removed: list[str] = []

    def judge(self, leads: Callable[[bytes], None]) -> Judged:
        """
        What passes of it.

        @param leads: told of each name that it leads to.
        @raise Refusal: nothing; or what C{leads} raises.
        """
        message, question = self._message, self._query.question
        assert question is not None
        if message.opcode == Opcode.QUERY and question.kind not in TRANSFERS:
            chain = Chain(question, message.answers, self._settings.chain)
            for name in chain.names[1:]:
                leads(name)
            answers = self._only(message.answers, chain.has, "answers to other questions")
            self._check_addresses(answers)
            message = message.with_(
                answers=self._kept(answers),
                authorities=self._only(
                    message.authorities,
                    lambda record: record.kind in AUTHORITIES,
                    "records that are no authorities",
                ),
                additionals=self._beside(message.additionals),
            )
            if self._removed:
                # RFC 4035, section 3.2.3: it says that the whole answer is authentic
                message = message.with_(flags=message.flags & ~AD)
        edns = message.edns
        if edns is None or self._query.edns is None:
            return Judged(message.with_(edns=None), tuple(self._removed))
        removed = (*self._removed, *edns.others(self._options))
        return Judged(message.with_(edns=edns.only(self._options)), removed)

    # Sections

    def _only(
        self, section: tuple[Record, ...], belongs: Callable[[Record], bool], others: str
    ) -> tuple[Record, ...]:
        kept = tuple(filter(belongs, section))
        if len(kept) < len(section):
            self._removed.append(f"{len(section) - len(kept)} {others}")
        return kept

    def _beside(self, section: tuple[Record, ...]) -> tuple[Record, ...]:
        if not section:
            return section
        types = self._settings.types
        section = self._only(
            section,
            lambda record: (
                record.kind in ADDITIONALS and (record.kind in _ALWAYS or record.kind in types)
            ),
            "records beside the answer",
        )
        if self._public:
            section = self._only(
                section,
                lambda record: not self._private(record),
                "private addresses beside the answer",
            )
        return self._without_ech(section)

    def _kept(self, answers: tuple[Record, ...]) -> tuple[Record, ...]:
        """The answers that pass, of those that belong to the question."""
        question = self._query.question
        if question is not None and question.kind == RdataType.ANY:
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
        private = self._settings.rebinding.addresses
        if record.kind in (RdataType.A, RdataType.AAAA):
            return is_private(record.before, private)
        if record.kind in BINDINGS:
            return any(is_private(each, private) for each in hints(record))
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
