"""The Door: who asks, and what he may ask."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest

from attrs import field, frozen

from gateway.console.attempts import Attempts
from gateway.console.logins import Login, Logins
from gateway.console.origin import OURS
from gateway.console.request import Refusing, Visit
from gateway.observe.log import PrintableLogger
from gateway.policy.console import ConsoleSettings
from gateway.policy.holders import Right, TokenHolder

log = PrintableLogger()

COOKIE = "tproxygw"
SECURE_COOKIE = "__Host-tproxygw"
"""RFC 6265bis, section 4.1.3.2: nobody but this very host can have set it."""

BEARER = "bearer "


@frozen
class Visitor:
    """
    Somebody who may come in.

    @ivar login: the login that he comes by, if it is one.
    """

    name: str
    right: Right
    login: Login | None = None
    digest: bytes = field(default=b"", repr=False)
    """Of the token, if he has shown one."""

    @property
    def writes(self) -> bool:
        """Whether he may change something."""
        return self.right is Right.WRITE


class Door:
    """
    Knows who may come in.

    @param clock: seconds.
    @param secret: makes a text that nobody can guess.
    """

    def __init__(
        self, settings: ConsoleSettings, clock: Callable[[], float], secret: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._attempts = Attempts(clock, settings.attempts_per_minute)
        self._logins = Logins(clock, secret, settings.idle_seconds, settings.login_seconds)

    def adopt(self, settings: ConsoleSettings) -> None:
        """A new policy is in force. Who has lost a token is out."""
        self._settings = settings
        self._attempts.most = settings.attempts_per_minute
        self._logins.idle_seconds = settings.idle_seconds
        self._logins.seconds = settings.login_seconds
        self._logins.keep({holder.digest: holder.right for holder in settings.holders})

    def visitor(self, visit: Visit) -> Visitor:
        """
        Who asks: by a token, by a login, or by a certificate.

        @raise Refusing: nobody whom we know.
        """
        if "authorization" in visit.headers:
            return self._by_token(visit, _bearer(visit.headers["authorization"]))
        login = self._logins.find(visit.cookie(_cookie(visit)), visit.headers.get(OURS, ""))
        if login is not None:
            return Visitor(login.name, login.right, login)
        certified = self._by_certificate(visit)
        if certified is None:
            raise Refusing(401, "log in first", {"WWW-Authenticate": 'Bearer realm="tproxygw"'})
        return certified

    def begin(self, visit: Visit, token: str) -> tuple[Login, str]:
        """
        Somebody logs in.

        @return: the login, and the cookie for the browser.
        @raise Refusing: the token is wrong.
        """
        holder = self._holder(visit, token)
        login = self._logins.begin(holder.name, holder.right, holder.digest)
        log.info("console: {name} logged in from {peer}", name=holder.name, peer=visit.peer)
        return login, f"{_cookie(visit)}={login.cookie}{_attributes(visit)}"

    def end(self, visit: Visit, visitor: Visitor) -> str:
        """Somebody logs out. Gives back the cookie that takes his away."""
        if visitor.login is not None:
            self._logins.end(visitor.login)
        return f"{_cookie(visit)}={_attributes(visit)}; Max-Age=0"

    def is_in(self, visitor: Visitor) -> bool:
        """Whether somebody who was in still is, and with the same right."""
        if visitor.login is not None:
            return self._logins.use(visitor.login)
        settings = self._settings
        if visitor.digest:
            holders = [(each.digest, each.right) for each in settings.holders]
            return (visitor.digest, visitor.right) in holders
        return visitor.name in (settings.writers if visitor.writes else settings.readers)

    def _by_token(self, visit: Visit, token: str) -> Visitor:
        holder = self._holder(visit, token)
        return Visitor(holder.name, holder.right, None, holder.digest)

    def _holder(self, visit: Visit, token: str) -> TokenHolder:
        """Whose token it is. All are compared, in the same time for each."""
        left = self._attempts.seconds_left(visit.peer)
        if left:
            wait = {"Retry-After": str(int(left) + 1)}
            raise Refusing(429, "too many wrong tokens: wait a minute", wait)
        digest = sha256(token.encode()).digest()
        found: TokenHolder | None = None
        for holder in self._settings.holders:
            if compare_digest(holder.digest, digest):
                found = holder
        if found is None:
            self._attempts.was_wrong(visit.peer)
            log.warn("console: a wrong token from {peer}", peer=visit.peer)
            raise Refusing(401, "nobody has this token")
        return found

    def _by_certificate(self, visit: Visit) -> Visitor | None:
        for right, names in (
            (Right.WRITE, self._settings.writers),
            (Right.READ, self._settings.readers),
        ):
            for name in names:
                if name in visit.names:
                    return Visitor(name, right)
        return None


def _bearer(header: str) -> str:
    """The token in a header (RFC 6750, section 2.1)."""
    if header[: len(BEARER)].lower() != BEARER:
        return ""
    return header[len(BEARER) :].strip()


def _cookie(visit: Visit) -> str:
    return SECURE_COOKIE if visit.secure else COOKIE


def _attributes(visit: Visit) -> str:
    secure = "; Secure" if visit.secure else ""
    return f"; Path=/; HttpOnly; SameSite=Strict{secure}"
