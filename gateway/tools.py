"""
Tools: what a stacked inspector may use beside the bytes of its body.

An inspector touches no file, socket or process. One that judges bodies with the help of others
asks its session for these: room for a body (L{ISpool}), a line to one of the operator's daemons
(L{ILine}). Whatever it leaves open is closed when its session ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from attrs import frozen
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


def may_change(settings: object) -> bool:
    """
    Whether the settings of a service whose inspector keeps bodies as they are say, by C{changes},
    that it may change them: see L{ISession.keeps<gateway.interfaces.ISession>}. Asked for each
    body, so by the attribute: to ask for a protocol takes longer than all else.
    """
    return bool(getattr(settings, "changes", False))


@runtime_checkable
class Needing(Protocol):
    """Settings of a service that needs something of the host: for the doctor."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Addresses of daemons, as in L{ITools.line}, and paths of programs."""


class SpoolFull(Exception):
    """There is no room for more of a body: the total is used up, or the disk is."""


class Unavailable(Exception):
    """None of the daemons answers, or none may be asked now."""


def let_go(error: BaseException) -> None:
    """
    An exception of an awaited Deferred was caught, and nobody wants it any more. It knows its
    C{Failure}, which knows it, and the frames that it came
    through: they would keep each other alive until a collector comes.
    """
    error.__traceback__ = None
    vars(error).pop("__failure__", None)


@frozen
class Terms:
    """
    How daemons are dealt with.

    @ivar connections: at most so many to each; who comes later waits.
    @ivar connect_seconds: the next one is tried after that.
    @ivar keep_seconds: a line that nobody uses is closed after that.
    @ivar failures: so many in a row, and a daemon is left alone,
    @ivar rest_seconds: for so long; then one line is tried.
    """

    connections: int = 8
    connect_seconds: float = 2.0
    keep_seconds: float = 20.0
    failures: int = 3
    rest_seconds: float = 10.0


@frozen
class Run:
    """
    A program of the operator's, to be run with a body.

    @ivar command: its absolute path, and its arguments.
    @ivar environment: all that is in its environment.
    @ivar at_once: so many of that command run at a time; who comes later waits.
    @ivar seconds: of a processor; 0: any number.
    @ivar memory: bytes of its address space.
    @ivar most: bytes of its standard output, where that is kept apart.
    @ivar name: in metrics and the log; empty: its path.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    at_once: int
    seconds: int
    memory: int
    most: int = 0
    name: str = ""

    @property
    def called(self) -> str:
        """What it is called."""
        return self.name or self.command[0]


@frozen
class Ran:
    """
    What came of it.

    @ivar status: with which it ended; C{None}: it was killed.
    @ivar said: on its standard output.
    @ivar complained: on its standard error, the first of it.
    """

    status: int | None
    said: bytes
    complained: bytes


class ISpool(Interface):
    """Room for one body: some memory, and then a file that has no name."""

    size: int = Attribute("bytes that were put in")

    def put(data: bytes) -> None:
        """
        More of the body.

        @raise SpoolFull: there is no room for it.
        """

    def read(at: int, most: int) -> bytes:
        """At most so many of its bytes, from C{at} on; none at the end of what there is."""

    def close() -> None:
        """Give the room back. To close twice is harmless."""


class IAside(Interface):
    """A mail that is being set aside, in a file of its own."""

    def put(data: bytes) -> None:
        """
        More of it.

        @raise SpoolFull: there is no room for it.
        """

    def keep(about: Mapping[str, Any]) -> str:
        """
        That was all of it.

        @param about: what belongs to it, for a second file.
        @return: the name of the two, without their endings.
        @raise SpoolFull: there is no room.
        """

    def close() -> None:
        """If it was not kept, nothing is left of it."""


class ILine(Interface):
    """
    One connection to one of the operator's daemons.

    It is somebody's alone until C{keep} or C{drop}; after that, nothing here does anything.
    """

    address: str = Attribute("of the daemon, as the policy writes it")
    uses: int = Attribute("how often it was kept; 0: nobody has said anything on it")
    notes: dict[str, object] = Attribute("what the protocol remembers of it from use to use")

    def send(data: bytes) -> None:
        """Never blocks, and never fails: who reads hears of the end."""

    def flushed() -> Deferred[None]:
        """@return: fires when little of what was sent waits; also if the daemon is gone."""

    def read() -> Deferred[bytes]:
        """@return: fires with what the daemon said next; with nothing, if it has ended."""

    def limit(connections: int) -> None:
        """The daemon has said that it takes no more than so many lines; 0: any number."""

    def works() -> None:
        """
        The daemon has answered something that no body had a part in. What goes wrong on this line
        from now on may be the body's doing, and strangers choose bodies: it is not counted.
        """

    def keep() -> None:
        """All was said and answered: the next one may go on here."""

    def drop(fault: str = "") -> None:
        """
        Close it.

        @param fault: what the daemon did wrong. If it does so repeatedly, before L{works}, it is
            left alone; after it, the next one has a line on which the daemon has yet to show that
            it works.
        """


class ITools(Interface):
    """What L{ISession.tools<gateway.interfaces.ISession>} is."""

    def spool(memory: int) -> ISpool:
        """Room for a body, of which so many bytes may be held in memory."""

    def line(
        whom: tuple[str, ...] | Run,
        terms: Terms,
        fresh: bool = False,
        but: Collection[str] = (),
    ) -> Deferred[ILine]:
        """
        A line to the first of these daemons that answers.

        @param whom: C{"/path/of/a/socket"}, C{"192.0.2.1:3310"}, C{"[2001:db8::1]:3310"}. Or a
            program that stays: it is started, and a line is its standard input and output. Of
            its environment nothing may differ from one time to the next.
        @param fresh: none that was used before.
        @param but: not to these.
        @return: fails with L{Unavailable}. Cancel it to wait no longer.
        """

    def run(program: Run, body: ISpool, output: ISpool | None = None) -> Deferred[Ran]:
        """
        Run a program, with the body on its standard input, in an empty folder and without
        privileges.

        @param output: gets its standard output; left out, that is in L{Ran.said}, the first of it.
        @return: cancel it to kill the program, and all that it has started.
        """

    def aside(folder: str, name: str, most: int) -> IAside:
        """
        Begin to set a mail aside. Until it is kept, nobody takes its file for one.

        @param name: how its files' names begin: a word of ours.
        @param most: bytes that all in the folder may have.
        @raise SpoolFull: there is no room.
        """

    def judged(verdict: str, seconds: float) -> None:
        """A body was judged, in so many seconds: for the metrics. C{verdict} is a word of ours."""
