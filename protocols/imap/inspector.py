"""The ImapInspector: one session; see L{protocols.mailbox.inspector}."""

from __future__ import annotations

from typing import Any, ClassVar

from gateway.interfaces import ISession
from protocols.imap.answering import Answering
from protocols.imap.asking import Asking
from protocols.imap.dialogue import Dialogue
from protocols.imap.judging import judge
from protocols.imap.settings import ImapSettings
from protocols.mailbox.inspector import MailboxInspector


class ImapInspector(MailboxInspector):
    """Every command, every answer and every message of one client."""

    Settings: ClassVar[type] = ImapSettings
    alpn = "imap"
    upgrade = "starttls"

    def __init__(self, session: ISession) -> None:
        dialogue = Dialogue(session)
        super().__init__(session, dialogue, Asking(dialogue), Answering(dialogue))

    @staticmethod
    def judge(settings: ImapSettings, connection: Any, asks: Any) -> Any:
        """For C{tproxygw explain}; see L{protocols.imap.judging}."""
        return judge(settings, asks)
