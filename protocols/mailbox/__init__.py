"""
What the protocols have in common by which mail is read from a server: POP3 and IMAP.

The server greets; the client logs in, in plain text or after both went over to TLS; then its
commands are passed one at a time. What they say is each protocol's own.

  - L{protocols.mailbox.options}: settings;
  - L{protocols.mailbox.goodbyes}: the last words of the gateway;
  - L{protocols.mailbox.refused}: why a message does not pass;
  - L{protocols.mailbox.dialogue}: what both directions know, and how it ends;
  - L{protocols.mailbox.answering}: what the server says, to its end;
  - L{protocols.mailbox.inspector}: all of it, for one session.
"""
