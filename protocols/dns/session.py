"""What of a session DNS needs, whether it is one of datagrams or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.interfaces import Address


class Session(Protocol):
    """See L{ISession<gateway.interfaces.ISession>}."""

    @property
    def client(self) -> Address:
        """Who asks."""

    @property
    def server(self) -> Address:
        """Who is asked."""

    @property
    def settings(self) -> Any:
        """The service's."""

    @property
    def shared(self) -> Any:
        """What its sessions know."""

    @property
    def now(self) -> float:
        """The time."""

    def record(
        self, event: str, gateway: Mapping[str, Any] = ..., denied_by: str = "", **fields: Any
    ) -> None:
        """Write an audit record."""

    def hit(self, place: str) -> None:
        """A rule of the policy has matched."""

    def record_prepared(self, event: str, fields: str, gateway: str) -> None:
        """Write one that is JSON already."""
