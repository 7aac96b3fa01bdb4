"""
Released sessions, as the gateway's own process sees them: it has nothing of theirs to read.

  - L{gateway.release.carriage}: the connection to the carrier (L{gateway.kernel.release}), which
    has sessions forwarded by the kernel;
  - L{gateway.release.passage}: one session's way into the kernel, and to its end;
  - L{gateway.release.passages}: all of them, and those of a gateway that ran before this one;
  - L{gateway.release.ports}: the ports that they have, of which no socket knows.
"""
