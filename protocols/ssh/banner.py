"""Banner: which SSH a side speaks, and what program it is (RFC 4253, section 4.2)."""

from __future__ import annotations

import re

from attrs import frozen

from gateway.interfaces import Denied

BYTES = 253
"""A line without its CRLF, at most."""

# "softwareversion" has neither blanks nor minus signs; many have minus signs all the same.
_BANNER = re.compile(r"SSH-([0-9]+\.[0-9]+)-([!-~]+)(?: ([ -~]*))?")


@frozen
class Banner:
    """
    Who a side says that it is.

    @ivar protocol: C{"2.0"}, or C{"1.99"} from a server that speaks version 1 as well.
    """

    protocol: str
    software: str
    comments: str = ""

    @classmethod
    def parse(cls, line: bytes) -> Banner:
        """
        Read a line without its CRLF.

        @raise Denied: it is none.
        """
        found = _BANNER.fullmatch(line.decode("latin-1"))
        if found is None:
            raise Denied(f"not SSH: {line[:60]!r}")
        return cls(found[1], found[2], found[3] or "")
