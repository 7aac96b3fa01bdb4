"""
Text for people, from a peer that nobody trusts: what Finger and Whois answer.

A terminal obeys what it is sent. So only printable characters, tabs and line
ends are left of it (RFC 1288, section 3.3), and every line ends in CRLF.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from typing import Literal

Charset = Literal["ascii", "utf-8", "latin-1"]

# What a charset can't say: left out of ASCII, where nothing is better than a guess; marked as
# such where there is a character for it.
_UNREADABLE = {"ascii": "ignore", "utf-8": "replace", "latin-1": "replace"}

# C0 without tab and LF, DEL, C1, and the format characters that turn text around or hide it
# (Unicode Technical Report 36, section 2.5). A CR comes back with its LF.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


class PlainText:
    """
    Filters a text that comes in pieces; the pieces may be cut anywhere.

    @ivar charset: of what comes, and of what leaves.
    """

    def __init__(self, charset: Charset) -> None:
        self.charset = charset
        self._decoder = getincrementaldecoder(charset)(_UNREADABLE[charset])

    def filter(self, data: bytes) -> bytes:
        """What may pass of the next piece."""
        return self._plain(self._decoder.decode(data))

    def end(self) -> bytes:
        """What may pass of a character that was cut off."""
        return self._plain(self._decoder.decode(b"", final=True))

    def _plain(self, text: str) -> bytes:
        return _UNPRINTABLE.sub("", text).replace("\n", "\r\n").encode(self.charset)
