"""Rights: what the settings allow, and which words that has."""

from __future__ import annotations

from typing import NoReturn

from gateway.interfaces import Denied
from protocols.imap.access import MailboxRule, rule_for
from protocols.imap.arguments import Arguments, Mailbox
from protocols.imap.capability import Filter
from protocols.imap.command import NOT_HERE, Command
from protocols.imap.mailbox import decoded
from protocols.imap.refusal import Refusal, bad
from protocols.imap.reply import told
from protocols.imap.settings import ImapSettings
from protocols.imap.standing import Standing
from protocols.imap.value import Atom
from protocols.mailbox.options import ANYBODY, Decision
from protocols.sasl import names

_GOODBYE = told("BYE", "That command is not allowed here").written()
_LOGIN = frozenset({"LOGIN", "AUTHENTICATE"})
_NO_NAME = frozenset({"GETMETADATA", "SETMETADATA"})
"""Commands whose mailbox may be none: then they are about the server."""


class Rights:
    """
    What one session may do.

    @ivar filter: of capabilities.
    """

    def __init__(self, settings: ImapSettings, standing: Standing) -> None:
        self._settings = settings
        self.standing = standing
        self.filter = Filter(settings)

    def check_kind(self, command: Command) -> None:
        """
        Whether such a command may come now, whatever stands behind its name.

        @raise Refusal: it does not pass.
        @raise Denied: it ends the session.
        """
        if command.name in NOT_HERE:
            reason = f"{command.name}: {NOT_HERE[command.name]}"
            raise Refusal("That is not available", reason, code="CANNOT")
        kind = command.kind
        if kind is None:
            raise bad("Unknown command")
        self._check_decision(command)
        if self.standing.state not in kind.states:
            raise bad("Not now", f"{command.name} in the state {self.standing.state.value!r}")
        self._check_encryption(command)
        if len(command.tag) > self._settings.tag_bytes:
            raise self._too_long("tag_bytes")

    def _too_long(self, setting: str) -> Denied:
        most = getattr(self._settings, setting)
        reply = told("BYE", "That is too long").written()
        return Denied(f"more than {most} bytes", reply, setting)

    def decision(self, name: str) -> Decision:
        """What becomes of this kind of command."""
        return self._settings.commands.get(name, "pass")

    def _check_decision(self, command: Command) -> None:
        decision = self.decision(command.plainly)
        if decision == "deny":
            raise Denied(f"the command {command.name} ends the session", _GOODBYE, "commands")
        if decision == "refuse":
            words = "That command is not allowed here"
            raise Refusal(words, "not allowed", "commands", "NOPERM")

    def _check_encryption(self, command: Command) -> None:
        if command.name == "STARTTLS":
            if self.filter.secured:
                raise bad("TLS is spoken already")
            if not self._settings.speaks_tls:
                raise bad("TLS is not available", "encryption is not allowed")
        elif command.name in _LOGIN and self.filter.forbids_login:
            words = "Please say STARTTLS before you log in"
            raise Refusal(words, "a login in plain text", "starttls", "PRIVACYREQUIRED")

    def check(self, command: Command) -> None:
        """
        Whether a command may pass, all of which is known. SELECT may have become EXAMINE.

        @raise Refusal: it does not pass.
        """
        for mailbox in command.mailboxes:
            self._check_mailbox(command, mailbox)
        if command.kind is not None and command.kind.changes and self.standing.read_only:
            words = "This mailbox may only be read"
            raise Refusal(words, f"{command.name} in a mailbox to be read", "mailboxes", "NOPERM")
        check = _CHECKS.get(command.name)
        if check is not None:
            check(self, command)

    # Mailboxes

    def _check_mailbox(self, command: Command, mailbox: Mailbox) -> None:
        if not mailbox.name and command.name in _NO_NAME:
            return
        rule = rule_for(self._settings.mailboxes, mailbox.name)
        what = f"{command.name} of {mailbox.name[:200]!r}"
        if rule.access == "none":
            raise Refusal("There is no such mailbox", what, rule.by, "NONEXISTENT")
        if rule.access == "read" and mailbox.need == "write":
            words = "That mailbox may only be read"
            raise Refusal(words, what, rule.by, "NOPERM")
        if rule.access == "read" and command.name == "SELECT":
            if self._settings.read_only == "refuse":
                raise Refusal("That mailbox may only be examined", what, rule.by, "NOPERM")
            command.name = "EXAMINE"

    def only_read(self, command: Command) -> bool:
        """Whether the mailbox that is selected by it may only be read."""
        rules = [self._rule(mailbox.name) for mailbox in command.mailboxes]
        return any(rule.access == "read" for rule in rules)

    def _rule(self, name: str) -> MailboxRule:
        return rule_for(self._settings.mailboxes, name)

    def shows(self, name: bytes) -> bool:
        """Whether a client may hear of a mailbox, as the server calls it."""
        if not self._settings.mailboxes:
            return True
        try:
            return self._rule(decoded(name, self.standing.utf8)).access != "none"
        except ValueError:
            return False

    # Who

    def _check_login(self, command: Command) -> None:
        name = Arguments(command.values).astring().decode("utf-8", "backslashreplace")
        self._check_name(name)
        command.user = name

    def _check_name(self, name: str) -> None:
        if not self._settings.users.fullmatch(name):
            self._refuse_user(f"the user {name[:100]!r} is not allowed")

    def _refuse_user(self, reason: str) -> NoReturn:
        raise Refusal("That user may not log in here", reason, "users", "AUTHORIZATIONFAILED")

    def check_response(self, mechanism: str, response: bytes) -> str:
        """
        Whether somebody may log in who says who it is in a first response.

        @return: who; empty if that can't be told.
        @raise Refusal: it may not, or some may and it can't be told.
        """
        found = names(mechanism, response)
        for name in found or ():
            self._check_name(name)
        if not found and self._settings.users.pattern != ANYBODY:
            self._refuse_user(f"it can't be told who logs in by {mechanism}")
        return found[-1] if found else ""

    def _check_mechanism(self, command: Command) -> None:
        arguments = Arguments(command.values)
        mechanism = arguments.atom()
        if mechanism not in self._settings.mechanisms:
            reason = f"AUTHENTICATE {mechanism}"
            raise Refusal("Not with that mechanism", reason, "mechanisms", "CANNOT")
        if arguments.more:
            response = arguments.next()
            assert isinstance(response, Atom)
            command.user = self.check_response(mechanism, response.text)

    def _keep_enabled(self, command: Command) -> None:
        """Only what clients hear of; others are passed over (RFC 5161, section 3.1)."""
        words = [each for each in command.values if isinstance(each, Atom)]
        command.values = [each for each in words if self.filter.has(each.text)]


_CHECKS = {
    "LOGIN": Rights._check_login,
    "AUTHENTICATE": Rights._check_mechanism,
    "ENABLE": Rights._keep_enabled,
}
