"""
Names: which addresses a host name has, or had a short while ago.

Large sites answer each look-up with other addresses. So what counts is the union of the recent
answers, and a name is looked up anew only for an address that is not among them.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import ip_address

from attrs import define, field, frozen

from gateway.inspector import option
from gateway.interfaces import Denied, ISession, Unreachable

MOST_ADDRESSES = 256
"""Of one name, from several answers."""


class Unknown(Unreachable):
    """Nobody could say which addresses a name has."""


@frozen
class NamesSettings:
    """The table C{[http.names]}: how long look-ups for C{host_check} are remembered."""

    remember_seconds: float = option(
        "How long an address counts as the name's after an answer had it.",
        600,
        unit="seconds",
        minimum=1,
        precedent="Squid's positive_dns_ttl is 6 hours at most",
    )
    again_seconds: float = option(
        "How long nobody is asked again for a name: neither one that has no addresses, nor one "
        "that could not be looked up, nor one that has not the address in question.",
        10,
        unit="seconds",
        minimum=0,
        precedent="Squid's negative_dns_ttl is 60, its minimum 1",
    )
    most: int = option(
        "How many names are remembered. The one that was not asked for longest is forgotten.",
        10_000,
        minimum=1,
        precedent="Squid's fqdncache_size and ipcache_size are 1024",
    )


@define
class Known:
    """
    What is known of one name.

    @ivar asked: when it was looked up last.
    @ivar failure: why that failed; empty if it did not.
    @ivar seen: when an answer last had an address; those of the last answer first.
    """

    asked: float
    failure: str = ""
    seen: dict[str, float] = field(factory=dict)

    def has(self, address: str, since: float) -> bool:
        """Whether an answer had this address, then or later."""
        return self.seen.get(address, since - 1) >= since

    def answered(self, found: tuple[str, ...], now: float) -> None:
        """Another answer."""
        seen = {str(ip_address(each.partition("%")[0])): now for each in found}
        both = [*seen.items(), *(each for each in self.seen.items() if each[0] not in seen)]
        self.seen = dict(both[:MOST_ADDRESSES])
        self.asked, self.failure = now, ""


class Names:
    """The names that one service's sessions asked for, and what was answered."""

    __slots__ = ("_known", "_settings")

    def __init__(self, settings: NamesSettings) -> None:
        self._settings = settings
        self._known: OrderedDict[str, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    async def addresses(self, session: ISession, name: str, wanted: str) -> tuple[str, ...]:
        """
        The addresses that C{name} has; none if there is no such name.

        @param wanted: the address in question. If it is among those that are remembered,
            nobody is asked.
        @raise Unknown: nobody could say.
        """
        since = session.now - self._settings.remember_seconds
        known = self._known.get(name)
        if known is None:
            known = await self._asked(session, name, Known(session.now))
        elif not known.has(wanted, since):
            if session.now - known.asked >= self._settings.again_seconds:
                known = await self._asked(session, name, known)
            elif known.failure:
                raise Unknown(known.failure)
        self._known.move_to_end(name)
        return tuple(address for address in known.seen if known.has(address, since))

    async def _asked(self, session: ISession, name: str, known: Known) -> Known:
        try:
            found = await session.resolve(name)
        except Denied as denied:
            raise Unknown(denied.reason) from None
        except Unreachable as unreachable:
            known.asked, known.failure = session.now, str(unreachable)
            self._keep(name, known)
            raise Unknown(known.failure) from None
        known.answered(found, session.now)
        self._keep(name, known)
        return known

    def _keep(self, name: str, known: Known) -> None:
        self._known[name] = known
        if len(self._known) > self._settings.most:
            self._known.popitem(last=False)
