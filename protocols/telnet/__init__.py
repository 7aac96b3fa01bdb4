"""
Telnet (RFC 854): the commands among the text, options and what is said about them.

  - L{protocols.telnet.numbers}: commands and options by their RFC names;
  - L{protocols.telnet.token}: what a side says, piece by piece;
  - L{protocols.telnet.about}: what may be said about an option;
  - L{protocols.telnet.inspector}: the decisions.
"""
