"""C{tproxygw check}: is this policy good?"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.arguments import DEFAULT_DIRECTORY, DIRECTORY
from gateway.cli.configuration import BAD_POLICY, BadPolicy, counted, show_problems
from gateway.cli.terminal import Terminal
from gateway.policy.load import load
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError, Problem
from gateway.registry import find


@click.command("check")
@click.argument("directory", type=DIRECTORY, default=DEFAULT_DIRECTORY)
@click.option("--strict", is_flag=True, help="Refuse a policy that has warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_context
def command(ctx: click.Context, directory: Path, strict: bool, as_json: bool) -> None:
    """Check a policy, as a start or a reload would.

    DIRECTORY holds gateway.toml; by default /etc/tproxygw. Every problem is
    shown, with its file, line and column. Unknown keys, dangling names,
    ambiguous rules and broken [[expect]] entries are problems. What can be done
    and is surely a mistake is a warning.

    \b
    Exit status: 0 good (perhaps with warnings), 2 bad arguments, 3 bad policy.
    """
    show = _show_json if as_json else _show
    try:
        policy = load(directory, find, _interfaces())
    except PolicyError as error:
        ctx.exit(show(directory, error, None))
    if strict and policy.warnings:
        ctx.exit(show(directory, _refusing(policy.warnings), None))
    ctx.exit(show(directory, PolicyError(policy.warnings), policy))


def _interfaces() -> list[str]:
    """Those that this host has."""
    return [name for _, name in socket.if_nameindex()]


def _refusing(warnings: tuple[Problem, ...]) -> PolicyError:
    """The same, as what a policy is refused for."""
    return PolicyError(Problem(each.place, each.key, each.message) for each in warnings)


def _show(directory: Path, found: PolicyError, policy: Policy | None) -> int:
    """For people. Gives back the exit status."""
    if policy is None:
        raise BadPolicy(directory, found)
    show_problems(found.warnings)
    warnings = f", with {counted(len(found.warnings), 'warning')}" if found.warnings else ""
    counts = (counted(number, noun[:-1]) for noun, number in _counts(policy).items())
    Terminal().say(f"{directory}: good{warnings}. {', '.join(counts)}.", "green")
    return 0


def _show_json(directory: Path, found: PolicyError, policy: Policy | None) -> int:
    """For programs. Gives back the exit status."""
    answer = {
        "directory": str(directory),
        "good": policy is not None,
        "problems": [_fields(problem) for problem in found.problems],
        "warnings": [_fields(problem) for problem in found.warnings],
        **({} if policy is None else _counts(policy)),
    }
    click.echo(json.dumps(answer, indent=2))
    return BAD_POLICY if policy is None else 0


def _fields(problem: Problem) -> Mapping[str, Any]:
    """What programs are told of a problem. Line and column are 0 if it is about a whole file."""
    return {**problem.place._asdict(), "key": problem.key, "message": problem.message}


def _counts(policy: Policy) -> Mapping[str, int]:
    return {
        "services": len(policy.services),
        "rules": len(policy.rules),
        "zones": len(policy.zones),
    }
