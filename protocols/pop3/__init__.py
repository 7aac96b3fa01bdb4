"""
POP3 (RFC 1939): a mailbox is read command by command, and what is fetched is looked into.

  - L{protocols.pop3.command}, L{protocols.pop3.reply}, L{protocols.pop3.listing}: the grammar;
  - L{protocols.pop3.settings}, L{protocols.pop3.rights}: what the operator allows;
  - L{protocols.pop3.message}, L{protocols.pop3.delivery}: one message on its way;
  - L{protocols.pop3.exchange}: a command, and what is answered to it;
  - L{protocols.pop3.dialogue}: what both directions know, and how it ends;
  - L{protocols.pop3.asking}, L{protocols.pop3.answering}: the directions;
  - L{protocols.pop3.inspector}: all of it, for one session.
"""
