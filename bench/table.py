"""Figures as text that can be read in a terminal and in a Markdown document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.rounds import PEERS, Load, Sample


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned: the first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [_line(head, widths), _rule(widths)]
    return "\n".join(lines + [_line(row, widths) for row in rows])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *rest]) + " |"


def _rule(widths: Sequence[int]) -> str:
    return "|" + "|".join("-" * (width + 2) for width in widths) + "|"


HEAD = ("way", "user", "system", "CPU each", "x {peer}", "target", "machine", "a second", "errors")
BEFORE = "x before"
"""The last column, if an earlier version was measured too."""

Samples = Mapping[tuple[Load, str], Sample]


def comparison(samples: Samples) -> str:
    """A table for each protocol."""
    protocols = dict.fromkeys(load.protocol for load, _ in samples)
    return "\n\n".join(_compared(samples, protocol) for protocol in protocols)


def _compared(samples: Samples, protocol: str) -> str:
    """One line for each load and way, with the ratio to the protocol's peer."""
    peer = PEERS[protocol]
    head = ["load", *(name.format(peer=peer) for name in HEAD)]
    rows = [_row(load, way, samples) for load, way in samples if load.protocol == protocol]
    chosen = [samples[load, way] for load, way in samples if load.protocol == protocol]
    if any(sample.before for sample in chosen):
        head.append(BEFORE)
        for row, sample in zip(rows, chosen, strict=True):
            row.append(f"{sample.before:.2f}" if sample.before else "-")
    return table(head, rows)


def _row(load: Load, way: str, samples: Samples) -> list[str]:
    sample = samples[load, way]
    return [
        f"{load.name} (per {load.unit})",
        way,
        duration(sample.user),
        duration(sample.system),
        duration(sample.cpu),
        f"{sample.ratio:.2f}" if sample.ratio else "-",
        f"<= {load.target:g}" if way == "gateway" and load.target else "",
        duration(sample.machine),
        f"{sample.rate:,.0f}" if sample.rate > 100 else f"{sample.rate:.2f}",
        str(sample.errors),
    ]


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if not seconds:
        return "-"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"


def size(count: float) -> str:
    """A number of bytes in the unit that suits it."""
    return f"{count / 2**20:,.1f} MiB" if abs(count) >= 2**20 else f"{count / 2**10:,.1f} KiB"
