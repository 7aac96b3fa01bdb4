"""The question C{kill}: end sessions, with a reset to both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gateway.control.budget import Budget
from gateway.control.pieces import Pieces
from gateway.control.question import Answer, Asked, Asker, Misasked, check_keys, text, truth
from gateway.control.running import Register
from gateway.control.selection import FILTERS, Matches, Seen, ids, read_selection
from gateway.control.survey import Survey, Surveys
from gateway.observe.log import PrintableLogger, printable
from gateway.observe.snapshot import Snapshot
from gateway.policy.policy import Policy

log = PrintableLogger()

JUDGED = 500
"""Sessions that are judged before traffic has its turn: a millisecond."""

PIECE = 50
"""Sessions that are ended before traffic has its turn: some ten milliseconds."""

MOST_WORDS = 200
"""Characters of the reason that an asker may give."""

MOST_IDS = 1000
"""Of an answer."""

ALL = "all"


class Kill:
    """
    @param clock: has turns for others.
    @param policy: knows the zones.
    """

    changes = True

    def __init__(
        self,
        register: Register,
        surveys: Surveys,
        clock: IReactorTime,
        budget: Budget,
        policy: Callable[[], Policy],
    ) -> None:
        self._register = register
        self._surveys = surveys
        self._pieces = Pieces(clock, budget)
        self._policy = policy

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer]:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, (*FILTERS, ALL, "why"))
        if truth(asked, ALL) is not asked.keys().isdisjoint(FILTERS):
            raise Misasked(f'which ones? Give a filter, or "{ALL}", and not both')
        matches = read_selection(asked, self._policy())
        why = _why(asked, asker)

        def looked(survey: Survey) -> Deferred[Answer]:
            meant = self._pieces.each(
                survey.snapshots.values(), lambda each: _chosen(survey, each, matches), JUDGED
            )
            return meant.addCallback(lambda chosen: self._kill(set(chosen), why))

        if asked.keys() & {*FILTERS, ALL} == {"id"}:
            return self._kill(set(ids(asked, "id")), why)
        return self._surveys.look(rates="rate" in asked, fresh=True).addCallback(looked)

    def _kill(self, meant: set[int], why: str) -> Deferred[Answer]:
        """These, and the connections that they have announced."""
        running = self._register.running
        announced = [number for number, each in running.items() if each.identity.parent in meant]

        def kill(number: int) -> int | None:
            session = running.get(number)
            if session is None:  # it has ended meanwhile
                return None
            session.kill(why)
            return number

        chosen = tuple(dict.fromkeys((*meant, *announced)))
        return self._pieces.each(chosen, kill, PIECE).addCallback(_killed, why)

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        every = sorted(number for answer in answers for number in answer["ids"])
        return {"killed": sum(answer["killed"] for answer in answers), "ids": every[:MOST_IDS]}


def _chosen(survey: Survey, snapshot: Snapshot, matches: Matches) -> int | None:
    """The number of a session that is meant."""
    meant = matches(Seen(snapshot, survey.moment, survey.rate(snapshot)))
    return snapshot.identity.id if meant else None


def _killed(done: list[int], why: str) -> Answer:
    if done:
        log.warn("sessions {why}: {count}", why=why, count=len(done))
    return {"killed": len(done), "ids": sorted(done)[:MOST_IDS]}


def _why(asked: Asked, asker: Asker) -> str:
    """For the record."""
    said = printable(text(asked, "why"))
    if len(said) > MOST_WORDS:
        raise Misasked(f"why: more than {MOST_WORDS} characters")
    return f"killed by {asker.name}{f': {said}' if said else ''}"
