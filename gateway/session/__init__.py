"""
One connection, from the listener to the verdict.

The L{Listener <gateway.session.listener.Listener>} accepts, L{Sessions
<gateway.session.sessions.Sessions>} admits or refuses, the L{Connector
<gateway.session.connector.Connector>} opens the server side from the client's
address, and the L{Session <gateway.session.session.Session>} stands between
two L{Wires <gateway.session.wire.Wire>}, asks its inspector, and keeps the
books. UDP has a simpler life, in L{gateway.session.datagram}.

Twisted's reactor is used for what it is: it says which descriptor is ready, and
what time it is. It is handed in from L{gateway.service}. The sockets of sessions have an
epoll instance of their own, which is one descriptor of the reactor's: L{gateway.session.poller}.
"""
