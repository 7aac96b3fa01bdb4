"""The signals that the gateway takes, besides those that end it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any


def take_signals(
    call: Callable[[Callable[[], object]], object],
    reload: Callable[[], object],
    reopen: Callable[[], object],
    upgrade: Callable[[], object],
) -> None:
    """
    SIGHUP: reload. SIGUSR1: reopen the audit file, and what C{twistd} does. SIGUSR2: upgrade.

    @param call: has something called by the reactor.
    """
    rotate_log: Any = signal.getsignal(signal.SIGUSR1)

    def hang_up(*_: Any) -> None:
        call(reload)

    def user_1(number: int, frame: Any) -> None:
        call(reopen)
        if callable(rotate_log):
            rotate_log(number, frame)

    def user_2(*_: Any) -> None:
        call(upgrade)

    signal.signal(signal.SIGHUP, hang_up)
    signal.signal(signal.SIGUSR2, user_2)
    signal.signal(signal.SIGUSR1, user_1)
