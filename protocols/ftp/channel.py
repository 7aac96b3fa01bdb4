"""
The DataChannel: what the two sides agree on for their next data connection.

Whoever announces an address announces one of its own, or is refused; and what
the other side hears is an address at which the gateway already listens.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    IExpectation,
    IInspector,
    ISession,
    Side,
    Unreachable,
)
from protocols.ftp import address as notation
from protocols.ftp.address import FAMILY, LEAST_PORT, WrongAddress
from protocols.ftp.command import Command
from protocols.ftp.data import DataInspector
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused
from protocols.ftp.transfer import Transfer

_ONLY_EPSV = Reply(501, b"EPSV ALL was agreed on.")
_NO_IPV4 = Reply(425, b"PASV is of IPv4: please use EPSV.")
_OTHER_FAMILY = Reply(522, b"Network protocol not supported.")
_NOT_YOURS = Reply(501, b"That is not your address.")
_LOW_PORT = Reply(501, b"That port is not allowed.")
_NO_ADDRESS = Reply(501, b"That is no address.")
_NO_LISTENER = Reply(425, b"Can't listen for the data connection.")
_NO_CHANNEL = Reply(425, b"Please use PASV, EPSV, PORT or EPRT first.")

ANNOUNCING = frozenset({"PASV", "EPSV", "PORT", "EPRT"})


class DataChannel:
    """
    The data connections of one control connection.

    @ivar reached: the address of the server that the gateway is connected to.
    """

    def __init__(self, session: ISession) -> None:
        self._session = session
        self._only_epsv = False
        self._transfer: Transfer | None = None
        self.reached = session.server

    # From the client

    async def ask(self, command: Command) -> Command:
        """
        Agree on a data connection: the command as it is to be sent to the server.

        @raise Refused: it is not sent.
        """
        self._check_epsv_only(command)
        announced = _READ.get(command.verb)
        if announced is None:
            return self._ask_passive(command)
        return await self._ask_active(command, announced)

    def _check_epsv_only(self, command: Command) -> None:
        """RFC 2428, section 4."""
        if self._only_epsv and command.verb != "EPSV":
            raise Refused(_ONLY_EPSV)

    def _ask_passive(self, command: Command) -> Command:
        family = 6 if ":" in self._session.server.host else 4
        argument = (command.argument or b"").decode("ascii").upper()
        if command.verb == "PASV" and family == 6:
            raise Refused(_NO_IPV4)
        if FAMILY.get(argument, family) != family:
            raise Refused(_OTHER_FAMILY)
        return command

    async def _ask_active(self, command: Command, announced: Callable[[bytes], Address]) -> Command:
        try:
            address = announced(command.argument or b"")
        except WrongAddress as wrong:
            raise Refused(_NO_ADDRESS, str(wrong)) from None
        if address.host != self._session.client.host:
            reason = f"{address.host} is not the client's address: a third party's (bounce)"
            raise Refused(_NOT_YOURS, reason)
        if address.port < LEAST_PORT:
            raise Refused(_LOW_PORT, f"a data connection to port {address.port}")
        self.abandon()
        transfer = Transfer(self._session.settings, SERVER, address)
        ours = Address(self._session.source.host, address.port)
        try:
            transfer.expectation = await self._expect(transfer, SERVER, ours)
        except Unreachable as error:
            raise Refused(_NO_LISTENER, str(error)) from None
        self._transfer = transfer
        return Command(command.verb, _WRITE[command.verb](transfer.expectation.address))

    # From the server

    async def answered(self, command: Command, reply: Reply) -> Reply:
        """
        The server's answer to the command that L{ask} gave: the client's answer.

        @raise Denied: the server announced an address that is not its own.
        """
        if command.verb in _READ:
            if not reply.completed:
                self.abandon()
            return reply
        if (command.argument or b"").upper() == b"ALL":
            self._only_epsv = self._only_epsv or reply.completed
            return reply
        return await self._announced(command, reply) if reply.completed else reply

    async def _announced(self, command: Command, reply: Reply) -> Reply:
        """The server listens: listen in its place, and say so."""
        address = self._address(command, reply)
        if address.host != self.reached.host:
            reason = f"the server announced {address.host}, which is not its own address"
            raise Denied(reason, b"421 The server announced a wrong address; goodbye.\r\n")
        if address.port < LEAST_PORT:
            reason = f"the server announced port {address.port}"
            raise Denied(reason, b"421 The server announced a wrong port; goodbye.\r\n")
        self.abandon()
        transfer = Transfer(self._session.settings, CLIENT, address)
        ours = Address(self._session.server.host, address.port)
        try:
            transfer.expectation = await self._expect(transfer, CLIENT, ours)
        except Unreachable:
            return _NO_LISTENER
        self._transfer = transfer
        return _ANNOUNCE[command.verb](transfer.expectation.address)

    def _address(self, command: Command, reply: Reply) -> Address:
        try:
            if command.verb == "EPSV":
                return Address(self.reached.host, notation.read_extended(reply.text))
            return notation.read_passive(reply.text)
        except WrongAddress as wrong:
            raise Denied(
                f"the server's reply to {command}: {wrong}",
                b"421 The server announced no address; goodbye.\r\n",
            ) from None

    # Both

    async def _expect(self, transfer: Transfer, side: Side, address: Address) -> IExpectation:
        """Listen, at another port if that one can't be had."""

        def inspector(session: ISession) -> IInspector:
            made: IInspector = DataInspector(session, transfer)
            return made

        try:
            found: IExpectation = await self._session.expect(side, address, inspector)
        except Unreachable:
            any_port = Address(address.host, 0)
            found = await self._session.expect(side, any_port, inspector)
        return found

    def begin(self, command: Command, offset: int) -> Transfer:
        """
        The server is about to be asked for a transfer.

        @raise Refused: no data connection was agreed on, or it was used.
        """
        if self._transfer is None:
            raise Refused(_NO_CHANNEL)
        transfer, self._transfer = self._transfer, None
        transfer.begin(command, offset)
        return transfer

    def abandon(self) -> None:
        """What was agreed on is not wanted any more."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.abandon("the data connection was not used")


def _passive(address: Address) -> Reply:
    return Reply(227, b"Entering Passive Mode (%s)." % notation.port(address))


def _extended(address: Address) -> Reply:
    return Reply(229, b"Entering Extended Passive Mode (|||%d|)" % address.port)


_READ = {"PORT": notation.read_port, "EPRT": notation.read_eprt}
_WRITE = {"PORT": notation.port, "EPRT": notation.eprt}
_ANNOUNCE = {"PASV": _passive, "EPSV": _extended}
