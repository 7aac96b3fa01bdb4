"""Tunnels: signs that names carry data."""

from __future__ import annotations

from collections import Counter, OrderedDict
from math import log2

from dns.rcode import Rcode

from protocols.dns.name import labels, text_of
from protocols.dns.refusal import Refusal
from protocols.dns.settings import Tunnel


class _Window:
    """How often a client has asked for names below one zone since a time."""

    __slots__ = ("count", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0


class Watch:
    """
    What clients have asked for a short while ago, of all sessions of a service.

    @ivar on: whether there is anything to look for.
    """

    def __init__(self, settings: Tunnel) -> None:
        self.on = bool(settings.entropy or settings.rate)
        self._settings = settings
        self._windows: OrderedDict[tuple[str, bytes], _Window] = OrderedDict()

    def check(self, name: bytes, client: str, now: float) -> None:
        """
        A client asks for a name.

        @raise Refusal: it looks like one that carries data.
        """
        settings = self._settings
        if text_of(name) in settings.except_:
            return
        lower = labels(name.lower())
        below, zone = lower[: -settings.zone_labels], lower[-settings.zone_labels :]
        if settings.entropy:
            self._check_entropy(b"".join(below))
        if settings.rate and below:
            self._check_rate(b".".join(zone), client, now)

    def _check_entropy(self, letters: bytes) -> None:
        settings = self._settings
        if len(letters) < settings.entropy_letters:
            return
        found = entropy(letters)
        if found > settings.entropy:
            reason = f"{len(letters)} letters with {found:.1f} bits of entropy each"
            raise Refusal(reason, Rcode.REFUSED, "tunnel.entropy")

    def _check_rate(self, zone: bytes, client: str, now: float) -> None:
        settings, key = self._settings, (client, zone)
        window = self._windows.get(key)
        if window is None or now >= window.since + settings.rate_seconds:
            window = self._windows[key] = _Window(now)
            self._windows.move_to_end(key)
            if len(self._windows) > settings.zones:
                self._windows.popitem(last=False)
        window.count += 1
        if window.count > settings.rate:
            most = f"{settings.rate} queries in {settings.rate_seconds:g} seconds"
            reason = f"more than {most} below {zone.decode('latin-1')!r}"
            raise Refusal(reason, Rcode.REFUSED, "tunnel.rate")


def entropy(letters: bytes) -> float:
    """Shannon's, in bits for each letter."""
    total = len(letters)
    return -sum(n / total * log2(n / total) for n in Counter(letters).values())
