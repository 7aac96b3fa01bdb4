"""
Carrier: the sessions that are on their way into the kernel, and those that are there.

It does nothing by itself: who serves it tells it what was asked, what the program has told, and
the time. What happened it tells by one call, see L{Carrier}.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from struct import error as TooShort
from typing import Any

from attrs import evolve

from gateway.kernel.release.layout import EVENT, Event, Mode
from gateway.kernel.release.overlap import Ends, NotNow, Overlap
from gateway.kernel.release.released import SILENCE, How, Released, Reset
from gateway.kernel.release.stories import Stories, Story
from gateway.kernel.release.table import Table
from gateway.kernel.sockets import Socket

LOOK = 0.005
"""Seconds between two looks at a session in the overlap, at first; twice as long each time."""

LONGEST_LOOK = 0.2

GRACE = 0.005
"""Seconds between the last packet for an old socket and its end."""

LINGER = 60.0
"""Seconds for which a session that is over still answers for lost last packets (TIME_WAIT)."""

MOST_OVERLAPS = 1000
"""Sessions that may be taken over at the same time. Each has two sockets here."""

RESETS = 5
"""So often both ends are reset."""

BETWEEN_RESETS = 0.01

Tell = Callable[[dict[str, Any]], None]


class Carrier:
    """
    @param tell: is told, as messages for the gateway: C{settled} (the old sockets have nothing
        to do any more: let them go), C{gone} (they will close without a word), C{over}
        (with C{how}, by whom, what the gateway has told of it, its C{holder}, and what was
        carried), C{forgotten} (its ports are free).
    @param reset: sends a reset.
    @param untrack: has connection tracking forget a session.
    @param now: seconds of the monotonic clock.
    @param most: how many sessions may have their sockets here.
    """

    def __init__(
        self,
        table: Table,
        stories: Stories,
        tell: Tell,
        reset: Reset,
        untrack: Callable[[Ends], object],
        now: Callable[[], float],
        most: int = MOST_OVERLAPS,
    ) -> None:
        self._table = table
        self._stories = stories
        self._tell = tell
        self._reset = reset
        self._untrack = untrack
        self._now = now
        self._most = most
        self._overlaps: dict[int, tuple[Overlap, Story]] = {}
        self._released: dict[int, Released] = {}
        self._over: set[int] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._adopt()

    def _adopt(self) -> None:
        """What a predecessor left. A session in the overlap has lost its sockets: it is ended."""
        for index in self._table.look():
            story = self._stories.get(index)
            if story is None:
                self._table.forget(index)
                continue
            self._released[index] = Released(self._table, index, story, self._now())
            if self._table.mode(index) is Mode.FORWARD:
                self._watch(index)
            else:
                self.kill(index)
        self._stories.clear(but=set(self._released))

    # What is asked

    def switch(self, story: Story, legs: tuple[Socket, Socket], pending: tuple[int, int]) -> int:
        """
        Begin to release a session.

        @param pending: see L{Overlap}.
        @return: its index from now on.
        @raise gateway.kernel.release.overlap.Stays: it can't be released; nothing has changed.
        """
        if len(self._overlaps) >= self._most:
            raise NotNow("too many sessions are being taken over")
        overlap = Overlap(self._table, story.ends, legs, pending)
        self._overlaps[overlap.index] = overlap, self._told(overlap.index, story)
        # not yet: whoever asked has to learn the index first
        self._at(self._now(), lambda: self._look_again(overlap, LOOK))
        return overlap.index

    def let_go(self, index: int, told: dict[str, Any]) -> None:
        """
        The gateway uses the sockets no more: they may vanish.

        @param told: what is to be added to the session's story.
        @raise ValueError: it is too much.
        """
        found = self._overlaps.get(index)
        if found is not None:
            overlap, story = found
            if any(story.told.get(key) != value for key, value in told.items()):
                self._overlaps[index] = overlap, self._told(index, story.with_more(told))
            self._at(self._now() + GRACE, lambda: self._vanish(index))

    def _told(self, index: int, story: Story) -> Story:
        """Keep a story, if it can be."""
        try:
            self._stories.put(index, story)
        except OSError as error:
            # of no consequence but after a restart, when nobody could tell whose it was
            self._tell({"trouble": f"stories of released sessions can't be kept: {error}"})
        return story

    def abandon(self, indices: Iterable[int]) -> None:
        """
        Who had these is gone, and what was between the old sockets with it: end what overlaps.
        """
        for index in self._overlaps.keys() & indices:
            self.kill(index)

    def kill(self, index: int) -> None:
        """End a session now; both ends are reset."""
        if index in self._overlaps:
            self._leave(index)
        released = self._released.get(index)
        if released is not None and index not in self._over:
            self._end(released, How.KILLED)

    def kill_all(self) -> None:
        """End everything."""
        for index in [*self._overlaps, *self._released]:
            self.kill(index)

    @property
    def there(self) -> list[int]:
        """The sessions that are released, and not over."""
        return [index for index in self._released if index not in self._over]

    def ends(self) -> Iterator[tuple[int, Ends]]:
        """Between whom the sessions run that have ports of which no socket knows, or soon."""
        for index, (_, story) in self._overlaps.items():
            yield index, story.ends
        for index, released in self._released.items():
            yield index, released.story.ends

    def give(self, index: int, holder: str) -> None:
        """Another process accounts for a session that is released."""
        released = self._released[index]
        released.story = self._told(index, evolve(released.story, holder=holder))

    def released(self, index: int) -> Released | None:
        """The session of this index, as long as it is not over."""
        return None if index in self._over else self._released.get(index)

    def counted(self, index: int) -> tuple[int, int, float] | None:
        """Bytes to the server, to the client, and seconds of silence; C{None}: it is over."""
        released = self.released(index)
        if released is None:
            return None
        count = released.count
        silence = round(max(0.0, self._now() - released.active), 3)
        return count.bytes_to_server, count.bytes_to_client, silence

    # What the program tells

    def hear(self, told: Iterator[bytes]) -> None:
        """Events, as they lay in the ring."""
        for data in told:
            try:
                event = Event(*EVENT.unpack(data))
            except TooShort:
                continue
            if event.session in self._overlaps:
                self._look_now(event.session)
            elif event.session in self._released:
                self._check(event.session)

    # Time

    def turn(self) -> float:
        """
        Do what is due.

        @return: after how many seconds there is something to do again, at most.
        """
        while self._due and self._due[0][0] <= self._now():
            _, _, call = heapq.heappop(self._due)
            call()
        return max(0.0, self._due[0][0] - self._now()) if self._due else 60.0

    def _at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (when, self._count, call))

    # The overlap

    def _look(self, overlap: Overlap, after: float) -> None:
        """Look now, and again later."""
        if self._look_now(overlap.index):
            later = min(2 * after, LONGEST_LOOK)
            self._at(self._now() + after, lambda: self._look_again(overlap, later))

    def _look_again(self, overlap: Overlap, after: float) -> None:
        found = self._overlaps.get(overlap.index)
        if found is not None and found[0] is overlap:
            self._look(overlap, after)

    def _look_now(self, index: int) -> bool:
        """
        Settle a session if it can be.

        @return: whether it can't yet.
        """
        overlap, _ = self._overlaps[index]
        if overlap.settled:
            return False
        try:
            if not overlap.look():
                return True
        except OSError:
            # a socket that is dead has nothing to deliver
            pass
        overlap.settle()
        self._tell({"settled": index})
        return False

    def _vanish(self, index: int) -> None:
        if index in self._overlaps:
            released = self._leave(index)
            self._tell({"gone": index})
            self._watch(index)
            self._judge(released)

    def _leave(self, index: int) -> Released:
        """The sockets are gone."""
        overlap, story = self._overlaps.pop(index)
        if any(overlap.doubled):
            story = self._told(index, evolve(story, doubled=overlap.doubled))
        overlap.leave()
        released = self._released[index] = Released(self._table, index, story, self._now())
        return released

    # The rest of its life

    def _watch(self, index: int) -> None:
        """Look at it when it may have been silent for too long."""
        released = self._released[index]
        if released.story.idle:
            self._at(released.active + released.story.idle, lambda: self._watched(released))

    def _watched(self, released: Released) -> None:
        if not self._is_there(released):
            return
        if released.is_idle(self._now()):
            self._end(released, How.IDLE)
        else:
            self._watch(released.index)

    def _check(self, index: int) -> None:
        """Something has happened that may be its end."""
        released = self._released[index]
        if index in self._over:
            if released.is_again:
                self._forget(released)
            return
        self._judge(released)

    def _judge(self, released: Released) -> None:
        """Whether it is over. A reset is believed after a silence."""
        if not self._is_there(released):
            return
        how = released.how(self._now())
        if how is not None:
            self._finish(released, how)
        elif released.is_reset:
            self._at(released.active + SILENCE, lambda: self._judge(released))

    def _is_there(self, released: Released) -> bool:
        index = released.index
        return self._released.get(index) is released and index not in self._over

    def _finish(self, released: Released, how: How) -> None:
        """It is over, and what its peers say last is still forwarded for a while."""
        self._say_over(released, how)
        self._untrack(released.story.ends)
        if released.is_again or how is How.RESET:
            self._forget(released)
        else:
            self._at(self._now() + LINGER, lambda: self._forget(released))

    def _end(self, released: Released, how: How) -> None:
        """End it, whatever its peers want."""
        released.stop()
        self._say_over(released, how)
        self._reset_again(released, RESETS)

    def _reset_again(self, released: Released, left: int) -> None:
        if not left:
            self._at(self._now() + 1.0, lambda: self._forget(released))
            return
        released.reset(self._reset)
        self._at(self._now() + BETWEEN_RESETS, lambda: self._reset_again(released, left - 1))

    def _say_over(self, released: Released, how: How) -> None:
        count = released.count
        self._over.add(released.index)
        self._stories.remove(released.index)
        self._tell(
            {
                "over": released.index,
                "told": released.story.told,
                "holder": released.story.holder,
                "how": how.value,
                "by": released.reset_by if how is How.RESET else None,
                "bytes_to_server": count.bytes_to_server,
                "bytes_to_client": count.bytes_to_client,
                "heard": count.heard,
            }
        )

    def _forget(self, released: Released) -> None:
        index = released.index
        if self._released.get(index) is not released:
            return
        released.forget()
        self._untrack(released.story.ends)
        del self._released[index]
        self._over.discard(index)
        self._tell({"forgotten": index})
