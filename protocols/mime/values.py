"""Values of settings about messages: how the operator writes them, and what is wrong with them."""

from __future__ import annotations

import re


def field_name(text: str) -> str:
    """Read the name of a header field (RFC 5322, section 3.6.8)."""
    if not re.fullmatch(r"[!-9;-~]{1,76}", text):
        raise ValueError(f"{text!r} is no name of a header field")
    return text


def field_value(text: str) -> str:
    """Read the value of a header field, on one line."""
    if not re.fullmatch(r"[ -~]{0,900}", text):
        raise ValueError(f"{text!r} is not printable ASCII on one line")
    return text


def header_line(text: str) -> str:
    """Read a header field: its name, a colon, its value."""
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f'{text!r} is no header field: write it like "X-Name: value"')
    return f"{field_name(name)}: {field_value(value.strip())}"


def small(words: frozenset[str]) -> frozenset[str]:
    """Read extensions of file names, with or without the dot."""
    return frozenset(word.lower().removeprefix(".") for word in words)
