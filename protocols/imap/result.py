"""
Results of SEARCH, SORT and THREAD (RFC 9051, section 7.3.4; RFC 5256, section 4), of which there
may be very many: they are looked at as text, as values would cost many times that.
"""

from __future__ import annotations

import re

RESULTS = frozenset({"SEARCH", "SORT", "THREAD"})

_NUMBERS = re.compile(rb"[0-9]{1,19}(?: [0-9]{1,19})*(?: \(MODSEQ [0-9]{1,19}\))?")
_THREADS = re.compile(rb"\([0-9 ()]+\)")
_ODD = re.compile(rb"\(\)|\( | \)|\)[0-9]|[0-9]\(|  |\) |[0-9]{20}")
_SIGNS = bytes(set(range(256)) - set(b"()"))


def plain_result(kind: str, text: bytes, depth: int) -> bool:
    """
    Whether a result is nothing but numbers, in the way that its kind has them.

    @param depth: how deep threads may be in each other.
    """
    if kind in ("SEARCH", "SORT"):
        return _NUMBERS.fullmatch(text) is not None
    if kind != "THREAD" or not _THREADS.fullmatch(text) or _ODD.search(text):
        return False
    deep = 0
    for sign in text.translate(None, _SIGNS):
        deep += 1 if sign == 40 else -1
        if not 0 <= deep <= depth:
            return False
    return deep == 0
