"""
The edge: sockets of streams, and what makes them.

A L{Wire<gateway.wire.wire>} is one side of a session, a L{SecureWire<gateway.wire.secure>} one
that speaks TLS; the L{Connector<gateway.wire.connector>} opens the server's from the client's
address. Twisted's reactor says what time it is; which socket is ready says the
L{Poller<gateway.wire.poller>}, which is one descriptor of the reactor's.

Nothing here knows what a session is: who owns a wire is told what it sees.
"""
