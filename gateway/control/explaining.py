"""The question C{explain}: what would happen to a connection, by the policy in force?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.control.question import Answer, Asked, Asker, Misasked, check_keys, text
from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.explain import check, explained
from gateway.policy.foretelling import Said
from gateway.policy.judging import Asks, read_headers
from gateway.policy.notation import read_client
from gateway.policy.policy import Policy

KEYS = (
    *("from", "to", "protocol", "interface", "sni", "alpn", "query"),
    *("url", "method", "headers", "mail_from", "rcpt", "attachments", "commands"),
)

MOST = 100
"""Things of one kind that are asked about at once."""

PROTOCOLS = {each.value: each for each in Protocol}


class Explain:
    """
    @param policy: the one in force.
    """

    changes = False

    def __init__(self, policy: Callable[[], Policy]) -> None:
        self._policy = policy

    def ask(self, asked: Asked, asker: Asker) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, KEYS)
        connection = _connection(asked)
        try:
            rows = explained(self._policy(), connection, _said(asked), _asks(asked))
        except Misasked:
            raise
        except ValueError as error:
            raise Misasked(str(error)) from None
        return {"rows": [list(row) for row in rows]}

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}: all have the same policy."""
        return answers[0]


def _connection(asked: Asked) -> Connection:
    """
    Which one is meant.

    @raise Misasked: there can't be such a one.
    """
    protocol = PROTOCOLS.get(text(asked, "protocol") or Protocol.TCP.value)
    if protocol is None:
        raise Misasked(f"protocol: none of {', '.join(PROTOCOLS)}")
    interface = text(asked, "interface") or None
    connection = Connection(_address(asked, "from"), _address(asked, "to"), protocol, interface)
    try:
        check(connection)
    except ValueError as error:
        raise Misasked(f"from, to: {error}") from None
    return connection


def _address(asked: Asked, key: str) -> Address:
    try:
        return read_client(text(asked, key))
    except ValueError as error:
        raise Misasked(f"{key}: {error}") from None


def _said(asked: Asked) -> Said | None:
    """What the client would say first, if that was told."""
    sni, alpn, query = (text(asked, key) for key in ("sni", "alpn", "query"))
    said = Said(sni, tuple(filter(None, alpn.split(","))), query)
    return said if said != Said() else None


def _asks(asked: Asked) -> Asks:
    """What it would ask for then."""
    return Asks(
        url=text(asked, "url"),
        method=text(asked, "method") or "GET",
        headers=read_headers(_texts(asked, "headers")),
        sender=text(asked, "mail_from") if "mail_from" in asked else None,
        recipients=_texts(asked, "rcpt"),
        attachments=_texts(asked, "attachments"),
        commands=_texts(asked, "commands"),
    )


def _texts(asked: Asked, key: str) -> tuple[str, ...]:
    """
    A list of texts; empty if there is none.

    @raise Misasked: it is none.
    """
    found = asked.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Misasked(f"{key}: not a list of texts")
    if len(found) > MOST:
        raise Misasked(f"{key}: more than {MOST}")
    return tuple(found)
