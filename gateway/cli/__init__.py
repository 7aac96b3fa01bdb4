"""
The C{tproxygw} command: what an operator asks before and after traffic flows.

One module here for each command, imported only when it is asked for, so that
C{tproxygw check} needs none of what C{tproxygw lab} needs.

Exit statuses: 0 all is well; 1 the answer is "no" (C{doctor} found trouble);
2 bad arguments; 3 a bad policy. A traceback is always a bug of ours, or of a
plugin, and never the operator's.
"""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "check": "gateway.cli.check",
    "explain": "gateway.cli.explain",
    "rules": "gateway.cli.rules",
    "doctor": "gateway.cli.doctor",
    "status": "gateway.cli.status",
    "sessions": "gateway.cli.sessions",
    "show": "gateway.cli.show",
    "kill": "gateway.cli.kill",
    "top": "gateway.cli.top",
    "events": "gateway.cli.events",
    "reload": "gateway.cli.reload",
    "upgrade": "gateway.cli.upgrade",
    "drain": "gateway.cli.drain",
    "log": "gateway.cli.log",
    "guard": "gateway.cli.guard",
    "keeper": "gateway.cli.keeper",
    "tls": "gateway.cli.tls",
    "console": "gateway.cli.console",
    "inspectors": "gateway.cli.inspectors",
    "reference": "gateway.cli.reference",
    "lab": "gateway.cli.lab",
}


class Commands(click.Group):
    """The commands, in the order in which an operator meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tproxygw")
def main() -> None:
    """A transparent application-level gateway.

    The gateway itself runs as `twistd tproxygw`. This command answers questions
    about its policy, about this host, and about the gateway that runs.
    """
