"""
The doctor: what about this host breaks transparent interception, and what mends it?

Every check looks at one thing and yields what it found. It changes nothing. Without
root's privileges it sees less, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.kernel.doctor import (
    filters,
    firewalls,
    handshake,
    limits,
    policies,
    release,
    routes,
    sysctls,
)
from gateway.kernel.doctor.finding import Finding, warning
from gateway.kernel.doctor.host import Host
from gateway.kernel.errors import KernelError
from gateway.policy.policy import Policy

Check = Callable[[Host, Policy], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "privileges": limits.privileges,
    "forwarding": sysctls.forwarding,
    "strict reverse path filter": sysctls.strict_reverse_path_filter,
    "marks of accepted connections": sysctls.accept_inherits_marks,
    "bridges": sysctls.bridges,
    "connection tracking helpers": sysctls.helpers,
    "interfaces": routes.interfaces,
    "policy routing": routes.taken,
    "policy routing order": routes.order,
    "servers on the client's segment": routes.same_segment,
    "packet filter": filters.trial,
    "installed rules": filters.installed,
    "other interception": filters.others,
    "way to the gateway": firewalls.way,
    "firewall": firewalls.firewall,
    "listeners": limits.ports,
    "local UDP services": limits.udp_services,
    "UDP answers": policies.datagram_replies,
    "plugins": policies.plugins,
    "queue": limits.queue,
    "descriptors": limits.descriptors,
    "released sessions": release.kernel,
    "handshakes": handshake.usher,
}
"""Each check by its topic, in the order in which the operator reads them."""


def examine(policy: Policy) -> list[Finding]:
    """Everything that was found out about this host and C{policy}."""
    host = Host()
    return [
        finding for topic, check in CHECKS.items() for finding in _run(topic, check, host, policy)
    ]


def _run(topic: str, check: Check, host: Host, policy: Policy) -> list[Finding]:
    """The findings of one check, which may be that it can't be made."""
    try:
        return list(check(host, policy))
    except (KernelError, OSError) as error:
        return [warning(topic, f"could not be checked: {error}", "run the doctor as root")]
