"""
The ScanInspector: what is common to all that judge bodies.

A body is held until all of it has come, and then judged: a client that is slow keeps no scanner
busy. It passes as a whole, or not at all; but of a download, a trickle may pass before.
"""

from __future__ import annotations

from string import Template
from typing import Any, ClassVar

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from gateway.inspector import Inspector
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Denied,
    ISession,
    ITimer,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from gateway.tools import ISpool, SpoolFull, Unavailable, let_go, may_change
from protocols.scanners.coded import Coded, Larger
from protocols.scanners.decoding import PLAIN
from protocols.scanners.fault import ScannerFault
from protocols.scanners.held import BLOCK, Held
from protocols.scanners.judgement import Judgement
from protocols.scanners.report import Report
from protocols.scanners.settings import ScanSettings


class ScanInspector(Inspector):
    """
    A body that is held until it is judged. A subclass says how: L{judge}.

    @cvar keeps: whether bodies are never changed: see L{ISession.keeps}.
    @cvar decodes: whether the scanner itself decodes what is compressed.
    """

    Settings: ClassVar[type[ScanSettings]] = ScanSettings
    keeps: ClassVar[bool] = True
    decodes: ClassVar[bool] = False

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self.settings: ScanSettings = session.settings
        self._held = Held(session.tools.spool(self.settings.memory_bytes), self.settings.sha256)
        self._report = Report(session, self._held)
        self._scan: Deferred[Judgement | str] | None = None
        self._work: Deferred[Any] | None = None
        self._ticking: ITimer | None = None
        self._over = self._late = self._cut = False

    # To be written

    async def judge(self, body: ISpool) -> Judgement:
        """
        Judge all that is in C{body}.

        It may be cancelled, if that takes too long or nobody wants to know any more.

        @raise ScannerFault: the scanner can't, or does not keep to its protocol.
        @raise Unavailable: there is none.
        @raise SpoolFull: there is no room for what it says.
        """
        raise NotImplementedError

    # Told by the session

    def started(self) -> None:
        """What is known to be too large is refused before it comes."""
        size = self.session.envelope.size
        if size is not None and size > self.settings.body_bytes:
            self._check_larger()
        self._tick()

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """More of the body."""
        if side is not CLIENT:
            return None
        room = self.settings.body_bytes - self._held.size
        try:
            self._held.put(data[:room])
        except SpoolFull as full:
            return self._begin(self._go_on(data, full))
        if len(data) <= room:
            return None
        self._check_larger()
        return self._begin(self._go_on(data[room:]))

    def ended(self, side: Side) -> Deferred[Any] | None:
        """That was all of it."""
        return self._begin(self._finish()) if side is CLIENT else None

    def closed(self, verdict: Verdict) -> None:
        """Nobody wants the verdict any more."""
        self._over = True
        self._report.cut_off(verdict.reason)
        work, self._work = self._work, None
        if work is not None:
            work.cancel()

    # How

    def _begin(self, work: Any) -> Deferred[Any]:
        """Something that takes time, during which no more of the body comes."""
        self._work = Deferred.fromCoroutine(work)
        return self._work

    def _check_larger(self) -> None:
        """@raise Denied: larger bodies may not pass."""
        if self.settings.larger == "refuse":
            most = self.settings.body_bytes
            self._report.too_large(Outcome.DENIED)
            raise Denied(f"a body of more than {most} bytes", by="body_bytes")

    async def _go_on(self, data: bytes, full: SpoolFull | None = None) -> None:
        """
        No more of it can be held: what there is passes, or not, and then the rest.

        @param data: what follows.
        @param full: why, if not for the settings.
        """
        if full is not None:
            self._failed(str(full))
        elif self.settings.larger == "scan-beginning":
            await self._judge(whole=False)
        else:
            self._report.too_large(Outcome.PASSED)
        await self._release(self._held.spool)
        await self._send(data)
        self.session.release()

    async def _finish(self) -> None:
        """It is complete."""
        instead = await self._judge(whole=True)
        await self._release(self._held.spool if instead is None else instead)
        self.session.end(SERVER)

    async def _judge(self, whole: bool) -> ISpool | None:
        """
        Have it judged.

        @return: what passes in its place, if something does.
        @raise Denied: it does not pass.
        """
        began = self.session.date()
        self._scan = Deferred.fromCoroutine(self._attempt(whole))
        limit = self.session.after(self.settings.scan_seconds, self._expire)
        judgement: Judgement | str
        try:
            judgement = await self._scan
        except CancelledError as cancelled:
            if self._over:
                raise
            let_go(cancelled)
            judgement = f"no verdict within {self.settings.scan_seconds:g} seconds"
        except Larger as larger:
            let_go(larger)
            self._check_larger()
            self._report.too_large(Outcome.PASSED)
            return None
        finally:
            limit.cancel()
            self._scan = None
        if isinstance(judgement, str):
            self._failed(judgement, began)
            return None
        self._report.judged(judgement, began, whole and not self._cut)
        if judgement.reason:
            self._refuse(judgement)
        if judgement.to is not None:
            self.session.readdress(judgement.to)
        return judgement.instead

    async def _attempt(self, whole: bool) -> Judgement | str:
        """
        The judgement, or why there is none.

        @raise Larger: decoded, it is more than is scanned.
        """
        held, envelope = self._held, self.session.envelope
        try:
            if self.decodes or envelope.coding in PLAIN or not held.size:
                return await self.judge(held.spool)
            coded = Coded(self.session)
            body = await coded.decode(held.spool, whole)
            self._cut = coded.cut
            try:
                judgement = await self.judge(body)
            finally:
                body.close()
            if judgement.instead is None:
                return judgement
            return evolve(judgement, instead=await coded.encode(judgement.instead))
        except (ScannerFault, Unavailable, SpoolFull) as fault:
            let_go(fault)
            return str(fault)

    def _expire(self) -> None:
        self._late = True
        if self._scan is not None:
            self._scan.cancel()

    def is_late(self) -> bool:
        """Whether the verdict was waited for long enough."""
        return self._late

    def _refuse(self, judgement: Judgement) -> None:
        """@raise Denied: always."""
        found = ", ".join(judgement.found)
        words = Template(self.settings.words).safe_substitute(found=found) or judgement.words
        if judgement.aside:
            words = f"250 2.0.0 Set aside as {judgement.aside}"
        elif words.startswith("2"):  # to mail, that would be as if it were taken
            words = f"Refused: {words}"
        raise Denied(judgement.reason, words.encode())

    def _failed(self, why: str, began: float | None = None) -> None:
        """
        Nobody can say.

        @raise Denied: so it may not pass.
        @raise Unreachable: nor now, but perhaps later.
        """
        on_error = self.settings.on_error
        self._report.failed(why, began, on_error)
        if on_error == "defer":
            raise Unreachable(f"not scanned: {why}")
        if on_error == "refuse":
            raise Denied(f"not scanned: {why}", by="on_error")

    async def _release(self, spool: ISpool) -> None:
        """All of it may leave, as fast as it is taken."""
        self._stop_ticking()
        at = self._held.left if spool is self._held.spool else 0
        while block := spool.read(at, BLOCK):
            at += len(block)
            await self._send(block)
        spool.close()

    async def _send(self, data: bytes) -> None:
        self.session.send(SERVER, data)
        await self.session.flushed(SERVER)

    # While it is held

    @property
    def _is_kept(self) -> bool:
        """Whether it passes as it is, if it does."""
        return self.keeps and not may_change(self.settings)

    def _tick(self) -> None:
        settings = self.settings
        envelope = self.session.envelope
        if not settings.trickle_bytes or envelope.direction != "download" or envelope.told:
            return
        if self._is_kept:
            self._ticking = self.session.after(settings.trickle_seconds, self._trickle)

    def _trickle(self) -> None:
        """Whoever waits for it gets a little, so that it goes on waiting."""
        piece = self._held.trickle(self.settings.trickle_bytes)
        if piece:
            self.session.send(SERVER, piece)
        self._tick()

    def _stop_ticking(self) -> None:
        ticking, self._ticking = self._ticking, None
        if ticking is not None:
            ticking.cancel()
