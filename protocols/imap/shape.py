"""Shapes: what stands behind each command's name, in its order."""

from __future__ import annotations

import re

from protocols.imap.arguments import Arguments
from protocols.imap.fetch import Fetch
from protocols.imap.refusal import bad
from protocols.imap.search import keys
from protocols.imap.value import Atom, String

_BASE64 = re.compile(rb"=|[A-Za-z0-9+/]+={0,2}")
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")
_DATE = re.compile(
    rb"[ 0-3]?[0-9]-[A-Za-z]{3}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}",
)
_STATUS = frozenset(
    {
        *("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE"),
        *("HIGHESTMODSEQ", "MAILBOXID", "APPENDLIMIT", "DELETED-STORAGE"),
    }
)
_LIST_RETURN = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "MYRIGHTS", "STATUS"})
_LIST_SELECT = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
_SORTS = frozenset(
    {
        *("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"),
        "REVERSE",
    }
)
_RETURN = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})
_PAIRS = 30
"""Of ID (RFC 2971, section 3.3)."""

nothing = Arguments.end


def identity(arguments: Arguments) -> None:
    """Of ID: what a program says of itself."""
    if arguments.says("NIL"):
        return
    group = arguments.group()
    if len(group.values) % 2 or len(group.values) > 2 * _PAIRS:
        raise bad("That is no identification")
    while group.more:
        name = group.string()
        value = b"" if group.says("NIL") else group.string()
        if len(name) > _PAIRS or len(value) > 1024:
            raise bad("That is no identification")


def login(arguments: Arguments) -> None:
    """A user and a password."""
    arguments.astring()
    arguments.astring()


def authenticate(arguments: Arguments) -> None:
    """A mechanism, and perhaps a first response (RFC 4959)."""
    if not _MECHANISM.fullmatch(arguments.atom()):
        raise bad("That is no mechanism")
    value = arguments.next() if arguments.more else Atom(b"=")
    if not (isinstance(value, Atom) and _BASE64.fullmatch(value.text)):
        raise bad("A response is base64")


def words(arguments: Arguments) -> None:
    """Capabilities that are to be enabled."""
    arguments.atom()
    while arguments.more:
        arguments.atom()


# Mailboxes


def select(arguments: Arguments) -> None:
    """A mailbox, and what is known of it (RFC 7162)."""
    arguments.mailbox()
    if not arguments.more:
        return
    group = arguments.group()
    while group.more:
        if group.says("QRESYNC"):
            _resync(group.group())
        elif not group.says("CONDSTORE"):
            raise bad("That is no parameter of SELECT")


def _resync(group: Arguments) -> None:
    group.number()
    group.number()
    if group.more and not group.begins_group():
        group.set()
    if group.more:
        known = group.group()
        known.set()
        known.set()
        known.end()
    group.end()


def create(arguments: Arguments) -> None:
    """A mailbox, and what it is for (RFC 6154)."""
    arguments.mailbox("write")
    if not arguments.more:
        return
    group = arguments.group()
    if not group.says("USE"):
        raise bad("That is no parameter of CREATE")
    uses = group.group()
    while uses.more:
        uses.flag()
    group.end()


def written(arguments: Arguments) -> None:
    """A mailbox that is changed."""
    arguments.mailbox("write")


def rename(arguments: Arguments) -> None:
    """Two."""
    arguments.mailbox("write")
    arguments.mailbox("write")


def seen(arguments: Arguments) -> None:
    """A mailbox."""
    arguments.mailbox()


def listed(arguments: Arguments) -> None:
    """What is looked for, and what is to be told of it (RFC 5258)."""
    if arguments.begins_group():
        _options(arguments.group(), _LIST_SELECT)
    arguments.astring()
    if arguments.begins_group():
        patterns = arguments.group()
        patterns.pattern()
        while patterns.more:
            patterns.pattern()
    else:
        arguments.pattern()
    if arguments.says("RETURN"):
        _options(arguments.group(), _LIST_RETURN)


def _options(group: Arguments, allowed: frozenset[str]) -> None:
    while group.more:
        word = group.atom()
        if word not in allowed:
            raise bad("That is no option of LIST")
        if word == "STATUS":
            _statuses(group.group())


def subscribed(arguments: Arguments) -> None:
    """What is looked for."""
    arguments.astring()
    arguments.pattern()


def status(arguments: Arguments) -> None:
    """A mailbox, and what is asked of it."""
    arguments.mailbox()
    _statuses(arguments.group())


def _statuses(group: Arguments) -> None:
    while group.more:
        if group.atom() not in _STATUS:
            raise bad("That is nothing that STATUS tells")


def append(arguments: Arguments) -> None:
    """A mailbox, flags, a date; the message is read apart."""
    arguments.mailbox("write")
    if arguments.begins_group():
        flags = arguments.group()
        while flags.more:
            flags.flag()
    if arguments.more and not arguments.says("UTF8"):
        value = arguments.next()
        if not (isinstance(value, String) and _DATE.fullmatch(value.data)):
            raise bad("A date is expected here")
        arguments.says("UTF8")


def root(arguments: Arguments) -> None:
    """A root of quotas."""
    arguments.astring()


def quota(arguments: Arguments) -> None:
    """Its limits (RFC 9208)."""
    arguments.astring()
    group = arguments.group()
    while group.more:
        group.atom()
        group.number()


def seen_by(arguments: Arguments) -> None:
    """A mailbox, and whose rights there are asked for."""
    arguments.mailbox()
    arguments.astring()


def granted(arguments: Arguments) -> None:
    """A mailbox, somebody, and new rights (RFC 4314)."""
    arguments.mailbox("write")
    arguments.astring()
    arguments.astring()


def revoked(arguments: Arguments) -> None:
    """A mailbox, and who has no rights any more."""
    arguments.mailbox("write")
    arguments.astring()


def metadata(arguments: Arguments) -> None:
    """A mailbox, and entries about it (RFC 5464)."""
    options = None
    if arguments.begins_group():
        options = arguments.group()
        while options.more:
            if options.says("MAXSIZE") or options.says("DEPTH"):
                options.atom()
            else:
                raise bad("That is no option of GETMETADATA")
    arguments.mailbox()
    entries = arguments.group() if arguments.begins_group() else arguments
    entries.astring()
    while entries.more:
        entries.astring()


def set_metadata(arguments: Arguments) -> None:
    """A mailbox, entries, and their new values."""
    arguments.mailbox("write")
    group = arguments.group()
    while group.more:
        group.astring()
        if not group.says("NIL"):
            value = group.next()
            if not isinstance(value, String):
                raise bad("A string is expected here")


# Messages


def messages(arguments: Arguments) -> None:
    """Some messages."""
    arguments.set()


def copy(arguments: Arguments) -> None:
    """Messages, and where they go."""
    arguments.set()
    arguments.mailbox("write")


def fetch(arguments: Arguments) -> Fetch:
    """Messages, and what is asked of them."""
    arguments.set()
    return Fetch.parse(arguments)


def store(arguments: Arguments) -> None:
    """Messages, and their flags."""
    arguments.set()
    if arguments.begins_group():
        group = arguments.group()
        if not group.says("UNCHANGEDSINCE"):
            raise bad("That is no modifier of STORE")
        group.number()
        group.end()
    word = arguments.atom().lstrip("+-")
    if word.removesuffix(".SILENT") != "FLAGS":
        raise bad("Only flags can be stored")
    flags = arguments.group() if arguments.begins_group() else arguments
    while flags.more:
        flags.flag()


def search(arguments: Arguments) -> None:
    """What is looked for (RFC 4731: and what is to be told of it)."""
    _returns(arguments)
    if arguments.says("CHARSET"):
        arguments.astring()
    keys(arguments)


def sort(arguments: Arguments) -> None:
    """An order, a character set, and what is looked for (RFC 5256)."""
    _returns(arguments)
    order = arguments.group()
    while order.more:
        if order.atom() not in _SORTS:
            raise bad("That is no order")
    arguments.astring()
    keys(arguments)


def thread(arguments: Arguments) -> None:
    """A way to thread, a character set, and what is looked for."""
    arguments.atom()
    arguments.astring()
    keys(arguments)


def _returns(arguments: Arguments) -> None:
    if not arguments.says("RETURN"):
        return
    group = arguments.group()
    while group.more:
        if group.atom() not in _RETURN:
            raise bad("That is nothing that a search returns")
