"""
HTTP/1.0 and 1.1 as they are on the wire (RFC 9112): what no other version of HTTP has.

  - L{protocols.http.http1.asking}, C{answering}: the two directions; C{dialogue}: what both know;
  - C{head}, C{framing}, C{body}, C{connection}, C{admission}: how messages are read;
  - C{final}, C{transfer}, C{ways}: how they are sent on;
  - C{watch}: who takes too long.

Nothing outside of this package knows it but the inspector (C{tests/test_imports.py}).
"""
