"""The Desk: what the keeper does when it is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.kernel.capabilities import missing
from gateway.kernel.divert import KernelDivert
from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.fingerprint import load_same
from gateway.kernel.keeper.held import Held
from gateway.kernel.keeper.probing import Probing
from gateway.kernel.keeper.watch import Watch
from gateway.kernel.lastgood import LastGood
from gateway.policy.policy import Policy


class Desk:
    """
    Answers requests, one at a time.

    @param load: loads the policy in a folder anew.
    """

    def __init__(
        self,
        directory: Path,
        kept: LastGood,
        divert: KernelDivert,
        watch: Watch,
        probing: Probing,
        load: Callable[[Path], Policy],
        held: Held,
    ) -> None:
        self._directory = directory
        self._kept = kept
        self._divert = divert
        self._watch = watch
        self._probing = probing
        self._load = load
        self._held = held
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "install": self._install,
            "stopped": self._stopped,
            "look": self._look,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to C{request}, or C{None} if no gateway would ask that."""
        try:
            do, number = self._answers[request["ask"]], request["number"]
        except (KeyError, TypeError):
            return None
        try:
            return {"number": number, **do(request)}
        except Taken as error:
            return {"number": number, "error": str(error), "taken": True}
        except Exception as error:
            # whatever it is, the gateway decides what becomes of it, and the keeper stays
            return {"number": number, "error": _described(error)}

    def _hello(self, request: dict[str, Any]) -> dict[str, Any]:
        lacking = missing({"CAP_NET_ADMIN"})
        if lacking:
            raise KernelError(
                f"installing rules needs {lacking[0]}: start the gateway as root, or give the "
                "keeper AmbientCapabilities in its systemd unit"
            )
        return {}

    def _install(self, request: dict[str, Any]) -> dict[str, Any]:
        asked = str(request.get("fingerprint"))
        directory = self._kept.configuration if request.get("last_good") else self._directory
        policy = load_same(directory, asked, self._load)
        with self._kept.replaced(directory, policy):
            self._divert.install(policy)
        self._held.installed = True
        self._watch.look()
        self._probing.begin(policy)
        return {}

    def _stopped(self, request: dict[str, Any]) -> dict[str, Any]:
        stay = self._divert.stopped()
        self._held.installed = stay
        self._watch.look()
        self._probing.end()
        return {"stay": stay}

    def _look(self, request: dict[str, Any]) -> dict[str, Any]:
        watch = self._watch
        watch.settle()
        self._probing.settle()
        return {
            "state": watch.state.value,
            "restored": watch.restored,
            "trouble": watch.trouble,
            "lost": self._probing.lost,
        }


def _described(error: Exception) -> str:
    """An error of the operator in its own words, one of ours with its name."""
    if isinstance(error, KernelError):
        return str(error)
    return f"{type(error).__name__}: {error}"
