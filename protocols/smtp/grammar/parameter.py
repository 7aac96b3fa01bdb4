"""
Parameters of MAIL and RCPT, by table: which there are, of which extension,
and which values they take.

What is not in the tables is not understood, and does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import frozen

# RFC 5321, section 4.1.2: esmtp-param. The value may go beyond ASCII with SMTPUTF8 (RFC 6531, 3.3).
_PARAMETER = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u00a0-\ud7ff\ue000-\U0010ffff]+))?"
)

# RFC 3461, section 4: xtext. Of what is encoded, a control would be one in somebody's report or
# header; sections 4.4 and 4.2 have printable characters only.
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+(?:[2-689A-F][0-9A-F]|7[0-9A-E]))*")

# RFC 6533, section 3: characters beyond ASCII, encoded by their number. Not CR, LF and NUL.
_UTF8_ADDRESS = re.compile(
    r"(?:[!-*,-<>-\[\]-~\u00a0-\ud7ff\ue000-\U0010ffff]|\\x\{(?!0*[0ADad]?\})[0-9A-Fa-f]{1,6}\})*"
)

Values = Callable[["str | None"], bool]


class ParameterError(ValueError):
    """It is no parameter. The message says what is wrong with it."""


@frozen
class Parameter:
    """
    What a parameter may be.

    @ivar extension: the EHLO keyword that it comes with.
    @ivar takes: whether it takes this value; C{None} is none.
    """

    extension: str
    takes: Values


def nothing(value: str | None) -> bool:
    """It has no value."""
    return value is None


def number(value: str | None) -> bool:
    """RFC 1870, section 3: up to twenty digits."""
    return value is not None and re.fullmatch(r"[0-9]{1,20}", value) is not None


def one_of(*words: str) -> Values:
    """One of these words, in any letters."""
    return lambda value: value is not None and value.upper() in words


def xtext(most: int) -> Values:
    """Encoded text of at most so many characters."""
    return lambda value: value is not None and len(value) <= most and bool(_XTEXT.fullmatch(value))


def notify(value: str | None) -> bool:
    """RFC 3461, section 4.1: C{NEVER}, or a list of the others."""
    words = (value or "").upper().split(",")
    known = {"SUCCESS", "FAILURE", "DELAY"}
    return words == ["NEVER"] or (set(words) <= known and len(set(words)) == len(words))


def original_recipient(value: str | None) -> bool:
    """RFC 3461, section 4.2; RFC 6533, section 3: a type and an encoded address."""
    found = re.fullmatch(r"(?:rfc822|x400|utf-8);(.+)", value or "", re.IGNORECASE)
    if found is None or len(found[0]) > 500:
        return False
    form = _UTF8_ADDRESS if found[0][:5].lower() == "utf-8" else _XTEXT
    return form.fullmatch(found[1]) is not None


def submitter(value: str | None) -> bool:
    """RFC 4954, section 5: C{<>}, or an encoded address."""
    return value == "<>" or xtext(500)(value)


MAIL: Mapping[str, Parameter] = {
    "SIZE": Parameter("SIZE", number),
    "BODY": Parameter("8BITMIME", one_of("7BIT", "8BITMIME")),
    "SMTPUTF8": Parameter("SMTPUTF8", nothing),
    "RET": Parameter("DSN", one_of("FULL", "HDRS")),
    "ENVID": Parameter("DSN", xtext(100)),
    "AUTH": Parameter("AUTH", submitter),
}
"""Of MAIL: RFC 1870, RFC 6152, RFC 6531, RFC 3461, RFC 4954."""

RCPT: Mapping[str, Parameter] = {
    "NOTIFY": Parameter("DSN", notify),
    "ORCPT": Parameter("DSN", original_recipient),
}
"""Of RCPT: RFC 3461."""


def parse_parameters(
    text: str, table: Mapping[str, Parameter]
) -> tuple[tuple[str, str | None], ...]:
    """
    Read the parameters behind a path.

    @param text: what follows the path, with the space before it.
    @return: names, in capitals, and values, in order.
    @raise ParameterError: one is unknown, there twice, or has no such value.
    """
    if text and not text.startswith(" "):
        raise ParameterError("an address has to be followed by a space")
    found: dict[str, str | None] = {}
    for word in text.split():
        name, value = _parameter(word, table)
        if name in found:
            raise ParameterError(f"{name} is there twice")
        found[name] = value
    return tuple(found.items())


def _parameter(word: str, table: Mapping[str, Parameter]) -> tuple[str, str | None]:
    parsed = _PARAMETER.fullmatch(word)
    if parsed is None:
        raise ParameterError("not a parameter")
    name, value = parsed[1].upper(), parsed[2]
    if name not in table:
        raise ParameterError(f"{name} is not a known parameter")
    if not table[name].takes(value):
        raise ParameterError(f"not a value of {name}")
    return name, value


def written(parameters: tuple[tuple[str, str | None], ...]) -> str:
    """Parameters as they are sent, with a space before each."""
    return "".join(
        f" {name}" if value is None else f" {name}={value}" for name, value in parameters
    )
