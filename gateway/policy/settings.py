"""
Settings: the typed content of a TOML table.

A settings class is a frozen attrs class whose fields are made with L{option}.
The same declaration gives the type check, the default, and the line in the
configuration reference. Inspectors declare theirs in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import NOTHING, field


def option(
    help: str,
    default: Any = NOTHING,
    *,
    unit: str = "",
    precedent: str = "",
    read: Callable[[Any], Any] | None = None,
) -> Any:
    """
    Declare one key of a TOML table.

    @param help: what it is for, one or two sentences for the operator.
    @param default: the value if the key is left out. Without a default, the
        key must be there.
    @param unit: what a number counts: C{"seconds"}, C{"bytes"}, …
    @param precedent: who chose the same limit before.
    @param read: turns the TOML value (already of the annotated type if that
        is a plain one) into the field's value; raises L{ValueError} with a
        sentence for the operator.
    """
    return field(
        default=default,
        metadata={"help": help, "unit": unit, "precedent": precedent, "read": read},
    )
