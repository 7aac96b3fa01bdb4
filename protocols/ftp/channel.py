"""
The DataChannel: what the two sides agree on for their next data connection.

Whoever announces an address announces one of its own, or is refused; and what
the other side hears is an address at which the gateway already listens. The
mode towards the server may be another one than the client's (C{data_mode}):

    client    server    who connects
    passive   passive   the client to us, we to the server
    active    active    the server to us, we to the client
    passive   active    both to us
    active    passive   we to both
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred

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
from protocols.ftp.address import FAMILY, LEAST_PORT, WrongAddress, family_of
from protocols.ftp.command import Command
from protocols.ftp.data import DataInspector
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused
from protocols.ftp.transfer import Quota, Transfer
from protocols.tls.upgrade import Pair

_ONLY_EPSV = Reply(501, b"EPSV ALL was agreed on.")
_NO_ALL = Reply(504, b"EPSV ALL can't be agreed on here.")
_NO_IPV4 = Reply(425, b"PASV is of IPv4: please use EPSV.")
_NOT_YOURS = Reply(501, b"That is not your address.")
_LOW_PORT = Reply(501, b"That port is not allowed.")
_NO_ADDRESS = Reply(501, b"That is no address.")
_NO_LISTENER = Reply(425, b"Can't listen for the data connection.")
_NO_CHANNEL = Reply(425, b"Please use PASV, EPSV, PORT or EPRT first.")

PASSIVE = frozenset({"PASV", "EPSV"})
ACTIVE = frozenset({"PORT", "EPRT"})
ANNOUNCING = PASSIVE | ACTIVE
_EXTENDED = frozenset({"EPSV", "EPRT"})


@frozen
class Agreement:
    """
    What is being agreed on, before the server has answered.

    @ivar near: what the client asked for.
    @ivar far: what the server is asked for.
    @ivar address: where the client listens, if it does.
    @ivar expected: where the gateway listens for the server, if it does.
    """

    near: Command
    far: Command
    address: Address | None = None
    expected: IExpectation | None = None


class DataChannel:
    """
    The data connections of one control connection.

    @ivar reached: the address of the server that the gateway is connected to.
    @ivar port: that the client announced last, or that was announced to it.
    """

    def __init__(self, session: ISession) -> None:
        self._session = session
        self._mode: str = session.settings.data_mode
        self._only_epsv = False
        self._agreement: Agreement | None = None
        self._transfer: Transfer | None = None
        self._total = Quota(session.settings.session_bytes, "session_bytes", "bytes in all")
        self.reached = session.server
        self.port = 0

    # From the client

    async def ask(self, command: Command) -> Command:
        """
        Agree on a data connection: the command as it is to be sent to the server.

        @raise Refused: it is not sent.
        """
        self._check_epsv_only(command)
        if _is_all(command):
            return self._ask_epsv_only(command)
        if command.verb in PASSIVE:
            self._check_family(command)
            address = None
        else:
            address = self._own_address(command)
        self.abandon()
        self._agreement = await self._agree(command, address)
        return self._agreement.far

    def _check_epsv_only(self, command: Command) -> None:
        """RFC 2428, section 4."""
        if self._only_epsv and command.verb != "EPSV":
            raise Refused(_ONLY_EPSV)

    def _ask_epsv_only(self, command: Command) -> Command:
        if self._far_verb("EPSV") != "EPSV":
            raise Refused(_NO_ALL, "the server is not asked for EPSV", "data_mode")
        self._agreement = Agreement(command, command)
        return command

    def _check_family(self, command: Command) -> None:
        """Whether the client can have what it asks for."""
        family = family_of(self._session.server.host)
        argument = (command.argument or b"").decode("ascii").upper()
        if command.verb == "PASV" and family == 6:
            raise Refused(_NO_IPV4)
        if FAMILY.get(argument, family) != family:
            raise Refused(_other_family(family))

    def _own_address(self, command: Command) -> Address:
        """
        Where the client says that it listens.

        @raise Refused: it doesn't, or it may not.
        """
        try:
            address = _READ[command.verb](command.argument or b"")
        except WrongAddress as wrong:
            raise Refused(_NO_ADDRESS, str(wrong)) from None
        ours = self._session.client.host
        if family_of(address.host) != family_of(ours):
            raise Refused(_other_family(family_of(ours)))
        if address.host != ours:
            reason = f"{address.host} is not the client's address: a third party's (bounce)"
            raise Refused(_NOT_YOURS, reason)
        if address.port < LEAST_PORT:
            raise Refused(_LOW_PORT, f"a data connection to port {address.port}")
        return address

    def _far_verb(self, verb: str) -> str:
        """What the server is to be asked for."""
        passive = verb in PASSIVE if self._mode == "keep" else self._mode == "passive"
        extended = verb in _EXTENDED or family_of(self.reached.host) == 6
        if extended:
            return "EPSV" if passive else "EPRT"
        return "PASV" if passive else "PORT"

    async def _agree(self, command: Command, address: Address | None) -> Agreement:
        verb = self._far_verb(command.verb)
        if verb in ACTIVE:
            return await self._agree_active(command, verb, address)
        same = verb == command.verb and family_of(self.reached.host) == family_of(
            self._session.server.host
        )
        return Agreement(command, command if same else Command(verb), address)

    async def _agree_active(
        self, command: Command, verb: str, address: Address | None
    ) -> Agreement:
        """Listen for the server, in the client's place."""
        transfer = None
        if address is not None:
            transfer = self._new(SERVER, "active")
            transfer.opens = _connecting(address)
            transfer.ports = self._ports
        ours = Address(self._session.source.host, 0 if address is None else address.port)
        try:
            expected = await self._expect(transfer, SERVER, ours)
        except Unreachable as error:
            raise Refused(_NO_LISTENER, str(error)) from None
        if transfer is not None:
            transfer.expectation = expected
            self._transfer = transfer
        far = Command(verb, _WRITE[verb](expected.address))
        return Agreement(command, far, address, expected)

    # From the server

    async def answered(self, reply: Reply) -> Reply:
        """
        The server's answer to what L{ask} gave: the client's answer.

        @raise Denied: the server announced an address that is not its own.
        """
        agreement, self._agreement = self._agreement, None
        assert agreement is not None
        self.port = 0 if agreement.address is None else agreement.address.port
        if not reply.completed:
            self._give_up(agreement)
            return reply
        if _is_all(agreement.near):
            self._only_epsv = True
            return reply
        if agreement.expected is None:
            return await self._server_listens(agreement, self._announced(agreement.far, reply))
        if agreement.address is None:
            return await self._server_connects(agreement.near, agreement.expected)
        return reply

    def _give_up(self, agreement: Agreement) -> None:
        """The server does not want it."""
        self.abandon()
        if agreement.expected is not None:
            agreement.expected.cancel()

    async def _server_listens(self, agreement: Agreement, address: Address) -> Reply:
        """The server is passive."""
        if agreement.address is not None:
            transfer = self._new(SERVER, "passive")
            transfer.opens = _connecting(agreement.address, self._session.server.port - 1)
            transfer.dials = self._dialing(transfer, address)
            self._transfer = transfer
            return Reply(200, b"%s command successful." % agreement.near.verb.encode("ascii"))
        transfer = self._new(CLIENT, "passive")
        transfer.opens = _connecting(address)
        return await self._listen(agreement.near, transfer, address.port)

    async def _server_connects(self, near: Command, expected: IExpectation) -> Reply:
        """The server is active, the client is not."""
        transfer = self._new(CLIENT, "active")
        transfer.opens = lambda data: data.join(expected)
        transfer.ports = self._ports
        transfer.far = expected
        reply = await self._listen(near, transfer, 0)
        if transfer.expectation is None:
            expected.cancel()
        return reply

    async def _listen(self, near: Command, transfer: Transfer, port: int) -> Reply:
        """Listen for the client, in the server's place, and say so."""
        ours = Address(self._session.server.host, port)
        try:
            transfer.expectation = await self._expect(transfer, CLIENT, ours)
        except Unreachable:
            return _NO_LISTENER
        self._transfer = transfer
        self.port = transfer.expectation.address.port
        return _ANNOUNCE[near.verb](transfer.expectation.address)

    def _announced(self, command: Command, reply: Reply) -> Address:
        """
        Where the server listens.

        @raise Denied: not where it may.
        """
        address = self._address(command, reply)
        if address.host != self.reached.host:
            if self._session.settings.pasv_address == "deny":
                reason = f"the server announced {address.host}, which is not its own address"
                raise Denied(reason, b"421 The server announced a wrong address; goodbye.\r\n")
            address = address._replace(host=self.reached.host)
        if address.port < LEAST_PORT:
            reason = f"the server announced port {address.port}"
            raise Denied(reason, b"421 The server announced a wrong port; goodbye.\r\n")
        return address

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

    @property
    def _ports(self) -> frozenset[int] | None:
        """Where the server may connect from; C{None}: from anywhere."""
        if self._session.settings.active_ports == "any":
            return None
        return frozenset({20, self.reached.port - 1})

    def _new(self, initiator: Side, mode: str) -> Transfer:
        return Transfer(self._session.settings, self._total, initiator, mode)

    async def _expect(
        self, transfer: Transfer | None, side: Side, address: Address
    ) -> IExpectation:
        """Listen, at another port if that one can't be had."""
        inspector = None if transfer is None else _inspecting(transfer)
        try:
            found: IExpectation = await self._session.expect(side, address, inspector)
        except Unreachable:
            any_port = Address(address.host, 0)
            found = await self._session.expect(side, any_port, inspector)
        return found

    def _dialing(self, transfer: Transfer, address: Address) -> Callable[[], Deferred[Address]]:
        """How to connect to a server that listens for us."""
        inspector = _inspecting(transfer)
        return lambda: self._session.dial(SERVER, address, inspector)

    def begin(self, command: Command, offset: int, protected: Pair | None) -> Transfer:
        """
        The server is about to be asked for a transfer.

        @param protected: the TLS of the control connection, if data are to be encrypted.
        @raise Refused: no data connection was agreed on, or it was used.
        """
        if self._transfer is None:
            raise Refused(_NO_CHANNEL)
        transfer, self._transfer = self._transfer, None
        transfer.begin(command, offset, protected)
        return transfer

    def abandon(self) -> None:
        """What was agreed on is not wanted any more."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.abandon("the data connection was not used")


def _is_all(command: Command) -> bool:
    return command.verb == "EPSV" and (command.argument or b"").upper() == b"ALL"


def _other_family(family: int) -> Reply:
    """RFC 2428, section 2: which one it should be."""
    (number,) = (number for number, meant in FAMILY.items() if meant == family)
    return Reply(522, f"Network protocol not supported, use ({number})".encode("ascii"))


def _inspecting(transfer: Transfer) -> Callable[[ISession], IInspector]:
    def inspector(session: ISession) -> IInspector:
        made: IInspector = DataInspector(session, transfer)
        return made

    return inspector


def _connecting(
    address: Address, port: int | None = None
) -> Callable[[ISession], Deferred[Address]]:
    """How a data connection gets to whoever listens at C{address}."""
    return lambda data: data.connect(address, port)


def _passive(address: Address) -> Reply:
    return Reply(227, b"Entering Passive Mode (%s)." % notation.port(address))


def _extended(address: Address) -> Reply:
    return Reply(229, b"Entering Extended Passive Mode (|||%d|)" % address.port)


_READ = {"PORT": notation.read_port, "EPRT": notation.read_eprt}
_WRITE = {"PORT": notation.port, "EPRT": notation.eprt}
_ANNOUNCE = {"PASV": _passive, "EPSV": _extended}
