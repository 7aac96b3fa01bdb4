"""
Commands (RFC 5321, section 4.1.1, and those of extensions), parsed and written.

A verb is in the table or it is unknown; what follows it is parsed by its rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import frozen

from gateway.interfaces import PROTOCOL
from protocols.smtp.grammar.address import (
    AddressError,
    Mailbox,
    Path,
    is_domain,
    literal,
    parse_path,
)
from protocols.smtp.grammar.parameter import (
    MAIL,
    RCPT,
    Parameter,
    ParameterError,
    parse_parameters,
    written,
)
from protocols.smtp.grammar.refusal import refusal

_LINE = re.compile(r"([A-Za-z0-9]{1,12})(?: +(.*))?", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN = re.compile(r"[!-~]{1,255}")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_MECHANISM = re.compile(r"([A-Za-z0-9_-]{1,20})(?: +(\S+))?")
_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)
_NODE = re.compile(r"[@#]?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@frozen
class Command:
    """
    One command.

    @ivar verb: in capitals.
    @ivar argument: what follows it, as it is sent.
    @ivar path: of MAIL and RCPT.
    @ivar parameters: of MAIL and RCPT.
    @ivar size: of BDAT.
    @ivar last: of BDAT.
    """

    verb: str
    argument: str = ""
    path: Path | None = None
    parameters: tuple[tuple[str, str | None], ...] = ()
    size: int = 0
    last: bool = False

    def line(self) -> bytes:
        """As it is sent, with its CRLF."""
        return f"{self.verb} {self.argument}".rstrip(" ").encode() + b"\r\n"

    def parameter(self, name: str) -> str | None:
        """The value of a parameter; empty if it has none, C{None} if it is not there."""
        values = dict(self.parameters)
        return (values[name] or "") if name in values else None


def parse_command(line: bytes, lenient: bool = False) -> Command:
    """
    Read a command, without its CRLF.

    @param lenient: whether to take addresses that mail servers take too.
    @raise Refusal: it is none; with the reply that the RFC has for it.
    """
    text = _decoded(line).rstrip(" ")
    found = _LINE.fullmatch(text)
    if found is None or _CONTROL.search(text):
        raise refusal(500, "5.5.2 Syntax error", f"not a command: {line[:100]!r}")
    verb, argument = found[1].upper(), (found[2] or "").strip(" ")
    rule = RULES.get(verb)
    if rule is None:
        raise refusal(500, "5.5.1 Command unknown", f"unknown command {verb}")
    if verb in _PATHS:
        return _with_path(verb, argument, lenient)
    return rule(verb, argument)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        if line[:5].upper() in (b"EHLO ", b"HELO "):  # a name like any other
            return line.decode("utf-8", "replace")
        reason = f"a command that is not UTF-8: {line[:100]!r}"
        raise refusal(500, "5.5.2 Not UTF-8", reason) from None


def _wrong(verb: str, what: str, argument: str) -> Exception:
    return refusal(501, f"5.5.4 {verb}: {what}", f"{verb} {argument[:100]!r}: {what}")


def _alone(verb: str, argument: str) -> Command:
    """No argument (sections 4.1.1.4, 4.1.1.5, 4.1.1.10; RFC 3207, section 4)."""
    if argument:
        raise _wrong(verb, "takes no argument", argument)
    return Command(verb)


def _text(verb: str, argument: str) -> Command:
    """Any text, or none (sections 4.1.1.8, 4.1.1.9)."""
    return Command(verb, argument)


def _somebody(verb: str, argument: str) -> Command:
    """A name that only the server knows the form of (sections 4.1.1.6, 4.1.1.7)."""
    if not argument:
        raise _wrong(verb, "takes a name", argument)
    return Command(verb, argument)


def _hello(verb: str, argument: str) -> Command:
    """A domain or an address literal; who says less is decided upon elsewhere (4.1.1.1)."""
    if not argument:
        raise _wrong(verb, "takes the name of a host", argument)
    return Command(verb, argument)


def is_word(text: str) -> bool:
    """Whether it may be sent as a name, whatever it is one of."""
    return _TOKEN.fullmatch(text) is not None or is_domain(text)


_PATHS: Mapping[str, tuple[str, Mapping[str, Parameter]]] = {
    "MAIL": ("FROM:", MAIL),
    "RCPT": ("TO:", RCPT),
}


def _path(verb: str, argument: str) -> Command:
    """Sections 4.1.1.2 and 4.1.1.3."""
    return _with_path(verb, argument, False)


def _with_path(verb: str, argument: str, lenient: bool) -> Command:
    word, table = _PATHS[verb]
    if argument[: len(word)].upper() != word:
        raise _wrong(verb, f"takes {word}<address>", argument)
    # Spaces after the colon are wrong and common (Postfix and Exim take them).
    text = argument[len(word) :].lstrip(" ")
    try:
        path, rest = parse_path(text, lenient)
        parameters = parse_parameters(rest, table)
    except AddressError as error:
        by = "addresses" if not lenient and _is_path(text) else PROTOCOL
        reason = f"{verb} {argument[:300]!r}: {error}"
        raise refusal(501, f"5.1.3 {error}", reason, by) from None
    except ParameterError as error:
        raise refusal(555, f"5.5.4 {error}", f"{verb} {argument[:300]!r}: {error}") from None
    _check_somebody(verb, argument, path.mailbox, lenient)
    return Command(verb, f"{word}{path}{written(parameters)}", path, parameters)


def _is_path(text: str) -> bool:
    """Whether it would be one where they are taken leniently."""
    try:
        parse_path(text, lenient=True)
    except AddressError:
        return False
    return True


def _check_somebody(verb: str, argument: str, mailbox: Mailbox, lenient: bool) -> None:
    reason = f"{verb} {argument[:300]!r}"
    if verb == "RCPT" and mailbox.null:
        raise refusal(501, "5.1.3 A recipient without an address", reason)
    if verb == "MAIL" and not (mailbox.domain or mailbox.null or lenient):
        raise refusal(501, "5.1.7 A sender without a domain", reason, "addresses")


def _bdat(verb: str, argument: str) -> Command:
    """A size, and whether it is the last chunk (RFC 3030, section 2)."""
    found = _CHUNK.fullmatch(argument)
    if found is None:
        raise _wrong(verb, "takes a size, and LAST", argument)
    size, last = int(found[1]), found[2] is not None
    return Command(verb, f"{size}{' LAST' if last else ''}", size=size, last=last)


def _auth(verb: str, argument: str) -> Command:
    """A mechanism, and perhaps its first words (RFC 4954, section 4)."""
    found = _MECHANISM.fullmatch(argument)
    if found is None or not (found[2] in (None, "=") or is_base64(found[2])):
        raise refusal(
            501, "5.5.2 AUTH: takes a mechanism", "AUTH with something that is not base64"
        )
    return Command(verb, f"{found[1].upper()} {found[2] or ''}".rstrip(" "))


def _etrn(verb: str, argument: str) -> Command:
    """A host, a domain or a queue (RFC 1985, section 5)."""
    if not _NODE.fullmatch(argument):
        raise _wrong(verb, "takes the name of a host", argument)
    return Command(verb, argument)


def is_base64(text: str) -> bool:
    """Whether it is base64, perhaps of nothing (RFC 4954, section 4)."""
    return _BASE64.fullmatch(text) is not None


def is_literal(text: str) -> bool:
    """Whether it is an address literal."""
    try:
        literal(text)
    except AddressError:
        return False
    return True


RULES: Mapping[str, Callable[[str, str], Command]] = {
    "HELO": _hello,
    "EHLO": _hello,
    "MAIL": _path,
    "RCPT": _path,
    "DATA": _alone,
    "BDAT": _bdat,
    "RSET": _alone,
    "NOOP": _text,
    "VRFY": _somebody,
    "EXPN": _somebody,
    "HELP": _text,
    "ETRN": _etrn,
    "AUTH": _auth,
    "STARTTLS": _alone,
    "QUIT": _alone,
}
"""All commands that are understood, and how each is parsed."""
