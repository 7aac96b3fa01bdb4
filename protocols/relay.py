"""
Relay: no inspection.

The connection is made and both sides' bytes, or datagrams, run as they are. What is left of
the gateway is the decision which connections there are, their limits and their
audit record.
"""

from __future__ import annotations

from gateway.inspector import Inspector


class RelayInspector(Inspector):
    """Connects, and leaves the rest to the session."""

    def started(self) -> None:
        """Connect; there is nothing to look at."""
        self.session.connect()
        self.session.release()

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return "nothing is looked at"
