"""
Live.

C{python -m tests.session.lives SEED}: tell the story of one. C{… FIRST COUNT}: count the verdicts
of many, and print one number for all that came of them, to be compared with another one.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter

from twisted.logger import globalLogBeginner

from tests.session.lives.life import Life


def main(first: int, count: int = 0) -> None:
    """See the module."""
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    if not count:
        life = Life(first)
        try:
            print(life.live())
        finally:
            print(*life.story, sep="\n")
        return
    digest, verdicts, began = hashlib.sha256(), Counter[str](), time.process_time()
    for seed in range(first, first + count):
        life = Life(seed)
        try:
            verdicts[life.live().outcome.value] += 1
        except Exception as error:
            verdicts[f"{type(error).__name__} {str(error)[-70:]!r}"] += 1
            print("seed", seed, type(error).__name__, str(error)[-300:])
        digest.update(repr(life.trace()).encode())
    seconds = time.process_time() - began
    print(f"{count} lives, {seconds:.1f} s: {dict(verdicts)}, {digest.hexdigest()[:16]}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
