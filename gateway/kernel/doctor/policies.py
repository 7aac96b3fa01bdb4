"""Checks of the policy itself: whose code it runs, whose packets it catches."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.policy.connection import Protocol
from gateway.policy.policy import Policy
from gateway.policy.service import Action

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def plugins(host: Host, policy: Policy) -> Iterator[Finding]:
    """The keeper imports plugins when it loads the policy, so that only root may write them."""
    topic = "plugins"
    writable = [path for folder in policy.plugin_path for path in _writable(Path(folder))]
    if not writable:
        yield ok(topic, "nobody else can change their code")
    for path in writable:
        yield trouble(
            topic,
            f"{path} can be changed by others than root, and its code runs with the gateway's "
            "privileges",
            f"chown root {path} && chmod go-w {path}",
        )


def _writable(folder: Path) -> Iterator[Path]:
    """The folder and the plugins in it that somebody else may write."""
    for path in (folder, *sorted(folder.glob("*.py"))):
        status = path.stat()
        if status.st_mode & _OTHERS or status.st_uid not in (0, os.geteuid()):
            yield path


def datagram_replies(host: Host, policy: Policy) -> Iterator[Finding]:
    """
    Only TCP says which packet is a connection's first. The answer to a datagram
    that nobody diverted looks like a first one too, where it comes in.
    """
    topic = "UDP answers"
    caught = any(
        rule.protocol is Protocol.UDP
        and not rule.interfaces
        and policy.services[rule.service].action is Action.INSPECT
        for rule in policy.rules
    )
    if caught and not policy.divert.interfaces:
        yield warning(
            topic,
            "UDP rules hold for packets from any interface, so that answers to datagrams which "
            "are not intercepted can be taken for new sessions",
            'name the clients\' interfaces in gateway.toml: [divert] interfaces = ["lan0"]',
        )
    else:
        yield ok(topic, "they are not mistaken for questions")
