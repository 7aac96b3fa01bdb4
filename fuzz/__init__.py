"""
Coverage-guided fuzzing of every inspector and of the policy loader: C{make fuzz}.

Each target takes bytes, and judges what comes of them: nothing may be raised but what a peer's or
an operator's mistake raises, nothing may depend on how bytes are cut, and what passed passes again,
as the same messages. The fuzzer (libFuzzer, by atheris) looks for bytes that reach lines that no
bytes before them reached. What it finds stays in C{build/fuzz}, outside of the repository.
"""
