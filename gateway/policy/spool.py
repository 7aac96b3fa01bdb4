"""Where bodies are held until they are judged."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from gateway.policy.settings import option


def read_folder(text: str) -> str:
    """
    A folder, by its absolute path.

    @raise ValueError: it is not absolute.
    """
    if text and not Path(text).is_absolute():
        raise ValueError(f'"{text}" is not an absolute path')
    return text


@frozen
class SpoolSettings:
    """The C{[spool]} table of gateway.toml."""

    folder: str = option(
        "The folder for bodies that are held until they are judged, and too large for memory. "
        "Their files have no names, and are gone when the gateway is. On a local disk, or in "
        'memory (tmpfs). "": the system\'s own for such (TMPDIR, /tmp).',
        "",
        read=read_folder,
    )
    memory_bytes: int = option(
        "Bytes of such bodies in memory, in all. More goes to the folder.",
        67108864,
        unit="bytes",
        precedent="Squid's cache_mem is 256 MB",
        minimum=0,
    )
    file_bytes: int = option(
        "Bytes of such bodies in the folder, in all. More is refused, or whatever `on_error` of "
        "the service says.",
        4294967296,
        unit="bytes",
        minimum=0,
    )
    client_bytes: int = option(
        "Bytes of such bodies of one client (of IPv6, a /64), in memory and in the folder, so that "
        "no client has all the room. More is refused likewise.",
        1073741824,
        unit="bytes",
        precedent="a quarter of file_bytes",
        minimum=1,
    )
