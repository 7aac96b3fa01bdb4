#!/bin/bash
# zope.interface 8.7 (PyPI), CPython 3.11: verifyObject does not look at keyword-only arguments.
#
# It compares signatures: a positional argument too many or too few is a BrokenMethodImplementation. One would guess that a
# keyword-only argument that the interface promises and the class has not, or that the class demands and the interface does
# not know, is one too. It says True to both, and the first call by the interface is a TypeError. Seen:
#
#   positional argument missing: BrokenMethodImplementation
#   keyword-only argument missing: True, and the call is a TypeError
#   keyword-only argument demanded: True, and the call is a TypeError
#
# Where it matters: what a contract with keyword-only arguments promises is left to mypy (mypy-zope) and to tests that call it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zope.interface==8.7
"$folder/venv/bin/python" - <<'END'
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject


class IOpens(Interface):
    def open(path, *, mode):
        """Open it."""


def says(open_):
    made = implementer(IOpens)(type("Opens", (), {"open": open_}))()
    try:
        said = str(verifyObject(IOpens, made))
    except Exception as error:
        return type(error).__name__
    try:
        made.open("x", mode=1)
    except TypeError:
        said += ", and the call is a TypeError"
    return said


seen = {
    "positional argument missing": says(lambda self, *, mode: None),
    "keyword-only argument missing": says(lambda self, path: None),
    "keyword-only argument demanded": says(lambda self, path, *, mode, owner: None),
}
for what, said in seen.items():
    print(f"{what}: {said}")
assert list(seen.values()) == ["BrokenMethodImplementation", *["True, and the call is a TypeError"] * 2]
END
