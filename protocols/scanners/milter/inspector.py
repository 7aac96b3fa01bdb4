"""MilterInspector: mails judged, and changed, by milters."""

from __future__ import annotations

from functools import partial
from typing import Literal

from attrs import frozen

from gateway.inspector import option
from gateway.tools import ILine, ISpool
from protocols.scanners.asked import asked
from protocols.scanners.fault import ScannerFault
from protocols.scanners.judgement import Judgement
from protocols.scanners.milter.changes import Changes
from protocols.scanners.milter.conversation import Conversation, Refused, Told
from protocols.scanners.milter.message import message
from protocols.scanners.places import read_places
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import DaemonSettings

ROOM = 1048576
"""Bytes that a filter's new body may have more than `body_bytes`."""


@frozen
class MilterSettings(DaemonSettings):
    """The C{[milter]} table."""

    milters: tuple[str, ...] = option(
        'Where they are: "/path/of/a/socket", "192.0.2.1:8891", "[2001:db8::1]:8891". All of '
        "them are asked, in this order, each about what the one before has made of the mail.",
        ("127.0.0.1:11332",),
        precedent="Postfix's smtpd_milters; rspamd's port",
        read=read_places,
    )
    larger: Literal["refuse", "pass"] = option(
        'What becomes of a larger mail: "refuse" it, or let it "pass" unseen.', "refuse"
    )
    name: str = option(
        "The gateway's name for filters (the macro j), which they write into their fields.",
        "localhost",
        precedent="Postfix's myhostname",
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """For the doctor."""
        return self.milters


class MilterInspector(ScanInspector):
    """One mail."""

    Settings = MilterSettings
    settings: MilterSettings
    keeps = False
    serves = frozenset({"smtp"})
    """Others have no envelope to tell a filter of."""

    async def judge(self, body: ISpool) -> Judgement:
        """See L{ScanInspector.judge}."""
        session, settings = self.session, self.settings
        envelope = session.envelope
        if envelope.smtp is None:
            raise ScannerFault("milters judge mail by its envelope, and this has none")
        queue = f"{session.id:X}"
        told = Told(settings.name, queue, session.client, envelope.user, envelope.smtp)
        mail = body
        for place in settings.milters:
            ask = partial(self._ask, told, mail)
            try:
                changed = await asked(
                    session.tools, (place,), settings.terms, ask, self.is_late, fresh=True
                )
            except Refused as refused:
                reply = f"{refused.reply}\r\n"
                return Judgement(refused=refused.why, words=reply, scanner="milter", where=place)
            if changed is not None:
                if mail is not body:
                    mail.close()
                mail = changed
        where = ", ".join(settings.milters)
        return Judgement(scanner="milter", where=where, instead=mail if mail is not body else None)

    async def _ask(self, told: Told, mail: ISpool, line: ILine) -> ISpool | None:
        """
        What one filter makes of it; C{None}: it leaves it as it is.

        @raise Refused: it does not let it pass.
        """
        settings, shown = self.settings, message(mail)
        most = settings.body_bytes + ROOM
        changes = Changes(shown, self.session.tools, settings.memory_bytes, most)
        try:
            await Conversation(line, told).judge(shown, changes)
            if changes.aside:
                raise Refused("550 5.7.1 The message was refused", f"set aside: {changes.aside}")
            return changes.result()
        finally:
            changes.close()
