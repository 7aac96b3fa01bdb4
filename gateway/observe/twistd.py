"""
C{twistd} writes its log as it always does, but for what a terminal would obey.

Its options (C{--logfile}, C{--syslog}, C{--nodaemon}, …) say where to. What they mean is known to
C{twistd} alone, so its own observer is made as it would make it, and given to it in place of that.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LegacyLogObserverWrapper
from twisted.scripts._twistd_unix import UnixAppLogger

from gateway.observe.log import PrintableObserver


def observer(options: Any) -> ILogObserver | None:
    """
    Where C{twistd} with these options writes its log, safe to show.

    @return: L{None} if the operator has given an observer of his own (C{--logger}).
    """
    if options.get("logger"):
        return None
    made = UnixAppLogger(options)._getLogObserver()  # type: ignore[no-untyped-call]
    return PrintableObserver(
        made if ILogObserver.providedBy(made) else LegacyLogObserverWrapper(made)
    )
