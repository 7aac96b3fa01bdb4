"""IcapInspector: bodies judged by a service of an ICAP server."""

from __future__ import annotations

import re

from attrs import frozen

from gateway.inspector import option
from gateway.tools import ILine, ISpool
from protocols.scanners.asked import asked
from protocols.scanners.fault import ScannerFault
from protocols.scanners.icap.exchange import Exchange
from protocols.scanners.icap.options import Options
from protocols.scanners.icap.request import Asked, about, encapsulated, mode
from protocols.scanners.judgement import Judgement
from protocols.scanners.places import read_places
from protocols.scanners.scan import ScanInspector
from protocols.scanners.settings import DaemonSettings

_SERVICE = re.compile(r"/?([A-Za-z0-9._~!$&'()*+,;=:@/?%-]{1,200})")


def read_service(text: str) -> str:
    """
    The path of a service, without the first slash.

    @raise ValueError: it is none.
    """
    found = _SERVICE.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no path of a URI, such as "avscan"')
    return found[1]


@frozen
class IcapSettings(DaemonSettings):
    """The C{[icap]} table."""

    servers: tuple[str, ...] = option(
        'Where the server is: "192.0.2.1:1344", "[2001:db8::1]:1344". With several, the first '
        "one that answers is asked.",
        ("127.0.0.1:1344",),
        precedent="RFC 3507's port",
        read=read_places,
    )
    upload_service: str = option(
        "The service (the URI's path) that judges what goes to servers (REQMOD).",
        "avscan",
        precedent="c-icap's alias of its virus_scan",
        read=read_service,
    )
    download_service: str = option(
        "The one that judges what goes to clients (RESPMOD).", "avscan", read=read_service
    )
    send_client: bool = option(
        "Whether the service is told the client's address (X-Client-IP).",
        False,
        precedent="Squid's adaptation_send_client_ip is off",
    )
    send_user: bool = option(
        "Whether the service is told who the client is (X-Authenticated-User), if that is known.",
        False,
        precedent="Squid's adaptation_send_username is off",
    )

    changes: bool = option(
        "Whether the service may change bodies: what it gives back, whole or in part (206), passes "
        "in place of what came. Of headers, nothing that it changes passes.",
        False,
        precedent="Squid's adaptation is always allowed to",
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """For the doctor."""
        return self.servers


class Known:
    """What services have said of themselves, for all sessions of a service of ours."""

    def __init__(self, settings: IcapSettings) -> None:
        self._options: dict[Asked, Options] = {}

    def get(self, whom: Asked, now: float) -> Options | None:
        """What it said, if that still holds."""
        found = self._options.get(whom)
        return found if found is not None and now < found.until else None

    def put(self, whom: Asked, options: Options) -> None:
        """It has said that."""
        self._options[whom] = options

    def doubt(self, whom: Asked) -> None:
        """It did something wrong: the next one asks whether it is still there."""
        self._options.pop(whom, None)

    def heard(self, whom: Asked, tag: str) -> None:
        """An answer had this tag: with another one, the service is another one."""
        known = self._options.get(whom)
        if known is not None and tag != known.tag:
            del self._options[whom]


class IcapInspector(ScanInspector):
    """One body."""

    Settings = IcapSettings
    Shared = Known
    settings: IcapSettings
    decodes = True
    """It is told of the body's headers."""

    async def judge(self, body: ISpool) -> Judgement:
        """See L{ScanInspector.judge}."""
        settings = self.settings
        return await asked(
            self.session.tools,
            settings.servers,
            settings.terms,
            lambda line: self._ask(line, body),
            self.is_late,
        )

    async def _ask(self, line: ILine, body: ISpool) -> Judgement:
        envelope, settings = self.session.envelope, self.settings
        upload = envelope.direction == "upload"
        whom = Asked(line.address, settings.upload_service if upload else settings.download_service)
        exchange = Exchange(line, whom, self._room if settings.changes else None)
        options = await self._options(line, exchange, whom)
        method = mode(envelope)
        if method not in options.methods:
            raise ScannerFault(f"ICAP: the service {whom.service} has no {method}")
        preview = options.preview_of(envelope.filename, body.size)
        heads = self._heads(whom, body, preview)
        known: Known = self.session.shared
        line.works()
        try:
            judged = await exchange.judge(heads, body, preview, self._status)
        except BaseException:
            known.doubt(whom)
            raise
        exchange.leave()
        known.heard(whom, judged.tag)
        scanner = " ".join(filter(None, (options.service, judged.tag)))
        return Judgement(
            found=judged.found, scanner=scanner, where=line.address, instead=judged.instead
        )

    def _room(self) -> ISpool:
        room: ISpool = self.session.tools.spool(self.settings.memory_bytes)
        return room

    async def _options(self, line: ILine, exchange: Exchange, whom: Asked) -> Options:
        """What the service has said of itself; it is asked if nobody knows."""
        known: Known = self.session.shared
        options = known.get(whom, self.session.date())
        if options is None:
            options = await exchange.options(self.session.date())
            known.put(whom, options)
            line.limit(options.connections)
        return options

    @property
    def _status(self) -> int:
        """Of the response whose body it is; 0: it is a request's."""
        envelope = self.session.envelope
        if envelope.direction == "upload":
            return 0
        return 200 if envelope.http is None else envelope.http.status

    def _heads(self, whom: Asked, body: ISpool, preview: int | None) -> bytes:
        """The request, as far as the body."""
        session, envelope, settings = self.session, self.session.envelope, self.settings
        parts, heads = encapsulated(envelope, session.server.host, body.size)
        lines = ["Allow: 204, 206" if settings.changes and body.size else "Allow: 204"]
        if preview is not None:
            lines.append(f"Preview: {preview}")
        client = session.client if settings.send_client else None
        lines += about(client, envelope.user if settings.send_user else "")
        head = whom.head(mode(envelope), *lines, f"Encapsulated: {parts}")
        return f"{head}\r\n".encode("latin-1") + heads
