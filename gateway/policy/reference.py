"""The configuration reference, made from the declarations that the loader goes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from attrs import NOTHING, Attribute

from gateway.interfaces import IInspectorMaker
from gateway.policy.resolve import settings_key
from gateway.policy.settings import default_of, key_of, keys_of
from gateway.policy.structure import ZONES, accepted, as_toml, class_within, type_hints, type_name
from gateway.policy.written import ExpectTable, GatewayFile, RuleTable, ServiceFile, ZoneTable

INTRODUCTION = """\
# Configuration reference

Made by `gateway.policy.reference` from what the loader checks. A configuration is a folder:

| file | what it holds |
|---|---|
| `gateway.toml` | the divert, limits of the whole gateway, logs. Must be there, may be empty. |
| `zones.toml` | who is where. May be left out. |
| `services/NAME.toml` | one service each; the file's name is the service's name. |

A key or table that is not listed here is an error, and so is a value of another type. All
mistakes are told at once, as `file:line:column: table.key: what is wrong`; `tproxygw check`
looks for them without starting anything.
"""


def reference(makers: Iterable[IInspectorMaker] = ()) -> str:
    """
    All keys of all files, as Markdown.

    @param makers: the inspectors whose settings are to be listed as well.
    @raise Exception: whatever the import of an inspector raises.
    """
    parts = [
        INTRODUCTION,
        _section("gateway.toml", GatewayFile, ""),
        _section("zones.toml: `[zones.NAME]`", ZoneTable, "zones.NAME"),
        _section("services/NAME.toml", ServiceFile, ""),
        _section("`[[rule]]`", RuleTable, "rule", level=3),
        _section("`[[expect]]`", ExpectTable, "expect", level=3),
        "## Inspectors\n",
        *(_inspector(maker) for maker in sorted(makers, key=lambda maker: maker.name)),
    ]
    return "\n".join(parts)


def _inspector(maker: IInspectorMaker) -> str:
    """An inspector and its table."""
    kind = maker.settings()
    about = f"### `{maker.name}`\n\n{maker.description.rstrip('.')}.\n"
    if kind is None:
        return f"{about}\nIt has no settings.\n"
    key = settings_key(maker.name)
    return f"{about}\nIn the table `[{key}]`:\n\n{_table(kind)}{''.join(_nested(kind, key))}"


def _section(title: str, kind: type, path: str, level: int = 2) -> str:
    """A table's keys, then the tables in it."""
    return f"{'#' * level} {title}\n\n{_table(kind)}{''.join(_nested(kind, path))}"


def _table(kind: type) -> str:
    """A Markdown table of the keys that are no tables."""
    hints = type_hints(kind)
    plain = [each for each in keys_of(kind).values() if not _elsewhere(each, hints[each.name])]
    if not plain:
        return "No keys of its own.\n"
    rows = [_row(each, hints[each.name]) for each in plain]
    return "\n".join(["| key | value | default | what it is for |", "|---|---|---|---|", *rows, ""])


def _nested(kind: type, path: str) -> Iterator[str]:
    """The tables within a table, and arrays of them."""
    for key, each in keys_of(kind).items():
        hint = type_hints(kind)[each.name]
        within = class_within(each, hint)
        if within is not None:
            inner = f"{path}.{key}" if path else key
            title = f"[[{inner}]]" if get_origin(hint) is tuple else f"[{inner}]"
            about = each.metadata.get("help", "")
            yield f"\n### `{title}`\n\n{about}\n\n{_table(within)}"
            yield from _nested(within, inner)


def _elsewhere(attribute: Attribute[Any], hint: Any) -> bool:
    """Whether the key is a table, or an array of tables, which has a section of its own."""
    if attribute.metadata.get("file") is not None:
        return False
    return Any in get_args(hint) or class_within(attribute, hint) is not None


def _row(attribute: Attribute[Any], hint: Any) -> str:
    cells = (
        f"`{key_of(attribute)}`",
        _value(attribute, hint),
        _default(attribute),
        _purpose(attribute),
    )
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _value(attribute: Attribute[Any], hint: Any) -> str:
    """The type, the unit, and the bounds."""
    unit = attribute.metadata.get("unit")
    least, most = (attribute.metadata.get(name) for name in ("minimum", "maximum"))
    parts = [
        _type(attribute, hint),
        f"of {unit}" if unit and unit != "port" else "",
        f"from {least}" if least is not None else "",
        f"to {most}" if most is not None else "",
    ]
    return " ".join(part for part in parts if part)


def _type(attribute: Attribute[Any], hint: Any) -> str:
    """The type of what is written, which need not be that of the field."""
    read, file = (attribute.metadata.get(name) for name in ("read", "file"))
    if file is not None:
        return _file_names(hint)
    if attribute.metadata.get("names_zones"):
        return type_name(ZONES)
    taken = hint if read is None else accepted(read, hint)
    return type_name(taken if get_origin(taken) else hint)


def _file_names(hint: Any) -> str:
    one = "the name of a file"
    several = f"an array, each {one}, or of a folder"
    return several if get_origin(hint) in (tuple, frozenset) else one


def _default(attribute: Attribute[Any]) -> str:
    default = default_of(attribute)
    if default is NOTHING:
        return "(must be there)"
    return "(none)" if default is None else f"`{as_toml(default)}`"


def _purpose(attribute: Attribute[Any]) -> str:
    """The help; and the precedent, for those who wonder about the default."""
    precedent = attribute.metadata.get("precedent")
    help = str(attribute.metadata.get("help", ""))
    return f"{help} ({precedent})" if precedent else help
