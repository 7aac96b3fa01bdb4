"""How many processes handle traffic, and who gets which connection."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.policy.settings import option

MOST = 20
"""Workers of one gateway. While a generation takes over from another, there are twice as many."""

AUTO = 0
"""As many as there are processors."""


def read_count(value: int | str) -> int:
    """
    How many; L{AUTO} for C{"auto"}.

    @raise ValueError: it is neither that nor a number that may be.
    """
    if value == "auto":
        return AUTO
    if isinstance(value, str) or not 1 <= value <= MOST:
        raise ValueError(f'must be "auto", or a number from 1 to {MOST}')
    return value


@frozen
class Workers:
    """The C{[workers]} table of gateway.toml."""

    count: int = option(
        'Processes that handle traffic. 1: everything in one process. "auto": as many as there are '
        "processors that the gateway may use.",
        1,
        precedent="nginx's worker_processes",
        read=read_count,
    )
    steer: Literal["client", "connection"] = option(
        'Which worker gets a TCP connection: "client": all of one client address come to the same '
        'one; "connection": any, which shares the work also if all clients are behind one address. '
        "Datagrams are shared by their addresses and ports. Limits hold for all workers together "
        "either way.",
        "client",
    )
    former: int = option(
        "After a reload, workers with the former policy go on as long as they have sessions: so "
        "many generations of them. Sessions of older ones are ended.",
        3,
        unit="generations",
        precedent="nginx and HAProxy set no bound, and are known to pile up",
        minimum=1,
    )
    silent_seconds: float = option(
        "A worker that does not answer for so long is killed, and replaced.",
        15.0,
        unit="seconds",
        precedent="gunicorn's timeout is 30",
        minimum=1,
    )
