"""What the doctor finds out about the root: whether it can be used, by whom, and how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.policy.tls import Tls
from gateway.tls.key import expires, load_root
from gateway.tls.system import system_roots
from gateway.tls.uri import TOKEN, RootError

TOPIC = "TLS root"

SOON = timedelta(days=60)
"""It takes some time to bring a new root to all clients."""


def examine(folder: Path, settings: Tls, now: datetime) -> Iterator[Finding]:
    """
    Everything about C{[tls]}.

    @param folder: of the configuration.
    """
    if settings.root:
        yield from _root(folder, settings, now)
    if settings.system_roots and system_roots() is None:
        yield trouble(
            "TLS authorities",
            "this host has no file with the certificates of public authorities",
            "apt-get install ca-certificates, or set tls.system_roots = false",
        )
    if settings.key_log:
        yield warning(
            "TLS key log",
            f"tls.key_log is on: whoever reads {settings.key_log} can read what is said inside TLS",
            "remove it once you have seen what you wanted to see",
        )


def _root(folder: Path, settings: Tls, now: datetime) -> Iterator[Finding]:
    try:
        issuer = load_root(folder, settings.root, settings.root_certificate)
    except RootError as error:
        mend = "run the doctor as root" if "denied" in str(error) else "tproxygw tls root"
        yield trouble(TOPIC, str(error), mend)
        return
    end = expires(issuer)
    if end < now:
        yield trouble(TOPIC, f"it has expired on {end:%Y-%m-%d}", "tproxygw tls root NEW.pem")
    elif end < now + SOON:
        yield warning(
            TOPIC,
            f"it expires on {end:%Y-%m-%d}",
            "tproxygw tls root NEW.pem, and bring its certificate to all clients before",
        )
    else:
        yield ok(TOPIC, f"good until {end:%Y-%m-%d}")
    if not settings.root.startswith(TOKEN) and (folder / settings.root).stat().st_uid != 0:
        yield warning(
            TOPIC,
            f"{folder / settings.root} does not belong to root",
            f"chown root: {folder / settings.root}",
        )
