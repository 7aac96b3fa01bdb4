"""
C{twistd} writes its log as it always does, but for what a terminal would obey.

Its options (C{--logfile}, C{--syslog}, C{--nodaemon}, …) say where to. What they mean is known to
C{twistd} alone, so its own observer is made as it would make it, and given to it in place of that.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.logger import ILogObserver, LegacyLogObserverWrapper
from twisted.scripts._twistd_unix import UnixAppLogger

from gateway.observe.journal import JournalObserver, leads_to_journal
from gateway.observe.log import PrintableObserver


def observer(options: Any) -> ILogObserver | None:
    """
    Where C{twistd} with these options writes its log, safe to show.

    @return: C{None} if the operator has given an observer of his own (C{--logger}).
    """
    if options.get("logger"):
        return None
    if _leads_to_journal(options):
        return PrintableObserver(JournalObserver(sys.stdout))
    made = UnixAppLogger(options)._getLogObserver()  # type: ignore[no-untyped-call]
    return PrintableObserver(
        made if ILogObserver.providedBy(made) else LegacyLogObserverWrapper(made)
    )


def _leads_to_journal(options: Any) -> bool:
    """Whether the log goes to standard output, and that to the journal."""
    elsewhere = options.get("logfile") not in (None, "-") or options.get("syslog")
    return not elsewhere and leads_to_journal(sys.stdout, os.environ)
