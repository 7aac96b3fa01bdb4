"""The question C{sessions}: which sessions run?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nlargest, nsmallest
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gateway.control.budget import Budget
from gateway.control.pieces import Pieces
from gateway.control.question import Answer, Asked, Asker, Misasked, check_keys, number, text
from gateway.control.selection import FILTERS, MEASURES, Seen, read_selection
from gateway.control.survey import Survey, Surveys
from gateway.interfaces import Address
from gateway.observe.snapshot import Snapshot
from gateway.policy.policy import Policy

MOST = 500
"""Sessions of one answer: what is written in some milliseconds."""

PIECE = 500
"""Sessions that are judged before traffic has its turn: a millisecond."""

BY_ID = "id"


class Sessions:
    """
    @param policy: knows the zones.
    """

    changes = False

    def __init__(
        self,
        surveys: Surveys,
        clock: IReactorTime,
        budget: Budget,
        policy: Callable[[], Policy],
    ) -> None:
        self._surveys = surveys
        self._pieces = Pieces(clock, budget)
        self._budget = budget
        self._policy = policy

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer]:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, (*FILTERS, "sort", "limit", "after"))
        matches = read_selection(asked, self._policy())
        sort, limit, after = _order(asked), _limit(asked), number(asked, "after", -1)
        assert after is not None

        def chosen(survey: Survey, snapshot: Snapshot) -> Seen | None:
            if snapshot.identity.id <= after:
                return None
            seen = Seen(snapshot, survey.moment, survey.rate(snapshot))
            return seen if matches(seen) else None

        def looked(survey: Survey) -> Deferred[Answer]:
            found = self._pieces.each(
                survey.snapshots.values(), lambda each: chosen(survey, each), PIECE
            )
            return found.addCallback(self._answer, survey, sort, limit)

        rates = "rate" in asked or sort == "rate"
        return self._surveys.look(rates, again="after" in asked).addCallback(looked)

    def _answer(self, found: list[Seen], survey: Survey, sort: str, limit: int) -> Answer:
        with self._budget.spending():
            return {
                "as_of": survey.moment,
                "running": len(survey.snapshots),
                "found": len(found),
                "sessions": [row(seen) for seen in _first(found, sort, limit)],
            }

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        sort, limit = _order(asked), _limit(asked)
        rows = [each for answer in answers for each in answer["sessions"]]
        largest = sort != BY_ID
        return {
            "as_of": min(answer["as_of"] for answer in answers),
            "running": sum(answer["running"] for answer in answers),
            "found": sum(answer["found"] for answer in answers),
            "sessions": sorted(rows, key=_ROWS[sort], reverse=largest)[:limit],
        }


def _order(asked: Asked) -> str:
    sort = text(asked, "sort") or BY_ID
    if sort not in _ROWS:
        raise Misasked(f"sort: by none of {', '.join(_ROWS)}")
    return sort


def _limit(asked: Asked) -> int:
    limit = int(number(asked, "limit", MOST) or 0)
    if limit > MOST:
        raise Misasked(f"limit: more than {MOST}")
    return limit


def _first(found: Iterable[Seen], sort: str, limit: int) -> list[Seen]:
    """The first ones in this order."""
    if sort == BY_ID:
        return nsmallest(limit, found, key=lambda seen: seen.snapshot.identity.id)
    return nlargest(limit, found, key=MEASURES[sort])


def _total(row: Mapping[str, Any], key: str) -> float:
    both = row[key]
    return both["to_server"] + both["to_client"] if both else 0.0


_ROWS: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    BY_ID: lambda row: row["id"],
    "age": lambda row: row["age"],
    "idle": lambda row: row["idle"],
    "bytes": lambda row: _total(row, "bytes"),
    "rate": lambda row: _total(row, "rate"),
}
"""What written sessions are sorted by."""


def address(written: Address) -> dict[str, Any]:
    """An address as it is written."""
    return {"ip": written.host, "port": written.port}


def row(seen: Seen) -> dict[str, Any]:
    """A session as it is written."""
    snapshot, rate = seen.snapshot, seen.rate
    identity = snapshot.identity
    rule = identity.rule
    return {
        "id": identity.id,
        "service": identity.service,
        "protocol": identity.protocol.value,
        "client": address(identity.client),
        "server": address(identity.server),
        "state": snapshot.state,
        "started": snapshot.started,
        "age": round(max(0.0, seen.now - snapshot.started), 3),
        "idle": round(snapshot.idle, 3),
        "bytes": {"to_server": snapshot.to_server, "to_client": snapshot.to_client},
        "rate": None
        if rate is None
        else {"to_server": round(rate.to_server, 1), "to_client": round(rate.to_client, 1)},
        "rule": rule.place.at_line if rule is not None else "",
        "zones": {
            "from": list(rule.source_names) if rule is not None else [],
            "to": list(rule.destination_names) if rule is not None else [],
        },
        "parent": identity.parent,
    }
