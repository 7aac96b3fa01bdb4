"""
DNS, by UDP and by TCP: which names are asked for, and what is answered.

One noun each:
  - L{protocols.dns.name}, L{protocols.dns.record}, L{protocols.dns.edns}, L{protocols.dns.message}:
    the grammar, read strictly and written anew;
  - L{protocols.dns.settings}, L{protocols.dns.rule}, L{protocols.dns.kinds}: the table C{[dns]};
  - L{protocols.dns.decision}: what they say of a query;
  - L{protocols.dns.asking}: what becomes of queries; L{protocols.dns.reply}: answers of the
    gateway's own; L{protocols.dns.tunnel}: names that carry data;
  - L{protocols.dns.answering}: what becomes of answers; L{protocols.dns.answer},
    L{protocols.dns.chain}, L{protocols.dns.private}, L{protocols.dns.service_binding},
    L{protocols.dns.transfer}: what is looked at in one;
  - L{protocols.dns.story}: the audit records;
  - L{protocols.dns.dialogue}: both directions of a session; L{protocols.dns.inspector} is TCP's,
    L{protocols.dns.datagrams} UDP's.
"""
