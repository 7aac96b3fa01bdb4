"""
Rules that a kernel does not take as it told them, when they are copied (L{gateway.kernel.owned}).

What takes an option out of TCP's header (C{reset tcp option}) is told with attributes that must
not be given.

And packets that wait for a program: some kernels are built without nft's own statement
(NFT_QUEUE), and have the older target of iptables (NFQUEUE), which rules of nft may have, too;
but C{nft} can't write such a rule. So the draft has another one in its place.
"""

from __future__ import annotations

from struct import pack

from gateway.kernel.command import CommandError, run
from gateway.kernel.filter.through import DOOR, HOLD, door
from gateway.kernel.netlink import attribute, attributes, encoded, text, word

_CHAIN, _EXPRESSIONS = 2, 4
_ELEMENT, _NAME, _DATA = 1, 1, 2
_TARGET_NAME, _TARGET_REVISION, _TARGET_INFO = 1, 2, 3
_TO, _OPTION, _OPERATION, _FROM = 1, 2, 6, 7
"""Of C{exthdr}: DREG, TYPE, OP, SREG. With neither register it takes the option out."""

_NESTED = 0x8000
_REVISION = 3

_TRIAL = """
table inet tproxygw_trial {
	chain hold {
		queue num 0
	}
}
"""


def queues_natively() -> bool:
    """
    Whether nft's own statement is there.

    @raise KernelError: C{nft} is not.
    """
    try:
        run(("nft", "--check", "-f", "-"), _TRIAL)
    except CommandError:
        return False
    return True


def rewritten(rule: bytes, queue: int | None) -> bytes:
    """
    What makes a rule that the kernel has told.

    @param queue: where the chain L{HOLD} has packets wait, if its rule and L{DOOR}'s do not say so.
    """
    found = dict(encoded(rule))
    chain = dict(attributes(rule))[_CHAIN]
    if queue is not None and chain in (text(HOLD), text(DOOR)):
        number = queue if chain == text(HOLD) else door(queue)
        found[_EXPRESSIONS] = attribute(_EXPRESSIONS | _NESTED, _target(number))
    elif b"exthdr" in rule:
        expressions = dict(attributes(rule))[_EXPRESSIONS]
        mended = b"".join(_mended(one) for _, one in attributes(expressions))
        found[_EXPRESSIONS] = attribute(_EXPRESSIONS | _NESTED, mended)
    return b"".join(found.values())


def _mended(expression: bytes) -> bytes:
    """One expression, as an element of a list."""
    name, data = (dict(attributes(expression)).get(each, b"") for each in (_NAME, _DATA))
    if name == text("exthdr") and not {_FROM, _TO} & dict(attributes(data)).keys():
        kept = b"".join(whole for kind, whole in encoded(data) if kind in (_OPTION, _OPERATION))
        expression = attribute(_NAME, name) + attribute(_DATA | _NESTED, kept)
    return attribute(_ELEMENT | _NESTED, expression)


def _target(number: int) -> bytes:
    """See struct xt_NFQ_info_v3 in linux/netfilter/xt_NFQUEUE.h."""
    info = pack("=HHHxx", number, 1, 0)
    target = (
        attribute(_TARGET_NAME, text("NFQUEUE"))
        + attribute(_TARGET_REVISION, word(_REVISION))
        + attribute(_TARGET_INFO, info)
    )
    named = attribute(_NAME, text("target")) + attribute(_DATA | _NESTED, target)
    return attribute(_ELEMENT | _NESTED, named)
