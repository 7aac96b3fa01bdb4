"""A regular expression as the value of a setting."""

from __future__ import annotations

import re


def pattern(text: str) -> re.Pattern[str]:
    """
    Read a regular expression: C{option(..., read=pattern)}.

    A dot in it is any character: if a line end were none, C{"secret.*"} would not be
    like what somebody has put one into.

    @raise ValueError: it is none; says where.
    """
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
