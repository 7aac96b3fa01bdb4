"""FakeTools: what a stacked inspector works with, for tests."""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from gateway.scanning.aside import Aside
from gateway.scanning.spool import Spool, Spools
from gateway.tools import ILine, ISpool, ITools, Ran, Run, Terms, Unavailable

Answer = Callable[["FakeLine", bytes], None]
"""A daemon: it is told what a line was sent, and says something on it, or does not."""


@implementer(ILine)
@define(eq=False)
class FakeLine:
    """
    One connection to a daemon that a test plays.

    @ivar sent: all that it was sent.
    @ivar kept: it was given back.
    @ivar dropped: why it was closed, if it was.
    @ivar worked: the daemon has answered what no body had a part in.
    @ivar limited: how many lines the daemon takes, as it says.
    """

    address: str = "/fake"
    uses: int = 0
    answer: Answer | None = None
    notes: dict[str, object] = field(factory=dict)
    sent: bytes = field(init=False, default=b"")
    kept: bool = field(init=False, default=False)
    dropped: str | None = field(init=False, default=None)
    worked: bool = field(init=False, default=False)
    limited: int = field(init=False, default=0)
    _said: bytes = field(init=False, default=b"")
    _ended: bool = field(init=False, default=False)
    _reading: Deferred[bytes] | None = field(init=False, default=None)

    def send(self, data: bytes) -> None:
        """See L{ILine.send}."""
        if self.kept or self.dropped is not None:
            return
        self.sent += data
        if self.answer is not None:
            self.answer(self, data)

    def flushed(self) -> Deferred[None]:
        """See L{ILine.flushed}."""
        return succeed(None)

    def read(self) -> Deferred[bytes]:
        """See L{ILine.read}."""
        said, self._said = self._said, b""
        if said or self._ended:
            return succeed(said)
        self._reading = Deferred()
        return self._reading

    def limit(self, connections: int) -> None:
        """See L{ILine.limit}."""
        self.limited = connections

    def works(self) -> None:
        """See L{ILine.works}."""
        self.worked = True

    def keep(self) -> None:
        """See L{ILine.keep}."""
        self.kept = True

    def drop(self, fault: str = "") -> None:
        """See L{ILine.drop}."""
        if not self.kept and self.dropped is None:
            self.dropped = fault

    # What happens, for the test to say

    def says(self, data: bytes) -> None:
        """The daemon says that."""
        self._said += data
        self._tell()

    def ends(self) -> None:
        """The daemon closes."""
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None and not reading.called:
            said, self._said = self._said, b""
            reading.callback(said)


@implementer(ITools)
@define(eq=False)
class FakeTools:
    """
    The tools of a stacked session.

    @ivar answer: the daemon; C{None}: there is none.
    @ivar begun: is told of each line, for daemons that speak first.
    @ivar ran: what comes of each program; C{None}: it does not end.
    @ivar runs: the programs that were run, and the bodies that they had.
    @ivar lines: those that were asked for.
    @ivar spools: likewise.
    @ivar asides: likewise.
    @ivar verdicts: what was said for the metrics.
    """

    answer: Answer | None = None
    room: Spools = field(factory=lambda: Spools("", 1 << 24, 1 << 24))
    begun: Callable[[FakeLine], None] | None = field(default=None, kw_only=True)
    ran: Ran | None = field(default=None, kw_only=True)
    lines: list[FakeLine] = field(init=False, factory=list)
    runs: list[tuple[Run, bytes]] = field(init=False, factory=list)
    spools: list[Spool] = field(init=False, factory=list)
    asides: list[Aside] = field(init=False, factory=list)
    verdicts: list[str] = field(init=False, factory=list)

    def spool(self, memory: int) -> Spool:
        """See L{ITools.spool}."""
        self.spools.append(self.room.open(memory))
        return self.spools[-1]

    def line(
        self,
        whom: tuple[str, ...] | Run,
        terms: Terms,
        fresh: bool = False,
        but: Collection[str] = (),
    ) -> Deferred[ILine]:
        """See L{ITools.line}. Each is a new one."""
        every = (whom.called,) if isinstance(whom, Run) else whom
        left = [each for each in every if each not in but]
        if self.answer is None or not left:
            return fail(Unavailable("no daemon is there"))
        self.lines.append(FakeLine(left[0], answer=self.answer))
        if self.begun is not None:
            self.begun(self.lines[-1])
        return succeed(self.lines[-1])

    def run(self, program: Run, body: ISpool, output: ISpool | None = None) -> Deferred[Ran]:
        """See L{ITools.run}."""
        self.runs.append((program, body.read(0, body.size)))
        if self.ran is None:
            return Deferred()
        if output is not None:
            output.put(self.ran.said)
        return succeed(self.ran)

    def aside(self, folder: str, name: str, most: int) -> Aside:
        """See L{ITools.aside}."""
        self.asides.append(Aside(folder, name, most))
        return self.asides[-1]

    def judged(self, verdict: str, seconds: float) -> None:
        """See L{ITools.judged}."""
        self.verdicts.append(verdict)

    def close(self) -> None:
        """The session is over."""
        for line in self.lines:
            line.drop()
        for spool in self.spools:
            spool.close()
        for aside in self.asides:
            aside.close()
