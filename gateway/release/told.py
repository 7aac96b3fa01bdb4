"""Told: what a session has the carrier keep, for a gateway that was not there when it began."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from attrs import frozen

from gateway.interfaces import Address
from gateway.observe.identity import Upstream


@frozen
class Told:
    """
    A session, as its flow record wants it.

    @ivar started: seconds since the epoch.
    @ivar until: when its time is over, in the same seconds; 0: never.
    @ivar idle: seconds of silence after which the carrier ends it; 0: never.
    @ivar sent: bytes that the gateway itself has sent, to the server and to the client.
    """

    id: int
    service: str
    client: Address
    server: Address
    upstream: Upstream
    started: float
    until: float
    idle: float
    denied: int
    parent: int
    interface: str
    sent: tuple[int, int] = (0, 0)

    def written(self) -> dict[str, Any]:
        """For the carrier."""
        upstream = self.upstream
        return {
            "id": self.id,
            "service": self.service,
            "client": list(self.client),
            "server": list(self.server),
            "upstream": [
                *(list(upstream.address), list(upstream.source), upstream.port_kept),
                *(upstream.seconds, upstream.attempts, upstream.connections),
            ],
            "times": [self.started, self.until, self.idle],
            "denied": self.denied,
            "parent": self.parent,
            "interface": self.interface,
            "sent": list(self.sent),
        }

    @classmethod
    def read(cls, told: Any) -> Told:
        """
        @raise ValueError: another release of the gateway has written it, or somebody else.
        """
        try:
            address, source, *others = told["upstream"]
            to_server, to_client = told["sent"]
            started, until, idle = map(float, told["times"])
            return cls(
                id=int(told["id"]),
                service=str(told["service"]),
                client=_address(*told["client"]),
                server=_address(*told["server"]),
                upstream=Upstream(_address(*address), _address(*source), *others),
                started=started,
                until=until,
                idle=idle,
                denied=int(told["denied"]),
                parent=int(told["parent"]),
                interface=str(told["interface"]),
                sent=(int(to_server), int(to_client)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not of this gateway: {error!r}") from error


def _address(host: Any, port: Any) -> Address:
    """@raise ValueError: it is none."""
    ip_address(str(host))
    return Address(str(host), int(port))
