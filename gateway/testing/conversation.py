"""
A Conversation: what two peers say through an inspector, as a sample.

::

    Conversation("one user", [(CLIENT, b"bob\\r\\n"), (SERVER, b"no plan\\r\\n"), (SERVER, END)])
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from attrs import define, field, frozen

from gateway.interfaces import CLIENT, SERVER, Outcome, Side, Verdict
from gateway.testing.session import FakeSession

END: Final = None
"""In place of bytes: the side will send no more."""

Step = tuple[Side, bytes | None]


@frozen
class Conversation:
    """
    What two peers say.

    @ivar name: what it is a sample of.
    @ivar steps: who says what, in order; L{END} in place of bytes.
    @ivar outcome: how the session has to end.
    @ivar settings: the inspector's; C{None} for the defaults.
    @ivar replays: whether what the far side got can be put through again and
        comes out the same. Not so where addresses are rewritten.
    @ivar turns: the numbers of steps with which the inspector does something by which it judges
        what comes next, such as to send the next request. What is hostile behind such a step, in
        one piece with it, may end another way than in the next one; all else ends alike, however
        it is cut.
    """

    name: str
    steps: Sequence[Step]
    outcome: Outcome = field(default=Outcome.PASSED, kw_only=True)
    settings: Any = field(default=None, kw_only=True)
    replays: bool = field(default=True, kw_only=True)
    turns: Collection[int] = field(default=(), kw_only=True)


@define
class Course:
    """
    What came of a conversation.

    @ivar passed: the conversation as the far sides heard it.
    @ivar unheard: who has said something last that nobody has heard anything of.
    @ivar mixed: while something was unheard the other side spoke, and something was heard: of
        what, nobody knows.
    """

    session: FakeSession
    passed: list[Step] = field(factory=list)
    unheard: set[Side] = field(factory=set)
    mixed: bool = False

    def result(self) -> dict[str, Any]:
        """All that must not depend on how the bytes were cut."""
        session = self.session
        return {
            "verdict": session.verdict,
            "to the client": session.sent[CLIENT],
            "to the server": session.sent[SERVER],
            "half-closed": {side.value for side in session.halves},
            "connected": session.connected,
            "secured": [side for side, _ in session.secured],  # from where on is up to the cut
            "expected": [(one.side, one.address) for one in session.expected],
            "bodies": [(body.service, body.data) for body in session.bodies],
            "recorded": session.recorded,
        }


def converse(
    make: Callable[[Any], Any],
    steps: Iterable[Step],
    settings: Any = None,
    cut: Callable[[bytes], Iterable[bytes]] = lambda data: [data],
    lost: Side | None = None,
    **session: Any,
) -> Course:
    """
    Have a conversation. It ends when the session does; what is left then is
    not said. Nor is what a server says that is not connected.

    @param cut: cuts the bytes of a step into pieces.
    @param lost: the side that resets its connection at last, if it has one.
    @param session: more arguments of L{FakeSession}.
    @raise Exception: a bug of the inspector.
    """
    course = Course(FakeSession(make, settings, **session))
    course.session.start()
    for side, data in steps:
        if course.session.verdict is None and (side is CLIENT or course.session.opened):
            _take(course, side, data, cut)
    if lost is CLIENT or (lost is SERVER and course.session.opened):
        course.session.resets(lost)
    course.session.over(Verdict(Outcome.CLOSED, "the conversation is over"))
    return course


def _take(
    course: Course, side: Side, data: bytes | None, cut: Callable[[bytes], Iterable[bytes]]
) -> None:
    session = course.session
    waited = session.paused
    before = {who: len(session.sent[who]) for who in Side}
    if data is END:
        session.hangs_up(side)
    else:
        for piece in cut(data):
            session.says(side, piece)
    # What goes back to the one who speaks is an answer of the inspector's own, unless something
    # of the other side had been waiting to be decided.
    for speaker in (side, side.other) if side.other in waited else (side,):
        passed = session.sent[speaker.other][before[speaker.other] :]
        if passed:
            course.passed.append((speaker, passed))
    if data is END:
        course.passed.append((side, END))
    elif all(len(session.sent[who]) == before[who] for who in Side):
        course.unheard.add(side)
    else:
        course.unheard.discard(side)
        course.mixed |= side.other in course.unheard
