"""
Authentication: who is asking, by a name and a password (Basic, RFC 7617).

The gateway asks in the server's place: it is transparent, so the client takes it for the
server, and the answer is 401, not 407. Of a server that wants a password of its own the gateway
hides the header, unless the settings say that it is the same.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest

from attrs import frozen
from twisted.internet.defer import Deferred

from gateway.inspector import option
from protocols.http.decision import Refuse
from protocols.http.message import Request
from protocols.http.policy.htpasswd import Passwords, read_passwords
from protocols.http.status import UNAUTHORIZED

Compute = Callable[[Callable[[], bool]], "Deferred[bool]"]
"""Has something computed that takes long, while the reactor does other things."""


def read_realm(text: str) -> str:
    """
    Read the name of the realm.

    @raise ValueError: it can't be quoted.
    """
    if not text.isascii() or not text.isprintable() or set(text) & {'"', "\\"}:
        raise ValueError(f"{text!r} has other characters than ASCII without quotes")
    return text


@frozen
class AuthenticationSettings:
    """The table C{[http.authentication]}."""

    users: Passwords = option(
        "An htpasswd file of those who may pass, with bcrypt hashes (htpasswd -B).",
        file=read_passwords,
    )
    realm: str = option(
        "What the client is told that the password is for.", "tproxygw", read=read_realm
    )
    forward: bool = option("Whether name and password are sent on to the server.", False)
    attempts: int = option(
        "How many wrong passwords a connection may try before it is closed.", 3, minimum=1
    )


class Authentication:
    """
    Who asks in this session. A password that was right is not computed again; of
    it, a digest is kept.

    @ivar user: whose password was right last.
    """

    def __init__(self, settings: AuthenticationSettings, compute: Compute) -> None:
        self._settings = settings
        self._compute = compute
        self._known = b""
        self._failed = 0
        self.user = ""

    async def refusal(self, request: Request) -> Refuse | None:
        """Why this request can't pass; C{None} if it is known who asks."""
        given = request.headers.every("authorization")
        if not given:
            return self._refuse("nobody has said who is asking")
        credentials = read_credentials(given[0]) if len(given) == 1 else None
        if credentials is None:
            return self._refuse("an Authorization that is not Basic")
        user, password = credentials
        if await self._right(user, password):
            self.user = user.decode("utf-8", "backslashreplace")
            return None
        self._failed += 1
        return self._refuse(f"a wrong password for {user!r}, or no such user")

    async def _right(self, user: bytes, password: bytes) -> bool:
        digest = sha256(b"%d:%s%s" % (len(user), user, password)).digest()
        if compare_digest(digest, self._known):
            return True
        users = self._settings.users
        right = await self._compute(lambda: users.verify(user, password))
        if right:
            self._known = digest
        return right

    def _refuse(self, reason: str) -> Refuse:
        challenge = f'Basic realm="{self._settings.realm}", charset="UTF-8"'
        close = self._failed >= self._settings.attempts
        headers = (("WWW-Authenticate", challenge),)
        return Refuse(UNAUTHORIZED, reason, close, headers, by="authentication")

    def hidden(self, request: Request) -> Request:
        """The request as the server gets it."""
        if self._settings.forward or "authorization" not in request.headers:
            return request
        return request.with_headers(request.headers.without("authorization"))


def read_credentials(value: str) -> tuple[bytes, bytes] | None:
    """Name and password of an Authorization header; C{None} if it is something else."""
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(token.strip(), validate=True).partition(b":")
    except ValueError:
        return None
    return (user, password) if colon else None
