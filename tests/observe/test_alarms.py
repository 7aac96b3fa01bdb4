"""The alarms and the dashboard that we give away: they are about metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Outcome
from gateway.observe.metrics import Metrics, Refusal
from gateway.observe.scans import ScannerHealth

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "conf" / "prometheus" / "tproxygw.rules.yml"
DASHBOARD = ROOT / "conf" / "grafana" / "tproxygw.json"
PROMTOOL = ROOT / ".make" / "unpacked" / "prometheus" / "usr" / "bin" / "promtool"

METRIC = re.compile(r"\b((?:tproxygw|process)_[a-z_]+)(\{[^}]*\})?")
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")

ADDED = {"instance", "job"}
"""By Prometheus, to all."""


def exposed() -> dict[str, set[str]]:
    """All samples of a gateway that has seen a little of everything, and their labels."""
    metrics = Metrics()
    metrics.scans.scanners = lambda: [ScannerHealth("clamd", False, 1, 0)]
    metrics.started("web")
    metrics.connected("web", 0.1)
    metrics.denied("web", "http", "services/web.toml:8")
    metrics.refused(Refusal.NO_RULE)
    metrics.scans.judge("web", "clean", 0.1)
    metrics.ended("web", Outcome.PASSED, 1, 2)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def panels() -> Iterator[dict[str, Any]]:
    """The dashboard's."""
    yield from json.loads(DASHBOARD.read_text())["panels"]


def expressions() -> dict[str, str]:
    """What alarms, panels and variables ask for, by their names."""
    found = {}
    for name, text in re.findall(
        r"- alert: (\w+)\n\s+expr: (.*?)\n\s+(?:for|labels):", RULES.read_text(), re.S
    ):
        found[name] = " ".join(text.removeprefix(">-").split())
    for panel in panels():
        for target in panel.get("targets", ()):
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", str(variable.get("definition", "")))
        if asked is not None:
            found[variable["name"]] = f"sum by ({asked[2]}) ({asked[1]})"
    return found


class AlarmTests(SynchronousTestCase):
    """Whoever installs them can rely on them."""

    def test_metrics(self) -> None:
        """Each metric that they ask for is exposed, with the labels that they go by."""
        known = exposed()
        asked = expressions()
        self.assertGreater(len(asked), 35)
        for name, expression in asked.items():
            labels = set()
            for metric, selector in METRIC.findall(expression):
                self.assertIn(metric, known, name)
                labels |= known[metric]
                self.assertLessEqual(set(LABEL.findall(selector)), known[metric] | ADDED, name)
            self.assertTrue(labels or METRIC.search(expression), name)
            for group in GROUPED.findall(expression):
                self.assertLessEqual(
                    {each.strip() for each in group.split(",")}, labels | ADDED, name
                )

    def test_nothing_is_left_out(self) -> None:
        """Each metric of ours is on the dashboard or has an alarm."""
        text = " ".join(expressions().values())
        for metric in exposed():
            family = re.sub(r"_(bucket|sum|count|created)$", "", metric)
            if family.startswith("tproxygw_"):
                self.assertIn(family, text)

    def test_values(self) -> None:
        """Words that they compare labels with are words that there are."""
        words = {each.value for each in (*Refusal, *Outcome)} | {"passed-in-part"}
        for expression in expressions().values():
            for text in re.findall(r'(?:reason|verdict)=~?"([^"$]*)"', expression):
                self.assertLessEqual(set(text.split("|")), words, expression)

    def test_dashboard(self) -> None:
        """Panels have numbers of their own, and none lies over another."""
        taken: set[tuple[int, int]] = set()
        numbers = [panel["id"] for panel in panels()]
        self.assertEqual(len(numbers), len(set(numbers)))
        for panel in panels():
            place = panel["gridPos"]
            columns = range(place["x"], place["x"] + place["w"])
            rows = range(place["y"], place["y"] + place["h"])
            cells = {(x, y) for x in columns for y in rows}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(max(columns), 23)
            taken |= cells


class PrometheusTests(SynchronousTestCase):
    """What Prometheus itself says."""

    skip = None if PROMTOOL.exists() else "no promtool: .ci/install .ci/packages"

    def promtool(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            [PROMTOOL, *arguments], cwd=Path(__file__).parent, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_alarms(self) -> None:
        """When all is well none rings; when all is wrong all do; without a gateway one does."""
        self.assertIn("13 rules found", self.promtool("check", "rules", RULES))
        self.promtool("test", "rules", "alarms.yml")

    def test_dashboard(self) -> None:
        """Each of the dashboard's questions can be read."""
        lines = ["groups:", "  - name: all", "    rules:"]
        for number, expression in enumerate(expressions().values()):
            for word, value in (("$__rate_interval", "5m"), ("$__range", "6h")):
                expression = expression.replace(word, value)
            lines.append(f"      - {{record: 'one:{number}', expr: {json.dumps(expression)}}}")
        file = Path(self.mktemp()).absolute()
        file.write_text("\n".join(lines) + "\n")
        self.promtool("check", "rules", file)
