"""Rights: what the settings allow, and what CAPA may tell of it."""

from __future__ import annotations

from gateway.interfaces import Denied
from protocols.mailbox.options import ANYBODY, Decision
from protocols.pop3.command import Command, State
from protocols.pop3.refusal import Refusal
from protocols.pop3.reply import Reply, plain
from protocols.pop3.settings import Pop3Settings
from protocols.sasl import names

_LOGIN = frozenset({"USER", "PASS", "APOP", "AUTH"})
_NEEDED = {"SASL": "AUTH"}
_COMMANDS_TOLD = frozenset({"TOP", "USER", "UIDL", "UTF8", "LANG", "SASL"})
"""Capabilities that say that there is a command."""

_NOBODY = "That user may not log in here"
_GOODBYE = Reply(False, b"That command is not allowed here; goodbye").written()


class Rights:
    """
    What one session may do.

    @ivar secured: TLS is spoken.
    """

    def __init__(self, settings: Pop3Settings) -> None:
        self._settings = settings
        self.secured = False

    def decision(self, keyword: str) -> Decision:
        """What becomes of this kind of command."""
        return self._settings.commands.get(keyword, "pass")

    def check(self, command: Command, state: State) -> None:
        """
        @raise Refusal: it does not pass.
        @raise Denied: it ends the session.
        """
        kind = command.kind
        if kind is None:
            raise Refusal("Unknown command")
        self._check_decision(command)
        if state not in kind.states:
            raise Refusal("Not now", f"{command.keyword} in the {state.value} state")
        if not kind.fits(command.argument):
            raise Refusal("That is no argument for this command")
        self._check_encryption(command)
        check = _CHECKS.get(command.keyword)
        if check is not None:
            check(self, command)

    def _check_decision(self, command: Command) -> None:
        decision = self.decision(command.keyword)
        if decision == "deny":
            raise Denied(f"the command {command.keyword} ends the session", _GOODBYE, "commands")
        if decision == "refuse":
            raise Refusal("That command is not allowed here", "not allowed", "commands")

    def _check_encryption(self, command: Command) -> None:
        if command.keyword == "STLS":
            if self.secured:
                raise Refusal("TLS is spoken already")
            if not self._settings.speaks_tls:
                raise Refusal("TLS is not available", "encryption is not allowed", "stls")
        elif command.keyword in _LOGIN and not self.may_log_in:
            raise Refusal("Please say STLS before you log in", "a login in plain text", "stls")

    @property
    def may_log_in(self) -> bool:
        """Whether a login is safe enough."""
        return self.secured or self._settings.stls != "require"

    @property
    def has_timestamp(self) -> bool:
        """Whether the client may know the timestamp in the greeting, and use it (APOP)."""
        return self.decision("APOP") == "pass" and self.may_log_in

    def _check_user(self, command: Command) -> None:
        name = command.argument or b""
        if command.keyword == "APOP":
            name = name.rpartition(b" ")[0]
        if len(name) > self._settings.user_bytes:
            raise Refusal("That name is too long", "too long a name", "user_bytes")
        self._check_name(name.decode("utf-8", "backslashreplace"))

    def _check_name(self, name: str) -> None:
        if not self._settings.users.fullmatch(name):
            reason = f"the user {name[:100]!r} is not allowed"
            raise Refusal(_NOBODY, reason, "users")

    def check_response(self, mechanism: str, response: bytes) -> None:
        """
        Whether somebody may log in who says who it is in a first response.

        @raise Refusal: it may not, or some may and it can't be told.
        """
        found = names(mechanism, response)
        for name in found or ():
            self._check_name(name)
        if not found and self._settings.users.pattern != ANYBODY:
            raise Refusal(_NOBODY, f"it can't be told who logs in by {mechanism}", "users")

    def _check_password(self, command: Command) -> None:
        if len(command.argument or b"") > self._settings.password_bytes:
            raise Refusal("That password is too long", "too long a password", "password_bytes")

    def _check_mechanism(self, command: Command) -> None:
        if command.argument is None:
            return
        mechanism = command.words[0].decode("ascii").upper()
        if mechanism not in self._settings.mechanisms:
            raise Refusal("Not with that mechanism", f"AUTH {mechanism}", "mechanisms")
        for response in command.words[1:]:
            self.check_response(mechanism, response)

    # What is told

    def capability(self, line: bytes) -> bytes | None:
        """A line of the answer to CAPA (RFC 2449, section 5), or none in its place."""
        name, *values = line.decode("ascii", "replace").upper().split(" ")
        if name not in self._settings.capabilities or not self._has(name):
            return None
        if name != "SASL":
            return plain(line)
        kept = [each for each in values if each in self._settings.mechanisms]
        return " ".join([name, *kept]).encode("ascii") if kept else None

    def _has(self, name: str) -> bool:
        if name == "STLS":
            return self._settings.speaks_tls and not self.secured
        if name in ("USER", "SASL") and not self.may_log_in:
            return False
        return name not in _COMMANDS_TOLD or self.decision(_NEEDED.get(name, name)) == "pass"

    def mechanism(self, line: bytes) -> bytes | None:
        """A line of the answer to AUTH alone, or none in its place."""
        return (
            line if line.decode("ascii", "replace").upper() in self._settings.mechanisms else None
        )


_CHECKS = {
    "USER": Rights._check_user,
    "APOP": Rights._check_user,
    "PASS": Rights._check_password,
    "AUTH": Rights._check_mechanism,
}
