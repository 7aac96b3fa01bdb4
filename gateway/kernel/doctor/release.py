"""Checks of what released sessions need, if the kernel is to have them."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.kernel import capabilities
from gateway.kernel.doctor.finding import Finding, ok, warning
from gateway.kernel.doctor.host import Host
from gateway.kernel.errors import KernelError
from gateway.policy.policy import Policy


def kernel(host: Host, policy: Policy) -> Iterator[Finding]:
    """The program is loaded for a trial, and attached to nothing."""
    topic = "released sessions"
    if not policy.release.kernel:
        return
    lacking = capabilities.missing({"CAP_BPF", "CAP_NET_ADMIN"})
    if lacking:
        yield warning(topic, f"could not be checked without {', '.join(lacking)}", "run it as root")
        return
    from gateway.kernel.release.programs import Programs
    from gateway.kernel.release.table import Table

    try:
        Programs(Table(sessions=1, events=4096)).close()
    except (KernelError, OSError) as error:
        yield warning(
            topic,
            f"the kernel takes none over, and they stay in the gateway: {error}",
            "Linux 6.1 or later; or set release.kernel = false in gateway.toml",
        )
        return
    yield ok(topic, "the kernel takes the program that forwards them")
