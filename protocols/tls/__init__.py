"""
TLS, as far as it is seen from outside: the client's first message, and alerts.

  - L{protocols.tls.vector}: the presentation language, read;
  - L{protocols.tls.numbers}: what the numbers of the registries are called;
  - L{protocols.tls.records}: the first message, put together from its records;
  - L{protocols.tls.hello}: what it says;
  - L{protocols.tls.ja4}: which program has probably written it;
  - L{protocols.tls.opening}: a client's first message, read as it comes;
  - L{protocols.tls.refusal}: why it is refused, and the alert that says so;
  - L{protocols.tls.inspector}: splices, refuses, or looks inside;
  - L{protocols.tls.upgrade}, L{protocols.tls.encryption}: the same for a protocol that goes over
    to TLS, such as FTP.

Nothing here encrypts or decrypts.
"""
