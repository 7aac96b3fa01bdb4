"""
Which rule wins, at a cost that hardly depends on how many rules there are.

Each dimension of the rules' products (source, destination, protocol and port,
interface) is cut at every boundary that some rule names. Within one of the
resulting pieces all addresses are alike: the same rules match. So each piece
has one bit mask, with bit I{n} set if rule I{n} matches there. A connection is
looked up in every dimension by bisection, the masks are ANDed, and the lowest
bit that is left is the first matching rule. (Lakshman and Stiliadis, "High-speed
policy-based packet forwarding using efficient multi-dimensional range
matching", SIGCOMM 1998.)
"""

from __future__ import annotations

from gateway.policy.connection import Connection
from gateway.policy.rule import Rule


class Classifier:
    """Finds the first rule that matches, in the order the rules are given in."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules

    def first(self, connection: Connection) -> Rule | None:
        """The first rule that matches, or L{None}."""
        raise NotImplementedError
