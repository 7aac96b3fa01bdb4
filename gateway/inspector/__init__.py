"""
What plugin authors subclass: L{Inspector}, and above it L{StreamInspector}.

A L{StreamInspector} is one C{async def} for each direction. It is safe by
construction:
  - a direction that returned, and one more byte from its side: denied;
  - end of stream between messages: the half-close is passed on. Inside a
    message: denied (L{gateway.inspector.reader} says which is which);
  - an exception that is not L{Denied} is a bug. It goes to the session, which
    logs the traceback and denies;
  - only what an inspector sends passes. There is no call that forwards bytes
    that were not read;
  - C{self.session.secure(side)} denies if bytes of that side are unread (STARTTLS
    injection).
"""

from gateway.inspector.deadline import Deadline, Waits, pause
from gateway.inspector.inspector import Inspector
from gateway.inspector.pattern import pattern
from gateway.inspector.reader import CutOff, EndOfStream, LoneEnd, Reader
from gateway.inspector.stream import StreamInspector
from gateway.policy.addresses import Addresses
from gateway.policy.settings import option, written_at
from gateway.policy.tls import Identity, ServerTerms, Terms, read_identity

__all__ = [
    "Addresses",
    "CutOff",
    "Deadline",
    "EndOfStream",
    "Identity",
    "Inspector",
    "LoneEnd",
    "Reader",
    "ServerTerms",
    "StreamInspector",
    "Terms",
    "Waits",
    "option",
    "pattern",
    "pause",
    "read_identity",
    "written_at",
]
