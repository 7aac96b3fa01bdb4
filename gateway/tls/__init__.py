"""
TLS: both ends of it, and the certificates in between.

  - L{endpoint<gateway.tls.endpoint>}: one end of a TLS connection, without I/O, on pyOpenSSL's
    memory BIOs (L{raw<gateway.tls.raw>}, L{public<gateway.tls.public>});
  - L{verifier<gateway.tls.verifier>}: what is wrong with a server's certificate; chains are built
    and checked by OpenSSL (L{trust<gateway.tls.trust>}), names, keys, dates and revocations here.
  - L{credentials<gateway.tls.credentials>}: what the sessions of one policy need, towards both
    sides: L{contexts<gateway.tls.context>}, sessions that go on, certificates of our own;
  - L{minter<gateway.tls.minter>}: those certificates, after a L{template<gateway.tls.template>},
    from its cache or from the L{signer<gateway.tls.signer>}, a process of its own which alone has
    the root's L{key<gateway.tls.key>}. L{signing<gateway.tls.signing>} asks it.

Of the gateway it knows the policy and the words of the contract only.
"""
