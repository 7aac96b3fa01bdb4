"""Logins: browsers whose operator has shown a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hmac import compare_digest

from attrs import define, field

from gateway.policy.holders import Right

MOST = 200
"""At one time; of more, those that were not used for longest are over."""


@define(eq=False)
class Login:
    """
    One of them.

    @ivar name: the holder's of the token.
    @ivar digest: of that token: who has it no more is not logged in any more.
    @ivar key: what pages of the console's own origin know, and cookies don't.
    """

    name: str
    right: Right
    digest: bytes = field(repr=False)
    cookie: str = field(repr=False)
    key: str = field(repr=False)
    began: float
    used: float


class Logins:
    """
    All of them.

    @param clock: seconds.
    @param secret: makes a text that nobody can guess.
    @ivar idle_seconds: a login that nobody uses for so long is over.
    @ivar seconds: it is over after so long in any case.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        secret: Callable[[], str],
        idle_seconds: float,
        seconds: float,
    ) -> None:
        self.idle_seconds = idle_seconds
        self.seconds = seconds
        self._clock = clock
        self._secret = secret
        self._logins: list[Login] = []

    def begin(self, name: str, right: Right, digest: bytes) -> Login:
        """A token was shown."""
        now = self._clock()
        login = Login(name, right, digest, self._secret(), self._secret(), now, now)
        self._logins = [*self._alive()[-(MOST - 1) :], login]
        return login

    def find(self, cookie: str, key: str) -> Login | None:
        """The login of a browser that says both. All are compared, in the same time for each."""
        found = None
        for login in self._alive():
            right = compare_digest(login.cookie.encode(), cookie.encode())
            right &= compare_digest(login.key.encode(), key.encode())
            if right:
                found = login
        if found is not None:
            found.used = self._clock()
            self._logins.remove(found)
            self._logins.append(found)
        return found

    def use(self, login: Login) -> bool:
        """A page is open that was logged in so. Gives back whether that is not over yet."""
        if login not in self._alive():
            return False
        login.used = self._clock()
        return True

    def end(self, login: Login) -> None:
        """It is over."""
        if login in self._logins:
            self._logins.remove(login)

    def keep(self, rights: Mapping[bytes, Right]) -> None:
        """Only these tokens are good from now on. Whose right is another one logs in again."""
        self._logins = [login for login in self._logins if rights.get(login.digest) is login.right]

    def _alive(self) -> list[Login]:
        now = self._clock()
        self._logins = [
            login
            for login in self._logins
            if now < login.used + self.idle_seconds and now < login.began + self.seconds
        ]
        return self._logins
