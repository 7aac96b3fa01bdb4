"""
Readdressing: what filters have made of a mail's envelope.

An address that a filter names becomes a command of ours, so it is read as if a client had said it.
"""

from __future__ import annotations

from attrs import evolve, field, frozen

from gateway.envelope import Addressed, Readdressed, SmtpEnvelope
from protocols.scanners.fault import ScannerFault
from protocols.scanners.milter.packet import strings
from protocols.smtp.grammar.command import Command, parse_command
from protocols.smtp.grammar.parameter import written
from protocols.smtp.grammar.refusal import Refusal

_WORDS = {"MAIL": b"FROM:", "RCPT": b"TO:"}


@frozen
class Readdressing:
    """
    An envelope, and what was changed in it. Each change makes another one.

    @ivar envelope: as it is now.
    @ivar sender: the new one; C{None}: it is the client's.
    @ivar added: recipients, by their canonical addresses.
    @ivar removed: likewise, those of the client's that are to get nothing.
    """

    envelope: SmtpEnvelope
    sender: Addressed | None = None
    added: dict[str, Addressed] = field(factory=dict)
    removed: dict[str, str] = field(factory=dict)

    @property
    def result(self) -> Readdressed | None:
        """All changes; C{None} if there are none."""
        if self.sender is None and not self.added and not self.removed:
            return None
        return Readdressed(self.sender, tuple(self.added.values()), tuple(self.removed.values()))

    def with_sender(self, data: bytes) -> Readdressing:
        """SMFIR_CHGFROM: an address, and perhaps parameters."""
        sender, _ = _addressed("MAIL", data)
        return evolve(self, sender=sender, envelope=evolve(self.envelope, sender=sender.address))

    def with_recipient(self, data: bytes) -> Readdressing:
        """SMFIR_ADDRCPT and SMFIR_ADDRCPT_PAR. Who is one already stays one."""
        recipient, name = _addressed("RCPT", data)
        if name in map(_canonical, self.envelope.recipients):
            return self
        recipients = (*self.envelope.recipients, recipient.address)
        envelope = evolve(self.envelope, recipients=recipients)
        if name in self.removed:
            removed = {key: value for key, value in self.removed.items() if key != name}
            return evolve(self, removed=removed, envelope=envelope)
        return evolve(self, added={**self.added, name: recipient}, envelope=envelope)

    def without_recipient(self, data: bytes) -> Readdressing:
        """SMFIR_DELRCPT. Who is none is none afterwards, too."""
        _, name = _addressed("RCPT", data)
        there = [each for each in self.envelope.recipients if _canonical(each) == name]
        if not there:
            return self
        recipients = tuple(each for each in self.envelope.recipients if each not in there)
        envelope = evolve(self.envelope, recipients=recipients)
        if name in self.added:
            added = {key: value for key, value in self.added.items() if key != name}
            return evolve(self, added=added, envelope=envelope)
        return evolve(self, removed={**self.removed, name: there[0]}, envelope=envelope)


def _addressed(verb: str, data: bytes) -> tuple[Addressed, str]:
    """
    An address, as a command has it, and how it is compared.

    @raise ScannerFault: it is none.
    """
    path, *more = strings(data, 1 + (data.count(b"\0") > 1))
    if path and not path.startswith(b"<"):  # libmilter passes on what a filter has written
        path = b"<" + path + b">"
    command = _command(verb, b" ".join((path, *filter(None, more))))
    assert command.path is not None
    mailbox = command.path.mailbox
    address = Addressed(str(mailbox), written(command.parameters).strip(" "))
    return address, mailbox.canonical


def _command(verb: str, said: bytes) -> Command:
    try:
        return parse_command(verb.encode() + b" " + _WORDS[verb] + said, lenient=True)
    except Refusal as refusal:
        raise ScannerFault(f"milter: an address that is none: {refusal.reason}") from None


def _canonical(recipient: str) -> str:
    path = _command("RCPT", f"<{recipient}>".encode()).path
    assert path is not None
    return path.mailbox.canonical
