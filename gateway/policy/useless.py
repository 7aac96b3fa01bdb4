"""What the operator wrote and what has no effect: a limit never reached, a service nobody uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePath

from gateway.policy.document import Entry
from gateway.policy.folder import SERVICES
from gateway.policy.limits import Limits
from gateway.policy.place import Place
from gateway.policy.problem import Problem, did_you_mean
from gateway.policy.service import Action, Service
from gateway.policy.written import GatewayFile

NOT_FILES = ("", "-")
"""What C{audit.file} may be besides a file."""


def warn_of_gateway(entry: Entry, gateway: GatewayFile, present: Collection[str] | None) -> None:
    """
    Warn of what gateway.toml says in vain.

    @param present: the interfaces of this host; C{None}: not known.
    """
    for index, name in enumerate(gateway.divert.interfaces):
        warn_of_interface(entry.at("divert", "interfaces", index), name, present)
    audit = gateway.audit.file
    if audit not in NOT_FILES and not PurePath(audit).is_absolute():
        entry.at("audit", "file").warn(
            f'"{audit}" is relative to the folder that the gateway happens to be started in: '
            "write the whole path"
        )
    if gateway.limits.sessions_per_client > gateway.limits.sessions:
        _warn_of_limit(entry.at("limits", "sessions_per_client"), gateway.limits.sessions)


def warn_of_interface(entry: Entry, name: str, present: Collection[str] | None) -> None:
    """Warn if this host has no such interface."""
    if present is not None and name not in present:
        others = ", ".join(sorted(present))
        entry.warn(
            f'this host has no interface "{name}" (it has {others}): nothing matches until it comes'
            f"{did_you_mean(name, present)}"
        )


def warn_of_service(entry: Entry, service: Service, named: Collection[str], all_of: Limits) -> None:
    """
    Warn of a service, or limits of it, that can't come into effect.

    @param named: the services that settings of other services name.
    @param all_of: the limits of the whole gateway.
    """
    unused = service.action is Action.INSPECT and service.name not in named
    if unused and entry.value and not entry.value.get("rule"):
        entry.warn("has no [[rule]], and no other service names it: no connection gets here")
    for key in ("sessions", "sessions_per_client"):
        limit = entry.at("limits", key)
        if isinstance(limit.value, int) and limit.value > all_of.sessions:
            _warn_of_limit(limit, all_of.sessions)


def no_rule(services: Iterable[Service]) -> Iterator[Problem]:
    """Warn if there is nothing to do."""
    if not any(service.rules for service in services):
        message = "no service has a [[rule]]: no connection is inspected, forwarded or denied"
        yield Problem(Place(SERVICES), "", message, warning=True)


def _warn_of_limit(entry: Entry, most: int) -> None:
    entry.warn(f"is never reached: the whole gateway has limits.sessions = {most}")
