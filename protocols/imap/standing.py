"""The Standing of a client: what it has come to."""

from __future__ import annotations

from attrs import define, field

from protocols.imap.state import State


@define
class Standing:
    """
    What the answers so far have made of it.

    @ivar user: whom it says that it is; empty before it did, and if AUTHENTICATE has it.
    @ivar utf8: names of mailboxes are in UTF-8 (RFC 6855, section 3; RFC 9051, section 5.1).
    @ivar mailbox: the one that is selected; empty: none.
    @ivar read_only: the policy has it that the selected mailbox is not changed.
    @ivar server: what the server can, as far as it has said so.
    """

    state: State = State.BEFORE
    user: str = ""
    utf8: bool = False
    mailbox: str = ""
    read_only: bool = False
    server: frozenset[str] = field(default=frozenset())

    def takes_at_once(self, size: int) -> bool:
        """Whether a literal of this size need not wait for the server's word (RFC 7888)."""
        return "LITERAL+" in self.server or (
            bool({"LITERAL-", "IMAP4REV2"} & self.server) and size <= 4096
        )
