"""Who may ask the running gateway, and who may change something."""

from __future__ import annotations

import re

from attrs import frozen

from gateway.policy.settings import option

MODE = re.compile(r"0?[0-7]{3}")

GROUP = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?")


def read_mode(text: str) -> str:
    """
    Read C{"0660"}.

    @raise ValueError: it is no mode of a file, or lets anybody write.
    """
    if not MODE.fullmatch(text):
        raise ValueError(f'"{text}" is not a mode like "0660"')
    if int(text, 8) & 0o007:
        raise ValueError(f'"{text}" is for everybody on this host: name a group instead')
    return text


def read_group(text: str) -> str:
    """
    The name of a group; it need not be known here.

    @raise ValueError: it can't be one.
    """
    if text and not GROUP.fullmatch(text):
        raise ValueError(f'"{text}" is not the name of a group')
    return text


@frozen
class ControlSettings:
    """The C{[control]} table of gateway.toml."""

    group: str = option(
        "The group whose members may ask what the gateway does: its socket belongs to it. The "
        'gateway must be one of them, or start as root. "": the gateway\'s own group.',
        "",
        read=read_group,
    )
    mode: str = option(
        "The mode of the socket. Who may open it (write to it, in its words) may look.",
        "0660",
        read=read_mode,
    )
    operators: str = option(
        "The group whose members may change something, too: end sessions, reload, drain. They must "
        "be able to open the socket. Root and the gateway's own user always may. "
        '"": nobody else.',
        "",
        read=read_group,
    )
    conversations: int = option(
        "Connections to the socket at one time. Who may change something may make as many more.",
        32,
        unit="connections",
        minimum=1,
        maximum=1000,
    )
    idle_seconds: float = option(
        "A connection where nothing was asked for so long, or where an answer was not taken for "
        "so long, is closed.",
        60.0,
        unit="seconds",
        minimum=1,
    )
