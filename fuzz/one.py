"""
One target in a process of its own: C{python -m fuzz.one NAME [libFuzzer's argument …]}.

The modules are instrumented while they are imported: this module imports nothing of ours before,
and the inspectors come with the tests that L{targets} imports.
"""

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "protocols"]):
    from fuzz.target import targets

    target = targets()[sys.argv[1]]

atheris.Setup([sys.argv[0], *sys.argv[2:]], target.judge)
atheris.Fuzz()
