"""
Rules: files of them, which are compiled when the policy is loaded, to see that they can be.

What matches is another process, which compiles the same text once more: it has not to trust
anybody's file of compiled code.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen


@frozen
class Rules:
    """
    One file of rules. They know each other, but not those of other files.

    @ivar name: of the file.
    """

    name: str
    text: str


def read_rules(file: Any) -> Rules | None:
    """
    Read the setting.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong.
    """
    try:
        import yara_x
    except ImportError:
        file.complain('YARA-X is not there: python3 -m pip install "tproxygw[yara]"')
        return None
    try:
        text = file.content.decode()
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        file.complain("is no UTF-8", line)
        return None
    compiler = yara_x.Compiler()
    compiler.enable_includes(False)
    try:
        compiler.add_source(text)
    except yara_x.CompileError:
        for wrong in compiler.errors():
            label = next((each["text"] for each in wrong["labels"] if each["text"]), "")
            said = f"{wrong['title']}: {label}" if label else wrong["title"]
            file.complain(said, wrong.get("line") or 0, wrong.get("column") or 0)
        return None
    return Rules(file.name, text)
