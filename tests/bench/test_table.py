"""The bench's figures are computed and shown as they should be."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.__main__ import BEGIN, END, write
from bench.rounds import Load, Sample, interleaved, middle, ratio
from bench.table import comparison, duration, size

LOAD = Load("connections", "connection", 32, 3)


class ComparisonTests(SynchronousTestCase):
    """The table of ways."""

    def test_ratio(self) -> None:
        """The gateway's CPU time is shown as a multiple of HAProxy's, beside the target."""
        shown = comparison(
            {
                (LOAD, "HAProxy"): Sample(1000, 40e-6, 60e-6, 300e-6, 0),
                (LOAD, "gateway"): Sample(500, 150e-6, 100e-6, 600e-6, 0, 2.5),
            }
        )
        cells = [cell.strip() for cell in shown.splitlines()[-1].split("|")]
        self.assertEqual(cells[3:8], ["150.0 us", "100.0 us", "250.0 us", "2.50", "<= 3"])

    def test_without_a_process(self) -> None:
        """Plain forwarding has no process, so no CPU time and no ratio."""
        shown = comparison({(LOAD, "forwarding"): Sample(1000, 0.0, 0.0, 300e-6, 0)})
        cells = [cell.strip() for cell in shown.splitlines()[-1].split("|")]
        self.assertEqual(cells[3:7], ["-", "-", "-", "-"])


class RoundsTests(SynchronousTestCase):
    """The rounds."""

    def test_order(self) -> None:
        """Every other round goes backwards, so that a drift favours nobody."""
        self.assertEqual("".join(interleaved("ABC", 3)), "ABCCBAABC")

    def test_ratio(self) -> None:
        """Ratios are of the same round: a slow one, which is slow for both, does not matter."""
        mine = [Sample(1, cpu, 0, 0, 0) for cpu in (2.0, 20.0, 2.2)]
        other = [Sample(1, cpu, 0, 0, 0) for cpu in (1.0, 10.0, 1.0)]
        self.assertEqual(ratio(mine, other), 2.0)
        self.assertEqual(ratio(mine, ()), 0.0)

    def test_middle(self) -> None:
        """One odd round does not matter, but its errors are not lost."""
        samples = [Sample(1, 1, 1, 1, 0), Sample(9, 9, 9, 9, 5), Sample(2, 2, 2, 2, 0)]
        self.assertEqual(middle(samples), Sample(2, 2, 2, 2, 5))


class PageTests(SynchronousTestCase):
    """The page that the tables are put in."""

    def test_write(self) -> None:
        """What was there between the marks is replaced, and nothing else."""
        page = Path(self.mktemp())
        page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
        for _ in range(2):
            write(page, "| new |")
        self.assertEqual(page.read_text(), f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n")


class UnitsTests(SynchronousTestCase):
    """Figures in units that suit them."""

    def test_durations(self) -> None:
        """From microseconds to seconds."""
        self.assertEqual(
            [duration(value) for value in (0, 12e-6, 0.0123, 1.5)],
            ["-", "12.0 us", "12.3 ms", "1.50 s"],
        )

    def test_sizes(self) -> None:
        """KiB and MiB."""
        self.assertEqual([size(2048), size(3 << 20)], ["2.0 KiB", "3.0 MiB"])
