"""Where keys are written: compared with what tomllib reads, for all forms that TOML has."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from gateway.policy.locate import Path, locate

DOCUMENT = '''\
# a comment with [brackets] and "quotes"
title = "a # b" # and one here
"quoted key" . 'literal.key' = 1

[divert]   # [[not this]]
  port = 50080
  names = [ "a", # comment ]
    "b,]", [1, 2,], ]
  dotted.inner = { x = 1, "y z" = [ { k = 'v' } ], a.b = 2 }

[[rule]]
to = ["x"]
[rule.sub]
deep = """
[not.a.table]
key = 1 \\""" """""
[[rule]]
when = 1979-05-27 07:32:00
[[rule.list]]
[[rule.list]]
raw = \'\'\'
]] \'\'\'\'
[ spaced . "out" ]
last = +inf
'''


def paths(value: Any, path: Path = ()) -> list[Path]:
    """The paths of everything in a document."""
    found: list[Path] = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in items:
        found += paths(each, (*path, key))
    return found


class LocateTests(SynchronousTestCase):
    def test_all_forms(self) -> None:
        """Every key and element is found, and nothing else is taken for one."""
        found = locate(DOCUMENT)
        self.assertEqual(set(found.offsets), set(paths(tomllib.loads(DOCUMENT))))

    def test_positions(self) -> None:
        """Line and column are what an editor shows."""
        found = locate(DOCUMENT)
        for path, position in (
            (("title",), (2, 1)),
            (("quoted key",), (3, 1)),
            (("quoted key", "literal.key"), (3, 16)),
            (("divert",), (5, 1)),
            (("divert", "port"), (6, 3)),
            (("divert", "names"), (7, 3)),
            (("divert", "names", 0), (7, 13)),
            (("divert", "names", 1), (8, 5)),
            (("divert", "names", 2, 1), (8, 16)),
            (("divert", "dotted", "inner"), (9, 10)),
            (("divert", "dotted", "inner", "y z", 0, "k"), (9, 39)),
            (("rule", 0), (11, 1)),
            (("rule", 0, "to", 0), (12, 7)),
            (("rule", 0, "sub", "deep"), (14, 1)),
            (("rule", 1), (17, 1)),
            (("rule", 1, "list", 1, "raw"), (21, 1)),
            (("spaced", "out", "last"), (24, 1)),
        ):
            self.assertEqual(found.position(path), position, path)

    def test_missing(self) -> None:
        """What is not there is where its table is, or at the start of the file."""
        found = locate(DOCUMENT)
        self.assertEqual(found.position(("rule", 1, "from")), (17, 1))
        self.assertEqual(found.position(("limits",)), (1, 1))

    def test_large(self) -> None:
        """A blocklist of many networks is no problem."""
        text = "[zones.bad]\nnetworks = [\n" + '  "10.0.0.0/8",\n' * 20_000 + "]\n"
        self.assertEqual(locate(text).position(("zones", "bad", "networks", 19_999)), (20_002, 3))


keys = strategies.one_of(
    strategies.text("abc", min_size=1, max_size=3),
    strategies.text("a .\"'#[]={}é", min_size=1, max_size=4),
)
scalars = strategies.one_of(
    strategies.integers(-9, 9),
    strategies.booleans(),
    strategies.text("ab \"'#[]{}=,.\n\\é", max_size=8),
)
values = strategies.recursive(
    scalars,
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3), strategies.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)
blanks = strategies.sampled_from(["", " ", "\t ", " "])
endings = strategies.sampled_from(["\n", " # [x] = 'y\n", "\n\n", "\n  # c\n\t"])


class Writer:
    """Writes values as TOML in whatever way is drawn, and remembers where it put them."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.offsets: dict[Path, int] = {}

    def blank(self) -> None:
        self.text += self.draw(blanks)

    def key(self, key: str) -> None:
        bare = key.isascii() and key.isalnum()
        forms = [json.dumps(key, ensure_ascii=False)]
        forms += [key] if bare else []
        forms += [f"'{key}'"] if "'" not in key else []
        self.text += self.draw(strategies.sampled_from(forms))

    def scalar(self, value: Any) -> None:
        if not isinstance(value, str):
            self.text += json.dumps(value)
            return
        forms = [json.dumps(value, ensure_ascii=False)]
        if "'" not in value:
            forms += [f"'''\n{value}'''"] + ([] if "\n" in value else [f"'{value}'"])
        if "\\" not in value and '"' not in value:
            forms.append(f'"""\n{value}"""')
        self.text += self.draw(strategies.sampled_from(forms))

    def value(self, value: Any, path: Path) -> None:
        if isinstance(value, list):
            self.array(value, path)
        elif isinstance(value, dict):
            self.inline(value, path)
        else:
            self.scalar(value)

    def array(self, value: list[Any], path: Path) -> None:
        self.text += "["
        for index, each in enumerate(value):
            self.text += self.draw(strategies.one_of(blanks, endings))
            self.offsets[(*path, index)] = len(self.text)
            self.value(each, (*path, index))
            self.text += self.draw(endings) if self.draw(strategies.booleans()) else ""
            self.text += "," if index < len(value) - 1 or self.draw(strategies.booleans()) else ""
        self.blank()
        self.text += "]"

    def inline(self, value: dict[str, Any], path: Path) -> None:
        self.text += "{"
        for number, (key, each) in enumerate(value.items()):
            self.text += "," if number else ""
            self.blank()
            self.pair(key, each, path)
            self.blank()
        self.text += "}"

    def pair(self, key: str, value: Any, path: Path) -> None:
        """One key and its value: a dotted key, if it is a table with one key."""
        path = (*path, key)
        self.offsets[path] = len(self.text)
        self.key(key)
        self.blank()
        if isinstance(value, dict) and len(value) == 1 and self.draw(strategies.booleans()):
            self.text += "."
            self.blank()
            self.pair(*next(iter(value.items())), path)
        else:
            self.text += "="
            self.blank()
            self.value(value, path)

    def table(self, value: dict[str, Any]) -> None:
        for key, each in value.items():
            self.blank()
            self.pair(key, each, ())
            self.text += self.draw(endings)


class LocatePropertyTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(strategies.dictionaries(keys, values, max_size=4), strategies.data())
    def test_inline(self, value: dict[str, Any], data: Any) -> None:
        """Keys and elements are where they were written, in any notation."""
        writer = Writer(data.draw)
        writer.table(value)
        self.assertEqual(tomllib.loads(writer.text), value)
        self.assertEqual(locate(writer.text).offsets, writer.offsets)

    @settings(max_examples=100, deadline=None)
    @given(
        strategies.lists(
            strategies.tuples(keys, strategies.integers(0, 2), strategies.booleans()),
            max_size=6,
            unique_by=lambda each: each[0],
        ),
        strategies.data(),
    )
    def test_headers(self, tables: list[tuple[str, int, bool]], data: Any) -> None:
        """Tables, arrays of tables, and tables in these, are where their headers are."""
        writer = Writer(data.draw)
        for key, repeats, nested in tables:
            for index in range(max(repeats, 1)):
                path: Path = (key, index) if repeats else (key,)
                writer.offsets.setdefault((key,), len(writer.text))
                writer.offsets[path] = len(writer.text)
                self.header(writer, [key], "[[" if repeats else "[")
                if nested:
                    writer.offsets[(*path, "in")] = len(writer.text)
                    self.header(writer, [key, "in"], "[")
                    path = (*path, "in")
                writer.pair("x", [1], path)
                writer.text += "\n"
        self.assertEqual(set(writer.offsets), set(paths(tomllib.loads(writer.text))))
        self.assertEqual(locate(writer.text).offsets, writer.offsets)

    def header(self, writer: Writer, keys: list[str], opening: str) -> None:
        writer.text += opening
        for number, key in enumerate(keys):
            writer.text += "." if number else ""
            writer.blank()
            writer.key(key)
            writer.blank()
        writer.text += {"[": "]", "[[": "]]"}[opening]
        writer.text += writer.draw(endings)
