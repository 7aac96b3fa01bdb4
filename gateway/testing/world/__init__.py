"""
A world without a kernel: time, a network and two peers, for the gateway's own sessions.

Nothing here stands in for a session, a wire, a poller or a connector: they are the real ones. What
is simulated is below them, where the kernel is:

  - L{link}: the two streams of bytes of one connection;
  - L{socket}: the gateway's end of it, which answers as Linux does;
  - L{peer}: the other end, whose hands the test has;
  - L{network}: descriptors, who listens where, and who is asked to connect;
  - L{epoll}: which sockets are ready;
  - L{reactor}: the time, and whose turn it is;
  - L{world}: all of that, and a gateway in it.

Time passes when the test says so, and nothing happens by chance.
"""
