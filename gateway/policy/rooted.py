"""Settings for which certificates of our own are needed, and so a root that signs them."""

from __future__ import annotations

from typing import Any

from attrs import has

from gateway.policy.document import Entry
from gateway.policy.settings import keys_of

MISSING = 'needs a root: [tls] root = "root.pem" in gateway.toml, and `tproxygw tls root` makes one'


def check_rooted(settings: Any, table: Entry) -> None:
    """Complain about each setting that needs a root; there is none."""
    kind: Any = type(settings)
    if settings is None or not has(kind):
        return
    for key, attribute in keys_of(kind).items():
        value, entry = getattr(settings, attribute.name), table.at(key)
        if value in attribute.metadata.get("needs_root", ()):
            entry.complain(f'"{value}" {MISSING}')
        elif isinstance(value, tuple) and any(has(type(each)) for each in value):
            for index, each in enumerate(value):
                check_rooted(each, entry.at(index))
        else:
            check_rooted(value, entry)
