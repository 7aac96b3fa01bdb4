"""The Pop3Inspector: one session; see L{protocols.mailbox.inspector}."""

from __future__ import annotations

from typing import ClassVar

from gateway.interfaces import ISession
from protocols.mailbox.inspector import MailboxInspector
from protocols.pop3.answering import Answering
from protocols.pop3.asking import Asking
from protocols.pop3.dialogue import Dialogue
from protocols.pop3.settings import Pop3Settings


class Pop3Inspector(MailboxInspector):
    """Every command, every reply and every message of one client."""

    Settings: ClassVar[type] = Pop3Settings
    alpn = "pop3"
    upgrade = "stls"

    def __init__(self, session: ISession) -> None:
        dialogue = Dialogue(session)
        super().__init__(session, dialogue, Asking(dialogue), Answering(dialogue))
