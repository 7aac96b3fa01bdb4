"""
What may be said about options.

Servers have believed what clients say here: a variable USER of "-f root" has logged people in
without a password, more than once. So values have a form, and variables are listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from attrs import frozen

from gateway.interfaces import Denied
from protocols.telnet.numbers import Option
from protocols.telnet.token import About

_IS = 0
_SEND = 1
_INFO = 2

# RFC 1572, section 2.
_VAR, _VALUE, _ESC, _USERVAR = range(4)


@frozen
class Allowed:
    """
    What the policy has of it.

    @ivar variables: names of the environment that may be told.
    @ivar value: what values, terminals' names and displays may be.
    """

    variables: frozenset[str]
    value: re.Pattern[str]


Reading = Callable[[bytes, Allowed], Iterator[tuple[str, str]]]
"""Reads what is said about one option; see L{told}."""


def told(about: About, allowed: Allowed) -> Iterator[tuple[str, str]]:
    """
    What a side tells, by name, for the record.

    @raise Denied: it is not as its RFC wants it, or not allowed.
    """
    reader = _READERS.get(about.option)
    if reader is not None:
        yield from reader(about.content, allowed)


def is_asked(about: About) -> bool:
    """Whether a side is asked to tell something of its environment."""
    environment = about.option in (Option.ENVIRON, Option.NEW_ENVIRON)
    return environment and about.content[:1] == bytes((_SEND,))


def _text(
    name: str, grammar: re.Pattern[str] | None = None
) -> Callable[..., Iterator[tuple[str, str]]]:
    """RFC 1091, RFC 1079, RFC 1096: SEND, or IS and a text."""

    def read(content: bytes, allowed: Allowed) -> Iterator[tuple[str, str]]:
        """What it tells; C{Denied}: that is none, or not allowed."""
        if content == bytes((_SEND,)):
            return
        if content[:1] != bytes((_IS,)):
            raise Denied(f"a subnegotiation of {name} that is neither SEND nor IS")
        value = content[1:].decode("latin-1")
        if grammar is None:
            _check(name, value, allowed)
        elif not grammar.fullmatch(value):
            raise Denied(f"{name} {value!r}")
        yield name, value

    return read


def _window(content: bytes, allowed: Allowed) -> Iterator[tuple[str, str]]:
    """RFC 1073: width and height, of two bytes each."""
    if len(content) != 4:
        raise Denied(f"a window size of {len(content)} bytes")
    width, height = int.from_bytes(content[:2], "big"), int.from_bytes(content[2:], "big")
    yield "window", f"{width}x{height}"


def _flow(content: bytes, allowed: Allowed) -> Iterator[tuple[str, str]]:
    """RFC 1372: one of four."""
    if len(content) != 1 or content[0] > 3:
        raise Denied("a subnegotiation of flow control that is none")
    return iter(())


def _environment(content: bytes, allowed: Allowed) -> Iterator[tuple[str, str]]:
    """RFC 1572: SEND with names, IS and INFO with names and values."""
    if not content or content[0] not in (_IS, _SEND, _INFO):
        raise Denied("an environment that is neither SEND nor IS nor INFO")
    for name, value in _variables(content[1:]):
        if name and name not in allowed.variables:
            raise Denied(f"the variable {name!r}", by="variables")
        if value:
            _check(f"the variable {name}", value, allowed)
            yield name, value


def _variables(content: bytes) -> Iterator[tuple[str, str]]:
    """
    Names and values, which are empty where there is none. Who is asked for all there is may answer
    with a variable that has neither (telnetlib3 does).

    @raise Denied: a value has no name.
    """
    parts: list[tuple[int, bytearray]] = []
    bytes_left = iter(content)
    for byte in bytes_left:
        if byte in (_VAR, _USERVAR, _VALUE):
            parts.append((byte, bytearray()))
        elif not parts:
            raise Denied("an environment that begins with neither name nor value")
        else:
            parts[-1][1].append(next(bytes_left, 0) if byte == _ESC else byte)
    name: str | None = None
    for kind, text in parts:
        if kind == _VALUE:
            if name is None or (text and not name):
                raise Denied("a value without a variable")
            yield name, text.decode("latin-1")
            name = None
        else:
            if name:
                yield name, ""
            name = text.decode("latin-1")
    if name:
        yield name, ""


def _check(what: str, value: str, allowed: Allowed) -> None:
    """@raise Denied: it is more than a simple value."""
    if not allowed.value.fullmatch(value):
        raise Denied(f"{what} is {value[:100]!r}", by="value")


_READERS: dict[int, Reading] = {
    Option.TTYPE: _text("terminal"),
    Option.TSPEED: _text("speed", re.compile(r"[0-9]{1,9},[0-9]{1,9}")),
    Option.XDISPLOC: _text("display"),
    Option.NAWS: _window,
    Option.LFLOW: _flow,
    Option.ENVIRON: _environment,
    Option.NEW_ENVIRON: _environment,
}
