"""The programs of an operator, run in a namespace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.lab.namespace import Namespace

ROOT = Path(__file__).resolve().parents[2]
TPROXYGW = str(Path(sys.executable).with_name("tproxygw"))
GUARD = str(ROOT / "conf" / "tproxygw-guard")
"""The script that loads the guard: it needs no Python."""


def command(
    namespace: Namespace, *arguments: str, program: str = TPROXYGW
) -> subprocess.CompletedProcess[str]:
    """Run C{tproxygw}, or another program, to its end."""
    return subprocess.run(
        (*namespace.prefix, program, *arguments), capture_output=True, text=True, timeout=60
    )
