"""
Passwords: the users of an htpasswd file (Apache's htpasswd(1)).

Hashes are bcrypt alone. Those of htpasswd's other kinds (MD5, SHA-1, crypt) can be
tried by the billion; C{htpasswd -B} makes the good ones.
"""

from __future__ import annotations

import re
from typing import Any

import bcrypt
from attrs import field, frozen

_HASH = re.compile(rb"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")

MOST_COST = 12
"""A quarter of a second for each try. Each step more doubles it, for who guesses and for us."""

LONGEST = 72
"""Bytes of a password that bcrypt can tell apart."""


@frozen
class Passwords:
    """
    Users and the hashes of their passwords.

    @ivar stranger: a hash to compare with if there is no such user, so that it
        takes as long to find that out.
    """

    hashes: dict[bytes, bytes] = field(factory=dict, repr=False)
    stranger: bytes = field(init=False, repr=False)

    @stranger.default
    def _costliest(self) -> bytes:
        costliest = max(self.hashes.values(), key=lambda each: each[4:6], default=b"")
        return costliest or b"$2b$04$" + b"." * 53

    def verify(self, user: bytes, password: bytes) -> bool:
        """
        Whether this is the user's password.

        Takes long, on purpose: some milliseconds to a quarter of a second, during which the
        interpreter does other things.
        """
        known = self.hashes.get(user)
        usable = len(password) <= LONGEST and b"\0" not in password
        tried = password if usable else b"unusable"
        same = bcrypt.checkpw(tried, known or self.stranger)
        return same and usable and known is not None


def read_passwords(file: Any) -> Passwords:
    """
    Read a file.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong. It is
        not told the hashes, which nobody should find in a log.
    """
    hashes: dict[bytes, bytes] = {}
    for number, line in enumerate(file.content.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        user, _, rest = line.partition(b":")
        hashed = rest.partition(b":")[0].strip()
        wrong = _wrong(user, hashed, hashes)
        if wrong:
            file.complain(wrong, number, 1)
        hashes[user] = hashed
    return Passwords(hashes)


def _wrong(user: bytes, hashed: bytes, others: dict[bytes, bytes]) -> str:
    """What is wrong with a line."""
    if not user or not hashed:
        return "not of the form user:hash"
    if user in others:
        return f"the user {user.decode('utf-8', 'replace')!r} is there twice"
    found = _HASH.fullmatch(hashed)
    if found is None:
        return (
            f"the password of {user.decode('utf-8', 'replace')!r} is not hashed by bcrypt; set it "
            "anew with htpasswd -B"
        )
    if not 4 <= int(found[1]) <= MOST_COST:
        return (
            f"bcrypt of cost {int(found[1])}: from 4 to {MOST_COST}; set it anew with "
            "htpasswd -B -C 10"
        )
    return ""
