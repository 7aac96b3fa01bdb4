"""
Decision: what the policy says about a message, and what the inspector does then.

The inspector asks an L{IDecisions} for each request and each response that it
has understood. C{protocols.http.policy} decides by the operator's settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from attrs import frozen

from gateway.interfaces import PROTOCOL
from protocols.http.message import Field, Headers, Request, Response
from protocols.http.status import FOUND

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from gateway.interfaces import Address

Message = TypeVar("Message", Request, Response, covariant=True)


class Stacked(NamedTuple):
    """
    Who inspects a body.

    @ivar service: the name of a service.
    @ivar by: who says so: the name of a setting, or the place of a test.
    """

    service: str
    by: str


class Pass(NamedTuple):
    """
    It may pass.

    @ivar message: a L{Request} or a L{Response}: the one that was asked about,
        or one made of it, whose headers the policy changed.
    @ivar look: so many first bytes of the body are shown to L{IDecisions.content}
        before anything of the message is sent.
    @ivar user: who asks, if that is known.
    @ivar stack: who inspects the body; C{None}: that of the settings, if any.
    @ivar wait: for so many seconds the server may say nothing; 0: as the settings have it.
    """

    message: Request | Response
    look: int = 0
    user: str = ""
    stack: Stacked | None = None
    wait: float = 0.0


@frozen
class Refuse:
    """
    It may not, and the client gets a page that says so.

    @ivar status: of the answer to the client.
    @ivar reason: for the operator; it goes to the audit record. What the
        client reads is L{IDecisions.page}'s.
    @ivar close: whether the connection ends with this answer. It ends anyway if the
        message had a body that is not read.
    @ivar headers: more headers of the answer, such as C{WWW-Authenticate}.
    @ivar page: what the client reads; C{None}: what L{IDecisions.page} says.
    @ivar silent: the client reads nothing: its connection is reset.
    @ivar by: what refuses it: see L{ISession.record}.
    """

    status: int
    reason: str
    close: bool = False
    headers: tuple[Field, ...] = ()
    page: Page | None = None
    silent: bool = False
    by: str = PROTOCOL


@frozen
class Redirect:
    """
    The client is sent elsewhere.

    @ivar by: who says so: see L{ISession.record}.
    """

    location: str
    reason: str = ""
    status: int = FOUND
    by: str = PROTOCOL


Decision = Pass | Refuse | Redirect


@frozen
class Page:
    """
    What a client reads when the gateway answers in the server's place.

    @ivar type: the media type, such as C{text/html; charset=utf-8}.
    @ivar headers: more headers of the answer.
    """

    type: str
    content: bytes
    headers: tuple[Field, ...] = ()


Check = Callable[[str], bool]
"""Whether a path may be what some test is about."""


class IPlans(Protocol):
    """
    What the policy says of many messages at once: nothing but that they pass, as they are but for
    headers that are dropped by their names. Where it says nothing, L{IDecisions} is asked.
    """

    def keeps_asked(self, name: str) -> bool:
        """Whether a header of a request passes that has this name, in any case."""

    def keeps_answered(self, name: str) -> bool:
        """The same for responses."""

    def allows(self, method: str) -> bool:
        """Whether requests of this method may be asked."""

    def checks(self, method: str, host: str) -> tuple[Check, ...] | None:
        """
        A request of this method to this host passes if its path is clear of all these.

        @return: C{None}: that does not suffice to tell.
        """

    def answer(self, status: int, type: str | None) -> bool:
        """Whether any answer with this status and C{Content-Type} passes."""


class IDecisions(Protocol):
    """
    The policy of one session: made once for each, with its settings.

    @ivar plans: C{None}: each message has to be asked about.
    """

    @property
    def plans(self) -> IPlans | None: ...

    def request(
        self, request: Request, server: Address, client: Address
    ) -> Decision | Deferred[Decision]:
        """
        May it be asked?

        @param server: the original destination.
        """

    def response(self, response: Response) -> Decision:
        """May it be answered? Called for final responses (status 200 and above) and 101."""

    def content(self, message: Request | Response, beginning: bytes) -> Refuse | None:
        """
        What the body is by its first bytes: see L{Pass.look}.

        @param beginning: fewer bytes than asked for if the body is shorter.
        """

    def further_asked(self, headers: Headers) -> Headers | Refuse:
        """Which trailers of a request pass."""

    def further_answered(self, headers: Headers) -> Headers | Refuse:
        """Which trailers of a response pass; and which headers of a 1xx one."""

    def page(
        self,
        status: int,
        reason: str,
        request: Request | None,
        about: int = 0,
        words: str = "",
    ) -> Page:
        """
        What the client reads with an answer of the gateway's own.

        @param reason: the operator's: what a client may know of it is the policy's choice.
        @param request: C{None} if it could not be understood.
        @param about: the status that the words are about, if the answer has to have another one.
        @param words: of a stacked service, in place of those that fit the status.
        """
