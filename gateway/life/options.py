"""The command line of C{twistd tproxygw}, and what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from twisted.python.usage import Options as UsageOptions

from gateway.control.client import DEFAULT


class Options(UsageOptions):
    """Where the gateway has what is its own."""

    optParameters = [
        ["config", "c", "/etc/tproxygw", "The configuration folder."],
        ["state", None, "/var/lib/tproxygw", "The folder where the last good rules are kept."],
        ["keeper", None, "", "The socket of a keeper that runs. Without it, one is started."],
        ["signer", None, "", "The socket of a signer that runs. Without it, one is started."],
        ["carrier", None, "", "The socket of a carrier that runs. Without it, one is started."],
        ["usher", None, "", "The socket of an usher that runs. Without it, one is started."],
        ["control", None, str(DEFAULT), "The socket that commands ask at. Empty: none."],
    ]
    longdesc = "Intercept connections as the policy in the configuration folder says."


class Places(NamedTuple):
    """Folders and sockets on this host."""

    directory: Path
    state: Path
    keeper: Path | None
    signer: Path | None
    carrier: Path | None
    usher: Path | None
    control: Path | None


def places(options: Options) -> Places:
    """What the command line says."""
    keeper, signer, carrier, usher, control_ = (
        Path(options[name]).absolute() if options[name] else None
        for name in ("keeper", "signer", "carrier", "usher", "control")
    )
    directory, state = (Path(options[name]).absolute() for name in ("config", "state"))
    return Places(directory, state, keeper, signer, carrier, usher, control_)


def owner(options: Options) -> tuple[int, int] | None:
    """The user and group that C{twistd} will switch to, if any."""
    parent: Any = options.parent
    uid, gid = (parent["uid"], parent["gid"]) if parent is not None else (None, None)
    if uid is None and gid is None:
        return None
    return os.getuid() if uid is None else uid, os.getgid() if gid is None else gid
