"""
One target in a process of its own: C{python -m fuzz.one NAME [libFuzzer's argument …]}.

The modules are instrumented while they are imported; so this module imports nothing of ours before.
"""

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "protocols"]):
    from fuzz.target import targets

atheris.Setup([sys.argv[0], *sys.argv[2:]], targets()[sys.argv[1]].judge)
atheris.Fuzz()
