"""MilterInspector: mails judged, and changed, by milters."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Literal

from attrs import evolve, frozen

from gateway.envelope import SmtpEnvelope
from gateway.inspector import option
from gateway.interfaces import CLIENT
from gateway.tools import ILine, ISpool
from protocols.scanners.asked import Answer, asked
from protocols.scanners.fault import ScannerFault
from protocols.scanners.held import BLOCK
from protocols.scanners.judgement import Judgement
from protocols.scanners.milter.changes import Changes
from protocols.scanners.milter.conversation import Conversation, Refused, Told
from protocols.scanners.milter.message import message
from protocols.scanners.milter.readdressing import Readdressing
from protocols.scanners.places import read_folder, read_places
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import DaemonSettings

NOBODY = "550 5.7.1 The message was refused"
"""To the client, if filters have taken all recipients away."""

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
    aside: str = option(
        "The folder for mails that a filter wants to be set aside (quarantine): their senders are "
        "told that they were taken. The gateway's user must be able to write there. "
        'Without one (""), such mails are refused.',
        "",
        read=read_folder,
        precedent="Postfix has its hold queue",
    )
    aside_bytes: int = option(
        "Bytes of all that is there, 65536 for each file at least; for more, `on_error` decides.",
        1073741824,
        unit="bytes",
        minimum=1,
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


class SetAside(Answer):
    """
    A filter wants it to be set aside.

    @ivar mail: as it has made it.
    @ivar envelope: likewise.
    """

    def __init__(self, why: str, mail: ISpool, envelope: SmtpEnvelope) -> None:
        super().__init__(why)
        self.why = why
        self.envelope = envelope
        self.mail = mail


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
        mail, to = body, Readdressing(envelope.smtp)
        for place in settings.milters:
            told = evolve(told, envelope=to.envelope)
            ask = partial(self._ask, told, mail, to)
            try:
                changed, to = await asked(
                    session.tools, (place,), settings.terms, ask, self.is_late, fresh=True
                )
            except Refused as refused:
                reply = f"{refused.reply}\r\n"
                return Judgement(refused=refused.why, words=reply, scanner="milter", where=place)
            except SetAside as aside:
                return await self._set_aside(aside, told, place)
            if changed is not None:
                if mail is not body:
                    mail.close()
                mail = changed
        where = ", ".join(settings.milters)
        if not to.envelope.recipients:
            why = f"the filters leave nobody of {len(envelope.smtp.recipients)} recipients"
            return Judgement(refused=why, words=f"{NOBODY}\r\n", scanner="milter", where=where)
        instead = mail if mail is not body else None
        return Judgement(scanner="milter", where=where, instead=instead, to=to.result)

    async def _set_aside(self, aside: SetAside, told: Told, place: str) -> Judgement:
        """
        Keep it, with its envelope.

        @raise SpoolFull: there is no room.
        """
        session, settings, envelope = self.session, self.settings, aside.envelope
        when = datetime.fromtimestamp(session.date(), UTC)
        name = f"{when:%Y%m%dT%H%M%SZ}-{told.queue}"
        file = session.tools.aside(settings.aside, name, settings.aside_bytes)
        try:
            at = 0
            while block := aside.mail.read(at, BLOCK):
                at += len(block)
                file.put(block)
                await session.give_way(CLIENT)
            name = file.keep(
                {
                    "why": aside.why,
                    "filter": place,
                    "client": told.client.host,
                    "helo": envelope.helo,
                    "sender": envelope.sender,
                    "recipients": list(envelope.recipients),
                }
            )
        finally:
            file.close()
        why = f"set aside: {aside.why}"
        return Judgement(refused=why, aside=name, scanner="milter", where=place)

    async def _ask(
        self, told: Told, mail: ISpool, to: Readdressing, line: ILine
    ) -> tuple[ISpool | None, Readdressing]:
        """
        What one filter makes of it; C{None}: it leaves it as it is. And of its envelope.

        @raise Refused: it does not let it pass.
        """
        settings, shown = self.settings, message(mail)
        most = settings.body_bytes + ROOM
        changes = Changes(shown, to, self.session.tools, settings.memory_bytes, most)
        try:
            await Conversation(line, told).judge(shown, changes)
            if changes.aside and not settings.aside:
                raise Refused("550 5.7.1 The message was refused", f"set aside: {changes.aside}")
            changed = changes.result()
            if changes.aside:
                made = mail if changed is None else changed
                raise SetAside(changes.aside, made, changes.envelope.envelope)
            return changed, changes.envelope
        finally:
            changes.close()
