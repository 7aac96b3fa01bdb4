"""Exchange: one query that passed, and what is known of it until it is answered."""

from __future__ import annotations

from attrs import define

from protocols.dns.decision import Decision
from protocols.dns.message import Message, Question
from protocols.dns.transfer import Transfer

Key = tuple[int, Question | None]


@define(eq=False)
class Exchange:
    """
    A query that the server has been asked.

    @ivar query: as the client sent it.
    @ivar onward: as it was sent on.
    @ivar number: the how manieth of its session.
    @ivar since: when it was asked.
    @ivar removed: what was taken out of it, in words.
    @ivar public: whether private addresses are not for its name.
    @ivar transfer: where it stands, if it is answered in many messages.
    """

    query: Message
    onward: bytes
    decision: Decision
    number: int
    since: float
    removed: tuple[str, ...]
    public: bool
    transfer: Transfer | None = None

    @property
    def question(self) -> Question:
        """What was asked."""
        assert self.query.question is not None
        return self.query.question


class Pending:
    """
    The exchanges that wait for their answers, the oldest first.

    @param exact: the name of an answer is compared letter by letter.
    """

    def __init__(self, exact: bool) -> None:
        self._exact = exact
        self._exchanges: dict[Key, Exchange] = {}

    def __len__(self) -> int:
        return len(self._exchanges)

    @property
    def every(self) -> list[Exchange]:
        """All of them."""
        return list(self._exchanges.values())

    @property
    def oldest(self) -> Exchange | None:
        """The one that waits longest."""
        return next(iter(self._exchanges.values()), None)

    def find(self, id: int, question: Question | None) -> Exchange | None:
        """
        The exchange that an answer is about.

        @param question: C{None}: the answer does not say, as some errors, and the later messages
            of a zone transfer. Then only one query may have that identifier.
        """
        if question is not None:
            return self._exchanges.get(self._key(id, question))
        found = [each for (one, _), each in self._exchanges.items() if one == id]
        return found[0] if len(found) == 1 else None

    def put(self, exchange: Exchange) -> None:
        """One more, or the same one once more."""
        self._exchanges[self._key(exchange.query.id, exchange.query.question)] = exchange

    def remove(self, exchange: Exchange) -> None:
        """It is over."""
        self._exchanges.pop(self._key(exchange.query.id, exchange.query.question), None)

    def _key(self, id: int, question: Question | None) -> Key:
        if question is None or self._exact:
            return id, question
        return id, question._replace(name=question.name.lower())
