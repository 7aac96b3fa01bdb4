"""
Mailboxes: their names (RFC 3501, section 5.1.3; RFC 9051, section 5.1).

A name has one way to be written here. What a lenient server would read as another
one's name is no name: so a rule can't be walked around.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from unicodedata import normalize

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_OTHERS = re.compile("[^ -~]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INBOX = re.compile(r"inbox(?![A-Za-z0-9_-])", re.IGNORECASE)


def encoded(name: str) -> bytes:
    """A name in modified UTF-7."""
    text = _OTHERS.sub(lambda found: _shifted(found[0]), name.replace("&", "&-"))
    return text.encode("ascii")


def _shifted(text: str) -> str:
    base64 = b2a_base64(text.encode("utf-16-be", "surrogatepass"), newline=False).decode("ascii")
    return "&" + base64.rstrip("=").replace("/", ",") + "-"


def decoded(name: bytes, utf8: bool = False) -> str:
    """
    What a name says.

    @param utf8: it is in UTF-8 (RFC 6855), and an ampersand is one.
    @raise ValueError: it is no name, or not written as it should be.
    """
    text = name.decode("utf-8") if utf8 else _unshifted(name)
    if _CONTROL.search(text):
        raise ValueError("a name with a control character")
    return text


def _unshifted(name: bytes) -> str:
    text = _SHIFTED.sub(lambda found: _meant(found[1]), name.decode("ascii"))
    if encoded(text) != name:
        raise ValueError("a name that is not modified UTF-7")
    return text


def _meant(base64: str) -> str:
    if not base64:
        return "&"
    padded = base64.replace(",", "/") + "=" * (-len(base64) % 4)
    try:
        return a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except Error as error:
        raise ValueError(str(error)) from None


def compared(name: str) -> str:
    """
    A name as rules see it: INBOX is the same in any letters, a separator at its end only says
    that there may be more below, and letters are composed (RFC 9051, section 5.1: NFC).
    """
    name = normalize("NFC", name)
    name = name.rstrip("/.\\") or name
    return "INBOX" + name[5:] if _INBOX.match(name) else name
