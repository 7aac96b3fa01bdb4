"""What the doctor finds on the way to the gateway, without the time that starting it takes."""

from __future__ import annotations

from pathlib import Path

from gateway.kernel.doctor.finding import Finding
from gateway.kernel.doctor.firewalls import way
from gateway.kernel.doctor.host import Host
from gateway.lab.namespace import Namespace
from gateway.policy.load import load
from gateway.registry import find


def examined(router: Namespace, config: Path) -> list[Finding]:
    """The findings in C{router}, where a gateway runs with the configuration in C{config}."""
    policy, host = load(config, find), Host()
    # /proc tells what the gateways of the whole process's namespace hold
    host.held = {f"port/{policy.divert.port}"}
    with router.entered():
        return list(way(host, policy))
