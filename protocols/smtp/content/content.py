"""Content: one message on its way, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Mapping
from typing import Any

from gateway.envelope import NO_ENVELOPE, Envelope
from gateway.interfaces import ISession
from protocols.mime.lines import Rules
from protocols.mime.objection import Kind, Objection
from protocols.mime.screening import Screening
from protocols.mime.unfit import Rejected, Unfit
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import DISCARDED, Reply, configured
from protocols.smtp.rules import AttachmentRule, HeaderRule
from protocols.smtp.settings import SMTPSettings

_CODES: Mapping[Kind, tuple[int, str]] = {
    Kind.MALFORMED: (550, "5.6.0"),
    Kind.TOO_LARGE: (552, "5.3.4"),
    Kind.TOO_MANY: (550, "5.7.1"),
}

_UNFIT: Mapping[str, tuple[int, str]] = {
    # Postfix has the same words for it (5.6.11 is registered for bare newlines).
    "bare_newline": (550, "5.6.11 The message has a lone CR or LF, or a NUL"),
    "line_bytes": (554, "5.6.0 A line of the message is too long"),
}

REFUSED = Reply.of(550, "5.7.1 The message was refused")
LATER = Reply.of(451, "4.7.1 The message can't be examined; try again later")

_ASIDE = re.compile(r"250 2\.0\.0 Set aside as [!-~]{1,100}")
"""What a scanner says of a message that goes nowhere, and is kept."""

_UNPRINTABLE = re.compile("[^ -~]")
_WORDS = 400
"""Letters of a stacked inspector's words, at most."""


def unfit(error: Unfit) -> Refusal:
    """The same in SMTP's words; a stacked inspector's are the client's as they are, if SMTP's."""
    if isinstance(error, Rejected):
        return Refusal(_reply(error.reply, LATER if error.later else REFUSED), error.reason)
    return refusal(*_UNFIT[error.by], error.reason, error.by)


def _reply(said: bytes, otherwise: Reply) -> Reply:
    text = _UNPRINTABLE.sub(" ", said.decode("utf-8", "replace").removesuffix("\r\n")).strip()
    if _ASIDE.fullmatch(text):
        return Reply.of(250, text[4:])
    try:
        return configured(text)
    except ValueError:
        status = otherwise.status
        return Reply.of(otherwise.code, f"{status} {text[:_WORDS]}") if text else otherwise


def _refused(objection: Objection) -> Refusal:
    rule = objection.rule
    if rule is not None and rule.action == "discard":
        return Refusal(DISCARDED, f"{objection.reason}: discarded", objection.by)
    if isinstance(rule, HeaderRule | AttachmentRule):
        return Refusal(configured(rule.reply), objection.reason, objection.by)
    code, status = _CODES[objection.kind]
    return refusal(code, f"{status} {objection.summary}", objection.reason, objection.by)


def too_large(limit: int) -> Refusal:
    """A message of more than C{limit} bytes."""
    reason = f"a message of more than {limit} bytes"
    return refusal(552, "5.3.4 The message is too large", reason, "message_bytes")


class Content(Screening):
    """
    Takes the blocks of one message, and gives back those that may pass: first
    judged here, then by the stacked inspector, if there is one.

    @param trace: a field for the top of its header.
    @param envelope: for the stacked inspector.
    @ivar size: bytes that came.
    """

    def __init__(
        self, session: ISession, trace: bytes = b"", envelope: Envelope = NO_ENVELOPE
    ) -> None:
        settings: SMTPSettings = session.settings
        super().__init__(session, settings, settings.stack, settings.line_bytes, envelope, trace)
        self._settings = settings
        self.size = 0

    @property
    def rules(self) -> Rules:
        """What its lines may be."""
        settings = self._settings
        folds = self._folds if settings.long_lines == "repair" else lambda: False
        return Rules(settings.bare_newline == "repair", settings.line_bytes, folds)

    def _folds(self) -> bool:
        return self.base64

    async def feed(self, block: bytes) -> bytes:
        """
        The next block; what is ready of the message is given back, in whole lines.

        @raise Refusal: the message is refused, here or by a rule; here and below.
        @raise Unfit: it is, by a stacked inspector.
        """
        self.size += len(block)
        if self.size > self._settings.message_bytes:
            raise too_large(self._settings.message_bytes)
        return await self._judged(super().feed(block))

    async def end(self) -> bytes:
        """The message is complete; what is ready of its rest is given back, and then L{rest}."""
        return await self._judged(super().end())

    async def _judged(self, block: Coroutine[Any, Any, bytes]) -> bytes:
        try:
            return await block
        except Objection as objection:
            raise _refused(objection) from None
