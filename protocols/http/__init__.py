"""
HTTP/1.0 and 1.1 (RFC 9110, RFC 9112).

A head is read, understood, decided and written anew; a body passes by its
framing. What two readers could take for two different things is refused.

Grammar and decisions are apart:
  - L{protocols.http.message}: the nouns, and how they are written;
  - L{protocols.http.grammar}: the patterns; C{fields}, C{target} use them;
  - L{protocols.http.http1}: how messages of these versions are read and sent on;
  - L{protocols.http.decision}: what can be decided, which C{protocols.http.policy} does;
  - L{protocols.http.inspector}: what a session has to do with all that.
"""
