"""
Route: which server the requests of a session go to.

A transparent gateway is lied to: a client may name one host and connect to another. What is done
about it is the setting C{host_check}.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred

from gateway.interfaces import SERVER, Address, ISession, Unreachable
from protocols.http.malformed import Malformed
from protocols.http.message import Request
from protocols.http.names import Names
from protocols.http.settings import CoreSettings
from protocols.http.status import MISDIRECTED_REQUEST
from protocols.http.target import is_address

MOST_TRIES = 3
"""Addresses of one name that are tried."""


class Route:
    """
    @ivar reached: the server that is connected; C{None} before.
    @ivar elsewhere: it, if it is not the original destination.
    """

    __slots__ = (
        "_former",
        "_host",
        "_looks_up",
        "_names",
        "_right",
        "_session",
        "_settings",
        "_until",
        "elsewhere",
        "reached",
    )

    def __init__(self, session: ISession, settings: CoreSettings) -> None:
        self._session = session
        self._settings = settings
        self._names: Names = session.shared.names
        self._looks_up = settings.host_check in ("resolve", "strict")
        self._host = session.server.host
        self._right = ""
        self._until = 0.0
        self._former = False
        self.reached: Address | None = None
        self.elsewhere: Address | None = None

    def is_open(self, request: Request) -> bool:
        """Whether there is nothing left to do for C{request}."""
        if self._is_looked_up(request):
            return request.host == self._right and self._session.now < self._until
        return self.reached is not None

    async def open(self, request: Request) -> None:
        """
        Connect if that was not done, and see that C{request} belongs to where it goes.

        @raise Malformed: it does not.
        @raise Unreachable: there is no server, or nobody knows its address.
        """
        if self.is_open(request):
            return
        if self._is_looked_up(request):
            await self._open_checked(request)
            self._right = request.host
            self._until = self._session.now + self._settings.names.again_seconds
        else:
            await self._connect(None)

    def _is_looked_up(self, request: Request) -> bool:
        return self._looks_up and bool(request.host) and not is_address(request.host)

    async def _open_checked(self, request: Request) -> None:
        name, session = request.host, self._session
        found = await self._names.addresses(session, name, self._host)
        if not found:
            raise Unreachable(f"the host {name!r} has no address")
        if self._host in found:
            if self.reached is None:
                await self._connect(None)
        elif self.reached is not None or self._settings.host_check == "strict":
            self._refuse(request, found)
        else:
            await self._connect_to_one(request, found)

    async def _connect_to_one(self, request: Request, found: tuple[str, ...]) -> None:
        """
        Connect to where the name is, by the version of IP that the client uses.

        @raise Malformed: the policy would not have let the client connect there by itself.
        """
        host, port = self._session.server
        same = (Address(each, port) for each in found if (":" in each) == (":" in host))
        permitted = [address for address in same if self._session.permits(address)]
        if not permitted:
            self._refuse(request, found)
        permitted = permitted[:MOST_TRIES]
        for address in permitted[:-1]:
            with suppress(Unreachable):
                await self._connect(address)
                return
        await self._connect(permitted[-1])

    async def _connect(self, address: Address | None) -> None:
        self.arrived(await self.connect(address))
        if address is not None:
            self._host = address.host

    def connect(self, address: Address | None = None) -> Deferred[Address]:
        """Go there, or as the service says; the first thing that a former server hears of it."""
        self.part()
        return self._session.connect(address)

    def arrived(self, reached: Address) -> None:
        """This server is connected."""
        self.reached = reached
        if reached != self._session.server:
            self.elsewhere = reached

    def leave(self) -> None:
        """
        That server is not asked any more; the next request may go to another one.

        It should be the first to close, as it has said: who does so can't use the pair of ports
        for a minute or more (RFC 9293, section 3.6.1), and those are the client's here.
        """
        self.reached = self.elsewhere = None
        self._host = self._session.server.host
        self._right = ""
        self._former = True

    def part(self) -> None:
        """If there is a server that is not asked any more, tell it so."""
        if self._former:
            self._former = False
            self._session.end(SERVER)

    def _refuse(self, request: Request, found: tuple[str, ...]) -> None:
        raise Malformed(
            f"Host says {request.host}, which is {', '.join(found[:8])}; the connection goes to "
            f"{self.reached or self._session.server}",
            request.headers.place("host"),
            MISDIRECTED_REQUEST,
            by="host_check",
        )
