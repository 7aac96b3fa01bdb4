"""
Audit records: one JSON object on one line, in the field names of Suricata's EVE format.

A session costs one flow record, so what is the same for many of them (the
second of a timestamp, a rule with its zones) is encoded once and kept.

Source: https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from math import isfinite

from gateway.interfaces import Outcome, Verdict
from gateway.observe.identity import Identity, Released, Upstream
from gateway.observe.value import NAME, encoded, quoted
from gateway.policy.connection import Protocol
from gateway.policy.rule import Rule

RESERVED = frozenset(
    (
        *(
            "timestamp",
            "flow_id",
            "parent_id",
            "event_type",
            "src_ip",
            "src_port",
            "dest_ip",
            "dest_port",
        ),
        *("proto", "flow", "gateway", "audit"),
    )
)
"""Names that an inspector can't give to its events: the gateway writes them itself."""

OWN_FIELDS = frozenset(("service", "rule", "zones"))
"""Of the object C{gateway}: what the session's identity says."""

MOST_KEPT = 16384
"""Rules whose encoded form is kept."""

_PROTOCOLS = {Protocol.TCP: "TCP", Protocol.UDP: "UDP"}
_OUTCOMES = {outcome: outcome.value for outcome in Outcome}
_TRUTH = {True: "true", False: "false"}


class Records:
    """Makes records. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._second = lru_cache(maxsize=1024)(_second)
        # By id(), as a rule's own hash runs over all of its networks. The rule is kept with
        # it: an id is unique only while its object lives.
        self._kept: dict[tuple[int, str], tuple[Rule | None, str]] = {}

        self._sessions: dict[int, tuple[str, str, str]] = {}

    def forget(self) -> None:
        """A new policy came: let go of the rules of the old one."""
        self._kept.clear()

    def event(
        self,
        now: float,
        event_type: str,
        identity: Identity,
        fields: Mapping[str, object],
        gateway: Mapping[str, object],
    ) -> bytes:
        """
        One thing that happened in a session.

        @raise ValueError: C{event_type} or a key of C{gateway} is taken or is
            no name. That is a bug: neither may come from a peer.
        """
        if gateway or not _is_event(event_type):
            _check(event_type, gateway)
        more = f",{encoded(gateway)[1:-1]}" if gateway else ""
        head, ends, own = self._session(identity)
        line = (
            f'{{"timestamp":"{self.timestamp(now)}",{head}{event_type}{ends},'
            f'"{event_type}":{encoded(fields)},"gateway":{{{own}{more}}}}}\n'
        )
        return line.encode("ascii")

    def prepared(
        self, now: float, event_type: str, identity: Identity, fields: str, gateway: str
    ) -> bytes:
        """L{event} of what is written already: the members of the two objects."""
        head, ends, own = self._session(identity)
        line = (
            f'{{"timestamp":"{self.timestamp(now)}",{head}{event_type}{ends},'
            f'"{event_type}":{{{fields}}},"gateway":{{{own},{gateway}}}}}\n'
        )
        return line.encode("ascii")

    def flow(
        self,
        identity: Identity,
        verdict: Verdict,
        started: float,
        ended: float,
        bytes_to_server: int,
        bytes_to_client: int,
        upstream: Upstream | None,
        denied: int = 0,
        released: Released | None = None,
    ) -> bytes:
        """The one record of a session that is over."""
        outcome = _OUTCOMES[verdict.outcome]
        seconds = max(0.0, ended - started)
        end = self.timestamp(ended)
        reason = quoted(verdict.reason) if verdict.reason else '""'
        kept = self._sessions.pop(identity.id, None)
        head, ends, own = kept or self._described(identity)
        line = (
            f'{{"timestamp":"{end}",{head}flow{ends},"flow":{{'
            f'"bytes_toserver":{bytes_to_server:d},"bytes_toclient":{bytes_to_client:d},'
            f'"start":"{self.timestamp(started)}","end":"{end}",'
            f'"age":{int(seconds)},"state":"closed","reason":"{outcome}"}},'
            f'"gateway":{{{own},"verdict":"{outcome}",'
            f'"reason":{reason},"seconds":{seconds:.6f}{_denied(denied) if denied else ""}'
            f"{_upstream(upstream) if upstream is not None else ''}"
            f"{_released(released) if released is not None else ''}"
            f"{_handshake(identity) if identity.handshake else ''}}}}}\n"
        )
        return line.encode("ascii")

    def dropped(self, now: float, count: int, first: float, last: float) -> bytes:
        """C{count} records were dropped, the first and the last one at these times."""
        line = (
            f'{{"timestamp":"{self.timestamp(now)}","event_type":"audit","audit":{{'
            f'"dropped":{count},"first":"{self.timestamp(first)}",'
            f'"last":"{self.timestamp(last)}"}}}}\n'
        )
        return line.encode("ascii")

    def ended(self, now: float, process: str, how: str, sessions: int, torn: int) -> bytes:
        """
        A process has ended, with so many sessions, which have no records.

        @param torn: bytes of a record that it had begun to write.
        """
        line = (
            f'{{"timestamp":"{self.timestamp(now)}","event_type":"audit","audit":{{'
            f'"ended":{quoted(process)},"reason":{quoted(how)},"sessions":{sessions},'
            f'"torn":{torn}}}}}\n'
        )
        return line.encode("ascii")

    def refused(
        self,
        now: float,
        service: str,
        protocol: Protocol,
        reason: str,
        count: int,
        between: tuple[float, float],
    ) -> bytes:
        """C{count} connections were refused, and have no records of their own."""
        first, last = between
        line = (
            f'{{"timestamp":"{self.timestamp(now)}","event_type":"audit",'
            f'"proto":"{_PROTOCOLS[protocol]}","audit":{{"refused":{count},'
            f'"reason":{quoted(reason)},"first":"{self.timestamp(first)}",'
            f'"last":"{self.timestamp(last)}"}},"gateway":{{"service":{quoted(service)}}}}}\n'
        )
        return line.encode("ascii")

    def timestamp(self, when: float) -> str:
        """ISO 8601 in UTC with microseconds, written as Suricata does."""
        second, microsecond = divmod(int(when * 1_000_000 + 0.5), 1_000_000)
        return f"{self._second(second)}.{microsecond:06d}+0000"

    def _session(self, identity: Identity) -> tuple[str, str, str]:
        """L{_described}, once for a session. The id says which, as it is of this process."""
        kept = self._sessions.get(identity.id)
        if kept is None:
            if len(self._sessions) >= MOST_KEPT:
                self._sessions.clear()
            kept = self._sessions[identity.id] = self._described(identity)
        return kept

    def _described(self, identity: Identity) -> tuple[str, str, str]:
        """
        What is the same in all records of a session: what is before the type of the event, what is
        behind it, and the first members of C{gateway}.
        """
        client, server = identity.client, identity.server
        parent = f'"parent_id":{identity.parent:d},' if identity.parent else ""
        return (
            f'"flow_id":{identity.id:d},{parent}"event_type":"',
            f'","src_ip":{encode_basestring_ascii(client.host)},"src_port":{client.port:d},'
            f'"dest_ip":{encode_basestring_ascii(server.host)},"dest_port":{server.port:d},'
            f'"proto":"{_PROTOCOLS[identity.protocol]}"',
            self._gateway(identity),
        )

    def _gateway(self, identity: Identity) -> str:
        key = (id(identity.rule), identity.service)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = identity.rule, _origin(identity.service, identity.rule)
        return kept[1]


def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _origin(service: str, rule: Rule | None) -> str:
    fields: dict[str, object] = {"service": service}
    if rule is not None:
        fields["rule"] = rule.place.at_line
        fields["zones"] = {"from": rule.source_names, "to": rule.destination_names}
    return encoded(fields)[1:-1]


def _denied(count: int) -> str:
    return f',"denied":{count:d}'


def _upstream(upstream: Upstream) -> str:
    address, source = upstream.address, upstream.source
    seconds = upstream.seconds if isfinite(upstream.seconds) else 0.0
    several = f',"connections":{upstream.connections:d}' if upstream.connections > 1 else ""
    return (
        f',"upstream":{{"ip":{encode_basestring_ascii(address.host)},"port":{address.port:d},'
        f'"source_ip":{encode_basestring_ascii(source.host)},"source_port":{source.port:d},'
        f'"port_kept":{_TRUTH[upstream.port_kept]},"attempts":{upstream.attempts:d},'
        f'"connect_seconds":{seconds:.6f}{several}}}'
    )


def _handshake(identity: Identity) -> str:
    return f',"handshake":"{identity.handshake}"'


def _released(released: Released) -> str:
    why = f',"why":{quoted(released.why)}' if released.why else ""
    return f',"released_in":"{released.place}"{why}'


@lru_cache(maxsize=256)
def _is_event(event_type: str) -> bool:
    return event_type not in RESERVED and NAME.fullmatch(event_type) is not None


def _check(event_type: str, gateway: Mapping[str, object]) -> None:
    if not _is_event(event_type):
        raise ValueError(
            f"{event_type!r} can't be an event: it must be a word, such as 'http', and not one "
            "of the gateway's own"
        )
    taken = OWN_FIELDS.intersection(gateway)
    if taken:
        raise ValueError(f"{sorted(taken)} of the gateway's own fields can't be set again")
