"""
Report: what the records say of a body that was, or was to be, judged.

EVE's C{fileinfo} for each body, and one C{alert} for each thing that was found.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from gateway.interfaces import PROTOCOL, ISession, Outcome
from protocols.magic import recognise
from protocols.scanners.held import Held
from protocols.scanners.judgement import Judgement

MOST_FOUND = 20
"""Names of what was found in one body: more are not recorded."""


class Result(Enum):
    """What became of a scan. The value is the word in records and metrics."""

    CLEAN = "clean"
    FOUND = "found"
    REFUSED = "refused"
    """It is not to pass, though nothing in it has a name."""

    FAILED = "failed"
    """The scanner could not say."""

    TOO_LARGE = "too-large"
    """It was not asked."""

    CUT_OFF = "cut-off"
    """There was no end of the body, or nobody wanted to know any more."""

    __hash__ = object.__hash__


class Report:
    """
    The record of one body.

    @ivar made: it is written.
    """

    def __init__(self, session: ISession, held: Held) -> None:
        self.made = False
        self._session = session
        self._held = held

    def judged(self, judgement: Judgement, began: float, whole: bool) -> None:
        """
        A scanner has said what there is in it.

        @param began: when it was asked.
        @param whole: it was asked about all of it.
        """
        found = judgement.found[:MOST_FOUND]
        seconds = self._session.date() - began
        scan: dict[str, Any] = {"seconds": round(seconds, 6), "address": judgement.where}
        if judgement.scanner:
            scan["scanner"] = judgement.scanner
        if found:
            scan["found"] = list(found)
        if not whole:
            scan["beginning_only"] = True
        if judgement.instead is not None:
            scan["changed"] = True
        if judgement.aside:
            scan["aside"] = judgement.aside
        for name in found:
            alert: dict[str, Any] = {"action": "blocked", "signature": name, "severity": 1}
            told = {"scan": self._scan(Result.FOUND, scan)}
            self._session.record("alert", told, **alert, category="Malware")
        if judgement.reason:
            result = Result.FOUND if found else Result.REFUSED
            self._make(result, Outcome.DENIED, scan, judgement.reason, PROTOCOL)
        else:
            result = Result.CLEAN
            self._make(result, Outcome.PASSED, scan)
        self._session.tools.judged(result.value, seconds)

    def failed(self, why: str, began: float | None, on_error: str) -> None:
        """Nobody could say."""
        outcome = {"pass": Outcome.PASSED, "refuse": Outcome.DENIED, "defer": Outcome.FAILED}
        seconds = 0.0 if began is None else self._session.date() - began
        by = "on_error" if on_error == "refuse" else ""
        scan = {"seconds": round(seconds, 6)}
        self._make(Result.FAILED, outcome[on_error], scan, f"not scanned: {why}", by)
        self._session.tools.judged("failed", seconds)

    def too_large(self, outcome: Outcome) -> None:
        """Nobody was asked."""
        by = "body_bytes" if outcome is Outcome.DENIED else ""
        self._make(Result.TOO_LARGE, outcome, {}, "larger than what is scanned", by)

    def cut_off(self, why: str) -> None:
        """Nobody wants to know any more. If something was said already, nothing is added."""
        if not self.made:
            self._make(Result.CUT_OFF, Outcome.FAILED, {}, why)

    def _make(
        self,
        result: Result,
        outcome: Outcome,
        scan: dict[str, Any],
        reason: str = "",
        by: str = "",
    ) -> None:
        self.made = True
        gateway: dict[str, Any] = {"verdict": outcome.value}
        if reason:
            gateway["reason"] = reason
        gateway["scan"] = self._scan(result, scan)
        self._session.record("fileinfo", gateway, by, **self._fields(result))

    def _scan(self, result: Result, scan: dict[str, Any]) -> dict[str, Any]:
        told = {"service": self._session.service, "result": result.value, **scan}
        if self._held.left:
            told["delivered"] = self._held.left
        return told

    def _fields(self, result: Result) -> dict[str, Any]:
        held, envelope = self._held, self._session.envelope
        whole = result in (Result.CLEAN, Result.FOUND, Result.REFUSED, Result.FAILED)
        fields: dict[str, Any] = {
            "size": held.size,
            "state": "CLOSED" if whole else "TRUNCATED",
            "stored": False,
        }
        if envelope.filename:
            fields["filename"] = envelope.filename
        kind = recognise(held.beginning)
        if kind is not None:
            fields["magic"] = kind.type
        if whole and held.digest:
            fields["sha256"] = held.digest
        return fields
