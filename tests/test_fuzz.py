"""What the fuzzer judges by: bytes mean conversations, and what no inspector may do is seen."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from fuzz.datagrams import Datagrams
from fuzz.inspection import Inspection
from fuzz.policy import Policies
from fuzz.samples import Bug
from fuzz.script import read, written
from fuzz.target import targets
from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Denied, IDatagramSession, ISession, Side, Verdict
from gateway.testing import END, Conversation

SAMPLES = (
    Conversation("short", [(CLIENT, b"a")]),
    Conversation("long", [(CLIENT, b"ask"), (SERVER, b"x" * 70_000), (SERVER, END), (CLIENT, END)]),
)


class Echoing(Inspector):
    """Passes everything on, but has three faults."""

    def received(self, side: object, data: bytes) -> None:
        if data == b"raise":
            raise KeyError(data)
        self.session.record("line", gateway={"verdict": "passed", "line": repr(data)})


class ScriptTests(SynchronousTestCase):
    """A conversation as bytes, and back."""

    def test_there_and_back(self) -> None:
        """The same is said, in pieces of which each has room; the sample is known again."""
        for number, sample in enumerate(SAMPLES):
            found, steps = read(written(number, sample.steps), SAMPLES)
            self.assertIs(found, sample)
            for side in (CLIENT, SERVER):
                said = [text for who, text in steps if who is side]
                wanted = [text for who, text in sample.steps if who is side]
                self.assertEqual(b"".join(filter(None, said)), b"".join(filter(None, wanted)))
                self.assertEqual(END in said, END in wanted)

    def test_anything(self) -> None:
        """All bytes mean some conversation."""
        for data in (b"", b"\xff", b"\x01\x03", b"\x00\x00\xff\xffabc"):
            read(data, SAMPLES)


class JudgeTests(SynchronousTestCase):
    """Faults of an inspector are seen; what is well is not called one."""

    def judge(self, *said: bytes) -> None:
        inspection = Inspection(Echoing, SAMPLES, ends_alike=True)
        inspection.judge(written(0, [(CLIENT, text) for text in said]))

    def test_raised(self) -> None:
        """An exception that is not the peer's fault."""
        self.assertRaises(KeyError, self.judge, b"raise")

    def test_depends_on_the_cut(self) -> None:
        """Records that say how the network cut the bytes."""
        self.assertRaises(Bug, self.judge, b"ab")
        self.judge(b"a")


class Waiting(Inspector):
    """What a client says has its turn when the server has spoken, and is answered here."""

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._waits = False

    def started(self) -> None:
        """The server is there from the beginning."""
        self.session.connect()

    def received(self, side: Side, data: bytes) -> None:
        """Of the client nothing passes, and "no" is not for the server to say."""
        if b"no" in data:
            raise Denied("the server said no")
        if side is SERVER:
            self.session.send(CLIENT, data + b"no" * self._waits)
        self._waits = side is CLIENT


class WaitingTests(SynchronousTestCase):
    """An answer of the inspector's own is not taken for what the server said."""

    def test_mixed(self) -> None:
        """It came together with that, and would be denied if the server had said it."""
        steps = [(SERVER, b"a"), (CLIENT, b"x"), (SERVER, b"b"), (SERVER, END), (CLIENT, END)]
        Inspection(Waiting, SAMPLES, ends_alike=True).judge(written(0, steps))


class Growing:
    """Passes datagrams on, but has two faults; what it denies is none."""

    def __init__(self, session: IDatagramSession) -> None:
        self.session = session

    def started(self) -> None:
        """The server is there from the beginning."""
        self.session.connect()

    def received(self, side: Side, data: bytes) -> None:
        """A peer's fault, a bug, and datagrams that grow whenever they pass."""
        if data == b"deny":
            raise Denied("so it is told")
        if data == b"raise":
            raise KeyError(data)
        self.session.send(side.other, data + b"!" * data.startswith(b"grow"))

    def closed(self, verdict: Verdict) -> None:
        """Nothing is left."""


class DatagramsTests(SynchronousTestCase):
    """Of an inspector of datagrams, likewise."""

    def judge(self, *said: bytes) -> None:
        Datagrams(Growing, SAMPLES).judge(written(0, [(CLIENT, text) for text in said]))

    def test_raised(self) -> None:
        """An exception that is not the peer's fault is seen, a denial is well."""
        self.assertRaises(KeyError, self.judge, b"raise")
        self.judge(b"a", b"deny", b"raise")

    def test_read_otherwise(self) -> None:
        """What passed has to pass again as it is."""
        self.assertRaises(Bug, self.judge, b"a", b"grow")
        self.judge(b"a", b"b")


class TargetTests(SynchronousTestCase):
    """What is fuzzed."""

    def test_seeds(self) -> None:
        """Every inspector's samples, and the project's own policy, are judged to be well."""
        found = targets()
        self.assertIn("http", found)
        for name in ("dnsdatagram", "finger", "lines", "quic", "quicframes", "relay"):
            for seed in found[name].seeds():
                found[name].judge(seed)

    def test_policy(self) -> None:
        """A mistake in a file is the operator's, and no name makes the loader import a module."""
        policies = Policies()
        policies.judge(next(iter(policies.seeds())))
        policies.judge(b"[divert]\nport = 'x'\0\0inspector = 'tests.nowhere:Anything'\n")
