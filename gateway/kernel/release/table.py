"""
Table: the released sessions, as the program sees them.

Of a session the table has an index; its modes and counts are memory that the
kernel shares, so that looking at them costs nothing.
"""

from __future__ import annotations

from functools import partial
from struct import Struct, pack_into, unpack_from

from gateway.kernel.release import layout
from gateway.kernel.release.bpf import Flag, Map, MapType
from gateway.kernel.release.layout import Direction, Flow, Mode
from gateway.kernel.release.pins import Pins

_KEY = 4
_MODE_AT = 0
_ENDED_AT = 4
_STRANGE = 1024
"""Connections that are known to have packets which the program does not read."""

_INTERFACE_AT, _SEEN_AT = 16, 20
_WORD = Struct("=I")


class Full(Exception):
    """As many sessions are released as the table can hold."""


class Table:
    """
    The maps of the program.

    @param sessions: how many there may be at a time. A table that is pinned keeps its size.
    @param events: bytes of the ring; a power of two.
    """

    def __init__(self, sessions: int, pins: Pins | None = None, events: int = 1 << 18) -> None:
        pins = pins or Pins(None)
        self.maps = {
            name: pins.map(name, partial(Map.create, *shape, name))
            for name, shape in _shapes(sessions, events).items()
        }
        self._sessions = self.maps["sessions"].memory()
        self._directions = self.maps["directions"].memory()
        self._free: list[int] = []
        self.look()

    def look(self) -> list[int]:
        """
        Look which sessions are there.

        @return: their indices: a predecessor's.
        """
        every = range(self.maps["sessions"].entries)
        used = [index for index in every if self.mode(index) is not Mode.FREE]
        self._free = sorted(set(every) - set(used), reverse=True)
        return used

    def set_marks(self, forwarded: int, bare: int) -> None:
        """
        Tell the program the marks that it goes by.

        @param forwarded: what it gives to packets that it has forwarded.
        @param bare: what sockets have whose first packet goes without timestamps.
        """
        self.maps["settings"].put(bytes(_KEY), layout.SETTING.pack(forwarded, bare))

    def take(self) -> int:
        """
        A free index.

        @raise Full: there is none.
        """
        if not self._free:
            raise Full
        return self._free.pop()

    def give_back(self, index: int) -> None:
        """Nobody's any more."""
        self.set_mode(index, Mode.FREE)
        self.set_ended(index, 0)
        self._free.append(index)

    def put_flow(self, source: bytes, flow: Flow) -> None:
        """
        @param source: the tuple, see L{layout.tuple_of}.
        @raise KernelError: there is no room.
        """
        self.maps["flows"].put(source, flow.packed())

    def remove_flow(self, source: bytes) -> None:
        """Packets of this tuple are ordinary ones again."""
        self.maps["flows"].remove(source)

    def is_strange(self, source: bytes) -> bool:
        """Whether there were packets of this tuple that the program does not read."""
        return self.maps["strange"].get(source) is not None

    def forget(self, index: int) -> None:
        """Take away a session that nobody knows any more, flows and all."""
        flows = self.maps["flows"]
        for key in list(flows.keys()):
            value = flows.get(key)
            if value is not None and unpack_from("=I", value)[0] == index:
                flows.remove(key)
        self.give_back(index)

    def mode(self, index: int) -> Mode:
        """How far a session has come."""
        return Mode(unpack_from("=I", self._sessions, self._session_at(index))[0])

    def set_mode(self, index: int, mode: Mode) -> None:
        """For both directions at one moment: it is a single store."""
        pack_into("=I", self._sessions, self._session_at(index) + _MODE_AT, mode)

    def ended(self, index: int, side: int) -> bool:
        """Whether the sender of a direction had ended before the old sockets were gone."""
        at = self._session_at(index) + _ENDED_AT
        return bool(unpack_from("=I", self._sessions, at)[0] & 1 << side)

    def set_ended(self, index: int, sides: int) -> None:
        """
        @param sides: the bits of those directions whose FIN an old socket had.
        """
        pack_into("=I", self._sessions, self._session_at(index) + _ENDED_AT, sides)

    def direction(self, index: int, side: int) -> Direction:
        """
        What is known of one direction.

        @param side: 0 of the client, 1 of the server.
        """
        at = self._direction_at(index, side)
        return Direction(*layout.DIRECTION.unpack_from(self._directions, at))

    def interface(self, index: int, side: int) -> int:
        """Of a direction; see L{Direction}."""
        return self._word(index, side, _INTERFACE_AT)

    def seen(self, index: int, side: int) -> int:
        """Of a direction: bits of L{Seen<gateway.kernel.release.layout.Seen>}."""
        return self._word(index, side, _SEEN_AT)

    def _word(self, index: int, side: int, place: int) -> int:
        (word,) = _WORD.unpack_from(self._directions, self._direction_at(index, side) + place)
        return int(word)

    def put_direction(self, index: int, side: int, direction: Direction) -> None:
        """All of it, before the session is switched."""
        at = self._direction_at(index, side)
        layout.DIRECTION.pack_into(self._directions, at, *direction)

    def set_bounds(self, index: int, side: int, boundary: int, own_end: int) -> None:
        """Where the overlap ends."""
        pack_into("=II", self._directions, self._direction_at(index, side), boundary, own_end)

    @staticmethod
    def _session_at(index: int) -> int:
        return index * layout.SESSION.size

    @staticmethod
    def _direction_at(index: int, side: int) -> int:
        return (2 * index + side) * layout.DIRECTION.size


def _shapes(sessions: int, events: int) -> dict[str, tuple[MapType, int, int, int, int]]:
    """Of each map: its type, bytes of a key and of a value, entries, flags."""
    array, shared = MapType.ARRAY, Flag.MMAPABLE
    flow = layout.TUPLE.size, layout.FLOW.size
    return {
        "flows": (MapType.HASH, *flow, 2 * sessions, Flag.NO_PREALLOC),
        "sessions": (array, _KEY, layout.SESSION.size, sessions, shared),
        "directions": (array, _KEY, layout.DIRECTION.size, 2 * sessions, shared),
        "settings": (array, _KEY, layout.SETTING.size, 1, shared),
        "events": (MapType.RINGBUF, 0, 0, events, 0),
        "strange": (MapType.LRU_HASH, flow[0], 4, _STRANGE, 0),
    }
