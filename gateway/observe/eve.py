"""
EVE: which fields Suricata's format has for the events that we write.

A log pipeline that reads EVE refuses, or loses, what its schema does not know. So what EVE has
no field for is in the object C{gateway}. Of each event, this table has the fields that we use.

Source: C{etc/schema.json} of Suricata's main branch, August 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Kind = Callable[[Any], bool]


def _text(value: object) -> bool:
    return type(value) is str


def _number(value: object) -> bool:
    return type(value) is int


def _flag(value: object) -> bool:
    return type(value) is bool


def _texts(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(map(_text, value))


def _ssh_end(value: object) -> bool:
    """An end of an SSH connection, with a fingerprint of its program, perhaps."""
    if not isinstance(value, dict):
        return False
    said = dict(value)
    found = said.pop("hassh", {"hash": "", "string": ""})
    texts = {*said.values(), *found.values()} if isinstance(found, dict) else {0}
    return (
        set(said) == {"proto_version", "software_version"}
        and set(found) == {"hash", "string"}
        and all(map(_text, texts))
    )


def _pop3_request(value: object) -> bool:
    """A command, and its arguments."""
    return (
        isinstance(value, dict)
        and set(value) == {"command", "args"}
        and _text(value["command"])
        and isinstance(value["args"], list)
        and all(map(_text, value["args"]))
    )


def _pop3_response(value: object) -> bool:
    """An answer, without the lines behind it."""
    return (
        isinstance(value, dict)
        and set(value) == {"success", "status", "header"}
        and _flag(value["success"])
        and _text(value["status"])
        and _text(value["header"])
    )


def _all_known(value: object, kinds: Mapping[str, Kind]) -> bool:
    """Whether it is an array, not empty, of objects with nothing but these fields."""
    return (
        isinstance(value, list)
        and value != []
        and all(
            isinstance(each, dict)
            and set(each) <= set(kinds)
            and all(kinds[name](one) for name, one in each.items())
            for each in value
        )
    )


def _dns_queries(value: object) -> bool:
    """What is asked."""
    return _all_known(value, {"rrname": _text, "rrtype": _text})


def _dns_answers(value: object) -> bool:
    """Records of an answer."""
    kinds = {**dict.fromkeys(("rrname", "rrtype", "rdata"), _text), "ttl": _number}
    return _all_known(value, kinds)


_IN_WORDS: Mapping[Kind, str] = {
    _text: "a string",
    _number: "an integer",
    _flag: "true or false",
    _texts: "an array of strings that is not empty",
    _ssh_end: "an end of an SSH connection",
    _pop3_request: "a request of POP3",
    _pop3_response: "a response of POP3",
    _dns_queries: "an array of queries of DNS",
    _dns_answers: "an array of answers of DNS",
}

EVE: Mapping[str, Mapping[str, Kind]] = {
    "alert": {**dict.fromkeys(("action", "signature", "category"), _text), "severity": _number},
    "fileinfo": {
        **dict.fromkeys(("filename", "magic", "state", "sha256"), _text),
        "size": _number,
        "stored": _flag,
    },
    "flow": {
        **dict.fromkeys(("bytes_toserver", "bytes_toclient", "age"), _number),
        **dict.fromkeys(("start", "end", "state", "reason"), _text),
    },
    "http": {
        **dict.fromkeys(("hostname", "url", "http_method", "protocol", "redirect"), _text),
        **dict.fromkeys(("http_user_agent", "http_refer", "http_content_type"), _text),
        **dict.fromkeys(("http_port", "status", "length"), _number),
    },
    "ftp": {
        **dict.fromkeys(("command", "command_data", "reply_received", "mode"), _text),
        **dict.fromkeys(("completion_code", "reply"), _texts),
        "dynamic_port": _number,
    },
    "ftp_data": {"command": _text, "filename": _text},
    "tls": {
        **dict.fromkeys(("sni", "version", "subject", "issuerdn", "serial", "fingerprint"), _text),
        **dict.fromkeys(("notbefore", "notafter", "ja4", "from_proto"), _text),
        **dict.fromkeys(("client_alpns", "server_alpns", "subjectaltname"), _texts),
        "session_resumed": _flag,
    },
    "quic": dict.fromkeys(("sni", "version", "ja4"), _text),
    "ssh": {"client": _ssh_end, "server": _ssh_end},
    "pop3": {"request": _pop3_request, "response": _pop3_response},
    "dns": {
        **dict.fromkeys(("version", "tx_id", "id", "opcode"), _number),
        **dict.fromkeys(("qr", "aa", "tc", "rd", "ra", "z"), _flag),
        **dict.fromkeys(("type", "flags", "rcode"), _text),
        "queries": _dns_queries,
        "answers": _dns_answers,
    },
    "smtp": {"helo": _text, "mail_from": _text, "rcpt_to": _texts},
    "email": {
        **dict.fromkeys(("from", "subject", "message_id", "date", "x_mailer"), _text),
        **dict.fromkeys(("to", "cc", "received", "attachment"), _texts),
    },
}
"""Event, field: what it is."""

_NEEDED: Mapping[str, tuple[str, ...]] = {"dns": ("version",)}
"""Fields that an event must have."""

_COMMON: Mapping[str, Kind] = {
    **dict.fromkeys(("timestamp", "event_type", "src_ip", "dest_ip", "proto"), _text),
    **dict.fromkeys(("flow_id", "parent_id", "src_port", "dest_port"), _number),
}
"""What stands in a record beside the event's own object and C{gateway}."""

TAKEN = frozenset(
    (
        *("alert", "anomaly", "arp", "bittorrent_dht", "dcerpc", "dhcp", "dnp3", "dns"),
        *("drop", "email", "enip", "fileinfo", "firewall", "flow", "frame", "ftp"),
        *("ftp_data", "http", "igmp", "ike", "krb5", "ldap", "llmnr", "mdns", "modbus"),
        *("mqtt", "ndpi", "netflow", "nfs", "ntp", "pgsql", "pop3", "quic", "rdp", "rfb"),
        *("rgmp", "rpc", "sctp", "sip", "smb", "smtp", "snmp", "ssh", "stats", "template"),
        *("tftp", "tls", "websocket"),
    )
)
"""EVE's own events. One that is not in the table above has to be put there before it is used."""


def amiss(event: str, fields: Mapping[str, Any]) -> list[str]:
    """
    What of an event's object EVE does not have, in sentences; nothing for events of our own.

    @param fields: as they are read from JSON.
    """
    if event not in TAKEN:
        return []
    lacking = [name for name in _NEEDED.get(event, ()) if name not in fields]
    return [
        *(f"{event!r} has no {name!r}" for name in lacking),
        *_wrong(event, EVE.get(event, {}), fields),
    ]


def records_amiss(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for everything in C{records} that EVE does not have. Empty: all is well."""
    return [wrong for record in records for wrong in _record_amiss(record)]


def _record_amiss(record: Mapping[str, Any]) -> list[str]:
    event = record["event_type"]
    common = {name: record[name] for name in record if name not in ("gateway", event)}
    return [*_wrong(event, _COMMON, common), *amiss(event, record[event])]


def _wrong(event: str, table: Mapping[str, Kind], fields: Mapping[str, Any]) -> Iterable[str]:
    for name, value in fields.items():
        kind = table.get(name)
        if kind is None:
            yield f"{event!r} has no field {name!r}"
        elif not kind(value):
            yield f"{event!r}: {name!r} is {_IN_WORDS[kind]}, not {value!r}"
