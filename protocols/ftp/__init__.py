"""
FTP (RFC 959): a control connection that is inspected command by command, and
the data connections that are agreed on there.

  - L{protocols.ftp.command}, L{protocols.ftp.reply}, L{protocols.ftp.address}: the grammar;
  - L{protocols.ftp.verbs}: which commands there are, and what each may look like;
  - L{protocols.ftp.login}: which command may follow which;
  - L{protocols.ftp.settings}, L{protocols.ftp.rights}: what the operator allows;
  - L{protocols.ftp.protection}: what is encrypted;
  - L{protocols.ftp.target}: which server, if the client may say so;
  - L{protocols.ftp.texts}, L{protocols.ftp.patience}: what it reads, how long it takes;
  - L{protocols.ftp.channel}: what the two agree on for data;
  - L{protocols.ftp.transfer}, L{protocols.ftp.data}: one data connection;
  - L{protocols.ftp.exchange}, L{protocols.ftp.exchanges}: commands that are not answered yet;
  - L{protocols.ftp.dialogue}: what both directions know, and how it ends;
  - L{protocols.ftp.asking}, L{protocols.ftp.answering}: the directions;
  - L{protocols.ftp.inspector}: all of it, for one control connection.
"""
