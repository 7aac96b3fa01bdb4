"""
The doctor: what about this host breaks transparent interception, and what mends it?

Every check looks at one thing and yields what it found. It changes nothing. Without
root's privileges it sees less, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.kernel import hostfilter, hostlimits, hostpolicy, hostrouting, hostsettings
from gateway.kernel.errors import KernelError
from gateway.kernel.finding import Finding, warning
from gateway.kernel.host import Host
from gateway.policy.policy import Policy

Check = Callable[[Host, Policy], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "privileges": hostlimits.privileges,
    "forwarding": hostsettings.forwarding,
    "marks in the reverse path filter": hostsettings.marks_in_reverse_path_filter,
    "strict reverse path filter": hostsettings.strict_reverse_path_filter,
    "marks of accepted connections": hostsettings.accept_inherits_marks,
    "bridges": hostsettings.bridges,
    "connection tracking helpers": hostsettings.helpers,
    "interfaces": hostrouting.interfaces,
    "policy routing": hostrouting.taken,
    "policy routing order": hostrouting.order,
    "servers on the client's segment": hostrouting.same_segment,
    "packet filter": hostfilter.trial,
    "installed rules": hostfilter.installed,
    "other interception": hostfilter.others,
    "firewall": hostfilter.firewall,
    "listeners": hostlimits.ports,
    "local UDP services": hostlimits.udp_services,
    "UDP answers": hostpolicy.datagram_replies,
    "plugins": hostpolicy.plugins,
    "queue": hostlimits.queue,
    "descriptors": hostlimits.descriptors,
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
