"""A client may name one host and connect to another: C{host_check}."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Denied, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.names import MOST_ADDRESSES, Names, NamesSettings
from protocols.http.policy.settings import HttpSettings
from protocols.http.shared import Shared
from tests.protocols.http.test_transactions import OK, records

HERE = Address("198.51.100.2", 80)
THERE, ELSEWHERE, SIXTH = "198.51.100.3", "198.51.100.4", "2001:db8::3"

NAMES: dict[str, tuple[str, ...] | None] = {
    "here.example": (THERE, HERE.host),
    "there.example": (THERE, SIXTH, ELSEWHERE),
    "sixth.example": (SIXTH,),
    "home.example": (HERE.host,),
    "else.example": (ELSEWHERE,),
    "none.example": (),
    "silent.example": None,
}


def get(host: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


class Counting(FakeSession):
    """
    @ivar asked: the names that were looked up.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.asked: list[str] = []
        super().__init__(*arguments, **options)

    def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
        """See L{ISession.resolve}."""
        self.asked.append(name)
        return super().resolve(name)


class HostCheckTests(SynchronousTestCase):
    """What each setting does with each kind of name."""

    def ask(
        self, check: str, *hosts: str, settings: HttpSettings | None = None, **options: Any
    ) -> Counting:
        """Requests for these hosts, one after the other, on one connection."""
        settings = settings or HttpSettings(host_check=check)  # type: ignore[arg-type]
        options = {"server": HERE, "names": NAMES, **options}
        session = Counting(HttpInspector, settings, **options)
        session.start()
        for host in hosts:
            if session.verdict is None:
                session.says(CLIENT, get(host))
            if session.verdict is None and session.opened:
                session.says(SERVER, OK)
        return session

    def refused(self, session: Counting, status: int) -> str:
        """Why it was refused with this status, as the record says it."""
        record = records(session)[-1]
        self.assertIn(b"HTTP/1.1 %d " % status, session.sent[CLIENT], session.events)
        self.assertIsNotNone(session.verdict)
        self.assertEqual(record["status"], status)
        return str(record["reason"])

    def test_right(self) -> None:
        """A name that has the connection's address, among others, passes everywhere."""
        for check in ("off", "literal", "resolve", "strict"):
            session = self.ask(check, "here.example", "HERE.example.", "here.example:80")
            self.assertEqual(session.connected, [HERE])
            self.assertEqual(session.sent[CLIENT], 3 * OK)
            self.assertNotIn("upstream", records(session)[0])

    def test_off(self) -> None:
        """By default nobody is asked, and the client goes where it wanted to."""
        for check in ("off", "literal"):
            session = self.ask(check, "there.example")
            self.assertEqual((session.connected, session.asked), ([HERE], []))

    def test_resolve(self) -> None:
        """The lie is harmless: the request goes to the host that it names; the record says so."""
        session = self.ask("resolve", "there.example")
        self.assertEqual(session.connected, [Address(THERE, 80)])
        (record,) = records(session)
        self.assertEqual((record["hostname"], record["upstream"]["ip"]), ("there.example", THERE))
        self.assertEqual(record["upstream"]["port"], 80)

    def test_strict(self) -> None:
        """Or it is refused, and the record says who was named, and where the connection went."""
        session = self.ask("strict", "there.example")
        self.assertEqual(session.connected, [])
        reason = self.refused(session, 421)
        for said in ("there.example", THERE, str(HERE)):
            self.assertIn(said, reason)

    def test_version_of_ip(self) -> None:
        """A client of one version of IP is not connected to an address of the other."""
        self.refused(self.ask("resolve", "sixth.example"), 421)
        session = self.ask("resolve", "there.example", server=Address("2001:db8::9", 80))
        self.assertEqual(session.connected, [Address(SIXTH, 80)])

    def test_only_where_the_policy_goes(self) -> None:
        """A name is no way around the rules: its address must be one that the client may ask."""
        session = self.ask("resolve", "there.example", elsewhere=False)
        self.assertEqual(session.connected, [])
        self.refused(session, 421)

    def test_next_address(self) -> None:
        """If one address of the name does not answer, another may."""
        session = self.ask("resolve", "there.example", reachable=None)
        session.refuse()
        self.assertEqual(session.connected, [Address(THERE, 80), Address(ELSEWHERE, 80)])
        session.reach()
        self.assertEqual(session.sent[SERVER], get("there.example"))
        session = self.ask("resolve", "there.example", reachable=False)
        self.assertEqual(len(session.connected), 2)
        self.refused(session, 502)

    def test_no_such_name(self) -> None:
        """A name without an address is nowhere to go to."""
        for check in ("resolve", "strict"):
            session = self.ask(check, "none.example")
            self.assertIn("has no address", self.refused(session, 502))
            self.assertEqual(session.connected, [])

    def test_no_answer(self) -> None:
        """If nobody can say, nothing passes."""
        for check in ("resolve", "strict"):
            session = self.ask(check, "silent.example")
            self.assertIn("no answer", self.refused(session, 503))
            self.assertEqual(session.connected, [])
            self.assertIs(session.verdict and session.verdict.outcome, Outcome.FAILED)

    def test_too_many_ask(self) -> None:
        """The same if too much is being looked up; and that is not remembered."""

        class Busy(Counting):
            def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
                self.asked.append(name)
                return fail(Denied("too many wait"))

        same = HttpSettings(host_check="strict")
        session = Busy(HttpInspector, same, server=HERE).start()
        session.says(CLIENT, get("here.example"))
        self.assertIn(b"HTTP/1.1 503 ", session.sent[CLIENT])
        self.assertEqual(self.ask("", "here.example", settings=same).connected, [HERE])

    def test_later_request(self) -> None:
        """On a connection that is there, another host is asked only if it is there too."""
        for check, first in (("resolve", "there.example"), ("resolve", "here.example")):
            session = self.ask(check, first, "none.example")
            self.refused(session, 502)
        session = self.ask("resolve", "there.example", "here.example")  # both have THERE
        self.assertEqual(session.connected, [Address(THERE, 80)])
        self.assertEqual(session.sent[CLIENT], OK + OK)
        for other in ("home.example", "else.example"):
            session = self.ask("resolve", "there.example", other)
            self.assertIn(THERE, self.refused(session, 421))
            self.assertEqual(session.sent[SERVER], get("there.example"))

    def test_later_request_after_a_look_up(self) -> None:
        """A refusal that took its time still comes after the answer before it."""
        session = Counting(HttpInspector, _pipelining(), server=HERE, names=NAMES)
        session.start()
        session.says(CLIENT, get("here.example") + get("silent.example"))
        self.assertEqual(session.sent[CLIENT], b"")
        session.says(SERVER, OK)
        self.assertTrue(session.sent[CLIENT].startswith(OK + b"HTTP/1.1 503 "))

    def test_addresses(self) -> None:
        """A host that is an address is not looked up: it has to be the connection's."""
        for check in ("resolve", "strict", "literal"):
            session = self.ask(check, HERE.host)
            self.assertEqual((session.connected, session.asked), ([HERE], []))
            session = self.ask(check, THERE)
            self.refused(session, 421)
            self.assertEqual(session.asked, [])
            sixth = Address(SIXTH, 80)
            session = self.ask(check, "[2001:DB8:0::3]", server=sixth)
            self.assertEqual((session.connected, session.asked), ([sixth], []))
            session = self.ask(check, "[2001:db8::4]", server=sixth)
            self.refused(session, 421)
            self.assertEqual(session.asked, [])

    def test_ports(self) -> None:
        """A port that is named must be the connection's; the strict want it to be named."""
        for check in ("resolve", "strict", "literal"):
            self.refused(self.ask(check, "here.example:81"), 421)
        for check, status in (("resolve", b"200"), ("strict", b"421"), ("literal", b"421")):
            session = self.ask(check, "here.example", server=HERE._replace(port=8080))
            self.assertIn(b"HTTP/1.1 " + status, session.sent[CLIENT])

    def test_no_host(self) -> None:
        """An old client that names nobody means whom it connects to."""
        session = Counting(HttpInspector, HttpSettings(host_check="strict"), server=HERE).start()
        session.says(CLIENT, b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((session.connected, session.events[-1][:9]), ([HERE], "to server"))

    def test_refused_is_not_looked_up(self) -> None:
        """What the policy refuses is not asked for, not even at a name server."""
        settings = HttpSettings(host_check="resolve", methods=frozenset())
        self.assertEqual(self.ask("", "here.example", settings=settings).asked, [])

    def test_name_that_moves(self) -> None:
        """A kept connection is not for a name for ever: it is seen to every again_seconds."""
        names = {"a.example": (HERE.host,)}
        settings = HttpSettings(host_check="strict", names=NamesSettings(remember_seconds=60))
        session = self.ask("", "a.example", settings=settings, names=names)
        names["a.example"] = (THERE,)
        for seconds, answer in ((5, OK), (50, OK), (11, None)):
            session.advance(seconds)
            before = len(session.sent[CLIENT])
            session.says(CLIENT, get("a.example"))
            if answer:
                session.says(SERVER, answer)
                self.assertEqual(session.sent[CLIENT][before:], answer)
        self.refused(session, 421)

    def test_asked_once(self) -> None:
        """One look-up serves all sessions, as long as the answer counts."""
        same = HttpSettings(host_check="strict", names=NamesSettings(remember_seconds=60))
        asked, shared = [], Shared(same)
        for now in (0.0, 30.0, 60.0, 61.0):
            asked += self.ask("", "here.example", settings=same, now=now, shared=shared).asked
        self.assertEqual(asked, ["here.example"] * 2)


def _pipelining() -> HttpSettings:
    return HttpSettings(host_check="resolve", limits=Limits(pipelined=2))


class NamesTests(SynchronousTestCase):
    """What is remembered of the answers."""

    def setUp(self) -> None:
        self.session = Counting(HttpInspector, server=HERE, now=0.0)

    def addresses(self, names: Names, name: str, wanted: str, now: float) -> set[str]:
        self.session.now = now
        deferred = Deferred.fromCoroutine(names.addresses(self.session, name, wanted))
        return set(self.successResultOf(deferred))

    def test_rotating_answers(self) -> None:
        """A site whose answers rotate has all addresses that it had within some minutes."""
        names = Names(NamesSettings(remember_seconds=600, again_seconds=10))
        for number in range(5):
            self.session.names["cdn"] = (f"192.0.2.{number}",)
            found = self.addresses(names, "cdn", f"192.0.2.{number}", number * 100.0)
            self.assertEqual(len(found), number + 1)
        self.assertEqual(len(self.session.asked), 5)
        self.assertEqual(len(self.addresses(names, "cdn", "192.0.2.1", 700)), 4)
        self.assertEqual(len(self.session.asked), 5)

    def test_latest_first(self) -> None:
        """What was answered last is tried first."""
        names = Names(NamesSettings(again_seconds=0))
        for answer in (("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.3")):
            self.session.names["a"] = answer
            deferred = Deferred.fromCoroutine(names.addresses(self.session, "a", "x"))
        found = self.successResultOf(deferred)
        self.assertEqual(found, ("192.0.2.2", "192.0.2.3", "192.0.2.1"))

    def test_asked_seldom(self) -> None:
        """However many requests want another address, a name is asked for now and then only."""
        names = Names(NamesSettings(again_seconds=10))
        self.session.names["a"] = ("192.0.2.1",)
        for tenths in range(250):
            self.addresses(names, "a", "192.0.2.9", tenths / 10)
        self.assertEqual(len(self.session.asked), 3)

    def test_negative(self) -> None:
        """That there is none, or that nobody could say, is remembered for as long."""
        names = Names(NamesSettings(again_seconds=10))
        for name, answer in (("none", ()), ("silent", None)):
            self.session.asked.clear()
            self.session.names[name] = answer
            for now in (0.0, 5.0, 10.0):
                self.session.now = now
                deferred = Deferred.fromCoroutine(names.addresses(self.session, name, "x"))
                if answer is None:
                    self.failureResultOf(deferred)
                else:
                    self.assertEqual(self.successResultOf(deferred), ())
            self.assertEqual(len(self.session.asked), 2)

    def test_failure_is_no_answer(self) -> None:
        """An address that was right a minute ago is so while nobody answers; no other one is."""
        names = Names(NamesSettings(again_seconds=10))
        self.session.names["a"] = ("192.0.2.1",)
        self.addresses(names, "a", "192.0.2.1", 0)
        self.session.names["a"] = None
        self.session.now = 60
        self.failureResultOf(Deferred.fromCoroutine(names.addresses(self.session, "a", "x")))
        self.assertEqual(self.addresses(names, "a", "192.0.2.1", 61), {"192.0.2.1"})
        self.failureResultOf(Deferred.fromCoroutine(names.addresses(self.session, "a", "x")))

    def test_failed_once(self) -> None:
        """After an answer, nobody remembers that there was none before."""
        names = Names(NamesSettings(again_seconds=10))
        self.session.names["a"] = None
        self.failureResultOf(Deferred.fromCoroutine(names.addresses(self.session, "a", "x")))
        self.session.names["a"] = ("192.0.2.1",)
        for now in (10, 11):
            self.assertEqual(self.addresses(names, "a", "x", now), {"192.0.2.1"})

    def test_many_addresses(self) -> None:
        """Nor can a name server: of one name there are so many addresses, and the latest."""
        names = Names(NamesSettings(again_seconds=0))
        for number in range(300):
            self.session.names["a"] = (f"192.0.{number // 100}.{number % 100}",)
            found = self.addresses(names, "a", "x", number)
        self.assertEqual(len(found), MOST_ADDRESSES)
        self.assertIn("192.0.2.99", found)

    def test_bounded(self) -> None:
        """Clients can't make it grow: the name that was not asked for longest is forgotten."""
        names = Names(NamesSettings(most=10))
        self.addresses(names, "kept", "x", 0)
        for number in range(100):
            self.addresses(names, f"name{number}", "x", 0)
            self.addresses(names, "kept", "x", 0)
        self.assertEqual(len(names), 10)
        self.assertEqual(self.session.asked.count("kept"), 1)

    def test_written_alike(self) -> None:
        """Addresses are compared as what they are, not as they are written."""
        names = Names(NamesSettings())
        self.session.names["a"] = ("2001:DB8:0::1", "fe80::1%eth0")
        self.assertEqual(self.addresses(names, "a", "x", 0), {"2001:db8::1", "fe80::1"})

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 40),
                st.frozensets(st.sampled_from("123"), max_size=2),
                st.sampled_from("123"),
            ),
            max_size=12,
        )
    )
    @settings(max_examples=200, deadline=None)
    def test_model(self, steps: list[tuple[int, frozenset[str], str]]) -> None:
        """
        Whatever happens: what was answered within the time counts, what was not does not; and
        an address that is in the present answer is refused for again_seconds at most.
        """
        session = Counting(HttpInspector, server=HERE)
        names = Names(NamesSettings(remember_seconds=60, again_seconds=10))
        now, last = 0, -100
        seen: dict[str, int] = {}
        for wait, answer, wanted in steps:
            now += wait
            session.now = float(now)
            session.names["a"] = tuple(f"192.0.2.{each}" for each in answer)
            before = len(session.asked)
            found = self.successResultOf(
                Deferred.fromCoroutine(names.addresses(session, "a", f"192.0.2.{wanted}"))
            )
            right = seen.get(wanted, -100) >= now - 60
            self.assertEqual(len(session.asked) > before, not right and now - last >= 10)
            if len(session.asked) > before:
                last = now
                seen |= dict.fromkeys(answer, now)
            expected = {f"192.0.2.{each}" for each, when in seen.items() if when >= now - 60}
            self.assertEqual(set(found), expected)
