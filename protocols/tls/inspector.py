"""
The inspector of TLS: it reads what the client says first, and then splices the two
sides together, refuses, or looks inside.

To look inside, the server comes first: what the client is told depends on the
server's certificate, and on the protocol that it chose. What is inside is another
service's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar, NoReturn

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.agreement import Agreed, Flaw, Insecure
from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Address, Denied, ISession, Outcome, Unreachable
from protocols.http.reply import plain_page, reply
from protocols.tls.decision import Decision, Said, candidates, foretold
from protocols.tls.hello import ClientHello
from protocols.tls.ja4 import ja4
from protocols.tls.numbers import Alert
from protocols.tls.opening import opening
from protocols.tls.records import Limits
from protocols.tls.refusal import Refusal, alert_record
from protocols.tls.settings import Rule, TlsSettings
from protocols.tls.shared import Shared
from protocols.tls.story import Story
from protocols.tls.upgrade import ALL, SHOWN_AS_IT_IS

PASSED_ON = {
    each.name.lower(): each
    for each in (
        *(Alert.ACCESS_DENIED, Alert.HANDSHAKE_FAILURE, Alert.PROTOCOL_VERSION),
        *(Alert.UNRECOGNIZED_NAME, Alert.NO_APPLICATION_PROTOCOL),
    )
}
"""Alerts of a server that mean the same to a client that has not said hello to it itself."""


class TlsInspector(StreamInspector):
    """One TLS connection, until somebody else looks inside."""

    Settings: ClassVar[type] = TlsSettings
    Shared: ClassVar[type] = Shared

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: TlsSettings = session.settings
        self._shared: Shared = session.shared
        self._handed: Deferred[None] = Deferred()
        self._timer: Any = None
        self._told: Story | None = None

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return "waits for the client's hello" if self._told is None else self._told.about

    @staticmethod
    def foretell(settings: TlsSettings, connection: Any, said: Any) -> tuple[str, str, str]:
        """
        What would become of a connection, for C{tproxygw explain}; see
        L{gateway.policy.foretelling}. Which program the client is (JA4), and what certificate the
        server has, nobody knows there.
        """
        client, server = connection.source.host, connection.destination.host
        decision = foretold(settings, Said(said.sni.lower(), said.alpn, "", client, server))
        inside = decision.inside if decision.mode == "inspect" else ""
        return decision.mode, inside, decision.place

    def started(self) -> None:
        """Nothing is connected before the client has said what it wants."""
        self._timer = self.session.after(self._settings.hello_seconds, self._slow)

    def _slow(self) -> None:
        seconds = self._settings.hello_seconds
        self.session.close(f"time limit: hello_seconds = {seconds:g}", Outcome.FAILED)

    async def from_server(self, read: Reader) -> None:
        """What a server says before the client's side is ready waits for who looks inside."""
        await self._handed

    async def from_client(self, read: Reader) -> None:
        """The hello; what follows is somebody else's."""
        if not await read.more():
            return
        limits = Limits(self._settings.hello_bytes, self._settings.hello_records)
        hello = await opening(read, limits)
        self._timer.cancel()
        story = self._told = await self._story(hello)
        mode = story.decision.mode
        if mode == "refuse":
            await self._refuse(story, read)
        elif mode == "splice":
            await self._splice(story)
        else:
            await self._inspect(story, read)

    async def _story(self, hello: ClientHello) -> Story:
        client, server = self.session.client.host, self.session.server.host
        alpn = tuple(name.decode("latin-1") for name in hello.alpn)
        said = Said(hello.server_name, alpn, ja4(hello), client, server)
        for rule, decision in candidates(self._settings, said):
            if rule is None or not rule.asks_server or await self._accepts(rule, said):
                return Story(hello, said.ja4, self._asked_before(decision, said))
        raise AssertionError("the last candidate is always one")

    async def _accepts(self, rule: Rule, said: Said) -> bool:
        """Whether a server's certificate is one that a rule means. One that lies is none."""
        with suppress(Unreachable, Insecure):
            agreed = await self._shared.probe(self.session, said.name, said.alpn)
            return bool(agreed.chain) and not agreed.flaws and rule.accepts(agreed.chain[0])
        return False

    def _asked_before(self, decision: Decision, said: Said) -> Decision:
        """A server that has asked for clients' certificates is left alone, if that is wanted."""
        server = (*self.session.server, said.name)
        wanted = self._settings.client_certificate == "splice" and decision.identity is None
        wanted = wanted and decision.mode == "inspect"
        if wanted and self._shared.asking.get(server, self.session.now):
            return Decision("splice", "", "tls.client_certificate", check_name=True)
        return decision

    # Refuse

    async def _refuse(self, story: Story, read: Reader) -> None:
        who = story.hello.server_name or story.hello.address or "a client that says no name"
        reason = f"{who} is refused"
        by = story.decision.at_line
        if self._settings.refuse_with == "page":
            await self._page(story, read, 403, reason, by)
        self._deny(story, reason, Alert.ACCESS_DENIED, by)

    def _deny(self, story: Story, reason: str, alert: Alert, by: str = "") -> NoReturn:
        """
        Turn the client away before its TLS begins. It is recorded once, however often a browser
        tries.
        """
        key = (self.session.client.host, story.hello.server_name, reason)
        if self._shared.refused.get(key, self.session.now) is None:
            self._shared.refused.put(key, True, self.session.now)
            story.tell(self.session, Outcome.DENIED, reason, by)
        raise Refusal(reason, alert)

    async def _page(
        self, story: Story, read: Reader, status: int, reason: str, by: str = ""
    ) -> NoReturn:
        """Tell the client by a page, under a certificate of ours for the name that it wants."""
        hello = story.hello
        alpn = self._alpn(hello)
        await self._secure_client(story, read, alpn=alpn, name=hello.server_name)
        outcome = Outcome.DENIED if by else Outcome.FAILED
        story.tell(self.session, outcome, reason, by)
        await read.more()  # what it asks for does not matter
        page = reply(status, plain_page(status, reason), None, self.session.date())
        if by:
            raise Denied(reason, page)
        self.session.send(CLIENT, page)
        self.session.close(reason, Outcome.FAILED)
        await self._handed  # nothing more is read
        raise AssertionError

    # Splice

    async def _splice(self, story: Story) -> None:
        if story.decision.check_name:
            await self._check_name(story)
        # Nobody waits for the server here: the hello does, in the session.
        self.session.connect().addCallbacks(
            self._spliced, self._missed, callbackArgs=(story,), errbackArgs=(story,)
        )
        self.release()

    def _spliced(self, server: Address, story: Story) -> Address:
        story.tell(self.session, Outcome.PASSED)
        return server

    def _missed(self, failure: Failure, story: Story) -> Failure:
        """It is the session that ends then, but for the record."""
        if isinstance(failure.value, Unreachable):
            story.tell(self.session, Outcome.FAILED, f"server unreachable: {failure.value}")
        return failure

    async def _check_name(self, story: Story) -> None:
        """
        The client only claims whom it wants.

        @raise Refusal: the server is somebody else.
        """
        hello = story.hello
        try:
            alpn = tuple(name.decode("latin-1") for name in hello.alpn)
            story.server = await self._shared.probe(self.session, hello.server_name, alpn)
        except Insecure as error:
            self._deny(story, error.reason, Alert.ACCESS_DENIED, story.decision.at_line)
        except Unreachable as error:
            story.tell(self.session, Outcome.FAILED, f"server unreachable: {error}")
            raise
        for flaw in story.server.flaws:
            reason = f"the server's certificate: {flaw}"
            self._deny(story, reason, Alert.ACCESS_DENIED, story.decision.at_line)

    # Inspect

    async def _inspect(self, story: Story, read: Reader) -> None:
        alpn = self._alpn(story.hello)
        if story.hello.alpn and not alpn:
            reason = "the client speaks none of the protocols that are inspected (ALPN)"
            self._deny(story, reason, Alert.NO_APPLICATION_PROTOCOL, "tls.alpn")
        agreed = await self._agree_with_server(story, read, alpn)
        await self._look_at(story, read, agreed)
        kinds = {flaw.kind for flaw in agreed.flaws}
        await self._secure_client(
            story,
            read,
            alpn=(agreed.alpn,) if agreed.alpn else (),
            like=agreed,
            trusted=kinds <= SHOWN_AS_IT_IS,
        )
        story.tell(self.session, Outcome.PASSED)
        self.hand_over(story.decision.inside)
        self._told = self._timer = None  # it is kept to the session's end

    async def _agree_with_server(self, story: Story, read: Reader, alpn: tuple[str, ...]) -> Agreed:
        """Connect, and agree on TLS; if that can't be, tell the client as well as may be."""
        try:
            await self.session.connect()
            story.server = await self.session.secure(
                SERVER,
                name=story.hello.server_name,
                alpn=alpn,
                terms=self._settings.with_server(story.hello, story.decision.identity),
                accept=ALL,
            )
        except Unreachable as error:
            await self._fail(story, read, 504, f"server unreachable: {error}")
        except Insecure as error:
            story.alert = error.alert
            await self._fail(story, read, 502, error.reason)
        assert story.server is not None
        return story.server

    async def _fail(self, story: Story, read: Reader, status: int, reason: str) -> NoReturn:
        """There is no server."""
        if self._settings.pages:
            await self._page(story, read, status, reason)
        story.tell(self.session, Outcome.FAILED, reason)
        alert = PASSED_ON.get(story.alert, Alert.INTERNAL_ERROR)
        self.session.send(CLIENT, alert_record(alert))
        self.session.close(reason, Outcome.FAILED)
        await self._handed
        raise AssertionError

    async def _look_at(self, story: Story, read: Reader, agreed: Agreed) -> None:
        """
        Whether this server may be shown to the client.

        @raise Denied: it may not.
        """
        own = story.decision.identity
        if agreed.wants_certificate and not own and self._settings.client_certificate != "none":
            server = (*self.session.server, story.hello.server_name)
            self._shared.asking.put(server, True, self.session.now)
            reason = "the server asks for a certificate of the client"
            self._deny(story, reason, Alert.ACCESS_DENIED, "tls.client_certificate")
        for wanted in ("deny", "page"):
            for flaw in agreed.flaws:
                if self._settings.answer(flaw.kind) == wanted:
                    await self._tell_flaw(story, read, flaw, wanted)

    async def _tell_flaw(self, story: Story, read: Reader, flaw: Flaw, answer: str) -> NoReturn:
        """The server is not shown to the client, who learns why if the policy says so."""
        reason = f"the server's certificate: {flaw}"
        if answer == "page":
            await self._page(story, read, 502, reason, "tls.invalid")
        self._deny(story, reason, Alert.ACCESS_DENIED, "tls.invalid")

    async def _secure_client(
        self,
        story: Story,
        read: Reader,
        alpn: tuple[str, ...],
        name: str = "",
        like: Agreed | None = None,
        trusted: bool = True,
    ) -> None:
        hello = read.take(read.unread)
        story.trusted = trusted
        try:
            story.client = await self.session.secure(
                CLIENT,
                hello,
                name=name,
                alpn=alpn,
                terms=self._settings.with_client(),
                like=like,
                trusted=trusted,
            )
        except Insecure as error:
            story.alert = error.alert
            story.tell(self.session, Outcome.FAILED, error.reason)
            raise

    def _alpn(self, hello: ClientHello) -> tuple[str, ...]:
        """What the client offers of what is understood inside."""
        return tuple(name for name in self._settings.alpn if name.encode("latin-1") in hello.alpn)
