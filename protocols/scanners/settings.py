"""What all scanners' settings have in common."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.inspector import option
from gateway.tools import Terms

Larger = Literal["refuse", "pass", "scan-beginning"]
OnError = Literal["refuse", "pass", "defer"]


@frozen
class ScanSettings:
    """How bodies are held, and what becomes of those that nobody can judge."""

    on_error: OnError = option(
        'What becomes of a body if the scanner can\'t say: "refuse" it, let it "pass" unseen, or '
        '"defer": it is refused, but may be tried again (503 in HTTP, 451 in mail and FTP).',
        "refuse",
        precedent="Squid's icap bypass is off by default",
    )
    scan_seconds: float = option(
        "A verdict is waited for so long, from the end of the body on.",
        60.0,
        unit="seconds",
        precedent="clamd's MaxScanTime is 120; Postfix waits 300 for a milter",
        minimum=0.1,
        in_silence=True,
    )
    body_bytes: int = option(
        "Bytes of the largest body that is scanned. For larger ones, see `larger`.",
        26214400,
        unit="bytes",
        precedent="clamd's StreamMaxLength, 25 MB until 1.4",
        minimum=1,
    )
    larger: Larger = option(
        'What becomes of a larger body: "refuse" it, let it "pass" unseen, or "scan-beginning": '
        "it is judged by as much of it as may be scanned, and the rest passes.",
        "refuse",
    )
    memory_bytes: int = option(
        "Bytes of each body that are held in memory; the rest is in a file (`[spool]`).",
        262144,
        unit="bytes",
        minimum=0,
    )
    trickle_bytes: int = option(
        "While a download is held, its client gets so many of its first bytes every "
        "`trickle_seconds`, so that it does not give up; never the second half. If the body is "
        "then refused, the transfer breaks off. 0: none.",
        0,
        unit="bytes",
        precedent="c-icap's virus_scan.SendPercentData is off by default",
        minimum=0,
    )
    trickle_seconds: float = option(
        "Seconds between two such pieces.", 5.0, unit="seconds", minimum=0.5
    )
    sha256: bool = option("Whether the record has the body's SHA-256.", True)
    words: str = option(
        "What whoever is to have an answer reads of a body that is refused: on the page in HTTP, "
        'in the reply in mail and FTP. "$found" is what was found. "": what they read otherwise.',
        "",
    )


@frozen
class DaemonSettings(ScanSettings):
    """And for a scanner that is asked over a connection."""

    connections: int = option(
        "Connections to each, at most. What comes when all are in use waits.",
        8,
        unit="connections",
        minimum=1,
    )
    connect_seconds: float = option(
        "How long a connection may take to be made; then the next server is tried.",
        2.0,
        unit="seconds",
        minimum=0.1,
    )
    keep_seconds: float = option(
        "A connection that nobody uses is closed after so long.", 20.0, unit="seconds", minimum=0
    )
    failures: int = option(
        "After so many failures in a row, a scanner is left alone for `rest_seconds`.",
        3,
        unit="failures",
        precedent="Squid's icap_service_failure_limit is 10",
        minimum=1,
    )
    rest_seconds: float = option(
        "How long a scanner that fails is left alone; then one body tries it.",
        10.0,
        unit="seconds",
        precedent="Squid's icap_service_revival_delay is 180",
        minimum=0.1,
    )

    @property
    def terms(self) -> Terms:
        """For the lines."""
        return Terms(
            self.connections,
            self.connect_seconds,
            self.keep_seconds,
            self.failures,
            self.rest_seconds,
        )


@frozen
class ProcessSettings(ScanSettings):
    """And for one that is a process of ours, without privileges."""

    at_once: int = option(
        "So many run at a time; bodies that come then wait.", 4, unit="processes", minimum=1
    )
    program_bytes: int = option(
        "Bytes of a program's address space; one that wants more fails.",
        1073741824,
        unit="bytes",
        minimum=1048576,
    )
    keep_seconds: float = option(
        "One that stays is ended when nobody has asked it for so long.",
        300.0,
        unit="seconds",
        minimum=0,
    )
    bodies: int = option(
        "One that stays is ended after so many bodies.",
        1000,
        unit="bodies",
        precedent="Apache's MaxConnectionsPerChild, pm.max_requests of PHP",
        minimum=1,
    )
    failures: int = option(
        "If one that stays does not say that it is ready so many times in a row, none is started "
        "for `rest_seconds`.",
        3,
        unit="failures",
        minimum=1,
    )
    rest_seconds: float = option(
        "For so long none is started then.", 10.0, unit="seconds", minimum=0.1
    )

    @property
    def terms(self) -> Terms:
        """For those that stay."""
        return Terms(
            self.at_once,
            keep_seconds=self.keep_seconds,
            failures=self.failures,
            rest_seconds=self.rest_seconds,
        )
