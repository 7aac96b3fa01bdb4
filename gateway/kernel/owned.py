"""
An owned table: one that nobody else can change, flush or delete.

Linux 6.9 and later know it: the table belongs to a socket (owner) and outlives it
(persist; without that, the rules would go with the process). The C{nft} program can't put
anything into such a table, since it is another process. So it writes a draft, a
dormant table of another name, which decides nothing; and here the draft is
copied, object by object, to the table that is owned. What the rules say is
nobody's business here: a copy is what the kernel tells of the draft, without the
handles that it gave.

The batch takes effect as a whole, and only if nothing has changed since the draft
was read. See nf_tables_newtable in net/netfilter/nf_tables_api.c.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from errno import EOPNOTSUPP, EPERM

from gateway.kernel.errors import KernelError
from gateway.kernel.netlink import (
    NFT_MSG_DELTABLE,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSET,
    NFT_MSG_GETSETELEM,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Message,
    Netfilter,
    attribute,
    attributes,
    encoded,
    text,
    word,
)
from gateway.kernel.queueing import rewritten
from gateway.kernel.tables import SET_NAME, TABLE, chains, names, table

NFT_TABLE_F_OWNER, NFT_TABLE_F_PERSIST = 0x2, 0x4

_TABLE_FLAGS, _SET_ID, _LIST_SET = 2, 10, 2

_COPIED = {
    # NAME, HOOK, POLICY, TYPE, FLAGS, USERDATA
    NFT_MSG_NEWCHAIN: frozenset({3, 4, 5, 7, 10, 12}),
    # NAME, FLAGS, KEY_TYPE, KEY_LEN, DATA_TYPE, DATA_LEN, POLICY, DESC, TIMEOUT, GC_INTERVAL,
    # USERDATA, EXPR, EXPRESSIONS
    NFT_MSG_NEWSET: frozenset({2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 17, 18}),
    # SET, ELEMENTS
    NFT_MSG_NEWSETELEM: frozenset({2, 3}),
    # CHAIN, EXPRESSIONS, COMPAT, USERDATA
    NFT_MSG_NEWRULE: frozenset({2, 4, 5, 7}),
}
"""What of an object's attributes makes it. The others (handles, counts) are the kernel's."""


class NotOwnable(KernelError):
    """This kernel knows no owned tables that outlive their owner."""


def replace(
    kernel: Netfilter,
    draft: str,
    name: str,
    gone: Iterable[str],
    owned: bool = True,
    queue: int | None = None,
) -> list[Message]:
    """
    Make the content of C{draft} that of the table C{name}, in the place of its former self,
    and remove C{draft} and the tables C{gone}: all at once.

    @param owned: the table is one of C{kernel} from now on; else it is everybody's.
    @param queue: where packets are to wait, if the draft can't say so.
    @return: the content, for L{again}.
    @raise Interrupted: somebody changed the packet filter meanwhile, perhaps the draft: write
        it again.
    @raise NotOwnable: this kernel can't.
    @raise KernelError: one of the tables belongs to another process.
    """
    generation = kernel.generation()
    content = list(_copies(kernel, draft, name, queue))
    _put(kernel, generation, name, content, {*gone}, owned, [table(NFT_MSG_DELTABLE, draft)])
    return content


def again(kernel: Netfilter, name: str, content: Sequence[Message]) -> None:
    """
    Make the table C{name}, which is everybody's, anew. That takes a millisecond, and the C{nft}
    program ten, for a large policy some hundred.

    @param content: what L{replace} has put into it.
    @raise Interrupted: somebody changed the packet filter meanwhile.
    @raise KernelError: it belongs to another process.
    """
    _put(kernel, kernel.generation(), name, content)


def _put(
    kernel: Netfilter,
    generation: int,
    name: str,
    content: Sequence[Message],
    gone: Collection[str] = (),
    owned: bool = False,
    then: Sequence[Message] = (),
) -> None:
    # not NFT_MSG_DESTROYTABLE, which does not mind what is not there: kernels before 6.3 lack it
    there = {name, *gone}.intersection(names(kernel))
    removed = [table(NFT_MSG_DELTABLE, one) for one in sorted(there)]
    try:
        kernel.commit([*removed, _new(name, owned), *content, *then], generation)
    except OSError as error:
        raise _explained(error, name) from error


def _explained(error: OSError, name: str) -> KernelError:
    if error.errno == EOPNOTSUPP:
        return NotOwnable(f"this kernel has no tables that are owned: {error}")
    if error.errno == EPERM:
        return KernelError(
            f"the table {name}, or a left-over of another gateway, belongs to a process that "
            'still runs, or CAP_NET_ADMIN is missing; see "pgrep -af keeper"'
        )
    return KernelError(f"the kernel refused the table {name}: {error}")


def _new(name: str, owned: bool) -> Message:
    """The table itself."""
    flags = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST if owned else 0
    made = table(NFT_MSG_NEWTABLE, name, attribute(_TABLE_FLAGS, word(flags)))
    return made._replace(flags=NLM_F_CREATE)


def _copies(kernel: Netfilter, draft: str, name: str, queue: int | None) -> Iterator[Message]:
    """What makes C{name} the same as C{draft}: chains first, for everything refers to them."""
    for chain in chains(kernel, draft):
        yield _copy(NFT_MSG_NEWCHAIN, chain, name)
    sets = kernel.dump(table(NFT_MSG_GETSET, draft))
    for index, described in enumerate(sets, 1):
        # the number is for who refers to a set whose name is not known yet: nobody here
        yield _copy(NFT_MSG_NEWSET, described, name, attribute(_SET_ID, word(index)))
    for described in sets:
        of_set = attribute(_LIST_SET, dict(attributes(described))[SET_NAME])
        for elements in kernel.dump(table(NFT_MSG_GETSETELEM, draft, of_set)):
            yield _copy(NFT_MSG_NEWSETELEM, elements, name)
    for rule in kernel.dump(table(NFT_MSG_GETRULE, draft)):
        yield _copy(NFT_MSG_NEWRULE, rewritten(rule, queue), name, flags=NLM_F_APPEND)


def _copy(kind: int, described: bytes, name: str, more: bytes = b"", flags: int = 0) -> Message:
    """The message that makes in C{name} what the kernel has C{described}."""
    kept = b"".join(whole for each, whole in encoded(described) if each in _COPIED[kind])
    return Message(kind, attribute(TABLE, text(name)) + kept + more, NLM_F_CREATE | flags)
