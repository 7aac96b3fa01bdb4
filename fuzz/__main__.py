"""
C{python -m fuzz [--minutes N] [TARGET …]}, or C{make fuzz}: each target for some minutes.

What was found to be new stays in C{build/fuzz}, and the next run begins with it. Input that shows a
bug is kept there, too, and is shown as people read it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from fuzz.target import Target, targets

FOLDER = Path("build/fuzz")
SECONDS_EACH = 20
"""One input that takes longer hangs."""
DONE = re.compile(r"^Done (\d+) (?:runs )?in \d+ second", re.MULTILINE)
COVERAGE = re.compile(r"cov: (\d+)")


def fuzz(name: str, target: Target, seconds: float, longest: int) -> bool:
    """Fuzz one target, and say what came of it. Whether there was no bug."""
    folder = FOLDER / name
    corpus, found = folder / "corpus", folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    before = set(found.iterdir())
    command = [sys.executable, "-m", "fuzz.one", name, f"-max_total_time={seconds:.0f}"]
    command += [f"-timeout={SECONDS_EACH}", f"-max_len={longest}", f"-artifact_prefix={found}/"]
    with (folder / "log").open("w+") as log:
        done = subprocess.run([*command, str(corpus)], stdout=log, stderr=log)
        log.seek(0)
        said = log.read()
    runs, covered = DONE.findall(said), COVERAGE.findall(said)
    kept = len(list(corpus.iterdir()))
    print(f"{name}: {(runs or ['?'])[-1]} runs, {(covered or ['?'])[-1]} places, {kept} kept")
    if done.returncode == 0:
        return True
    print(f"{name}: a bug; all that was said is in {folder / 'log'}")
    print(said[said.find("=== ") :][:4000])
    for path in sorted(set(found.iterdir()) - before):
        print(f"{path}:\n{target.shown(path.read_bytes())[:4000]}")
    return False


def main() -> int:
    """Fuzz the targets that are named, or all."""
    known: Mapping[str, Target] = targets()
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="for each target (1)")
    parser.add_argument("--longest", type=int, default=8192, help="bytes of one input (8192)")
    parser.add_argument("target", nargs="*", help=f"{', '.join(known)} (all)")
    arguments = parser.parse_args()
    chosen: list[str] = arguments.target or list(known)
    if unknown := set(chosen).difference(known):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    seconds, longest = arguments.minutes * 60, arguments.longest
    good = [fuzz(name, known[name], seconds, longest) for name in chosen]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
