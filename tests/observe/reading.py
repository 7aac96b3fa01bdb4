"""Reading an audit file back, and what is wrong with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """
    Every record of an audit file.

    @raise ValueError: a line is not exactly one JSON object of printable ASCII.
    """
    return [_record(number, line) for number, line in enumerate(_lines(path), 1)]


def told(record: Record) -> Record:
    """What a record says: the fields of its event, and those of C{gateway}."""
    return {**record[record["event_type"]], **record["gateway"]}


def flows_amiss(records: Iterable[Record]) -> list[str]:
    """
    One sentence for each session without exactly one flow record, which comes
    last. Empty: all is well. For the records of one process's life, as the
    next one may give the same numbers again.
    """
    flows: Counter[int] = Counter()
    late: set[int] = set()
    seen: dict[int, None] = {}
    for record in (record for record in records if "flow_id" in record):
        session = record["flow_id"]
        seen[session] = None
        if record["event_type"] == "flow":
            flows[session] += 1
        elif flows[session]:
            late.add(session)
    wrong = [f"session {s} has {flows[s]} flow records" for s in seen if flows[s] != 1]
    return wrong + [f"session {session} has records after its flow" for session in sorted(late)]


def _lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        raise ValueError(f"{path}: the last line is torn")
    return data.split(b"\n")[:-1]


def _record(number: int, line: bytes) -> Record:
    if any(byte < 0x20 or byte > 0x7E for byte in line):
        raise ValueError(f"line {number} holds a byte that is not printable ASCII")
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError(f"line {number} is no JSON object")
    return record
