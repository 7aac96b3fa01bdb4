"""
QUIC, as far as it is seen from outside: who wants to talk to whom.

A client's first packets are encrypted with keys that everybody can compute (RFC
9001, section 5.2), and hold the same ClientHello as a TLS connection's first
message, in pieces that may come in any order.

  - L{protocols.quic.number}: QUIC's numbers of variable length;
  - L{protocols.quic.packet}: long headers, and what is coalesced in a datagram;
  - L{protocols.quic.keys}: the keys of first packets;
  - L{protocols.quic.frame}: what is in them;
  - L{protocols.quic.stream}: the pieces, in their order again;
  - L{protocols.quic.flight}: a client's first flight, until its hello is whole;
  - L{protocols.quic.close}: how a client is told that there is no connection;
  - L{protocols.quic.inspector}: what becomes of each.
"""
