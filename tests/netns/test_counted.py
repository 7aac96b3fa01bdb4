"""What was refused is counted where the operator's monitoring asks for it."""

from __future__ import annotations

from typing import ClassVar

from prometheus_client.parser import text_string_to_metric_families

from tests.netns.case import SERVER, SceneCase
from tests.netns.ftp_case import hear_line

SERVICES = {
    "ftp": """
inspector = "ftp"
[[rule]]
from = ["office"]
ports = [21]
[ftp]
commands = { MKD = "refuse" }
""",
    "web": """
inspector = "http"
[[rule]]
ports = [80]
[http]
methods = ["GET"]
""",
}
FTP_RULE, FTP_COMMANDS = "services/ftp.toml:3", "services/ftp.toml:7"
WEB_RULE, WEB_METHODS = "services/web.toml:3", "services/web.toml:6"


class CountedTests(SceneCase):
    """C{[metrics]}, as a scraper sees it."""

    services: ClassVar[dict[str, str]] = SERVICES
    gateway = '[metrics]\nlisten = "127.0.0.1:9180"\n'
    embedded = True

    def counts(self, name: str) -> dict[tuple[str, ...], float]:
        """Of one metric: what is not 0, by its labels' values in the order of their names."""
        scraped = self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics")
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(scraped)
            for sample in family.samples
            if sample.name == name and sample.value
        }

    def test_denied(self) -> None:
        """
        A page and a command that did not pass, each by the line that denied it; their sessions
        did not simply pass; and the rules that brought them have matched.
        """
        said = self.client.run("curl", "-sS", "-X", "DELETE", f"http://{SERVER}/")
        self.assertIn("403", said)
        with self.dial((SERVER, 21)) as control:
            hear_line(control)
            for command in (b"USER lab", b"PASS x", b"MKD a", b"MKD b", b"QUIT"):
                control.sendall(command + b"\r\n")
                hear_line(control)
        ended = {("ftp", "passed-in-part"): 1.0, ("web", "passed-in-part"): 1.0}
        self.wait(lambda: self.counts("tproxygw_sessions_total") == ended, "the sessions go on")
        self.assertEqual(
            self.counts("tproxygw_denied_total"),
            {(FTP_COMMANDS, "ftp", "ftp"): 2.0, (WEB_METHODS, "http", "web"): 1.0},
        )
        self.assertEqual(
            self.counts("tproxygw_hits_total"),
            {
                (FTP_COMMANDS, "ftp"): 2.0,
                (FTP_RULE, "ftp"): 1.0,
                (WEB_METHODS, "web"): 1.0,
                (WEB_RULE, "web"): 1.0,
            },
        )
