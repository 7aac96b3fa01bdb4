"""
Paths and addresses (RFC 5321, section 4.1.2; international: RFC 6531, section 3.3).

::

    <>                          the null sender
    <bob@example.net>           a mailbox
    <"a b"@[192.0.2.1]>         a quoted local part, an address literal
    <@a.example,@b:bob@c>       a source route, which is parsed and left out
    <Postmaster>                a recipient without a domain, the only one

Taken too, if told, as mail servers do; and written as the standard has it, so
that nobody reads it differently::

    <a..b@c>  <a.@c>            written <"a..b"@c>, <"a."@c>
    <a_b@c_d>  <a@b.>           domains as they are in some networks; without the root's dot
    a@b                         written <a@b>
    <root>                      somebody at the server itself
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

PATH_CHARACTERS = 256
"""Section 4.5.3.1.3, with the brackets."""

LOCAL_OCTETS = 64
"""Section 4.5.3.1.1; in octets of UTF-8 (RFC 6531, section 3.3)."""

DOMAIN_OCTETS = 255
"""Section 4.5.3.1.2."""

LENIENT_CHARACTERS = 512
LENIENT_OCTETS = 256
"""
What addresses are in the wild that have others in them, with a hash (VERP, SRS, BATV). Postfix
sets no limit but that of a line.
"""

# RFC 5322, section 3.2.3, and every character beyond ASCII but controls (RFC 6531, section 3.3).
_WIDE = "\u00a0-\ud7ff\ue000-\U0010ffff"
_ATOM = f"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_WIDE}-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LOOSE = re.compile(rf"(?:{_ATOM}|\.)+")
_QUOTED = re.compile(rf'"(?:[ !#-\[\]-~{_WIDE}]|\\[ -~])*"')
_LABEL = f"[A-Za-z0-9{_WIDE}](?:[A-Za-z0-9{_WIDE}-]*[A-Za-z0-9{_WIDE}])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LOOSE_LABEL = f"[A-Za-z0-9_{_WIDE}-]+"
_LOOSE_DOMAIN = re.compile(rf"{_LOOSE_LABEL}(?:\.{_LOOSE_LABEL})*")
_ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:")


class AddressError(ValueError):
    """It is no path. The message says what is wrong with it."""


@frozen
class Mailbox:
    """
    Somebody's address.

    @ivar local: the local part without its quotes, as the server means it.
    @ivar domain: a domain in its given letters, an address literal with its
        brackets, or empty: Postmaster, or the null sender.
    """

    local: str = ""
    domain: str = ""

    def __str__(self) -> str:
        return f"{written_local(self.local)}@{self.domain}" if self.domain else self.local

    @property
    def canonical(self) -> str:
        """As addresses are compared: in small letters, the domain as it is in the DNS."""
        local = written_local(self.local.lower())
        return f"{local}@{canonical(self.domain)}" if self.domain else self.local.lower()

    @property
    def null(self) -> bool:
        """Whether it is the null sender of bounces (section 4.5.5)."""
        return not self.local and not self.domain

    @property
    def postmaster(self) -> bool:
        """Whether it is the one who has to be reachable (section 4.5.1)."""
        return self.local.lower() == "postmaster"

    @property
    def ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8."""
        return self.local.isascii() and self.domain.isascii()


NULL = Mailbox()


@frozen
class Path:
    """
    What stands between the angle brackets.

    @ivar route: the hosts of a source route, which nobody obeys any more
        (RFC 5321, section 3.6.1, and appendix C). It is not written again.
    """

    mailbox: Mailbox
    route: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"<{self.mailbox}>"


def parse_path(text: str, lenient: bool = False) -> tuple[Path, str]:
    """
    Read a path at the beginning of C{text}.

    @param lenient: whether to take what mail servers take too.
    @return: the path, and what comes after it.
    @raise AddressError: there is none.
    """
    if not text.startswith("<"):
        return _bare_path(text, lenient)
    route = _ROUTE.match(text, 1)
    at = route.end() if route else 1
    if text[at : at + 1] == ">" and route is None:
        return Path(NULL), text[at + 1 :]
    mailbox, at = _mailbox(text, at, lenient)
    if text[at : at + 1] != ">":
        raise AddressError("an address has to end in an angle bracket")
    most = LENIENT_CHARACTERS if lenient else PATH_CHARACTERS
    if len(text[: at + 1]) > most:
        raise AddressError(f"an address of more than {most} characters")
    hosts = tuple(route[0][1:-1].split(",@")) if route else ()
    return Path(mailbox, hosts), text[at + 1 :]


def _bare_path(text: str, lenient: bool) -> tuple[Path, str]:
    """A path without its brackets, which ends at a space."""
    if not (lenient and text):
        raise AddressError("an address has to stand in angle brackets")
    mailbox, at = _mailbox(text, 0, lenient)
    if text[at : at + 1] not in ("", " "):
        raise AddressError("an address has to stand in angle brackets")
    return Path(mailbox), text[at:]


def parse_mailbox(text: str) -> Mailbox:
    """
    Read a mailbox that has a domain, as leniently as can be.

    @raise AddressError: it is none.
    """
    mailbox, at = _mailbox(text, 0, True)
    if at != len(text) or not mailbox.domain:
        raise AddressError("not an address")
    return mailbox


def _mailbox(text: str, at: int, lenient: bool) -> tuple[Mailbox, int]:
    found = (_LOOSE if lenient else _DOT_STRING).match(text, at) or _QUOTED.match(text, at)
    if found is None:
        raise AddressError("an address without a local part")
    local, end = _unquoted(found[0]), found.end()
    _check_local(local, lenient)
    if text[end : end + 1] != "@":
        if text[end : end + 1] == "." or text[at : at + 1] == ".":
            raise AddressError("dots that begin or end a local part, or follow each other")
        if not lenient and local.lower() != "postmaster":
            raise AddressError("an address without a domain")
        return Mailbox(local), end
    domain, end = _domain(text, end + 1, lenient)
    return Mailbox(local, domain), end


def _check_local(local: str, lenient: bool) -> None:
    most = LENIENT_OCTETS if lenient else LOCAL_OCTETS
    if len(local.encode()) > most:
        raise AddressError(f"a local part of more than {most} octets")


def _unquoted(local: str) -> str:
    if not local.startswith('"'):
        return local
    inner = re.sub(r"\\(.)", r"\1", local[1:-1])
    if not inner:
        raise AddressError("an empty local part")
    return inner


def written_local(local: str) -> str:
    """A local part as it is sent: quoted only if it has to be (section 4.1.2)."""
    if _DOT_STRING.fullmatch(local):
        return local
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def _domain(text: str, at: int, lenient: bool) -> tuple[str, int]:
    """A domain, or an address literal, and where it ends; the root's dot is not written again."""
    if text[at : at + 1] == "[":
        end = text.find("]", at)
        found = literal(text[at : end + 1] if end > 0 else text[at:])
        return found, at + len(found)
    name = (_LOOSE_DOMAIN if lenient else _DOMAIN).match(text, at)
    if name is None:
        raise AddressError("an address without a domain after its @")
    if not _fits(name[0]):
        raise AddressError("a domain that is too long")
    end = name.end()
    return name[0], end + (lenient and text[end : end + 1] == ".")


def canonical(domain: str) -> str:
    """A domain as domains are compared: in small letters, beyond ASCII as it is in the DNS."""
    if domain.startswith("."):
        return f".{canonical(domain[1:])}"
    try:
        return domain.lower() if domain.isascii() else domain.encode("idna").decode().lower()
    except UnicodeError:
        return domain.lower()


def is_domain(text: str) -> bool:
    """Whether it is a domain name, by its form (section 4.1.2, RFC 1035, section 2.3.4)."""
    return _DOMAIN.fullmatch(text) is not None and _fits(text)


def _fits(text: str) -> bool:
    return len(text.encode()) <= DOMAIN_OCTETS and all(
        len(label.encode()) <= 63 * (1 if label.isascii() else 4) for label in text.split(".")
    )


def literal(text: str) -> str:
    """
    An address literal (section 4.1.3), as it was written.

    @raise AddressError: it is none; others than of IPv4 and IPv6 are not known.
    """
    inner = text[1:-1]
    try:
        if not (text.startswith("[") and text.endswith("]")):
            raise ValueError
        if inner[:5].lower() == "ipv6:":
            if "%" in inner:
                raise ValueError
            IPv6Address(inner[5:])
        else:
            IPv4Address(inner)
    except ValueError:
        raise AddressError("not an address literal") from None
    return text
