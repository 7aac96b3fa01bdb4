"""
TLS: both ends of it, and the certificates in between.

  - L{endpoint<gateway.tls.endpoint>}: one end of a TLS connection, without I/O, on pyOpenSSL's
    memory BIOs (L{raw<gateway.tls.raw>}, L{public<gateway.tls.public>});
  - L{verifier<gateway.tls.verifier>}: what is wrong with a server's certificate; chains are built
    and checked by OpenSSL (L{trust<gateway.tls.trust>}), names, keys, dates and revocations here.

Of the gateway it knows the policy and the words of the contract only.
"""
