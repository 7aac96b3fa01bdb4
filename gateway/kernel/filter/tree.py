"""
The decision tree: a branch of the ruleset for packet filters that have maps.

The rules of one branch could be tried one after the other; with ten thousand of
them every new connection would pay for all. Instead, one dimension is cut at
every boundary that some rule names. Within one piece every rule either holds
for certain, as far as this dimension goes, or not at all, so a piece has its own
shorter list of what is still to be asked. Pieces with equal lists share one
node, and what follows a rule that holds for certain is never reached. That is
repeated for the other two dimensions until a list is short enough to be tried in
order. A packet thus costs at most three look-ups in interval maps, and
L{SHORT} comparisons.

Cutting can multiply (rules that cross each other in all dimensions). So there is
a budget of map elements; when it is spent, lists stay long: slower, never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from gateway.kernel.filter.ruleset import Branch, Dimension, Verdict
from gateway.policy.spans import Span, Spans

SHORT = 6
"""So many rules are tried one after the other rather than looked up."""

ELEMENTS = 600_000
"""Map elements for the whole ruleset. Three times 100,000 networks, each with two ends."""

LISTED = 5_000_000
"""Clauses in all lists of one cut, each list counted for every part that leads to it."""


@frozen
class Step:
    """If all conditions hold, the verdict of the rule with this number."""

    conditions: tuple[tuple[Dimension, Spans], ...]
    verdict: Verdict
    number: int


@frozen(eq=False)
class Steps:
    """Rules to be tried in order. None of them: nothing is decided."""

    steps: tuple[Step, ...]


@frozen(eq=False)
class Split:
    """One look-up, which leads to another node. In none of the spans: nothing is decided."""

    dimension: Dimension
    parts: tuple[tuple[Span, Node], ...]


Node = Steps | Split

Open = tuple[int, frozenset[Dimension]]
"""The index of a clause, and the dimensions that are still to be asked about."""

State = tuple[Open, ...]

NOTHING = Steps(())


class Budget:
    """How many more map elements may be spent."""

    def __init__(self, elements: int = ELEMENTS) -> None:
        self.left = elements

    def spend(self, elements: int) -> bool:
        """Whether there was enough left; if so, it is gone now."""
        if elements > self.left:
            return False
        self.left -= elements
        return True


def grow(branch: Branch, budget: Budget, short: int = SHORT) -> Node:
    """
    The decision tree of C{branch}.

    @param short: lists of so many rules are not split any more.
    """
    return _Tree(branch, budget, short).root()


class _Tree:
    """A tree while it grows."""

    def __init__(self, branch: Branch, budget: Budget, short: int) -> None:
        self._branch = branch
        self._budget = budget
        self._short = short
        self._nodes: dict[State, Node] = {}

    def root(self) -> Node:
        """The node for all that is known before any look-up."""
        every = {dimension: self._branch.unlimited(dimension) for dimension in Dimension}
        return self._node(
            _reachable(
                (index, frozenset(d for d in Dimension if clause.sets[d] != every[d]))
                for index, clause in enumerate(self._branch.clauses)
            )
        )

    def _node(self, state: State) -> Node:
        """The node that decides C{state}."""
        node = self._nodes.get(state)
        if node is None:
            node = self._nodes[state] = self._split(state) or self._steps(state)
        return node

    def _steps(self, state: State) -> Steps:
        """C{state}, one clause after the other."""
        return Steps(tuple(self._step(index, asked) for index, asked in state))

    def _step(self, index: int, asked: frozenset[Dimension]) -> Step:
        clause = self._branch.clauses[index]
        return Step(
            tuple((d, clause.sets[d]) for d in sorted(asked)), clause.verdict, clause.number
        )

    def _split(self, state: State) -> Split | None:
        """C{state}, cut where it helps most; C{None}: it does not help, or is too dear."""
        if len(state) <= self._short:
            return None
        cuts = [_Cut(self._branch, state, dimension) for dimension in _asked(state)]
        for cut in sorted(cuts, key=lambda cut: cut.mean):
            if cut.helps and self._budget.spend(cut.count):
                return Split(cut.dimension, tuple(self._parts(cut)))
        return None

    def _parts(self, cut: _Cut) -> Iterator[tuple[Span, Node]]:
        """The parts of C{cut} with their nodes."""
        nodes: dict[frozenset[int], Node] = {}
        for span, active in cut.parts():
            if active not in nodes:
                nodes[active] = self._node(cut.child(active))
            yield span, nodes[active]


class _Cut:
    """
    What would become of a state if one dimension were cut.

    Clauses that ask for the same set are one group. Between two changes the
    same groups are active.

    @ivar count: into how many parts.
    @ivar mean: how many clauses a part has on average, at most.
    """

    def __init__(self, branch: Branch, state: State, dimension: Dimension) -> None:
        self.dimension = dimension
        self._state = state
        self._always = [place for place, (_, asked) in enumerate(state) if dimension not in asked]
        self._groups: list[list[int]] = []
        self._limits = branch.unlimited(dimension)[0]
        self._changes = sorted(self._toggles(branch).items())
        self._measure()

    def _toggles(self, branch: Branch) -> dict[int, list[int]]:
        """Where groups begin and cease to be active."""
        known: dict[int, int] = {}
        changes: dict[int, list[int]] = {self._limits[0]: []}
        for place, (index, asked) in enumerate(self._state):
            if self.dimension in asked:
                spans = branch.clauses[index].sets[self.dimension]
                group = known.setdefault(id(spans), len(known))
                if group == len(self._groups):
                    self._groups.append([])
                    _toggle(changes, spans, group)
                self._groups[group].append(place)
        return changes

    def _measure(self) -> None:
        """Find C{count} and C{mean} without writing anything down."""
        self.count = self._total = 0
        for _, active in self.parts():
            self.count += 1
            self._total += len(self._always) + sum(len(self._groups[group]) for group in active)
        self.mean = self._total / (self.count or 1)

    @property
    def helps(self) -> bool:
        """Whether the parts' lists are shorter, and not too much altogether."""
        return self._total <= LISTED and self.mean < len(self._state)

    def parts(self) -> Iterator[tuple[Span, frozenset[int]]]:
        """The parts in which any clause matches, each with its active groups."""
        active: set[int] = set()
        ends = [*(position for position, _ in self._changes[1:]), self._limits[1]]
        for (position, groups), end in zip(self._changes, ends, strict=True):
            active.symmetric_difference_update(groups)
            if position < end and (active or self._always):
                yield (position, end), frozenset(active)

    def child(self, active: frozenset[int]) -> State:
        """What is still to be asked in a part with these active groups."""
        places = sorted(self._always + [p for group in active for p in self._groups[group]])
        return _reachable((self._state[p][0], self._state[p][1] - {self.dimension}) for p in places)


def _toggle(changes: dict[int, list[int]], spans: Spans, group: int) -> None:
    """Note where C{group} begins and ceases to be active."""
    for first, end in spans:
        changes.setdefault(first, []).append(group)
        changes.setdefault(end, []).append(group)


def _asked(state: State) -> list[Dimension]:
    """The dimensions that at least one clause still asks about."""
    return sorted(frozenset[Dimension]().union(*(asked for _, asked in state)))


def _reachable(opens: Iterable[Open]) -> State:
    """All up to the first clause that holds for certain, after which nothing can be reached."""
    state: list[Open] = []
    for item in opens:
        state.append(item)
        if not item[1]:
            break
    return tuple(state)
