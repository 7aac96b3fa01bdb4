"""Prometheus sees what sessions did."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Outcome
from gateway.observe.metrics import MOST_PLACES, Metrics, Refusal
from gateway.observe.scans import ScannerHealth
from gateway.policy.place import Place
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service

ROOT = Path(__file__).resolve().parent.parent.parent

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    """What a collector reads out of it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


class MetricsTests(SynchronousTestCase):
    """As the official library parses them."""

    def setUp(self) -> None:
        self.metrics = Metrics()

    def value(self, name: str, **labels: str) -> float:
        return samples(self.metrics)[name, tuple(sorted(labels.items()))]

    def test_sessions(self) -> None:
        """Sessions are counted by service and verdict, and while they run."""
        for _ in range(3):
            self.metrics.started("web")
        self.metrics.ended("web", Outcome.PASSED, 10, 200)
        self.metrics.ended("web", Outcome.DENIED, 1, 2)
        self.metrics.started("mail")
        passed = self.value("tproxygw_sessions_total", service="web", verdict="passed")
        denied = self.value("tproxygw_sessions_total", service="web", verdict="denied")
        self.assertEqual((passed, denied), (1, 1))
        self.assertEqual(self.value("tproxygw_sessions_running", service="web"), 1)
        self.assertEqual(self.value("tproxygw_sessions_running", service="mail"), 1)

    def test_in_part(self) -> None:
        """A session whose transactions did not all pass is not among those that simply passed."""
        for outcome, denied in ((Outcome.PASSED, 2), (Outcome.PASSED, 0), (Outcome.DENIED, 1)):
            self.metrics.started("web")
            self.metrics.ended("web", outcome, 1, 2, denied)
        for verdict in ("passed", "passed-in-part", "denied"):
            count = self.value("tproxygw_sessions_total", service="web", verdict=verdict)
            self.assertEqual(count, 1, verdict)

    def test_denied(self) -> None:
        """What did not pass is counted by service, kind and the place that denied it."""
        for by in ("services/web.toml:7", "services/web.toml:7", "protocol"):
            self.metrics.denied("web", "http", by)
        place = {"service": "web", "by": "services/web.toml:7"}
        self.assertEqual(self.value("tproxygw_denied_total", event="http", **place), 2)
        self.assertEqual(self.value("tproxygw_hits_total", **place), 2)
        self.metrics.hit("web", "services/web.toml:7")
        self.assertEqual(self.value("tproxygw_hits_total", **place), 3)
        self.assertEqual(self.value("tproxygw_denied_total", event="http", **place), 2)

    def test_rules(self) -> None:
        """So is how many sessions each rule has brought."""
        rule = Rule("web", place=Place("services/web.toml", 4, 1))
        for brought in (rule, rule, None):
            self.metrics.started("web", brought)
        by = "services/web.toml:4"
        self.assertEqual(self.value("tproxygw_hits_total", service="web", by=by), 2)

    def test_rules_of_no_use(self) -> None:
        """A rule that has brought nothing is there, with 0; what the kernel does is not counted."""
        rules = tuple(Rule("web", place=Place("services/web.toml", line, 1)) for line in (4, 9))
        bank = Service("bank", Action.FORWARD, rules=(Rule("bank"),))
        web = Service("web", rules=rules)
        self.metrics.policy = lambda: Policy(services={"web": web, "bank": bank})
        self.metrics.started("web", rules[0])
        counts = [
            self.value("tproxygw_hits_total", service="web", by=f"services/web.toml:{line}")
            for line in (4, 9)
        ]
        self.assertEqual(counts, [1, 0])
        self.assertNotIn("bank", self.metrics.text().decode())

    def test_many_rules(self) -> None:
        """However many rules there are, those that brought something are told."""
        rules = tuple(Rule("web", place=Place("web.toml", n, 1)) for n in range(MOST_PLACES + 10))
        policy = Policy(services={"web": Service("web", rules=rules)})
        self.metrics.policy = lambda: policy
        self.metrics.started("web", rules[-1])
        last = rules[-1].place.at_line
        self.assertEqual(self.value("tproxygw_hits_total", service="web", by=last), 1)
        text = self.metrics.text().decode()
        self.assertEqual(text.count("\ntproxygw_hits_total{"), MOST_PLACES)

    def test_bounded(self) -> None:
        """However often the policy is loaded anew, there are no more series than so many."""
        for line in range(MOST_PLACES + 10):
            self.metrics.denied("web", "http", f"services/web.toml:{line}")
        self.metrics.denied("web", "http", "services/web.toml:1")
        counts = self.metrics.denials
        self.assertEqual((len(counts), len(self.metrics.hits)), (MOST_PLACES, MOST_PLACES))
        self.assertEqual(counts["web", "http", "services/web.toml:1"], 2)

    def test_bytes(self) -> None:
        """So are the bytes, each way."""
        self.metrics.started("web")
        self.metrics.ended("web", Outcome.PASSED, 10, 200)
        sent = self.value("tproxygw_bytes_total", service="web", direction="to_server")
        received = self.value("tproxygw_bytes_total", service="web", direction="to_client")
        self.assertEqual((sent, received), (10, 200))

    def test_connect_seconds(self) -> None:
        """The time to the server is a histogram; a value on a bound belongs below it."""
        for seconds in (0.001, 0.0011, 60.0):
            self.metrics.connected("web", seconds)
        counts = [
            self.value("tproxygw_connect_seconds_bucket", service="web", le=bound)
            for bound in ("0.001", "0.0025", "10.0", "+Inf")
        ]
        self.assertEqual(counts, [1, 2, 2, 3])
        total = self.value("tproxygw_connect_seconds_sum", service="web")
        self.assertAlmostEqual(total, 60.0021)

    def test_trouble(self) -> None:
        """Fallbacks, servers that were not reached, and refused connections."""
        self.metrics.fallback("web")
        self.metrics.unreachable("web")
        for refusal in Refusal:
            self.metrics.refused(refusal)
        self.assertEqual(self.value("tproxygw_source_port_fallbacks_total", service="web"), 1)
        self.assertEqual(self.value("tproxygw_unreachable_total", service="web"), 1)
        for refusal in Refusal:
            self.assertEqual(self.value("tproxygw_refused_total", reason=refusal.value), 1)

    def test_state(self) -> None:
        """The divert's and the audit's state are asked for at each collection."""
        state = [True]
        self.metrics.divert_installed = lambda: state[0]
        self.metrics.audit_dropped = lambda: 7
        self.metrics.audit_waiting = lambda: 1000
        self.assertEqual(self.value("tproxygw_divert_installed"), 1)
        state[0] = False
        self.assertEqual(self.value("tproxygw_divert_installed"), 0)
        self.assertEqual(self.value("tproxygw_audit_dropped_total"), 7)
        self.assertEqual(self.value("tproxygw_audit_waiting_bytes"), 1000)

    def test_process(self) -> None:
        """The process's own metrics are there too."""
        self.assertGreater(self.value("process_resident_memory_bytes"), 1_000_000)

    def test_two_gateways(self) -> None:
        """Nothing is global: two in one process count apart."""
        self.metrics.started("web")
        self.assertNotIn(("tproxygw_sessions_running", (("service", "web"),)), samples(Metrics()))

    def test_documents(self) -> None:
        """docs/audit.md names the metrics and the reasons that there are, and no others."""
        text = (ROOT / "docs/audit.md").read_text()
        text = text[text.index("## Metrics") :]
        rows = re.findall(r"^\| `([^`]*)` \|", text, re.MULTILINE)
        documented = {row for row in rows if row.startswith("tproxygw_")}
        self.metrics.ended("web", Outcome.PASSED, 0, 0)
        self.metrics.denied("web", "http", "services/web.toml:7")
        self.metrics.shaken("web", "through")
        self.metrics.scans.judge("scan", "clean", 0.5)
        self.metrics.scans.scanners = lambda: [ScannerHealth("/clamd", False, 1, 0)]
        there = {
            re.sub("_(bucket|sum|count)$", "", name)
            for name, _ in samples(self.metrics)
            if name.startswith("tproxygw_") and not name.endswith("_created")
        }
        self.assertEqual(documented, there)
        reasons = text[text.index("| reason |") :].split("\n\n")[0]
        self.assertEqual(re.findall(r"^\| `(.*?)`", reasons, re.M), [one.value for one in Refusal])

    def test_scans(self) -> None:
        """How long bodies take to be judged, how the scanners are, and what is held meanwhile."""
        for seconds in (0.001, 0.0011, 100.0):
            self.metrics.scans.judge("scan", "found", seconds)
        self.metrics.scans.scanners = lambda: [ScannerHealth("/clamd", True, 3, 2)]
        self.metrics.scans.spooled = lambda: (5, 7)
        labels = {"service": "scan", "verdict": "found"}
        buckets = [
            self.value("tproxygw_scan_seconds_bucket", **labels, le=le)
            for le in ("0.001", "0.0025", "60.0", "+Inf")
        ]
        self.assertEqual(buckets, [1, 2, 2, 3])
        self.assertEqual(self.value("tproxygw_scanner_up", address="/clamd"), 0)
        self.assertEqual(self.value("tproxygw_scanner_connections", address="/clamd"), 3)
        self.assertEqual(self.value("tproxygw_scanner_waiting", address="/clamd"), 2)
        self.assertEqual(self.value("tproxygw_spooled_bytes", where="files"), 7)

    def test_counted(self) -> None:
        """There is no reason that nothing is ever refused for."""
        folders = ("admission", "session")
        modules = (path for each in folders for path in (ROOT / "gateway" / each).rglob("*.py"))
        code = "".join(path.read_text() for path in modules)
        self.assertEqual([one for one in Refusal if f"Refusal.{one.name}" not in code], [])
