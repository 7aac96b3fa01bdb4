"""Whatever a peer sends, it is one harmless, bounded JSON value."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.observe.value import MOST_CHARACTERS, MOST_IN_ALL, encoded, quoted

NASTY = ["\x7f", "\x9b31m", "\x1b]0;x\x07", "\ud800", "\r\n", "\u2028", "\x00", '"\\']


class Unhelpful:
    """Can't even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Shouting(str):
    """Text that turns into something else when asked."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Colour(Enum):
    RED = b"\x1b[31m"


scalars: Any = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(NASTY)
    | st.binary()
    | st.complex_numbers()
    | st.datetimes()
    | st.builds(Unhelpful)
    | st.builds(Shouting, st.text())
    | st.just(Colour.RED)
)
values: Any = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.text(st.characters()) | st.binary() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def parsed(value: Any) -> Any:
    return json.loads(encoded({"it": value}))["it"]


class ValueTests(SynchronousTestCase):
    """Each kind of value."""

    @settings(max_examples=300, deadline=None)
    @given(st.dictionaries(st.text("aB_1.-", max_size=3) | st.just("x y"), scalars, max_size=5))
    def test_two_ways(self, fields: dict[str, Any]) -> None:
        """A record of short texts and numbers is the same as if it had been made with all care."""
        fields["z"] = 1
        with_care = encoded({**fields, "zz": [1]})
        self.assertEqual(encoded(fields), with_care.replace(',"zz":[1]', ""))

    @given(st.dictionaries(st.text(), values, max_size=6))
    def test_anything(self, fields: dict[str, Any]) -> None:
        """Any fields give exactly one valid JSON object of printable ASCII."""
        line = encoded(fields)
        self.assertTrue(line.isascii())
        self.assertTrue(line.isprintable(), line)
        record = json.loads(line, parse_constant=self.fail)
        self.assertIsInstance(record, dict)
        json.dumps(record, ensure_ascii=False).encode("utf-8")  # no lone surrogates

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
    def test_text_is_kept(self, text: str) -> None:
        """What was sent can be read back exactly."""
        self.assertEqual(parsed(text), text)
        self.assertEqual(parsed(text.encode()), text)
        self.assertEqual(json.loads(quoted(text)), text)

    def test_control_characters(self) -> None:
        """None reaches a terminal, DEL and C1 included."""
        for code in (*range(0x20), *range(0x7F, 0xA0)):
            self.assertEqual(quoted(chr(code)).isprintable(), True)
            self.assertEqual(json.loads(quoted(chr(code))), chr(code))

    def test_octets(self) -> None:
        """Bytes that are no UTF-8 are shown as such."""
        self.assertEqual(parsed(b"caf\xc3\xa9"), "café")
        self.assertEqual(parsed(b"caf\xe9"), "caf\\xe9")

    def test_own_kinds(self) -> None:
        """Addresses, sets and enums are shown as the operator knows them."""
        self.assertEqual(parsed(Address("fd00::1", 80)), "[fd00::1]:80")
        self.assertEqual(parsed({"a"}), ["a"])
        self.assertEqual(parsed(Colour.RED), "\x1b[31m")

    def test_numbers(self) -> None:
        """No number breaks a reader: not NaN, and none of a thousand digits."""
        self.assertEqual(parsed(float("nan")), "nan")
        self.assertEqual(parsed(float("-inf")), "-inf")
        self.assertEqual(parsed(2**64 - 1), 2**64 - 1)
        self.assertEqual(parsed(10**5000), f"an integer of {(10**5000).bit_length()} bits")

    def test_unknown_objects(self) -> None:
        """What JSON has no word for is shown by its repr, if it has one."""
        self.assertEqual(parsed(1j), "1j")
        self.assertEqual(parsed(Unhelpful()), "<Unhelpful>")
        self.assertEqual(parsed(Shouting("loud")), "loud")


class KeyTests(SynchronousTestCase):
    """What a peer sent is a value."""

    def test_keys_of_a_peer(self) -> None:
        """A key that is no word becomes a value beside its own."""
        self.assertEqual(
            parsed({"ok": 1, "X Y\x1b": 2, 7: 3}),
            {
                "ok": 1,
                "others": [{"name": "X Y\x1b", "value": 2}, {"name": 7, "value": 3}],
            },
        )


class SizeTests(SynchronousTestCase):
    """A record has bounds, and says what it left out."""

    def test_long_text(self) -> None:
        """A long value is cut, and says by how much."""
        for value, unit in (("a" * 10_000, "characters"), (b"a" * 10_000, "bytes")):
            shown = parsed(value)
            self.assertTrue(shown.startswith("a" * MOST_CHARACTERS))
            self.assertTrue(shown.endswith(f"[{10_000 - MOST_CHARACTERS} more {unit}]"))

    def test_long_lists(self) -> None:
        """So is a long list, and an object with many keys."""
        self.assertEqual(parsed([1] * 300)[-1], "[44 more items]")
        self.assertEqual(parsed({f"k{n}": n for n in range(300)})["left_out"], 44)

    def test_depth(self) -> None:
        """Lists in lists end somewhere, even in themselves."""
        endless: list[Any] = []
        endless.append(endless)
        self.assertLess(len(encoded({"it": endless})), 100)

    def test_all_in_all(self) -> None:
        """Many large values, wide and deep, don't make a large record."""
        wide = [["\x1b" * 9000] * 300] * 300
        deep: Any = "x"
        for _ in range(7):
            deep = [deep] * 200
        for value in (wide, deep, {f"k{n}": wide for n in range(300)}):
            self.assertLess(len(encoded({"it": value})), MOST_IN_ALL * 8)
