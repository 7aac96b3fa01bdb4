"""
What may be asked and answered: the decisions of the HTTP inspector, by the table C{[http]}.

One noun each:
  - L{protocols.http.policy.settings}: the table;
  - C{rules}: the lists C{[[http.request]]} and C{[[http.response]]};
  - C{url}, C{hosts}, C{paths}, C{patterns}: what such a test compares, and with what;
  - C{lists}, C{lines}: long lists of domains and URLs, from files;
  - C{headers}: which headers pass;
  - C{content}, C{magic}: which media types pass;
  - C{authentication}, C{htpasswd}: who is asking;
  - C{pages}: what a client reads that is refused;
  - L{protocols.http.policy.decisions}: all of it, in order.

Nothing here reads a body, waits for the network or looks up a name.
"""
