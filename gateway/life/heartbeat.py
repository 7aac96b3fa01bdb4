"""The Heartbeat: once a second the gateway makes sure that it works, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from gateway.kernel.divert import State
from gateway.kernel.errors import KernelError
from gateway.kernel.keeper import KeeperLost, Kept
from gateway.systemd import Systemd

log = Logger()

SECONDS = 1.0


class Heartbeat:
    """
    Asks the keeper how the rules are. What that proves: the reactor runs, its threads do, the
    keeper answers, and the kernel has our rules and routes. So systemd's watchdog goes by it.

    @param ask: asks the keeper.
    @param install: has it install our rules again, if it says that there should be none.
    @param lost: told when the keeper is gone for good.
    @ivar installed: whether the rules are in force.
    @ivar lost: how many kinds of first packets don't get here although they are.
    """

    def __init__(
        self,
        clock: Any,
        systemd: Systemd,
        ask: Callable[[], Deferred[Kept]],
        install: Callable[[], Deferred[object]],
        lost: Callable[[], object],
    ) -> None:
        self._systemd = systemd
        self._ask = ask
        self._install = install
        self._lost = lost
        self._seen = Kept(State.INSTALLED, 0, "", (), 0)
        self._silent = False
        self._beats: Any = LoopingCall(self._beat)
        self._beats.clock = clock
        self.installed = False
        self.lost = 0

    @property
    def seen(self) -> Kept:
        """What the keeper said last."""
        return self._seen

    def start(self) -> None:
        """The rules are installed: go on looking."""
        self.installed = True
        beats = self._beats.start(SECONDS)
        # without it the watchdog ends us
        beats.addErrback(lambda failure: log.failure("the heartbeat has stopped", failure))

    def stop(self) -> None:
        """Look no more."""
        if self._beats.running:
            self._beats.stop()

    def _beat(self) -> Any:
        return self._ask().addCallbacks(self._looked, self._not_looked)

    def _looked(self, kept: Kept) -> Any:
        if kept.state is State.NOT_INSTALLED:
            self.installed = False
            return self._install().addCallbacks(
                lambda _: self._installed_again(kept), self._not_installed
            )
        self._compare(kept)
        return None

    def _installed_again(self, kept: Kept) -> None:
        """It was another keeper, and found nothing in force that it could have taken over."""
        log.error(
            "the keeper was killed, and the rules were removed meanwhile: connections may have "
            "passed uninspected; they are installed again"
        )
        self._seen = evolve(self._seen, restarts=kept.restarts, restored=kept.restored)
        self._compare(evolve(kept, state=State.INSTALLED))

    def _not_installed(self, failure: Any) -> None:
        """It is tried again with the next beat."""
        if failure.check(KeeperLost) or not failure.check(KernelError):
            self._not_looked(failure)
        else:
            self._compare(evolve(self._seen, state=State.MISSING, trouble=str(failure.value)))

    def _compare(self, kept: Kept) -> None:
        """Say what is new."""
        before, self._seen = self._seen, kept
        self._silent = False
        self.installed = kept.state is State.INSTALLED
        if self.installed:
            self._systemd.alive()
        if kept.restarts != before.restarts:
            log.warn("the keeper was killed, and is there again; the rules were in force meanwhile")
        elif kept.restored > before.restored:
            log.error(
                "somebody removed or changed the divert's rules or routes, and connections may "
                "have passed uninspected; they are installed again"
            )
        self._tell_trouble(kept.trouble, before.trouble)
        self._tell_lost(kept.lost, before.lost)
        if (kept.trouble, kept.lost) != (before.trouble, before.lost):
            self._systemd.status(_status(kept))

    def _tell_trouble(self, trouble: str, before: str) -> None:
        if trouble and trouble != before:
            log.critical(
                "the divert is gone and can't be installed again; connections may pass "
                "uninspected: {trouble}",
                trouble=trouble,
            )

    def _tell_lost(self, lost: tuple[str, ...], before: tuple[str, ...]) -> None:
        self.lost = len(lost)
        for one in lost:
            if one not in before:
                log.error(
                    "this host loses what should be inspected, so that clients time out: {lost}; "
                    "see: tproxygw doctor",
                    lost=one,
                )
        if before and not lost:
            log.info("nothing that should be inspected is lost any more")

    def _not_looked(self, failure: Any) -> None:
        """The rules are as they were at the last look, as far as anybody knows."""
        if failure.check(KeeperLost):
            log.critical("{error}", error=failure.value)
            self.stop()
            self._lost()
        elif not self._silent:
            log.error("the keeper can't be asked: {error}", error=failure.value)
        self._silent = True


def _status(kept: Kept) -> str:
    """What C{systemctl status} shows."""
    if kept.trouble:
        return f"NOT INSPECTING: {kept.trouble}"
    if kept.lost:
        return f"Inspecting, but this host loses {'; '.join(kept.lost)}"
    return "Inspecting"
