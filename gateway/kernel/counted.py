"""How many first packets each rule has decided about: what the kernel has counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from gateway.kernel.filter.nftables import RULE, table_name
from gateway.kernel.netlink import NFT_MSG_GETRULE, Netfilter, attributes, steadily, text
from gateway.kernel.tables import TABLE, names, table

_CHAIN, _EXPRESSIONS = 2, 4
_NAME, _DATA = 1, 2
_PACKETS = 2

_OF_RULE = re.compile(rf"{RULE}(\d+)_".encode())


def counted(port: int) -> dict[int, int]:
    """
    The first packets of each rule, by its number in deciding order, since the rules were installed.

    @param port: of the instance's first listener.
    @return: empty, if nftables does not have the rules.
    @raise OSError: one may not ask.
    """
    kernel, name = Netfilter(), table_name(port)
    try:
        if name not in names(kernel):
            return {}
        rules = steadily(lambda: kernel.dump(table(NFT_MSG_GETRULE, name)))
    finally:
        kernel.close()
    found: Counter[int] = Counter()
    for rule in rules:
        said = dict(attributes(rule))
        of = _OF_RULE.match(said[_CHAIN])
        if said[TABLE] == text(name) and of is not None:
            found[int(of[1])] += sum(_packets(said.get(_EXPRESSIONS, b"")))
    return dict(found)


def _packets(expressions: bytes) -> Iterator[int]:
    """What the counters of one of the packet filter's rules say."""
    for _, expression in attributes(expressions):
        said = dict(attributes(expression))
        if said[_NAME] == text("counter"):
            yield int.from_bytes(dict(attributes(said[_DATA]))[_PACKETS], "big")
