"""Decision: what the policy says about a query."""

from __future__ import annotations

from typing import NamedTuple

from dns.rdatatype import RdataType

from protocols.dns.kinds import opcode_text
from protocols.dns.record import class_text, kind_text
from protocols.dns.rule import Asked, Rule
from protocols.dns.settings import DnsSettings

ALLOW = "allow"
NOT_IMPLEMENTED = "not-implemented"

_ADDRESSES = frozenset({RdataType.A, RdataType.AAAA})


class Decision(NamedTuple):
    """
    What is done.

    @ivar action: a word of L{Action<protocols.dns.rule.Action>}, or L{NOT_IMPLEMENTED}.
    @ivar by: the setting, or the place of the rule.
    @ivar rule: the one that decided, if one did.
    """

    action: str
    by: str
    reason: str = ""
    rule: Rule | None = None


REMEMBERED = 1024
"""Decisions: most names are asked for, or led to by answers, several times within a second."""


class Decisions:
    """What is done with queries. That is remembered for some: a policy does not change."""

    def __init__(self, settings: DnsSettings) -> None:
        self._settings = settings
        self._ends = any(rule.from_ is not None or rule.to is not None for rule in settings.rule)
        self._known: dict[tuple[object, ...], Decision] = {}

    def on(self, asked: Asked) -> Decision:
        """What is done with a query."""
        key = asked if self._ends else asked[:4]  # whoever asks whom
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[key] = decide(self._settings, asked)
        return known


def decide(settings: DnsSettings, asked: Asked) -> Decision:
    """What is done with a query."""
    rule = next((each for each in settings.rule if each.matches(asked)), None)
    if rule is not None and rule.action != ALLOW:
        return Decision(rule.action, rule.by, rule.why(asked.name), rule)
    missing = _missing(settings, asked, rule)
    if missing is not None:
        return missing
    if rule is not None:
        return Decision(ALLOW, rule.by, rule.reason, rule)
    return Decision(settings.action, "action", f"{asked.name or '.'} is asked for")


def _missing(settings: DnsSettings, asked: Asked, rule: Rule | None) -> Decision | None:
    """What no setting allows, nor this rule by name."""
    if asked.opcode not in settings.opcodes and not (rule and rule.opcode):
        reason = f"the operation {opcode_text(asked.opcode)}"
        return Decision(NOT_IMPLEMENTED, "opcodes", reason)
    if asked.class_ not in settings.classes and not (rule and rule.class_):
        return Decision("refused", "classes", f"the class {class_text(asked.class_)}")
    if rule and rule.type:
        return None
    if asked.kind not in settings.types:
        return _without(asked.kind, "types")
    if asked.kind in settings.refused_types:
        return _without(asked.kind, "refused_types")
    return None


def _without(kind: int, by: str) -> Decision:
    """
    What is done with a query of a type that may not be asked for.

    musl's resolver asks for A and AAAA at once, and takes one that is refused for a failure of
    both; that there is no record of this type is understood by all.
    """
    action = "nodata" if kind in _ADDRESSES else "refused"
    return Decision(action, by, f"the type {kind_text(kind)}")
