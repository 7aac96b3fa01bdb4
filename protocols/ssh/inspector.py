"""
SSH, until the keys are in use: who talks to whom, by which algorithms, and with which key.

Both sides speak at once, and neither waits for the other: dropbear's client sends
all that it can before it has heard anything. So every message is passed on as
soon as it is understood; only the second of the two KEXINITs, and the server's
key, wait for a decision, which takes no time.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, PROTOCOL, SERVER, Denied, ISession, Outcome, Side, Verdict
from protocols.ssh import banner
from protocols.ssh.banner import Banner
from protocols.ssh.host_key import HostKey, shown_in
from protocols.ssh.numbers import FIRST_OF_KEX, LAST_OF_KEX, Message, Reason
from protocols.ssh.packet import Packet, disconnect, read_packet
from protocols.ssh.proposal import Agreement, Proposal, hassh, sent_kex
from protocols.ssh.settings import SshSettings

_OWN_BANNER = b"SSH-2.0-gateway\r\n"
"""For a client that has not heard one yet, and could not understand why it is refused."""

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_ALWAYS = (Message.DISCONNECT, Message.IGNORE, Message.UNIMPLEMENTED, Message.DEBUG)


class SshInspector(StreamInspector):
    """One connection, until there is nothing left to see."""

    Settings = SshSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: SshSettings = session.settings
        self._banners: dict[Side, Banner] = {}
        self._proposals: dict[Side, Proposal] = {}
        self._programs: dict[Side, str] = {}
        self._agreement: Agreement | None = None
        self._host_key: HostKey | None = None
        self._exchanging: set[Side] = set()
        self._ready: set[Side] = set()
        self._recorded = False

    def started(self) -> None:
        """Both sides speak first."""
        self._timer = self.session.after(self._settings.handshake_seconds, self._too_late)
        self.session.connect()

    async def from_client(self, read: Reader) -> None:
        """The client's part of the key exchange, and then whatever it sends."""
        await self._from(read)

    async def from_server(self, read: Reader) -> None:
        """The server's part."""
        await self._from(read)

    async def _from(self, read: Reader) -> None:
        try:
            await self._handshake(read)
        except Denied as denied:
            raise self._refused(denied) from None
        if len(self._ready) == 2:
            self._finish()
            return
        # what is encrypted already
        while await read.more():
            self.session.send(read.side.other, await read.some())

    def _finish(self) -> None:
        """Both use their keys: nothing more can be seen."""
        self._timer.cancel()
        self._record({"verdict": Outcome.PASSED.value})
        self.release()

    async def _handshake(self, read: Reader) -> None:
        """Until this side uses its keys."""
        await self._banner(read)
        for _ in range(self._settings.packets):
            packet = await read_packet(read, self._settings.packet_bytes)
            self._look(read.side, packet)
            self.session.send(read.side.other, packet.raw)
            if packet.message == Message.NEWKEYS:
                self._ready.add(read.side)
                return
        most = self._settings.packets
        raise Denied(
            f"more than {most} packets of the {read.side.value}'s, and no keys", by="packets"
        )

    # The first lines

    async def _banner(self, read: Reader) -> None:
        """Who it is. Servers may say something before."""
        for _ in range(self._settings.banner_lines if read.side is SERVER else 0):
            if await self._begins(read):
                break
            line = await read.line(self._settings.banner_line_bytes)
            if _CONTROL.search(line):
                raise Denied("the server sent a line with control characters before its banner")
            self.session.send(CLIENT, line + b"\r\n")
        line = await read.line(banner.BYTES)
        self._judge_banner(read.side, Banner.parse(line))
        self.session.send(read.side.other, line + b"\r\n")

    async def _begins(self, read: Reader) -> bool:
        """Whether the next line is the one that counts."""
        while b"SSH-".startswith(read.peek(4)) and read.unread < 4:
            if not await read.more(read.unread):
                return True
        return read.peek(4) == b"SSH-"

    def _judge_banner(self, side: Side, found: Banner) -> None:
        """@raise Denied: the policy does not have it."""
        self._banners[side] = found
        if found.protocol not in self._settings.protocols:
            raise Denied(f"SSH version {found.protocol} of the {side.value}", by="protocols")
        setting = f"{side.value}_software"
        allowed = (
            self._settings.client_software if side is CLIENT else self._settings.server_software
        )
        if not allowed.fullmatch(found.software):
            raise Denied(f"the {side.value}'s program {found.software!r}", by=setting)

    # The key exchange

    def _look(self, side: Side, packet: Packet) -> None:
        """
        Whether a packet may pass.

        @raise Denied: it may not.
        """
        message = packet.message
        if message == Message.KEXINIT:
            self._propose(side, packet)
        elif FIRST_OF_KEX <= message <= LAST_OF_KEX or message == Message.NEWKEYS:
            self._exchange(side, packet)
        elif message not in _ALWAYS:
            raise Denied(f"the {side.value} sent message {message} before its keys")

    def _propose(self, side: Side, packet: Packet) -> None:
        if side in self._proposals:
            raise Denied(f"the {side.value} sent a second KEXINIT")
        proposal = self._proposals[side] = Proposal.parse(packet.payload)
        self._programs[side] = proposal.hassh(side is CLIENT, sent_kex(packet.payload))
        if len(self._proposals) == 2:
            agreement = Agreement.between(self._proposals[CLIENT], self._proposals[SERVER])
            self._agreement = agreement
            self._judge(agreement)

    def _judge(self, agreement: Agreement) -> None:
        """@raise Denied: the policy does not have what was agreed on."""
        for setting, name in agreement.named():
            by = self._refusing(setting, name) if name else ""
            if by:
                raise Denied(f"the two sides agree on {name}", by=by)

    def _refusing(self, setting: str, name: str) -> str:
        """The setting that does not allow an algorithm; empty if all do."""
        lists = {
            "kex": self._settings.kex,
            "host_keys": self._settings.host_keys,
            "ciphers": self._settings.ciphers,
            "macs": self._settings.macs,
            "compression": self._settings.compression,
        }
        if not _matches(name, lists[setting]):
            return setting
        never = setting != "compression" and _matches(name, self._settings.refused)
        return "refused" if never else ""

    def _exchange(self, side: Side, packet: Packet) -> None:
        """A message of the exchange itself. A guess may come before the other's KEXINIT."""
        if side not in self._proposals:
            raise Denied(f"the {side.value} sent message {packet.message} before its KEXINIT")
        if packet.message != Message.NEWKEYS:
            self._exchanging.add(side)
        elif self._agreement is None or side not in self._exchanging:
            raise Denied(f"the {side.value} uses keys before there are any")
        if side is not SERVER or self._agreement is None:
            return
        shown = shown_in(self._agreement.kex)
        if packet.message == shown:
            self._host_key = HostKey.parse(packet.payload)
            self._judge_host_key(self._host_key)
        elif packet.message == Message.NEWKEYS and self._host_key is None:
            self._judge_host_key(None)

    def _judge_host_key(self, key: HostKey | None) -> None:
        """@raise Denied: it is another one than the policy knows, or none where it knows one."""
        known = self._settings.fingerprints.get(self.session.server.host)
        if known is None:
            if not self._settings.unknown_hosts:
                raise Denied("a server whose key the policy does not know", by="unknown_hosts")
        elif key is None or key.fingerprint not in known:
            shown = "no key" if key is None else f"{key.kind} {key.fingerprint}"
            raise Denied(f"the server shows {shown}", by="fingerprints")

    # The end

    def _too_late(self) -> None:
        """@raise Denied: always."""
        seconds = self._settings.handshake_seconds
        raise self._refused(Denied(f"no keys after {seconds:g} seconds", by="handshake_seconds"))

    def _refused(self, denied: Denied) -> Denied:
        """The same, with an answer that the client can read, and a record."""
        self._timer.cancel()
        by = denied.by or PROTOCOL
        self._record({"verdict": Outcome.DENIED.value, "reason": denied.reason}, by)
        reply = b""
        if CLIENT not in self._ready and SERVER not in self._ready:
            reply = b"" if SERVER in self._banners else _OWN_BANNER
            reply += disconnect(_REASONS.get(denied.by, Reason.PROTOCOL_ERROR), denied.reason)
        return Denied(denied.reason, reply)

    def closed(self, verdict: Verdict) -> None:
        """A handshake that came to no end has a record, too."""
        if self._banners:
            self._record({"verdict": verdict.outcome.value, "reason": verdict.reason})
        super().closed(verdict)

    def _record(self, gateway: dict[str, Any], by: str = "") -> None:
        if self._recorded:
            return
        self._recorded = True
        if self._agreement is not None:
            gateway["agreed"] = self._agreed(self._agreement)
        if self._host_key is not None:
            gateway["host_key"] = {
                "kind": self._host_key.kind,
                "fingerprint": self._host_key.fingerprint,
            }
        self.session.record(
            "ssh",
            gateway,
            by,
            **{
                side.value: self._described(side)
                for side in (CLIENT, SERVER)
                if side in self._banners
            },
        )

    def _described(self, side: Side) -> dict[str, Any]:
        """In EVE's words."""
        found = self._banners[side]
        told: dict[str, Any] = {
            "proto_version": found.protocol,
            "software_version": found.software,
        }
        if side in self._programs:
            text = self._programs[side]
            told["hassh"] = {"hash": hassh(text), "string": text}
        return told

    @staticmethod
    def _agreed(agreement: Agreement) -> dict[str, Any]:
        return {
            "kex": agreement.kex,
            "host_key": agreement.host_key,
            "ciphers": list(agreement.ciphers),
            "macs": [name for name in agreement.macs if name],
            "compression": list(agreement.compression),
        }


_REASONS = {
    "protocols": Reason.PROTOCOL_VERSION_NOT_SUPPORTED,
    "client_software": Reason.HOST_NOT_ALLOWED_TO_CONNECT,
    "server_software": Reason.HOST_NOT_ALLOWED_TO_CONNECT,
    **dict.fromkeys(
        ("kex", "host_keys", "ciphers", "macs", "compression", "refused"),
        Reason.KEY_EXCHANGE_FAILED,
    ),
    "fingerprints": Reason.HOST_KEY_NOT_VERIFIABLE,
    "unknown_hosts": Reason.HOST_KEY_NOT_VERIFIABLE,
}


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
