"""What a reload can't change, since sockets, routes and processes were made with it."""

from __future__ import annotations

from gateway.kernel.errors import KernelError
from gateway.policy.policy import Policy

DIVERT = (
    *("port", "mark", "listener_mark", "upstream_mark"),
    *("table", "rule_priority", "backend"),
)
"""Keys of C{[divert]}."""

SIGNER = ("root", "root_certificate", "certificates_per_second", "key_log", "certificates")
"""Keys of C{[tls]}."""


RELEASE = ("kernel", "sessions", "after_seconds", "forwarded_mark", "bare_mark")
"""Keys of C{[release]}."""


def check_fixed(former: Policy, policy: Policy) -> None:
    """
    Check that C{policy} says the same of it as the C{former} one.

    @raise KernelError: it doesn't; the message says where.
    """
    changed = [
        *_changed("divert", DIVERT, former.divert, policy.divert),
        *(["metrics"] if policy.metrics != former.metrics else []),
        *(["control"] if policy.control != former.control else []),
        *(["audit"] if policy.audit != former.audit else []),
        *_changed("release", RELEASE, former.release, policy.release),
        *(["handshake"] if policy.handshake != former.handshake else []),
        *_changed("tls", SIGNER, former.tls, policy.tls),
        *(["workers.count"] if (policy.workers.count == 1) != (former.workers.count == 1) else []),
    ]
    if policy.shakes_hands_through and not former.shakes_hands_through:
        raise KernelError(
            'the first service with handshake = "through" needs the usher, which a reload can\'t '
            "start: restart"
        )
    if changed:
        raise KernelError(
            f"gateway.toml: {', '.join(changed)}: a reload can't change that; restart, "
            "or set it back"
        )


def _changed(table: str, keys: tuple[str, ...], former: object, now: object) -> list[str]:
    return [f"{table}.{key}" for key in keys if getattr(former, key) != getattr(now, key)]
