"""
The Target: a server that the client names in its user name, as in C{joe@ftp.example}.

For clients that can't be routed through the gateway, or people who want to say
where to: they connect to an address that is diverted and at which nobody is.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from gateway.interfaces import Address, ISession, Unreachable
from protocols.ftp.command import Command
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused
from protocols.ftp.settings import FtpSettings

GREETING = "Please log in as user@server."

_NAME_FIRST = Reply(530, b"Please log in as user@server.")
_NOT_ALLOWED = Reply(530, b"That server is not allowed here.")
_ANOTHER = Reply(530, b"That is another server than before.")
_UNKNOWN = Reply(530, b"That server is not known.")

# The last "@": a user name may have one too, as that of an anonymous user's mail address.
_NAMED = re.compile(rb"(.+)@(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::([0-9]{1,5}))?")

ADDRESSES = 4
"""How many of a name's addresses are tried."""


class Target:
    """
    Where a client wants to go.

    @ivar wanted: whether clients have to say so at all.
    @ivar reached: the gateway is connected.
    """

    def __init__(self, session: ISession, settings: FtpSettings) -> None:
        self._session = session
        self._settings = settings
        self._place: tuple[str, int] | None = None
        self.wanted = settings.user_servers is not None
        self.reached = False

    def named(self, command: Command) -> Command:
        """
        Read the server's name from USER; the command as the server is to get it.

        @raise Refused: there is none, or it is not allowed, or it is not the time for it.
        """
        if not self.wanted:
            return command
        if command.verb != "USER":
            if not self.reached:
                raise Refused(_NAME_FIRST)
            return command
        found = _NAMED.fullmatch(command.argument or b"")
        if found is None:
            raise Refused(_NAME_FIRST)
        host = (found[2] or found[3]).decode("ascii").lower().rstrip(".")
        place = host, int(found[4] or b"21")
        self._check(*place)
        if self.reached and place != self._place:
            raise Refused(_ANOTHER, f"the client is with {self._place} already")
        self._place = place
        return Command("USER", found[1])

    def _check(self, host: str, port: int) -> None:
        allowed = self._settings.user_servers
        if allowed is None or not allowed.fullmatch(host):
            reason = f"the server {host!r} is not allowed"
            raise Refused(_NOT_ALLOWED, reason, "user_servers")
        if port not in self._settings.user_ports:
            raise Refused(_NOT_ALLOWED, f"port {port} is not allowed", "user_ports")

    @property
    def there(self) -> bool:
        """Whether there is nothing to be named, or it has been, and is reached."""
        return self.reached or not self.wanted

    async def reach(self) -> Address:
        """
        Connect to the server that was named last; its address.

        @raise Refused: it is not known, or the policy does not have it.
        @raise Unreachable: it doesn't answer.
        """
        assert self._place is not None
        host, port = self._place
        found = [Address(one, port) for one in await self._addresses(host)]
        permitted = [one for one in found if self._session.permits(one)][:ADDRESSES]
        if not permitted:
            why = "is not known" if not found else "is nowhere that this service has a rule for"
            raise Refused(_UNKNOWN if not found else _NOT_ALLOWED, f"the server {host!r} {why}")
        errors = []
        for address in permitted:
            try:
                await self._session.connect(address)
            except Unreachable as error:
                errors.append(str(error))
            else:
                self.reached = True
                return address
        raise Unreachable("; ".join(errors))

    async def _addresses(self, host: str) -> tuple[str, ...]:
        try:
            return (str(ip_address(host)),)
        except ValueError:
            pass
        try:
            names: tuple[str, ...] = await self._session.resolve(host)
        except Unreachable as error:
            raise Refused(_UNKNOWN, str(error)) from None
        return names
