"""
Names: host names are looked up as this host does, by C{getaddrinfo}, which blocks.

It blocks for as long as somebody else's name server likes, and which names are asked for may
be the peers' choice. So look-ups have threads of their own, what waits for
them is bounded, and nobody is asked twice at the same time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.python.failure import Failure

from gateway.interfaces import Denied, Unreachable

THREADS = 8

MOST_WAITING = 500

MOST_ADDRESSES = 64
"""Of one name. More than any honest name has."""

_NONE = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def addresses(name: str) -> tuple[str, ...]:
    """
    The addresses of a host name, in the order in which they should be tried.

    @raise Unreachable: nobody could say whether it has any.
    """
    try:
        found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NONE:
            return ()
        raise Unreachable(f"{name}: {error.strerror}") from None
    except ValueError:  # not ASCII, or with a NUL: no name at all
        return ()
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))[:MOST_ADDRESSES]


class Names:
    """
    @param compute: calls a function elsewhere, with a Deferred for what it returns.
    """

    def __init__(
        self,
        compute: Callable[[Callable[[], Any]], Deferred[Any]] = maybeDeferred,
        look_up: Callable[[str], tuple[str, ...]] = addresses,
    ) -> None:
        self._compute = compute
        self._look_up = look_up
        self._asked: dict[str, list[Deferred[tuple[str, ...]]]] = {}

    def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
        """See L{ISession.resolve<gateway.interfaces.ISession.resolve>}."""
        waiting = self._asked.setdefault(name, [])
        if len(waiting) >= MOST_WAITING:
            return fail(Denied(f"too many wait for the addresses of {name} already"))
        resolved: Deferred[tuple[str, ...]] = Deferred()
        waiting.append(resolved)
        if len(waiting) == 1:
            self._compute(lambda: self._look_up(name)).addBoth(self._answered, name)
        return resolved

    def _answered(self, answer: Any, name: str) -> None:
        for resolved in self._asked.pop(name):
            if isinstance(answer, Failure):
                resolved.errback(answer)
            else:
                resolved.callback(answer)
