"""C{tproxygw doctor}: will interception work on this host?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.cli.arguments import config_option
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.kernel.doctor.examine import examine
from gateway.kernel.doctor.finding import Finding, Severity
from gateway.scanning.doctor import examine as examine_scanners
from gateway.tls.doctor import examine as examine_tls

STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.TROUBLE: "bold red"}


@click.command("doctor")
@config_option
@click.pass_context
def command(ctx: click.Context, directory: Path) -> None:
    """Look for what breaks interception on this host.

    Says what mends it, and changes nothing. Exits with 1 if there is trouble.
    Run it as root; it sees more while the gateway is running.
    """
    policy = load_policy(directory)
    findings = [
        *examine(policy),
        *examine_tls(directory, policy.tls, datetime.now(UTC)),
        *examine_scanners(policy.services.values()),
    ]
    terminal = Terminal()
    for finding in findings:
        _show(terminal, finding)
    troubles = sum(finding.severity is Severity.TROUBLE for finding in findings)
    if troubles:
        terminal.say(f"{troubles} to mend.", STYLES[Severity.TROUBLE])
        ctx.exit(1)
    terminal.say("No trouble found.", STYLES[Severity.OK])


def _show(terminal: Terminal, finding: Finding) -> None:
    severity = finding.severity
    terminal.say(f"{severity.value:8} {finding.topic}: {finding.text}", STYLES[severity])
    if finding.mend:
        terminal.say(f"         -> {finding.mend}")
