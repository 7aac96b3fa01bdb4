"""Configuration folders for tests, and inspectors that their services may name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Literal

from attrs import field, frozen, validators
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gateway.interfaces import CONTRACT, IInspector, IInspectorMaker, ISession
from gateway.policy.load import load
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.policy.settings import option

ZONES = """
[zones.office]
networks = ["10.1.0.0/16", "fd00:1::/48"]
[zones.printers]
networks = ["10.1.200.0/24"]
[zones.internet]
networks = ["0.0.0.0/0", "::/0"]
"""

RELAY = 'inspector = "relay"\n'
"""One line, so that what is wrong below is on line 2."""

RULE = RELAY + "[[rule]]\n"
"""Two lines."""


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@frozen
class Inner:
    """A table in a table."""

    depth: int = option("How deep.", 1, minimum=1)


def read_even(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value


@frozen
class TeaSettings:
    """One field of each kind."""

    pot: str = option("The pot.")
    hot: bool = option("Whether it is.", True)
    cups: int = option("How many.", 1, maximum=9)
    litres: float = option("How much.", 0.5)
    colour: Colour = option("Its colour.", Colour.RED)
    size: Literal["small", "large"] = option("Its size.", "small")
    names: tuple[str, ...] = option("Names.", ())
    numbers: frozenset[int] = option("Numbers.", frozenset(), minimum=2)
    prices: Mapping[str, float] = option("Prices.", {})
    by_name: dict[str, Inner] = option("Tables by name.", {})
    comment: str | None = option("Anything.", None)
    port: int | str = option("A number or a word.", 1)
    inner: Inner = option("A table.", Inner())
    inners: tuple[Inner, ...] = option("Tables.", ())
    even: int = option("An even number.", 0, read=read_even)
    from_: str = option("A key that is a word of Python.", "")
    checked: int = field(default=1, validator=validators.in_([1, 2]))
    made: list[str] = field(init=False)

    @made.default
    def _make(self) -> list[str]:
        """No key: made of the others."""
        return [self.pot]


@frozen
class Guest:
    """A table that names a service."""

    served_by: str = option("Who serves.", "", names_service=True)
    name: str = option("No service.", "")


@frozen
class PartySettings:
    """Services are named here, in all the ways there are."""

    main: str = option("One.", "", names_service=True)
    several: tuple[str, ...] = option("Several.", (), names_service=True)
    by_name: dict[str, str] = option("By name.", {}, names_service=True)
    host: Guest = option("In a table.", Guest())
    guests: tuple[Guest, ...] = option("In tables.", ())


@frozen
class Patience:
    """A table with a time limit."""

    waits: float = option("A limit.", 0.0, in_silence=True)
    lives: float = option("A limit, within which there is something to hear.", 9000.0)


@frozen
class PatientSettings:
    """Time limits are here, in all the ways there are."""

    quick: float = option("One.", 20.0, in_silence=True)
    slow: int = option("Another one.", 400, in_silence=True)
    never: float | None = option("None.", None, in_silence=True)
    host: Patience = option("In a table.", Patience())
    guests: tuple[Patience, ...] = option("In tables.", ())
    by_name: dict[str, Patience] = option("By name.", {})


@implementer(IInspectorMaker)
@frozen
class Maker:
    name: str
    kind: type | None = None
    description: str = "An inspector for tests."
    transports: frozenset[str] = frozenset({"tcp"})
    contract: tuple[int, int] = CONTRACT
    serves: frozenset[str] = frozenset()
    keeps: bool = False

    def settings(self) -> type | None:
        return self.kind

    def share(self, settings: object) -> object:
        return None if settings is None else [settings]

    def make(self, session: ISession) -> IInspector:
        raise NotImplementedError


@implementer(IInspectorMaker)
class BrokenMaker(Maker):
    def settings(self) -> type | None:
        raise KeyError("a bug in the plugin")


MAKERS = {
    "relay": Maker("relay", transports=frozenset({"tcp", "udp"})),
    "tea": Maker("tea", TeaSettings),
    "house.tea:Tea": Maker("Tea", TeaSettings),
    "party": Maker("party", PartySettings),
    "limits": Maker("limits", Inner),
    "patient": Maker("patient", PatientSettings),
    "broken": BrokenMaker("broken"),
    "waiter": Maker("waiter", serves=frozenset({"tea"})),
}


def find(name: str, plugin_path: tuple[Path, ...]) -> IInspectorMaker:
    if name == "crash":
        raise ModuleNotFoundError("no module named 'teapot'")
    if name not in MAKERS:
        raise LookupError(f'no inspector "{name}"; did you mean "tea"?')
    return MAKERS[name]


class LoadCase(SynchronousTestCase):
    def write(self, files: Mapping[str, str | bytes]) -> Path:
        """A new folder with these files; gateway.toml is added."""
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        for name, content in {"gateway.toml": "", "zones.toml": ZONES, **files}.items():
            octets = content if isinstance(content, bytes) else content.encode()
            (folder / name).write_bytes(octets)
        return folder

    def load(self, **files: str) -> Policy:
        """A policy from files named by keyword: C{web} is services/web.toml."""
        return load(self.write(named(files)), find)

    def problems(self, files: Mapping[str, str | bytes]) -> list[str]:
        try:
            load(self.write(files), find)
        except PolicyError as error:
            return [str(problem) for problem in error.problems]
        return []


def named(files: Mapping[str, str]) -> dict[str, str]:
    top = ("gateway", "zones")
    return {
        f"{name}.toml" if name in top else f"services/{name}.toml": text
        for name, text in files.items()
    }
