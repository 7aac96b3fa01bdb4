"""What several workers have counted, added up."""

from __future__ import annotations

import json

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Outcome
from gateway.observe.metrics import MOST_PLACES, Metrics, Refusal
from gateway.observe.scans import ScannerHealth
from gateway.observe.sums import Sum, check, own_figures, state_of, text_of, without_present


def worker(count: int) -> Metrics:
    """One that has counted a bit of everything."""
    metrics = Metrics()
    for _ in range(count):
        metrics.started("web")
        metrics.started("web")
        metrics.hit("web", "services/web.toml:3")
        metrics.denied("web", "http", "services/web.toml:9")
        metrics.connected("web", 0.003)
        metrics.fallback("web")
        metrics.unreachable("web")
        metrics.refused(Refusal.NO_RULE)
        metrics.ended("web", Outcome.PASSED, 10, 100, 1)
        metrics.scans.judge("web", "clean", 0.01)
        metrics.shaken("web", "through")
    metrics.workers_ended = count
    metrics.scans.scanners = lambda: [ScannerHealth("unix:/clamd", count > 1, count, 1)]
    metrics.scans.spooled = lambda: (count, 2 * count)
    metrics.audit_dropped = lambda: count
    return metrics


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a text says."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


class SumTests(SynchronousTestCase):
    """Of states that have been JSON on their way."""

    def test_as_if_one_had(self) -> None:
        """Two workers that have counted 2 and 3 are as one that has counted 5."""
        whole = Sum()
        for count in (2, 3):
            whole.add(json.loads(json.dumps(state_of(worker(count)))))
        one = Sum()
        one.add(state_of(worker(5)))
        ours, theirs = (samples(text_of(each.metrics, {})) for each in (whole, one))
        # its sum of seconds is one of other pieces
        waiting = ("tproxygw_scanner_waiting", (("address", "unix:/clamd"),))
        self.assertEqual((ours.pop(waiting), theirs.pop(waiting)), (2.0, 1.0))
        self.assertEqual(ours.keys(), theirs.keys())
        for key, value in theirs.items():
            self.assertAlmostEqual(ours[key], value, msg=str(key))

    def test_ended(self) -> None:
        """What a worker has counted stays when it ends; what it had at that moment does not."""
        whole = Sum()
        whole.add(without_present(state_of(worker(3))))
        found = samples(text_of(whole.metrics, {}))
        service = (("service", "web"),)
        self.assertEqual(found["tproxygw_sessions_running", service], 0)
        self.assertEqual(found["tproxygw_bytes_total", (("direction", "to_client"), *service)], 300)
        self.assertEqual(found["tproxygw_spooled_bytes", (("where", "files"),)], 0)
        self.assertNotIn("unix:/clamd", str(found))
        self.assertEqual(found["tproxygw_audit_dropped_total", ()], 3)

    def test_processes(self) -> None:
        """The figures of each process have its label, and nothing else has one."""
        found = samples(text_of(Metrics(), {"0": own_figures(), "supervisor": own_figures()}))
        labels = {labels for name, labels in found if name == "process_open_fds"}
        self.assertEqual(labels, {(("worker", "0"),), (("worker", "supervisor"),)})
        others = [labels for name, labels in found if not name.startswith("process_")]
        self.assertNotIn("worker", str(others))


class StrangeTests(SynchronousTestCase):
    """What a worker tells that has gone mad, or is a stranger's."""

    def test_numbers(self) -> None:
        """Such as are none, or spoil each sum for good, are refused."""
        check(json.loads(json.dumps(state_of(worker(2)))))
        for number in (float("nan"), float("inf"), -(10**300), "5", None, [5]):
            state = state_of(worker(2))
            state["services"]["web"]["to_server"] = number
            with self.assertRaises((TypeError, ValueError), msg=str(number)):
                check(json.loads(json.dumps(state)))

    def test_long_name(self) -> None:
        """Names have an end."""
        state = state_of(worker(2))
        state["hits"].append(["web", "x" * 2000, 1])
        self.assertRaises(ValueError, check, state)

    def test_many_names(self) -> None:
        """However many names workers tell before they die: what stays of them has a limit."""
        metrics, whole = Metrics(), Sum()
        for life in range(3):
            for number in range(MOST_PLACES // 2):
                name = f"{life} {number}"
                metrics.started(name)
                metrics.denials[name, "", ""] = 1
                metrics.hits[name, ""] = 1
                metrics.scans.judge(name, "clean", 0.01)
            whole.add(without_present(state_of(metrics)))
        kept = whole.metrics
        counted = (kept.services, kept.denials, kept.hits, kept.scans.judged)
        self.assertEqual([len(each) for each in counted], [MOST_PLACES] * 4)
        whole.add(state_of(worker(1)))
        whole.add({**state_of(Metrics()), "services": state_of(metrics)["services"]})
        self.assertEqual(kept.services["0 0"].running, 1)

    def test_figures_of_nothing(self) -> None:
        """Only what is a figure of a process is told as one, and once."""
        forged = ["tproxygw_divert_installed", "", "gauge", 1.0]
        mad = [*own_figures(), forged, *own_figures()]
        text = text_of(Metrics(), {"supervisor": own_figures(), "0": mad}).decode()
        self.assertEqual(text.count("# TYPE tproxygw_divert_installed "), 1)
        self.assertEqual(text.count('process_open_fds{worker="0"}'), 1)
