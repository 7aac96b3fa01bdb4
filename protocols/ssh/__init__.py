"""
SSH (RFC 4253), as far as it is seen from outside: until the keys are taken into use.

  - L{protocols.ssh.numbers}: messages and reasons by their RFC names;
  - L{protocols.ssh.banner}: who says what it is;
  - L{protocols.ssh.packet}: packets before encryption, and what is in them;
  - L{protocols.ssh.proposal}: the algorithms that a side offers, and what two sides agree on;
  - L{protocols.ssh.host_key}: the key that a server shows;
  - L{protocols.ssh.inspector}: the order of things, and the decisions.

Everything is passed on as it came: the keys are made from it, byte by byte.
"""
