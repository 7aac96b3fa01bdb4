"""
Matcher: matches bodies against rules. A program that stays (docs/scanners.md), run by its path.

Before it is ready, it is told the rules: a line of JSON, C{{"rules": [[NAME, TEXT], …], "seconds":
60}}. It imports nothing of the gateway.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any, BinaryIO

import yara_x

MOST = 100
"""Names that are said of one body: what is said has to fit in the line that is read."""


def compiled(rules: list[list[str]]) -> yara_x.Rules:
    """All files of rules; each has its own names."""
    compiler = yara_x.Compiler()
    compiler.enable_includes(False)
    for name, text in rules:
        compiler.new_namespace(name)
        compiler.add_source(text, origin=name)
    return compiler.build()


def match(scanner: yara_x.Scanner, body: bytes) -> dict[str, Any]:
    """What is said of a body."""
    try:
        matching = scanner.scan(body).matching_rules
    except yara_x.TimeoutError:
        return {"error": "YARA-X has not come to an end in time"}
    except yara_x.ScanError as error:
        return {"error": str(error)}
    return {"found": [rule.identifier for rule in matching[:MOST]]}


def serve(told: BinaryIO, say: BinaryIO) -> None:
    """Until nothing more is told."""

    def answer(said: dict[str, Any]) -> None:
        say.write(json.dumps(said).encode() + b"\n")
        say.flush()

    first = json.loads(told.readline())
    try:
        scanner = yara_x.Scanner(compiled(first["rules"]))
    except yara_x.CompileError as error:
        answer({"error": str(error)})
        return
    scanner.set_timeout(first["seconds"])
    answer({"scanner": f"YARA-X {version('yara-x')}, {len(first['rules'])} files of rules"})
    for line in told:
        answer(match(scanner, told.read(json.loads(line)["bytes"])))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
