"""
The whole contract between the gateway and a protocol inspector.

An inspector is knowledge about one protocol, applied to one session. It never
sees a socket, a transport or the reactor: it is *told* what happened (methods
in the past tense, L{IInspector}) and it *asks* for what should happen next
(methods in the imperative, L{ISession}).

Nothing in this module does anything. It imports nothing of the gateway, so
that a protocol plugin depends on this file and L{gateway.inspector} alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from zope.interface import Attribute, Interface

from gateway.agreement import Agreed, Invalid
from gateway.envelope import NO_ENVELOPE, Envelope, Readdressed

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class Side(Enum):
    """One of the two ends of a session, seen from the gateway."""

    CLIENT = "client"
    SERVER = "server"

    other: Side

    __hash__ = object.__hash__


Side.CLIENT.other = Side.SERVER
Side.SERVER.other = Side.CLIENT

CONTRACT: Final = (1, 3)
"""
The version of what is between sessions and inspectors: this module and L{gateway.inspector}. The
second number grows when something is added, the first one when an inspector that worked may work
no more; the plugin guide says what counts as that.
"""

CLIENT = Side.CLIENT
SERVER = Side.SERVER


class Address(NamedTuple):
    """An IP address in its canonical text form, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Outcome(Enum):
    """How a session ended. The value is the word used in audit records and metrics."""

    PASSED = "passed"
    """Both sides ended in an orderly way, and everything was allowed."""

    DENIED = "denied"
    """The policy, an inspector, or a limit refused it."""

    RESET = "reset"
    """One of the two peers reset its connection; the reset was passed on."""

    FAILED = "failed"
    """The server could not be reached or broke the connection off, or a time limit ran out."""

    CLOSED = "closed"
    """
    The gateway was stopped, an inspector closed the session on purpose, or the operator killed it.
    """

    BROKEN = "broken"
    """A bug in the gateway or in an inspector; the traceback is in the log."""

    __hash__ = object.__hash__


class Verdict(NamedTuple):
    """How a session ended, and why, for the operator to read."""

    outcome: Outcome
    reason: str = ""


PROTOCOL = "protocol"
"""What denied something that no policy could have let pass: see L{ISession.record}."""


class Denied(Exception):
    """
    The peer did what the policy or the protocol does not allow.

    Raise it from an inspector. The session ends, C{reason} goes to the audit
    record, and C{reply}, if any, is sent to the client first.

    @ivar reason: with what denied it, if that was the policy.
    @ivar by: what denied it, for the record of the transaction: see L{ISession.record}.
    """

    def __init__(self, reason: str, reply: bytes = b"", by: str = PROTOCOL) -> None:
        super().__init__(reason)
        self.reason = blamed(reason, by)
        self.reply = reply
        self.by = by


def blamed(reason: str, by: str) -> str:
    """A reason, and the setting or the place in the policy that it comes from."""
    if by == PROTOCOL:
        return reason
    return f"{reason} ({by})" if ":" in by else f"{reason} (setting {by!r})"


class Unreachable(Exception):
    """
    The server side could not be opened: refused, no route, timed out.

    L{ISession.connect}'s Deferred fails with it. A session whose inspector
    does not handle it is answered to the client with a reset.
    """


class IInspector(Interface):
    """
    Protocol knowledge for one session.

    A method that raises L{Denied} denies the session. L{Unreachable}, from an
    awaited L{ISession.connect}, ends it as if nobody had handled that. Any
    other exception is a bug: it is logged with its traceback, and the session
    is denied too. The same goes for the failure of a Deferred that is returned.
    """

    def started() -> Deferred[Any] | None:
        """
        The client is admitted; nothing is connected yet.

        Usually asks C{session.connect()}. Nothing is read from the client
        before the Deferred that is returned, if any, has fired.
        """

    def received(side: Side, data: bytes) -> Deferred[Any] | None:
        """
        C{side} sent C{data}.

        @return: C{None}, or a Deferred: that side is not read again before it
            has fired, so that a decision can be awaited.
        """

    def ended(side: Side) -> Deferred[Any] | None:
        """
        C{side} will send no more. Usually asks C{session.end(side.other)}.

        @return: C{None}, or a Deferred, whose failure is like an exception: a
            decision may still be awaited at the end.
        """

    def lost(side: Side, verdict: Verdict) -> Deferred[Any] | None:
        """
        C{side} reset its connection, or is out of reach: it neither says nor hears
        anything any more.

        Who has last words for the other side sends them, and asks for
        L{ISession.close}; who wants another server asks for L{ISession.connect}.
        Else the session ends with C{verdict}, and the other side is reset too.

        @return: C{None}, or a Deferred: the session ends so when it has fired, and until
            then goes on with the side that is left.
        """

    def unread(side: Side) -> int:
        """
        How many bytes of C{side} were told by L{received} and are not used yet.

        The session asks before it lets C{side} speak TLS: what came in plaintext
        is not to be taken for protected.
        """

    def about() -> str:
        """
        What an operator who looks at this session should know, in one line: the last command and
        what came of it, how much there was. May be left out.

        Nothing is asked for here, and nothing secret told: other people than those of the session
        read it. What peers sent is made harmless for a terminal by who shows it.
        """

    def closed(verdict: Verdict) -> None:
        """
        The session is over. Nothing can be asked for any more, but an audit
        record of what was not completed (L{ISession.record}).

        Called exactly once for every inspector whose L{started} was called.
        """


class ITimer(Interface):
    """Something that will happen, unless it is cancelled."""

    def cancel() -> None:
        """It is not to happen. Harmless if it has."""


class IExpectation(Interface):
    """One announced connection that has not come yet, or has."""

    address: Address = Attribute("where it is expected: the address that the initiator connects to")
    gone: Deferred[None] = Attribute(
        "fires when it is not expected any more: it came, time ran out, or it was cancelled"
    )

    def cancel() -> None:
        """It is not expected any more. Harmless if it has come, or was cancelled."""


class ISink(Interface):
    """Takes what a stacked inspector lets through."""

    def received(data: bytes) -> None:
        """The next piece of the body as the stacked inspector wants it."""

    def ended() -> None:
        """The body is complete."""

    def flushed() -> Deferred[None]:
        """
        @return: fires when there is room for more: what came has left. It does not fire if the
            session ends before.
        """

    def denied(reason: str, reply: bytes, outcome: Outcome) -> None:
        """
        The stacked inspector refused the body. Nothing more comes.

        @param reply: words for whoever is to have an answer, in UTF-8; empty: none of its own.
        @param outcome: FAILED, if it is no fault of the body: it may be tried again later.
        """


class IMailSink(ISink):
    """One that takes a mail, and can have another envelope for it than the one it came with."""

    def readdressed(to: Readdressed) -> None:
        """See L{ISession.readdress}. If that can't be done, the mail does not pass."""


class IBody(Interface):
    """A body on its way into a stacked inspector."""

    def send(data: bytes) -> Deferred[Any] | None:
        """
        The next piece of the body.

        @return: a Deferred if the stacked inspector wants the next piece only
            after it has fired. Return it from your own C{received}.
        """

    def end() -> None:
        """The body is complete."""

    def cancel() -> None:
        """There will be no rest of this body, and nobody wants the result."""


class ISession(Interface):
    """
    One intercepted connection, as an inspector sees it.

    After L{IInspector.closed} every method here does nothing, so that a
    decision that comes too late harms nobody.

    The failure of a Deferred need not be handled, whichever method gave it: the
    session then ends as if L{IInspector.received} had raised it. Who handles it
    does so in the call in which the Deferred was got.
    """

    id: int = Attribute("a number unique in this process's life: the audit's flow_id")
    service: str = Attribute("the name of the service")
    client: Address = Attribute("the client's own address")
    server: Address = Attribute("where the client wanted to go: the original destination")
    source: Address = Attribute("the address that the server sees; before, the client's own")
    reconnects: bool = Attribute("whether L{connect} may be asked for again: see there")
    settings: Any = Attribute("the inspector's Settings, from the table of its name")
    envelope: Envelope = Attribute("what a stacked body belongs to; elsewhere, nothing is in it")
    tools: Any = Attribute("of a stacked body, an L{ITools<gateway.tools.ITools>}; else C{None}")
    shared: Any = Attribute("what all sessions of the service share: IInspectorMaker.share")
    now: float = Attribute("seconds, for differences only; a quarter of one coarse, and free")

    def connect(address: Address | None = None, port: int | None = None) -> Deferred[Address]:
        """
        Open the server side, by default as the service says, usually to the
        original destination and from the client's own address.

        What is sent to the server before is kept (bounded by the session's
        buffer) and follows as soon as it is open.

        Once the server has ended or was lost, and the inspector was told, or has half-closed
        towards it (L{end}), it may be asked for again: what was not sent to the former server by
        then, and what that would still say, is forgotten. But not (C{reconnects}) where another
        inspector agreed with the server on what this one finds, a tunnel or TLS, which a new
        server would know nothing of; nor where it has to come from the client's own port, which
        is not free yet.

        @param address: somewhere else. On another host than the original
            destination, it must be one that the client could have connected to
            by itself, to be inspected by this very service: an inspector
            believes a peer when it says where to go, and the policy does not.
            An announced connection may go to the peers of the session that
            announced it.
        @param port: the port that it should come from, in place of the client's.
        @return: fires with the address that was reached, or fails with
            L{Unreachable}, or with L{Denied} if the policy does not have it.
            If nobody handles that, the client is answered with a reset.
        @raise RuntimeError: it was asked to already, and that server is still there.
        """

    def permits(address: Address) -> bool:
        """Whether L{connect} to that address is allowed."""

    def resolve(name: str) -> Deferred[tuple[str, ...]]:
        """
        Look a host name up, as this host does.

        @return: fires with its addresses, none if it has none; fails with
            L{Unreachable} if nobody could say, and with L{Denied} if too much
            is being looked up already.
        """

    def send(side: Side, data: bytes) -> None:
        """
        Send C{data} to C{side}.

        Never blocks and never fails. While more waits for C{side} than its
        buffer should hold, the other side is not read.
        """

    def urge(side: Side, data: bytes) -> None:
        """
        Like L{send}, a few bytes, of which the last one is TCP's urgent data:
        for peers that are to notice something while they do not read (Telnet's
        Synch, FTP's ABOR). What came as urgent data is read in its place in the
        stream, as anything else.
        """

    def flushed(side: Side) -> Deferred[None]:
        """
        @return: fires when everything that was sent to C{side} has left. It
            does not fire if the session ends before.
        """

    def compute(function: Callable[[], Any]) -> Deferred[Any]:
        """
        Compute something that takes longer than a millisecond, such as the
        hash of a password, while the gateway does other things.

        @param function: takes no arguments, and touches nothing that anybody
            else changes: it runs in a thread.
        @return: fires with what it returns, or fails with what it raises; with
            L{Denied} if too much is being computed already.
        """

    def after(seconds: float, call: Callable[[], Any]) -> ITimer:
        """
        Call C{call} in C{seconds}, or up to half a second later; not after the
        end of the session. What it raises is taken as if L{IInspector.received}
        had raised it.
        """

    def give_way(side: Side) -> Deferred[None]:
        """
        Let all other sessions have their turn. A L{StreamInspector<gateway.inspector>} does so
        by itself in the middle of what comes from a side.

        @param side: whose bytes are worked on. Return the Deferred, or await it, so that no
            more of them come meanwhile.
        @return: fires at the next turn of the reactor; but not while more waits to be sent than
            a buffer should hold, as what C{side} has sent would only add to that.
        """

    def date() -> float:
        """What a clock on the wall shows: seconds since the beginning of 1970, in UTC."""

    def end(side: Side) -> None:
        """Half-close towards C{side} once everything sent has left."""

    def deny(reason: str, reply: bytes = b"") -> None:
        """End the session as denied. C{reply} is sent to the client first."""

    def close(reason: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """
        End the session on purpose, in an orderly way, once everything sent has left.

        @param outcome: FAILED, for example, if a time limit of the protocol ran out.
        """

    def done() -> None:
        """
        Everything was said and answered, and nobody expects more: the session has passed. What
        was sent still arrives, but nobody's goodbye is waited for, as L{end} would.
        """

    def secure(
        side: Side,
        hello: bytes = b"",
        *,
        name: str = "",
        alpn: Sequence[str] = (),
        terms: Any = None,
        accept: Collection[Invalid] = (),
        like: Agreed | None = None,
        trusted: bool = True,
        resume: Agreed | None = None,
    ) -> Deferred[Agreed]:
        """
        From the next byte on, C{side} speaks TLS. It is read until that is agreed, also by an
        inspector that awaits this; what is sent to it meanwhile follows.

        @param hello: what was read from C{side} already and belongs to TLS.
        @param name: the DNS name that the certificate is to be for: the server's, who is told it,
            or the one that a client is given. Left out, it is for the server's address.
        @param alpn: protocols (RFC 7301): those that a server is offered; those of which a
            client gets the first one that it has. A client that has none is turned away.
        @param terms: a L{gateway.policy.tls.Terms}; left out, its defaults.
        @param accept: flaws of a server's certificate that are none of the gateway's business, or
            that the inspector looks at itself. With any other one there is no agreement.
        @param like: give the client a certificate like the one of this server.
        @param trusted: by the root that clients trust; else by the one that nobody does.
        @param resume: what was agreed on another connection with this peer, which still lives,
            such as the control connection of a data connection (RFC 4217, section 10). That
            session is offered to a server, and accepted of a client, who gets the same
            certificate; and the gateway is again what it is there, TLS's client or server,
            whatever C{side} is called here. C{like}, C{terms} and C{trusted} mean nothing then.
        @return: fires with what was agreed, or fails with L{Insecure}. The failure need not be
            handled: the session ends then.
        @raise Denied: plaintext of C{side} is still unread; whoever sent it
            tried to have it taken for protected (STARTTLS injection).
        """

    def probe(*, name: str = "", alpn: Sequence[str] = (), terms: Any = None) -> Deferred[Agreed]:
        """
        Ask the server for its certificate, by a connection of the gateway's own, from the client's
        address. The session goes on as if nothing had been asked.

        @return: fires with what was agreed, and what is wrong with the certificate, or fails with
            L{Unreachable} or L{Insecure}. The failure need not be handled.
        """

    def cut(side: Side) -> bool:
        """
        Whether C{side}'s end was not said, where it should have been: its TLS ended without
        close_notify. A message that ends with the connection may not be whole then.
        """

    def protected(side: Side) -> bool:
        """Whether C{side} speaks TLS, whichever inspector has asked for that; no body does."""

    def expect(
        side: Side, address: Address, service: str | Callable[[Any], Any] | None
    ) -> Deferred[Any]:
        """
        One connection was announced: C{side} will connect to C{address},
        which belongs to the other side. (A port of 0: choose a free one.)

        It becomes a session of its own, in which the side that connects is the
        CLIENT, from whose address the other side is then connected to. Anybody
        else who connects there is refused. While bytes flow there, this
        session is not idle.

        @param service: the name of a service, or a callable that takes the new
            L{ISession} and returns its L{IInspector}. C{None}: it becomes no
            session, but the server side of one that will L{join} it.
        @return: fires with an L{IExpectation} as soon as the gateway listens:
            from then on the announcement may be passed on.
        """

    def join(expectation: Any) -> Deferred[Address]:
        """
        In place of L{connect}: the server side is whoever comes to
        C{expectation}, which was asked for (by any session) with no service.

        @return: fires with the address of who came, or fails with
            L{Unreachable} if nobody did; as L{connect}'s.
        """

    def dial(
        side: Side, address: Address, service: str | Callable[[Any], Any]
    ) -> Deferred[Address]:
        """
        The sibling of L{expect}: C{side} has announced that it listens at
        C{address}. Connect to it, from the other side's address.

        It becomes a session of its own, in which the side that was connected
        to is the CLIENT, and from whose address the other side is then
        connected to.

        @return: fires with C{address} after that session has begun, or fails
            with L{Unreachable}, or with L{Denied} if it is nobody's address.
            Cancel it to give up.
        """

    def stack(service: str, sink: Any, envelope: Envelope = NO_ENVELOPE) -> Any:
        """
        Run a body through the inspector of another service.

        @param sink: an L{ISink}, gets what that inspector sends to its SERVER.
        @param envelope: what the body belongs to, as far as that is known.
        @return: an L{IBody}, to put the body in.
        """

    def keeps(service: str) -> bool:
        """
        Whether a body that runs through that service's inspector passes as it is, or not at all:
        what was said of its length still holds.
        """

    def readdress(to: Readdressed) -> None:
        """
        Of a stacked mail: what passes is to have another envelope. To be asked for once, before
        anything is sent.

        @raise ValueError: this is no mail whose envelope could be another one.
        """

    def release() -> None:
        """Nothing is left to inspect: let the bytes run by the shortest way."""

    def hand_over(service: str, unread: Mapping[Side, bytes]) -> None:
        """
        The rest of this session is for the inspector of another service, such
        as what runs in a tunnel. It is told as at the start of a session; its
        own L{connect} is answered with the server that is there.

        The limits, and the audit records, are still those of this service. The
        present inspector is told nothing more but L{IInspector.closed}.

        @param unread: what the peers sent and this inspector has not used.
        """

    def record(
        event: str, gateway: Mapping[str, Any] = ..., denied_by: str = "", **fields: Any
    ) -> None:
        """
        Write an audit record of this session.

        @param event: the EVE C{event_type}, such as C{"http"}, or a name of your own.
        @param gateway: what EVE has no field for: it is added to the record's object
            C{gateway}. The same names in all protocols: C{verdict}, in L{Outcome}'s words,
            C{reason}, and C{answer}, what the client heard if it was the gateway's.
        @param denied_by: what did not let it pass, whether the session goes on or not: the
            name of a setting (the record then has its place), the place of a test or list
            (C{"services/web.toml:12"}), or L{PROTOCOL}. It is recorded, and counted: so
            never what a peer sent.
        @param fields: becomes the object of that name in the record. Of an event that EVE
            has, only EVE's own fields, see L{gateway.observe.eve}.
        """

    def record_prepared(event: str, fields: str, gateway: str) -> None:
        """
        L{record} of something that is recorded again and again, and of which most is always the
        same: what was prepared is already JSON. Whoever puts a peer's words into it quotes them
        (C{json.encoder.encode_basestring_ascii}), and keeps them short.

        @param fields: the members of the object named as the event, without its braces.
        @param gateway: those of the object C{gateway}.
        """

    def hit(place: str) -> None:
        """
        A test or a list of the policy has matched: it is counted, so that the operator sees
        which ones are of use. What denies (L{record}) need not be told twice.

        @param place: where it is written (C{"services/web.toml:12"}), or the name of a setting.
        """


class IDatagramInspector(Interface):
    """
    Protocol knowledge for one session of datagrams (UDP): what comes between one port of a client
    and one of a server. What its methods raise means the same as in L{IInspector}, whose C{about}
    it may have, too.

    If its class has a C{brief} that is true, clients' ports mostly send one datagram: there is no
    socket towards the client before it sends the next one, and nobody hears that it is not there
    any more.
    """

    def started() -> None:
        """A first datagram of the client has come, which is told next; nothing is connected."""

    def received(side: Side, datagram: bytes) -> Deferred[Any] | None:
        """
        C{side} sent a datagram.

        @return: C{None}, or a Deferred, whose failure is like an exception. Nobody waits for it:
            datagrams that come meanwhile are told as well.
        """

    def closed(verdict: Verdict) -> None:
        """See L{IInspector.closed}."""


class IDatagramSession(Interface):
    """
    The datagrams between two ports, as an inspector sees them: with the words of L{ISession}, but
    that nothing is ordered, certain, or ever at its end. Who needs several datagrams to decide
    keeps them, and sends them then; how many, is for a setting to say.
    """

    id: int = Attribute("see ISession")
    service: str = Attribute("see ISession")
    client: Address = Attribute("see ISession")
    server: Address = Attribute("see ISession")
    settings: Any = Attribute("see ISession")
    shared: Any = Attribute("see ISession")
    now: float = Attribute("see ISession")

    def connect() -> Deferred[Address]:
        """
        Open the server's side, as the service says. That takes no time, and does not mean that
        anybody is there.

        @return: has fired with the server's address, or fails with L{Unreachable}.
        @raise RuntimeError: it was asked to already.
        """

    def send(side: Side, data: bytes) -> None:
        """Send a datagram. It may get lost, and does so where the side is not connected."""

    def release() -> None:
        """Nothing is left to inspect: all datagrams pass as they are."""

    def deny(reason: str, reply: bytes = b"") -> None:
        """
        End the session as denied; C{reply} is a last datagram for the client. If it sends another
        one, that is the first of a new session.
        """

    def close(reason: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """End the session on purpose."""

    def after(seconds: float, call: Callable[[], Any]) -> ITimer:
        """See L{ISession.after}."""

    def date() -> float:
        """See L{ISession.date}."""

    def probe(*, name: str = "", alpn: Sequence[str] = (), terms: Any = None) -> Deferred[Agreed]:
        """Ask the server for its certificate, by TCP, at the same port; see L{ISession.probe}."""

    def record(
        event: str, gateway: Mapping[str, Any] = ..., denied_by: str = "", **fields: Any
    ) -> None:
        """See L{ISession.record}."""

    def record_prepared(event: str, fields: str, gateway: str) -> None:
        """See L{ISession.record_prepared}."""

    def hit(place: str) -> None:
        """See L{ISession.hit}."""


class IInspectorMaker(Interface):
    """
    A protocol that service files can name: what a Twisted plugin provides.

    Loading one must be cheap. The protocol's module is imported only when a
    service that is really configured asks for it.
    """

    name: str = Attribute("what service files write after 'inspector ='")
    description: str = Attribute("one line for the operator")
    keeps: bool = Attribute("whether a body passes as it is, or not at all: L{ISession.keeps}")
    serves: frozenset[str] = Attribute(
        "names of the inspectors whose services may name one of this; empty: any may"
    )
    transports: frozenset[str] = Attribute(
        "what it inspects: {'tcp'}, {'udp'} (make() then gets an IDatagramSession), or both"
    )

    contract: tuple[int, int] = Attribute("the version of the contract that it was written for")

    def settings() -> type | None:
        """
        The attrs class of the inspector's settings, or C{None} if there are none.

        @raise Exception: whatever the import of the plugin raises.
        """

    def share(settings: Any) -> Any:
        """
        What all sessions of a service with these settings share, such as what was once looked up:
        settings are data and keep nothing. Made once for each service and policy; a reload makes
        another one. C{None} if there is nothing.
        """

    def make(session: ISession) -> IInspector:
        """An inspector for this session."""
