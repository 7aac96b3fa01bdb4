"""Protection: what of one session is encrypted (RFC 4217), and which commands that is up to."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gateway.interfaces import Denied
from protocols.ftp.command import Command
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused
from protocols.ftp.settings import INSPECTED, FtpSettings
from protocols.ftp.verbs import REFUSED, SECURE, SECURITY, VERBS
from protocols.tls.upgrade import Pair

_UNKNOWN = Reply(500, b"That is no command.")
_NOT_HERE = Reply(502, b"That command is not allowed here.")
_NO_TLS = Reply(534, b"Encryption is not allowed here.")
_AUTH_FIRST = Reply(503, b"Please send AUTH first.")
_PROT_FIRST = Reply(503, b"Please send PROT first.")
_ENCRYPTED = Reply(503, b"TLS is spoken already.")
_LOGIN_SAFELY = Reply(530, b"Please send AUTH TLS before you log in.")
_STAYS = Reply(533, b"The control connection stays encrypted.")
_PRIVATE_ONLY = Reply(534, b"Data connections have to be encrypted here: PROT P.")
_NOT_PRIVATE = Reply(521, b"Data connections have to be encrypted here: PROT P.")
_NO_LEVEL = Reply(536, b"That level is not supported with TLS.")
_NO_KIND = Reply(504, b"Please use AUTH TLS.")
_GOODBYE = b"421 That is not allowed here; goodbye.\r\n"

_LOGIN = frozenset({"USER", "PASS", "ACCT"})


class Protection:
    """
    How far client and server have come with it.

    @ivar encrypting: the two have agreed to speak TLS, and are not done with that.
    @ivar agreed: what was agreed with each; C{None} as long as they speak in plain text.
    @ivar private: whether data connections are encrypted; C{None}: neither side has said, and
        servers with TLS from the first byte on differ.
    """

    def __init__(self, settings: FtpSettings) -> None:
        self._settings = settings
        self.encrypting = settings.implicit
        self.agreed: Pair | None = None
        self.private: bool | None = None if settings.implicit else False
        self._settled: Deferred[None] | None = None

    # What the client may say

    def passes(self, command: Command) -> bool:
        """Whether it is a command about encryption that may pass now."""
        if command.verb == "AUTH":
            wanted = self._settings.auth == "release" or self._settings.auth in INSPECTED
            return wanted and self.agreed is None
        return command.verb in SECURE and self.agreed is not None

    def refusal(self, command: Command) -> Refused:
        """
        How to answer a command that is none of those that pass.

        @raise Denied: it ends the session.
        """
        if command.verb not in REFUSED:
            return Refused(_UNKNOWN)
        if command.verb not in SECURITY:
            return Refused(_NOT_HERE, "never allowed")
        if self.agreed is not None:
            return Refused(_SECURED.get(command.verb, _NOT_HERE), "TLS is spoken")
        if self._settings.auth == "hide":
            return Refused(_UNKNOWN, "encryption is not allowed", "auth")
        if command.verb != "AUTH":
            return Refused(_AUTH_FIRST)
        if self._settings.auth == "deny":
            raise Denied("the client wants to encrypt", _GOODBYE, "auth")
        return Refused(_NO_TLS, "encryption is not allowed", "auth")

    def check(self, command: Command) -> None:
        """@raise Refused: as things are, it would be less safe than wanted, or than both think."""
        verb = command.verb
        if verb in _LOGIN and self._settings.auth == "require" and self.agreed is None:
            raise Refused(_LOGIN_SAFELY, "a login in plain text", "auth")
        if verb == "AUTH":
            self._check_kind(command)
        elif verb == "PROT":
            self._check_level(command)
        elif verb == "REIN" and self.agreed is not None:
            raise Refused(_NOT_HERE, "REIN would end TLS")
        elif verb in VERBS and VERBS[verb].flow is not None:
            self._check_transfer()

    def _check_kind(self, command: Command) -> None:
        if self._settings.auth != "release" and command.argument == b"TLS-P":
            raise Refused(_NO_KIND, "encrypted data, which not every server takes TLS-P for")

    def _check_level(self, command: Command) -> None:
        level = (command.argument or b"").upper()
        if level not in _LEVELS:
            raise Refused(_NO_LEVEL)
        if not _LEVELS[level] and self._settings.data_protection == "require":
            raise Refused(_PRIVATE_ONLY, "data in plain text", "data_protection")

    def _check_transfer(self) -> None:
        if self._settings.data_protection == "require" and not self.private:
            raise Refused(_NOT_PRIVATE, "a transfer in plain text", "data_protection")
        if self.private is None:
            raise Refused(_PROT_FIRST, "nobody knows whether data are to be encrypted")

    def sent(self, command: Command) -> Command:
        """The command as the server is to get it: as the RFC has it, and all servers read it."""
        if self._settings.auth == "release" or not self.passes(command):
            return command
        return Command(command.verb, _ARGUMENTS.get(command.verb, command.argument))

    # What has come of it

    def answered(self, command: Command, reply: Reply) -> None:
        """The server has answered C{command}, at last."""
        if command.verb == "AUTH":
            self.encrypting = reply.completed
        elif command.verb == "PROT" and reply.completed:
            self.private = _LEVELS[(command.argument or b"").upper()]

    @property
    def for_data(self) -> Pair | None:
        """What TLS on data connections goes on with; C{None}: there is none."""
        return self.agreed if self.private else None

    def secure(self, agreed: Pair | None) -> None:
        """The two speak TLS; or at least the client does."""
        self.agreed = agreed
        self.encrypting = False
        settled, self._settled = self._settled, None
        if settled is not None:
            settled.callback(None)

    async def settled(self) -> None:
        """Wait until it is known whether the two speak TLS: the server may be first."""
        if self.encrypting:
            self._settled = Deferred()
            await self._settled


_LEVELS = {b"C": False, b"P": True}
"""Of those in RFC 2228, TLS knows two: clear, and private (RFC 4217, section 9)."""

_ARGUMENTS = {"AUTH": b"TLS", "PBSZ": b"0"}

_SECURED = {"AUTH": _ENCRYPTED, "CCC": _STAYS}
