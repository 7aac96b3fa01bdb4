"""
IMAP (RFC 9051, 3501): mailboxes are used command by command, and messages are looked into.

  - L{protocols.imap.value}: the grammar that both sides share;
  - L{protocols.imap.command}, L{protocols.imap.shape}, L{protocols.imap.arguments},
    L{protocols.imap.search}, L{protocols.imap.fetch}, L{protocols.imap.item}: what clients say;
  - L{protocols.imap.reply}, L{protocols.imap.data}, L{protocols.imap.capability}: what servers say;
  - L{protocols.imap.mailbox}, L{protocols.imap.access}: names, and who may use them for what;
  - L{protocols.imap.settings}, L{protocols.imap.rights}, L{protocols.imap.judging}: what the
    operator allows;
  - L{protocols.imap.examination}, L{protocols.imap.transfer}: one message on its way;
  - L{protocols.imap.section}: parts of it;
  - L{protocols.imap.exchange}: a command, and what is answered to it;
  - L{protocols.imap.dialogue}: what both directions know, and how it ends;
  - L{protocols.imap.asking}, L{protocols.imap.hearing}, L{protocols.imap.saying},
    L{protocols.imap.appending}: from the client to the server;
  - L{protocols.imap.answering}, L{protocols.imap.fetched}, L{protocols.imap.portion},
    L{protocols.imap.row}: back;
  - L{protocols.imap.inspector}: all of it, for one session.
"""
