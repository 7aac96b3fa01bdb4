"""Commands: the tools of the system that talk to the packet filter."""

from __future__ import annotations

import shutil
import subprocess

from gateway.kernel.errors import KernelError

SAFE_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the tools are. Not C{$PATH}, for what is found there is run with privileges."""

PACKAGES = {"nft": "nftables"}
"""Which package of Debian has which tool, unless it is C{iptables}."""


class CommandError(KernelError):
    """A tool failed, or isn't there."""


class NotInstalled(CommandError):
    """A tool isn't there."""


def find(name: str) -> str | None:
    """The path of the tool C{name}, if it is installed."""
    return shutil.which(name, path=SAFE_PATH)


def run(arguments: tuple[str, ...], script: str = "", seconds: float = 60.0) -> str:
    """
    Run a tool and return what it writes.

    @param arguments: the name of the tool first.
    @param script: its standard input.
    @raise NotInstalled: it isn't there.
    @raise CommandError: it failed, or took longer than C{seconds}.
    """
    try:
        done = subprocess.run(
            (_path(arguments[0]), *arguments[1:]),
            input=script,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={"PATH": SAFE_PATH, "LC_ALL": "C"},
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        raise CommandError(
            f'"{" ".join(arguments)}" did not finish within {seconds:g} seconds'
        ) from None
    if done.returncode:
        raise CommandError(_failed(arguments, done.stderr or done.stdout))
    return done.stdout


def _path(name: str) -> str:
    path = find(name)
    if path is None:
        raise NotInstalled(
            f'the command "{name}" is not installed (looked in {SAFE_PATH}); '
            f"run: apt-get install {PACKAGES.get(name, 'iptables')}"
        )
    return path


def _failed(arguments: tuple[str, ...], output: str) -> str:
    """What the operator is told: the first lines, for the tool may complain about each line."""
    lines = [line for line in output.strip().splitlines() if line.strip(" ^~\t")]
    more = f" (and {len(lines) - 4} lines more)" if len(lines) > 4 else ""
    return f'"{" ".join(arguments)}" failed: {"; ".join(lines[:4]) or "no message"}{more}'
