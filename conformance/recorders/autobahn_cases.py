"""
The cases of the Autobahn test suite, which were written for Python 2.

They are translated as they are loaded. Their texts are bytes, as they were then: one
character each. L{octets} and L{text} change one into the other where cases touch the protocol.
"""

# mypy: ignore-errors

import binascii
import pickle
import re
from types import SimpleNamespace

from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.utf8validator import Utf8Validator
from fissix.refactor import RefactoringTool, get_fixers_from_package

FILES = re.compile(r"case(?:[1-7]|10)_.*\.py")
"""Without 9, 12 and 13: how fast it is, and compression."""

NAME = re.compile(r"Case(\d+(?:_\d+)+)")

IMPORT = re.compile(r"^(?:import|from) .*$", re.MULTILINE)

INTEGERS = re.compile(r" / (?=self\.p\.)")
"""A division of integers."""


def octets(value):
    """What is sent."""
    return value.encode("latin-1") if isinstance(value, str) else value


def text(value):
    """What the cases see."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Validator(Utf8Validator):
    """Takes the texts of cases."""

    def validate(self, value):
        return super().validate(octets(value))


def hexadecimal(value):
    return text(binascii.b2a_hex(octets(value)))


TOOL = RefactoringTool(get_fixers_from_package("fissix.fixes"))


def execute(file, names):
    """Translate a file and run it among these names, in place of what it imports."""
    source = IMPORT.sub("pass", file.read_text("latin-1") + "\n")
    source = INTEGERS.sub(" // ", source).replace("(object, Case, )", "(Case, )")
    exec(compile(str(TOOL.refactor_string(source, file.name)), str(file), "exec"), names)


def load(folder):
    """The classes of the cases in a folder, by their numbers: "1.1.1"."""
    names = {
        "__name__": "cases",
        "binascii": SimpleNamespace(b2a_hex=hexadecimal),
        "pickle": pickle,
        "Utf8Validator": Validator,
        "WebSocketProtocol": WebSocketProtocol,
    }
    execute(folder / "case.py", names)
    names["Case"].compare = lambda _, one, other: one == other
    for file in sorted(folder.glob("case*.py")):
        if FILES.fullmatch(file.name):
            execute(file, names)
    return {
        NAME.fullmatch(case.__name__)[1].replace("_", "."): case for case in heirs(names["Case"])
    }


def heirs(base):
    """All its subclasses."""
    for case in base.__subclasses__():
        yield case
        yield from heirs(case)
