"""
What went wrong on the way to a release that nobody notices, and does not any more.

The kernel runs the program on one packet at a time, so that each cure is seen by itself; that they
are enough together, the stress shows. The numbers are those of the list in
docs/decisions/release-by-overlap.md.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from struct import pack, unpack_from
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.kernel.bare import ACK, RST, checksum, segment
from gateway.kernel.release import bpf, carrier, programs
from gateway.kernel.release.carrier import GRACE, Carrier
from gateway.kernel.release.elf import Object
from gateway.kernel.release.layout import Direction, Flow, Mode, Seen, tuple_of
from gateway.kernel.release.overlap import Ends, NotNow
from gateway.kernel.release.stories import Stories, Story
from gateway.kernel.release.table import Table

CLIENT, SERVER = Address("10.1.2.3", 40000), Address("198.51.100.7", 443)
CLIENT6, SERVER6 = Address("2001:db8::3", 40000), Address("2001:db8:1::7", 443)
FAMILIES = ((CLIENT, SERVER), (CLIENT6, SERVER6))

UP, DROPPED, ON = -1, 2, 7
"""To the stack (TC_ACT_UNSPEC), nowhere (TC_ACT_SHOT), to the other device (TC_ACT_REDIRECT)."""

LOOPBACK = 1
"""The device on which the kernel lets the program run."""

BOUNDARY, OWN_END = 1000, 205_000
"""Of the client's direction: forwarded from here on; up to there is what our socket sent."""

SHIFTS = 100_000, 200_000
"""Added to the client's numbers, and to the server's."""

SACK = 5


class Packet(NamedTuple):
    """As the program left it."""

    verdict: int
    sequence: int
    acknowledged: int
    window: int
    blocks: tuple[tuple[int, int], ...]


class CureTests(SynchronousTestCase):
    """One session, from its overlap on."""

    def setUp(self) -> None:
        self.table = Table(4)
        made = Object(files(programs.__package__).joinpath(programs.OBJECT).read_bytes())
        self.loaded = {
            each.name: bpf.load(each, made.license(), self.table.maps)
            for each in made.programs("tc/")
        }
        for descriptor in self.loaded.values():
            self.addCleanup(os.close, descriptor)
        for each in self.table.maps.values():
            self.addCleanup(os.close, each.descriptor)

    def session(self, mode: Mode, client: Address, server: Address, **seen: int) -> None:
        """One; C{seen}: what the program knows of what the server has sent."""
        there, back = SHIFTS
        flows = (
            Flow(0, 0, there, -back & 0xFFFFFFFF, 0, 0),
            Flow(0, 1, back, -there & 0xFFFFFFFF, 0, 0),
        )
        ends = (client, server), (server, client)
        for (source, destination), flow in zip(ends, flows, strict=True):
            self.table.put_flow(tuple_of(source, destination), flow)
        ours = Direction(BOUNDARY, OWN_END, 0, 0, interface=LOOPBACK)
        theirs = Direction(OWN_END - back, BOUNDARY + there, 0, 0, interface=LOOPBACK, **seen)
        self.table.put_direction(0, 0, ours)
        self.table.put_direction(0, 1, theirs)
        self.table.set_mode(0, mode)

    def run_on(
        self,
        name: str,
        ends: tuple[Address, Address],
        sequence: int,
        acknowledged: int,
        flags: int = ACK,
        blocks: tuple[tuple[int, int], ...] = (),
        data: int = 0,
    ) -> Packet:
        """A packet passes the program of this name."""
        options = b""
        if blocks:
            numbers = [edge for block in blocks for edge in block]
            options = pack("!BBBB", 1, 1, SACK, 2 + 8 * len(blocks))
            options += pack(f"!{len(numbers)}I", *numbers)
        made = segment(*ends, sequence, flags, acknowledged, 500, options) + bytes(data)
        v6 = ":" in ends[0].host
        if data and v6:
            made = made[:4] + pack("!H", len(made) - 40) + made[6:]
        ethernet = bytes(12) + pack("!H", 0x86DD if v6 else 0x0800)
        program = self.loaded[f"{name}_v{6 if v6 else 4}"]
        verdict, left = bpf.run(program, ethernet + made)
        at = 14 + (40 if v6 else 20)
        if not data:
            self.assertSummed(left, at, v6)
        found = unpack_from("!II2xH", left, at + 4)
        edges = unpack_from(f"!{2 * len(blocks)}I", left, at + 24 if blocks else 0)
        return Packet(verdict, *found, tuple(zip(edges[::2], edges[1::2], strict=True)))

    def assertSummed(self, packet: bytes, at: int, v6: bool) -> None:
        """TCP's checksum is right."""
        ends = packet[at - (32 if v6 else 8) : at]
        header = packet[at:]
        self.assertEqual(checksum(ends + pack("!HH", 6, len(header)) + header), 0)

    def test_past_the_stack(self) -> None:
        """
        1, 5, 8: what is forwarded goes to the other device, not through the stack, in the overlap
        and after it: neither the old socket gets it nor connection tracking.
        """
        for ends in FAMILIES:
            for mode in (Mode.OVERLAP, Mode.FORWARD):
                self.session(mode, *ends)
                packet = self.run_on("arrive", ends, BOUNDARY, OWN_END, data=10)
                expected = ON, BOUNDARY + SHIFTS[0], OWN_END - SHIFTS[1]
                self.assertEqual(packet[:3], expected)

    def test_acknowledgement_too_old(self) -> None:
        """2: what the old socket still sends has the newest acknowledgement that was forwarded."""
        for ends in FAMILIES:
            newest = BOUNDARY + SHIFTS[0] + 70_000
            seen = {"seen": Seen.PACKET, "acknowledged": newest, "window": 300}
            self.session(Mode.OVERLAP, *ends, **seen)
            packet = self.run_on("leave", ends[::-1], 204_000, BOUNDARY)
            self.assertEqual(packet, (UP, 204_000, BOUNDARY + 70_000, 300, ()))
            # one that is newer stays
            packet = self.run_on("leave", ends[::-1], 204_000, BOUNDARY + 80_000)
            self.assertEqual(packet.acknowledged, BOUNDARY + 80_000)

    def test_beyond_the_window(self) -> None:
        """3: what only acknowledges, for the old socket, has the number that this one expects."""
        for ends in FAMILIES:
            self.session(Mode.OVERLAP, *ends)
            packet = self.run_on("arrive", ends, BOUNDARY + 9_000_000, 204_000)
            self.assertEqual(packet[:3], (UP, BOUNDARY, 204_000))

    def test_selective(self) -> None:
        """4: it acknowledges nothing, not even selectively, that the old socket has not sent."""
        for ends in FAMILIES:
            self.session(Mode.OVERLAP, *ends)
            last = 204_000
            blocks = (204_200, 204_400), (204_800, 205_200), (206_000, 207_000)
            packet = self.run_on("arrive", ends, BOUNDARY, last, blocks=blocks)
            self.assertEqual(packet.verdict, UP)
            self.assertEqual(packet.blocks, (blocks[0], (204_800, OWN_END), (last, last)))

    def test_no_reset_of_ours(self) -> None:
        """
        7: the kernel's answer to a packet for a socket that has vanished, or is about to, is not
        sent; what is not a released session's is.
        """
        for ends in FAMILIES:
            for mode, verdict in (
                *((Mode.OVERLAP, DROPPED), (Mode.FORWARD, DROPPED)),
                *((Mode.FREE, UP), (Mode.KILL, UP)),
            ):
                self.session(mode, *ends)
                packet = self.run_on("leave", ends[::-1], OWN_END, 0, RST)
                self.assertEqual(packet.verdict, verdict, mode)
            self.session(Mode.FORWARD, *ends)
            self.assertEqual(self.run_on("leave", ends[::-1], OWN_END, 1).verdict, DROPPED)

    def test_strange(self) -> None:
        """
        Who sends fragments, IP options or extension headers is noted before a release, since the
        program does not read such packets; others are not.
        """
        v4, v6 = (segment(*ends, 1, ACK) for ends in FAMILIES)
        hops, fragment = bytes([6, 0, 1, 4, 0, 0, 0, 0]), bytes([6, 0, 0, 1, 0, 0, 0, 9])
        for number, (client, packet) in enumerate(
            (
                (CLIENT, v4[:6] + b"\x20" + v4[7:]),
                (CLIENT, b"\x46" + v4[1:20] + bytes([1, 1, 1, 0]) + v4[20:]),
                (CLIENT6, v6[:6] + b"\0" + v6[7:40] + hops + v6[40:]),
                (CLIENT6, v6[:6] + b"\x2c" + v6[7:40] + fragment + v6[40:]),
                (CLIENT, v4),
                (CLIENT6, v6),
                (CLIENT, v4[:7] + b"\x10" + v4[8:]),  # another fragment than the first
            )
        ):
            server = SERVER6 if client is CLIENT6 else SERVER
            source = tuple_of(client, server)
            ethernet = bytes(12) + pack("!H", 0x86DD if client is CLIENT6 else 0x0800)
            name = "arrive_v6" if client is CLIENT6 else "arrive_v4"
            verdict, left = bpf.run(self.loaded[name], ethernet + packet)
            self.assertEqual((verdict, left), (UP, ethernet + packet))
            self.assertEqual(self.table.is_strange(source), number < 4, number)
            self.table.maps["strange"].remove(source)

    def test_grace(self) -> None:
        """7: sockets vanish only some time after the last packet for them can have come."""
        now, left = [1000.0], []
        told: list[dict[str, Any]] = []

        class Quiet:
            """An overlap that has nothing to do any more."""

            index, settled, doubled = 1, False, (0, 0)

            def __init__(self, *_: object) -> None:
                """Of nobody."""

            def look(self) -> bool:
                return True

            def settle(self) -> None:
                self.settled = True

            def leave(self) -> None:
                left.append(now[0])

        self.patch(carrier, "Overlap", Quiet)
        carries = Carrier(
            *(self.table, Stories(Path(self.mktemp())), told.append),
            *((lambda *_: None), (lambda _: None), lambda: now[0]),
            most=1,
        )
        story = Story(Ends(CLIENT, SERVER, CLIENT), 0.0, {})
        legs: Any = None, None
        index = carries.switch(story, legs, (0, 0))
        self.assertRaises(NotNow, carries.switch, story, legs, (0, 0))
        carries.turn()
        self.assertEqual(told, [{"settled": index}])
        carries.let_go(index, {})
        now[0] += GRACE * 0.9
        carries.turn()
        self.assertEqual(left, [])
        now[0] += GRACE * 0.2
        carries.turn()
        self.assertEqual((left, told[-1]), ([now[0]], {"gone": index}))
