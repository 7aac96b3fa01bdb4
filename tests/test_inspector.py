"""What StreamInspector promises: whatever an author writes, it is safe."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import Inspector, LoneEnd, Reader, StreamInspector, pattern
from gateway.inspector.reader import MESSAGE, TURN
from gateway.interfaces import CLIENT, SERVER, Denied, Outcome, Unreachable, Verdict
from gateway.testing import FakeSession


def run(make: Any, *said: bytes, **session: Any) -> FakeSession:
    """A session whose client says this."""
    fake = FakeSession(make, **session).start()
    for data in said:
        fake.says(CLIENT, data)
    return fake


def verdict(session: FakeSession) -> Verdict:
    """How it ended."""
    assert session.verdict is not None, session.events
    return session.verdict


class Lines(StreamInspector):
    """Passes lines of up to ten bytes on, in brackets."""

    async def from_client(self, read: Reader) -> None:
        while await read.more():
            self.session.send(SERVER, b"[" + await read.line(10) + b"]")


class One(StreamInspector):
    """Passes one line."""

    async def from_client(self, read: Reader) -> None:
        self.session.send(SERVER, await read.line(10))


class InspectorTests(SynchronousTestCase):
    """The plain base class is a relay."""

    def test_relay(self) -> None:
        """An author who writes nothing gets a relay that passes half-closes on."""
        session = run(Inspector, b"ab")
        session.says(SERVER, b"cd")
        session.hangs_up(CLIENT)
        session.hangs_up(SERVER)
        self.assertEqual(session.sent, {SERVER: b"ab", CLIENT: b"cd"})
        self.assertEqual(verdict(session).outcome, Outcome.PASSED)

    def test_pattern(self) -> None:
        """An operator's broken regular expression is explained."""
        self.assertIn("not a regular expression", str(self.assertRaises(ValueError, pattern, "(")))
        self.assertTrue(pattern("secret.*").fullmatch("secret\nx"))


class EndTests(SynchronousTestCase):
    """What becomes of the end of a stream, and of what follows the end of a coroutine."""

    def test_returned(self) -> None:
        """After the last message, one more byte is denied, together with it or later."""
        for said in ([b"ab\r\nx"], [b"ab\r\n", b"x"]):
            session = run(One, *said)
            self.assertEqual(verdict(session).outcome, Outcome.DENIED)
            self.assertEqual(session.sent[SERVER], b"ab")

    def test_between_messages(self) -> None:
        """An end between messages is passed on."""
        for make in (Lines, One):
            session = run(make, b"ab\r\n")
            session.hangs_up(CLIENT)
            self.assertEqual(session.halves, {SERVER})
            self.assertIsNone(session.verdict)

    def test_inside_a_message(self) -> None:
        """An end inside a message is denied and not passed on."""
        for make in (Lines, One):
            session = run(make, b"ab\r\ncd" if make is Lines else b"ab")
            session.hangs_up(CLIENT)
            self.assertEqual(verdict(session).outcome, Outcome.DENIED)
            self.assertIn("middle of a message", verdict(session).reason)
            self.assertEqual(session.halves, set())

    def test_never_began(self) -> None:
        """A client that says nothing at all, and ends, is not accused of anything."""
        session = run(One)
        session.hangs_up(CLIENT)
        self.assertEqual(session.halves, {SERVER})

    def test_second_message_missing(self) -> None:
        """Without more(), a second message that does not come is a message cut off."""

        class Two(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                await read.line(10)

        session = run(Two, b"a\r\n")
        session.hangs_up(CLIENT)
        self.assertEqual(verdict(session).outcome, Outcome.DENIED)

    def test_unwritten_direction(self) -> None:
        """A direction that is not written is relayed, its end too."""
        session = run(One, b"ab\r\n")
        session.says(SERVER, b"\x00\n")
        session.hangs_up(SERVER)
        self.assertEqual(session.sent[CLIENT], b"\x00\n")
        self.assertEqual(session.halves, {CLIENT})

    def test_relay_the_rest(self) -> None:
        """After the part that matters, super() relays."""

        class Greeting(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                self.session.send(SERVER, await read.line(10))
                await super().from_client(read)

        session = run(Greeting, b"ab\r\nrest", b"more")
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"abrestmore")
        self.assertEqual(session.halves, {SERVER})


class BugTests(SynchronousTestCase):
    """A bug is not a denial: the session has to know, so that the traceback is logged."""

    def test_in_received(self) -> None:
        """An exception comes out of received(), and nothing of that side passes any more."""

        class Broken(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                raise ZeroDivisionError

        inspector = Broken(FakeSession(Inspector))
        self.assertRaises(ZeroDivisionError, inspector.received, CLIENT, b"a\r\n")
        self.assertIsNone(inspector.received(CLIENT, b"more"))
        inspector.ended(CLIENT)

    def test_in_ended(self) -> None:
        """An exception at the end comes out of ended()."""

        class Broken(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.more()
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, Broken(FakeSession(Inspector)).ended, CLIENT)

    def test_after_a_decision(self) -> None:
        """An exception after an awaited decision fails the Deferred that the session has."""
        decision: Deferred[None] = Deferred()

        class Broken(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                await decision
                raise ZeroDivisionError

        session = run(Broken, b"a\r\n")
        decision.callback(None)
        self.assertEqual(verdict(session).outcome, Outcome.BROKEN)

    def test_foreign_awaitable(self) -> None:
        """Awaiting something that nobody will answer is a bug that says so."""

        class Foreign:
            def __await__(self) -> Any:
                yield "soon"

        class Broken(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await Foreign()

        bug = self.assertRaises(TypeError, run, Broken, b"a")
        self.assertIn("its own reader or a Deferred", str(bug))


class DecisionTests(SynchronousTestCase):
    """A coroutine may await a Deferred; its side waits, the other one does not."""

    def setUp(self) -> None:
        self.decisions: list[Deferred[bool]] = []
        decisions = self.decisions

        class Asking(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    line = await read.line(10)
                    decisions.append(Deferred())
                    if not await decisions[-1]:
                        raise Denied("no", b"sorry")
                    self.session.send(SERVER, line)

        self.session = run(Asking, b"a\r\nb\r\n")

    def test_waits(self) -> None:
        """Nothing more is read before the decision; then all goes on where it stood."""
        self.assertEqual(self.session.paused, {CLIENT})
        self.decisions[0].callback(True)
        self.assertEqual((self.session.sent[SERVER], self.session.paused), (b"a", {CLIENT}))
        self.decisions[1].callback(True)
        self.assertEqual((self.session.sent[SERVER], self.session.paused), (b"ab", set()))

    def test_reads(self) -> None:
        """Who has time limits can ask whether a side is waited for, or a decision about it."""
        inspector = self.session.inspector
        assert isinstance(inspector, StreamInspector)
        self.assertEqual((inspector.reads(CLIENT), inspector.reads(SERVER)), (False, False))
        self.decisions[0].callback(True)
        self.decisions[1].callback(True)
        self.assertTrue(inspector.reads(CLIENT))
        self.session.hangs_up(CLIENT)
        self.assertFalse(inspector.reads(CLIENT))

    def test_the_other_side(self) -> None:
        """Meanwhile the other side is heard."""
        self.session.says(SERVER, b"hello")
        self.assertEqual(self.session.sent[CLIENT], b"hello")

    def test_denied(self) -> None:
        """The decision may be to deny."""
        self.decisions[0].callback(False)
        self.assertEqual(verdict(self.session), Verdict(Outcome.DENIED, "no"))
        self.assertEqual(self.session.sent[CLIENT], b"sorry")

    def test_failed(self) -> None:
        """A decision that fails is raised where it was awaited."""
        self.decisions[0].errback(Denied("could not be decided"))
        self.assertEqual(verdict(self.session).reason, "could not be decided")

    def test_end_meanwhile(self) -> None:
        """An end that comes while a decision is awaited is found afterwards."""
        self.session.inspector.ended(CLIENT)
        self.decisions[0].callback(True)
        self.decisions[1].callback(True)
        self.assertEqual(self.session.halves, {SERVER})

    def test_closed_meanwhile(self) -> None:
        """If the session ends, the decision is cancelled, and the coroutine closed."""
        self.session.over()
        self.assertTrue(self.decisions[0].called)
        self.assertEqual((self.session.late, len(self.decisions)), ([], 1))

    def test_after_the_end(self) -> None:
        """A decision at the very end counts, too."""
        decision: Deferred[None] = Deferred()

        class Last(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    await read.some()
                await decision

        session = run(Last, b"a")
        session.hangs_up(CLIENT)
        self.assertEqual(session.halves, set())
        decision.errback(Denied("no"))
        self.assertEqual(verdict(session), Verdict(Outcome.DENIED, "no"))

    def test_already_decided(self) -> None:
        """A Deferred that has fired costs no wait."""

        class Quick(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                self.session.send(SERVER, await succeed(await read.some()))

        session = run(Quick, b"a")
        self.assertEqual((session.sent[SERVER], session.paused), (b"a", set()))

    def test_one_side_decides_for_the_other(self) -> None:
        """What the server answers may be what the client's direction awaits."""

        class Exchange(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    self.reply: Deferred[bytes] = Deferred()
                    self.session.send(SERVER, await read.line(10))
                    self.session.record("exchange", reply=await self.reply)

            async def from_server(self, read: Reader) -> None:
                while await read.more():
                    self.reply.callback(await read.line(10))

        session = run(Exchange, b"a\r\nb\r\n")
        session.says(SERVER, b"1\r\n")
        session.says(SERVER, b"2\r\n")
        self.assertEqual([fields["reply"] for _, fields in session.recorded], [b"1", b"2"])
        self.assertEqual(session.sent[SERVER], b"ab")

    def test_connect(self) -> None:
        """Awaiting connect() works; a server that is not reached ends the session as failed."""

        class Careful(StreamInspector):
            def started(self) -> None:
                pass

            async def from_client(self, read: Reader) -> None:
                line = await read.line(10)
                address = await self.session.connect()
                self.session.send(SERVER, line + str(address).encode())

        self.assertEqual(run(Careful, b"a\r\n").sent[SERVER], b"a198.51.100.2:7")
        session = run(Careful, b"a\r\n", reachable=False)
        self.assertEqual(verdict(session).outcome, Outcome.FAILED)

    def test_connect_handled(self) -> None:
        """An inspector may deal with an unreachable server itself."""

        class Polite(StreamInspector):
            def started(self) -> None:
                pass

            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                try:
                    await self.session.connect()
                except Unreachable:
                    self.session.deny("nobody there", b"try later")

        session = run(Polite, b"a\r\n", reachable=False)
        self.assertEqual(session.sent[CLIENT], b"try later")

    def test_awaited_failure_at_once(self) -> None:
        """A Deferred that has failed already is raised at once."""

        class Failing(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await fail(Denied("no"))

        self.assertEqual(verdict(run(Failing, b"a")).reason, "no")


class CloseTests(SynchronousTestCase):
    """The end of a session, whenever it comes."""

    def test_finally(self) -> None:
        """A coroutine that waits is closed: its C{finally} runs."""
        closed = []

        class Tidy(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                try:
                    await read.line(10)
                finally:
                    closed.append(True)

        run(Tidy, b"a").over()
        self.assertEqual(closed, [True])

    def test_one_ends_the_other(self) -> None:
        """What one direction does at its end does not wake the other one up."""
        woken = []

        class Entangled(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                self.other: Deferred[None] = Deferred()
                await self.other
                woken.append(CLIENT)

            async def from_server(self, read: Reader) -> None:
                try:
                    await read.line(10)
                finally:
                    self.other.callback(None)

        session = run(Entangled, b"a")
        session.says(SERVER, b"b")
        session.over()
        self.assertEqual(woken, [])

    def test_closed_while_running(self) -> None:
        """deny() from within a coroutine ends it when it next waits; nothing is asked after."""

        class Sudden(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                self.session.deny("enough")
                await read.line(10)
                raise ZeroDivisionError

        session = run(Sudden, b"a\r\nb\r\n")
        self.assertEqual((verdict(session).reason, session.late), ("enough", []))

    def test_denied_after_closed(self) -> None:
        """A Denied after deny() says nothing new."""

        class Twice(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                self.session.deny("first")
                raise Denied("second")

        session = run(Twice, b"a\r\n")
        self.assertEqual((verdict(session).reason, session.late), ("first", []))

    def test_fed_while_running(self) -> None:
        """Bytes that come while the coroutine runs are read next."""

        class Echoed(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                line = await read.line(10)
                self.received(CLIENT, b"second\r\n")
                self.session.send(SERVER, line + await read.line(10))

        self.assertEqual(run(Echoed, b"first\r\n").sent[SERVER], b"firstsecond")

    def test_peeked(self) -> None:
        """What has come can be looked at first, and then be read without copying it again."""
        seen: list[bytes] = []

        class Peeking(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                seen.append(read.peek(2))
                read.skip(4)
                seen.append(await read.line(10))

        run(Peeking, b"first\r\n12\r\n3\r\n")
        self.assertEqual(seen, [b"12", b"3"])

    def test_nothing_is_kept(self) -> None:
        """When the session lets go of an inspector, it is gone without the garbage collector."""
        gc.disable()
        self.addCleanup(gc.enable)
        for said in (b"a", b"a\r\n"):
            session = run(Lines, said)
            session.over()
            inspector = weakref.ref(session.inspector)
            del session.inspector
            self.assertIsNone(inspector())


class SecureTests(SynchronousTestCase):
    """STARTTLS injection dies here, for every protocol."""

    class Starting(StreamInspector):
        """Goes over to TLS on the client's side after one line."""

        async def from_client(self, read: Reader) -> None:
            await read.line(10)
            self.session.secure(CLIENT)
            self.session.send(SERVER, await read.line(10))

    def test_injection(self) -> None:
        """Plaintext that came with the command is not taken for protected."""
        session = run(self.Starting, b"STARTTLS\r\nevil\r\n")
        self.assertEqual(verdict(session).outcome, Outcome.DENIED)
        self.assertEqual((session.secured, session.sent[SERVER]), ([], b""))

    def test_clean(self) -> None:
        """Otherwise what comes next is protected."""
        session = run(self.Starting, b"STARTTLS\r\n", b"good\r\n")
        self.assertEqual((session.secured, session.sent[SERVER]), ([(CLIENT, b"")], b"good"))

    def test_other_side(self) -> None:
        """A side that is just relayed has nothing unread."""

        class ServerToo(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                self.session.secure(SERVER, hello=await read.line(10))

        self.assertEqual(run(ServerToo, b"x\r\n").secured, [(SERVER, b"x")])


class ReleaseTests(SynchronousTestCase):
    """After release(), bytes pass."""

    class Releasing(StreamInspector):
        """Releases after one line."""

        async def from_client(self, read: Reader) -> None:
            self.session.send(SERVER, await read.line(10))
            self.release()

        async def from_server(self, read: Reader) -> None:
            await read.line(1000)

    def test_unread_passes(self) -> None:
        """What was unread on either side passes, in order, and all that follows."""
        session = FakeSession(self.Releasing).start()
        session.says(SERVER, b"half a li")
        session.says(CLIENT, b"a\r\nrest")
        session.says(CLIENT, b"\x00")
        session.says(SERVER, b"ne")
        self.assertEqual(session.sent, {SERVER: b"arest\x00", CLIENT: b"half a line"})
        session.hangs_up(CLIENT)
        self.assertEqual(session.halves, {SERVER})

    def test_session_that_still_tells(self) -> None:
        """A session that does not relay by itself is served, too."""
        session = run(self.Releasing, b"a\r\n")
        session.inspector.received(SERVER, b"x")
        session.inspector.ended(SERVER)
        self.assertEqual((session.sent[CLIENT], session.halves), (b"x", {CLIENT}))

    def test_end_is_not_lost(self) -> None:
        """A side that ended while the other one awaited its decision is passed on."""
        decision: Deferred[None] = Deferred()

        class Late(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.some()
                await decision

            async def from_server(self, read: Reader) -> None:
                await read.some()
                self.release()

        session = run(Late, b"a")
        session.inspector.ended(CLIENT)
        session.says(SERVER, b"x")
        self.assertEqual((session.halves, session.paused), ({SERVER}, set()))


class Busy(FakeSession):
    """One whose test says when the others have had their turn."""

    def give_way(self, side: Any) -> Deferred[None]:
        self.ways.append(Deferred())
        return self.ways[-1]

    ways: list[Deferred[None]]


def busy(make: Any, said: bytes) -> Busy:
    """A session whose client says all this at once."""
    session = Busy(make)
    session.ways = []
    session.start()
    session.says(CLIENT, said)
    return session


class FairTests(SynchronousTestCase):
    """Nobody can have the gateway for himself, by sending much that is read in small pieces."""

    said = b"a\r\n" * 1000

    def goes_on(self, session: Busy) -> None:
        """The others have had their turn, each time, until it is done."""
        for _ in range(1000):
            if not session.ways:
                return
            session.ways.pop().callback(None)
        self.fail("it does not come to an end")

    def test_messages(self) -> None:
        """After some messages, the others have their turn; in the end all is as without them."""
        session = busy(Lines, self.said)
        self.assertLessEqual(session.sent[SERVER].count(b"[a]"), TURN // MESSAGE)
        self.assertEqual(session.paused, {CLIENT})
        self.goes_on(session)
        self.assertEqual(session.sent[SERVER], b"[a]" * 1000)
        self.assertEqual(session.paused, set())

    def test_reads(self) -> None:
        """Also in the middle of a message, however it is read."""

        class Pieces(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                for _ in range(100):
                    self.count = 0
                    await read.exactly(1, 1)
                    await read.some(1)
                    await read.until(b"\n", 1)
                    await read.line(1)
                    await read.lines(1)
                    read.skip(len(read.peek(3)))
                self.session.send(SERVER, b"all")

        session = busy(Pieces, b"ab\na\r\n\r\na\r\n" * 100)
        self.assertEqual(session.paused, {CLIENT})
        self.assertEqual(session.sent[SERVER], b"")
        self.goes_on(session)
        self.assertEqual(session.sent[SERVER], b"all")

    def test_no_need(self) -> None:
        """Who has little to say, or comes in pieces, never waits for anybody."""
        session = busy(Lines, b"a\r\n" * 5)
        for _ in range(1000):
            session.says(CLIENT, b"a\r\n")
        self.assertEqual(session.ways, [])

    def test_end(self) -> None:
        """A session may end meanwhile: nothing goes on then."""
        closed = []

        class Closing(Lines):
            async def from_client(self, read: Reader) -> None:
                try:
                    await super().from_client(read)
                finally:
                    closed.append("closed")

        session = busy(Closing, self.said)
        sent = session.sent[SERVER]
        session.over()
        self.assertEqual(closed, ["closed"])
        self.assertTrue(session.ways[0].called)
        self.assertEqual((session.sent[SERVER], session.late), (sent, []))

    def test_denied(self) -> None:
        """What is denied later is denied as it would have been at once."""
        session = busy(Lines, self.said + b"\n")
        self.assertIsNone(session.verdict)
        self.goes_on(session)
        self.assertEqual(verdict(session).outcome, Outcome.DENIED)

    def test_release(self) -> None:
        """What is released meanwhile passes in its order, and once."""
        session = busy(Lines, b"a\r\n" * 100)
        passed = session.sent[SERVER].count(b"[a]")
        session.inspector.release()
        self.goes_on(session)
        self.assertEqual(session.sent[SERVER], b"[a]" * passed + b"a\r\n" * (100 - passed))


class ReaderTests(SynchronousTestCase):
    """Every read has a limit, and means the same however the bytes are cut."""

    def read(self, ask: Any, *said: bytes, end: bool = False) -> Any:
        """What a read gives, or why it was denied; L{None} while it waits."""
        results: list[Any] = []

        class Reading(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                results.append(await ask(read))
                while await read.more():
                    await read.some()

        session = run(Reading, *said)
        if end:
            session.hangs_up(CLIENT)
        if session.verdict is not None:
            return session.verdict.reason
        return results[0] if results else None

    def test_line(self) -> None:
        """A line ends in CRLF and in nothing else."""
        for said, line in (
            (b"\r\n", b""),
            (b"ab\r\n", b"ab"),
            (b"ab\r\ncd\r\n", b"ab"),
            (b"abcd\r\n", b"abcd"),
            (b"ab", None),
            (b"ab\r", None),
        ):
            self.assertEqual(self.read(lambda read: read.line(4), said), line)

    def test_line_denied(self) -> None:
        """A lone CR, a lone LF, and a line that is too long are denied."""
        for said, why in (
            (b"\n", "lone"),
            (b"ab\n", "lone"),
            (b"a\rb\r\n", "lone"),
            (b"a\r\r\n", "lone"),
            (b"\r\r\n", "lone"),
            (b"a\nb\r\n", "lone"),
            (b"abcde\r\n", "a line of more than 4 bytes"),
            (b"abcdef", "a line of more than 4 bytes"),
        ):
            for pieces in ([said], [said[:1], said[1:]]):
                self.assertIn(why, str(self.read(lambda read: read.line(4), *pieces)), said)

    def test_line_denied_at_once(self) -> None:
        """Nobody waits for the end of a line that can't have a right one any more."""
        for said in (b"\n", b"ab\n", b"a\rb", b"\r\r"):
            for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
                why = self.read(lambda read: read.line(9), *pieces)
                self.assertIn("lone", str(why), said)

    def test_lines(self) -> None:
        """Lines come together, up to the empty one."""
        for said, lines in (
            (b"\r\nx", b""),
            (b"a\r\n\r\nx", b"a\r\n"),
            (b"a\r\nb\r\n\r\n", b"a\r\nb\r\n"),
            (b"abcdef\r\n\r\n", b"abcdef\r\n"),
            (b"a\r\nb\r\n", None),
            (b"a\r\n\r", None),
            (b"\r", None),
        ):
            for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
                self.assertEqual(self.read(lambda read: read.lines(6), *pieces), lines, said)

    def test_lines_denied_at_once(self) -> None:
        """A lone CR or LF in any of the lines, and too many bytes, as soon as that has come."""
        for said, why in (
            (b"\n", "lone"),
            (b"\r\r", "lone"),
            (b"a\n", "lone"),
            (b"a\r\nb\n", "lone"),
            (b"a\r\nb\rc", "lone"),
            (b"a\r\n\n", "lone"),
            (b"a\r\n\rb", "lone"),
            (b"abcdefg\r\n\r", "more than 6 bytes"),
        ):
            for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
                self.assertIn(why, str(self.read(lambda read: read.lines(6), *pieces)), said)

    def test_line_after_a_read_that_ends_in_cr(self) -> None:
        """A body's last byte makes no line end of a LF that follows it, whole or in pieces."""

        async def body_and(read: Reader, line: Any) -> bytes:
            await read.exactly(2, 2)
            return bytes(await line(9))

        for said in (b"x\r\n", b"x\r\ncommand\r\n", b"x\r\na\r\n\r\n"):
            for pieces in ([said], [said[:2], said[2:]], [said[at : at + 1] for at in range(9)]):
                for line in (
                    lambda read: body_and(read, read.line),
                    lambda read: body_and(read, read.lines),
                ):
                    self.assertIn("lone", str(self.read(line, *filter(None, pieces))), said)

    def test_lone_end(self) -> None:
        """Who wants to say where it is can look: nothing was read."""

        async def look(read: Reader) -> bytes:
            try:
                return await read.line(9)
            except LoneEnd as lone:
                return read.peek(lone.at)

        self.assertEqual(self.read(look, b"ab\ncd"), b"ab")

    def test_more(self) -> None:
        """What comes can be looked at as it comes, and stays unread."""
        for pieces, end, more in (
            ([b"a", b"b"], False, None),
            ([b"a", b"b", b"c"], False, True),
            ([b"abcd"], False, True),
            ([b"a", b"b"], True, False),
        ):
            self.assertIs(self.read(lambda read: read.more(2), *pieces, end=end), more)

    def test_until(self) -> None:
        """A mark may be cut in the middle."""
        for pieces in ([b"ab--c"], [b"ab-", b"-c"], [b"a", b"b", b"-", b"-"]):
            self.assertEqual(self.read(lambda read: read.until(b"--", 2), *pieces), b"ab")
        too_long = self.read(lambda read: read.until(b"--", 2), b"abc-")
        self.assertIn("a field of more than 2 bytes", too_long)

    def test_exactly(self) -> None:
        """A peer that announces too much, or nonsense, is denied before it sends it."""
        self.assertEqual(self.read(lambda read: read.exactly(3, 4), b"a", b"bcd"), b"abc")
        self.assertEqual(self.read(lambda read: read.exactly(0, 4), b"a"), b"")
        for count in (5, -1):
            self.assertIn("announced", self.read(lambda read: read.exactly(count, 4), b"a"))  # noqa: B023

    def test_looking(self) -> None:
        """What has come can be looked through before it is read; it is counted from there."""

        async def look(read: Reader) -> tuple[Any, ...]:
            await read.exactly(2, 2)
            seen = (read.peek(2), read.peek(9), read.find(b"b"), read.rfind(b"b"), read.find(b"x"))
            return (*seen, read.unread)

        self.assertEqual(self.read(look, b"xxabcb"), (b"ab", b"abcb", 1, 3, -1, 4))

    def test_some(self) -> None:
        """Bulk is not copied, and can be bounded."""
        data = bytes(range(100))
        self.assertIs(self.read(lambda read: read.some(), data), data)
        self.assertIs(self.read(lambda read: read.some(100), data), data)
        self.assertEqual(self.read(lambda read: read.some(2), data), data[:2])
        self.assertRaises(ValueError, self.read, lambda read: read.some(0), data)

    def test_end(self) -> None:
        """Each read that waits is denied at the end, if something had begun."""
        for ask in (
            lambda read: read.line(9),
            lambda read: read.until(b"x", 9),
            lambda read: read.exactly(9, 9),
        ):
            self.assertIn("middle of a message", self.read(ask, b"a", end=True))

    def test_small_segments(self) -> None:
        """A long line in tiny segments is looked through once, not once for each of them."""
        looked = 0

        class Counting(bytearray):
            def find(self, mark: Any, begin: Any = 0, end: Any = None) -> int:
                nonlocal looked
                looked += max(0, min(len(self), end) - begin)
                return super().find(mark, begin, end)

        read = Reader(CLIENT)
        read._buffer = Counting(b"a")
        line = read.line(20000)
        line.send(None)
        for _ in range(10000):
            read.feed(b"a")
            line.send(None)
        line.close()
        self.assertLess(looked, 30000)

    def test_leftovers(self) -> None:
        """Reads and segments need not fit: what is left of one segment is read with the next."""
        read = Reader(CLIENT)
        got = b""
        for at in range(0, 90, 3):
            read.feed(bytes(range(at, at + 3)))
            try:
                read.some(2).send(None)
            except StopIteration as done:
                got += done.value
        self.assertEqual(got + read.rest(), bytes(range(90)))

    @given(
        st.lists(st.binary(max_size=6)),
        st.lists(st.sampled_from(["line", "until", "exactly", "some", "rest"])),
    )
    def test_nothing_lost(self, pieces: list[bytes], asks: list[str]) -> None:
        """Whatever is read how, every byte is read once and in order."""
        read = Reader(CLIENT)
        came = got = b""
        reads = {
            "line": lambda: read.line(3),
            "until": lambda: read.until(b"\x00", 3),
            "exactly": lambda: read.exactly(2, 3),
            "some": lambda: read.some(3),
        }
        marks = {"line": b"\r\n", "until": b"\x00"}
        for piece, ask in zip(pieces, asks, strict=False):
            if piece:
                read.feed(piece)
                came += piece
            if ask == "rest":
                got += read.rest()
                continue
            waiting = reads[ask]()
            try:
                waiting.send(None)
            except StopIteration as done:
                got += done.value + marks.get(ask, b"")
            except Denied:
                return
            finally:
                waiting.close()
        self.assertEqual(got + read.rest(), came)
        self.assertTrue(read.empty)
