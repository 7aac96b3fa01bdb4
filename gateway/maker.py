"""
InspectorMaker: how a protocol makes itself known without being imported.

In a module of C{twisted/plugins}, two lines are all that is loaded when the
gateway looks for its plugins::

    from gateway.maker import InspectorMaker
    redis = InspectorMaker("redis", "protocols.redis:RedisInspector", "Redis command filter")

In a single file in a C{plugin_path} folder, the class itself may be given
instead of its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import Any, cast

from twisted.plugin import IPlugin
from zope.interface import implementer

from gateway.interfaces import (
    CONTRACT,
    IDatagramSession,
    IInspector,
    IInspectorMaker,
    ISession,
)


@implementer(IInspectorMaker, IPlugin)
class InspectorMaker:
    """
    A protocol that service files can name.

    @ivar target: where the inspector is: C{"package.module:Class"}, or the
        class itself. It is called with one argument, the L{ISession}. Its
        attribute C{Settings}, if it has one, is the attrs class of its settings,
        and C{Shared} is called with these for what all sessions of a service share.
        C{keeps} says that it never changes a body, C{serves} for whose bodies it is only. One
        that is for both transports has the inspector of datagrams as C{Datagrams}.
    @ivar transports: C{"tcp"}, or C{"udp"}, for an inspector of datagrams, or both.
    @ivar contract: the version of the contract that it was written for. One that is given is
        checked when the policy is loaded: L{gateway.interfaces.CONTRACT}.
    """

    def __init__(
        self,
        name: str,
        target: str | type,
        description: str,
        transports: Iterable[str] = ("tcp",),
        contract: tuple[int, int] = CONTRACT,
    ) -> None:
        self.name = name
        self.target = target
        self.description = description
        self.transports = frozenset(transports)
        self.contract = contract
        self._made_for: dict[type, Any] = {}

    def __repr__(self) -> str:
        return f"InspectorMaker({self.name!r}, {self._where()!r})"

    def settings(self) -> type | None:
        """
        The attrs class of the inspector's settings, or C{None} if there are none.

        @raise Exception: whatever the import of the inspector's module raises.
        """
        return cast("type | None", getattr(self.inspector, "Settings", None))

    @property
    def keeps(self) -> bool:
        """See L{IInspectorMaker}: the class's C{keeps}."""
        return bool(getattr(self.inspector, "keeps", False))

    @property
    def serves(self) -> frozenset[str]:
        """See L{IInspectorMaker}: the class's C{serves}."""
        return frozenset(getattr(self.inspector, "serves", ()))

    def make(self, session: ISession) -> IInspector:
        """An inspector for this session."""
        kind = type(session)
        inspector = self._made_for.get(kind)
        if inspector is None:
            inspector = self._made_for[kind] = self._class_for(kind)
        made: IInspector = inspector(session)
        return made

    def _class_for(self, kind: type) -> Any:
        """What is made for sessions of a class."""
        if len(self.transports) > 1 and IDatagramSession.implementedBy(kind):
            return getattr(self.inspector, "Datagrams", self.inspector)
        return self.inspector

    def share(self, settings: Any) -> Any:
        """See L{IInspectorMaker.share}: the class's C{Shared}, made of the settings."""
        shared = getattr(self.inspector, "Shared", None)
        return None if shared is None else shared(settings)

    def foretell(self, settings: Any, connection: Any, said: Any) -> Any:
        """
        What the inspector would do with a connection, by what its client says first; C{None} if
        it does not go by that. See L{gateway.policy.foretelling}.
        """
        foretell = getattr(self.inspector, "foretell", None)
        return None if foretell is None else foretell(settings, connection, said)

    def judge(self, settings: Any, connection: Any, asks: Any) -> Any:
        """
        What the inspector would decide about what a client asks for; C{None} if it can't tell.
        See L{gateway.policy.judging}.
        """
        judge = getattr(self.inspector, "judge", None)
        return None if judge is None else judge(settings, connection, asks)

    @cached_property
    def inspector(self) -> Any:
        """
        The inspector's class; imported when it is first asked for.

        @raise LookupError: the module has no such class.
        @raise Exception: whatever the import of the module raises.
        """
        return self.target if isinstance(self.target, type) else resolve(self.target)

    def _where(self) -> str:
        if isinstance(self.target, type):
            return f"{self.target.__module__}:{self.target.__qualname__}"
        return self.target


def resolve(target: str) -> type:
    """
    Import what C{"package.module:Class"} names.

    @raise LookupError: there is no such module, or no such class in it; the
        message is for the operator.
    @raise Exception: whatever the import of the module raises.
    """
    module_name, _, class_name = target.partition(":")
    if not all(word.isidentifier() for word in [*module_name.split("."), class_name]):
        raise LookupError(f"{target!r} is not of the form package.module:Class")
    module = _module(module_name, target)
    found = vars(module).get(class_name)
    if not isinstance(found, type):
        raise LookupError(f"{target}: the module {module_name} has no class {class_name!r}")
    return found


def _module(name: str, target: str) -> Any:
    try:
        with importing(name):
            return import_module(name)
    except ModuleNotFoundError as missing:
        # An import that fails inside the module is the module's own trouble: its traceback
        # says more than we could.
        if missing.name is None or not f"{name}.".startswith(f"{missing.name}."):
            raise
        raise LookupError(f"{target}: there is no module {missing.name!r}") from None


@contextmanager
def importing(what: str) -> Iterator[None]:
    """
    Keep a plugin's own C{KeyError} from looking like a name that was not found.

    @raise ImportError: its cause is the C{LookupError} of the plugin's code.
    """
    try:
        yield
    except LookupError as error:
        raise ImportError(f"{what} can't be imported: {error!r}") from error
