"""Doubt: what becomes of a message that programs may read in different ways."""

from __future__ import annotations

from protocols.mime.findings import Findings
from protocols.mime.objection import ambiguous


def to_be_mended(problem: str, findings: Findings, hopeless: str = "") -> bool:
    """
    Decide, if it matters which parts the message has.

    @param problem: why programs may disagree; empty if there is no reason.
    @param hopeless: why that can't be mended.
    @return: whether it is to be written anew.
    @raise Objection: the message is refused.
    """
    settings = findings.settings
    if not problem or not settings.judges_parts or settings.malformed == "pass":
        return False
    if settings.strict or hopeless:
        raise ambiguous(hopeless or problem)
    findings.mended(problem)
    return True
