"""
tproxygw: a transparent application-level gateway for Linux.

The kernel hands the gateway connections that were going somewhere else. A
policy decides what each one is, an inspector reads it and decides what may pass,
and the gateway talks to the real server from the client's own address::

                 kernel                        this process
    client ---> divert ---> Listener ---> Session ---> Connector ---> server
                (rules,     accepts,      two sides,   connects from the
                 routes)    knows both    two gates,   client's address
                            addresses     one verdict
                                 |            |
                              Policy      Inspector
                              decides     is told, and asks

A life in eight steps, each in one place:

  1. The operator's TOML files become one frozen L{Policy<gateway.policy.policy.Policy>}, or a
     list of all that is wrong with them (L{gateway.policy.load}).
  2. The keeper, a privileged process of its own, makes a ruleset of the policy and
     installs it, as packet filter rules and policy routes (L{gateway.kernel}). What is to be
     forwarded or denied never reaches the gateway: the kernel does it.
  3. A connection that is to be inspected is diverted to a L{Listener<gateway.admission.listener>}.
     Its socket's own name is where the client wanted to go.
  4. L{Admission<gateway.admission.admission>} asks the policy again (it may have been reloaded)
     and counts against the limits. What is refused gets a reset and a record.
  5. The L{Session<gateway.session.session>} starts its inspector, which usually asks to
     connect; the L{Connector<gateway.wire.connector>} does that, from the client's address.
  6. Bytes come in by a L{Wire<gateway.wire.wire>}, are told to the inspector, and leave by
     the other wire if the inspector says so. A L{Gate<gateway.session.gate>} for each side holds
     the reasons not to read it: when the other side is slow, its bytes wait in its own kernel.
  7. The session ends with one L{Verdict<gateway.interfaces.Verdict>}: one C{flow} record in the
     audit, one count in the metrics (L{gateway.observe}).
  8. SIGHUP begins again at 1, for new sessions. SIGTERM: no new sessions, an end to the running
     ones; then the rules stay and block, unless the policy says that they are taken back.

What holds it together:

  - Sans-I/O inside, I/O at the edge. C{policy} has no sockets, no clock and no Twisted;
    C{protocols} and L{gateway.inspector} see no sockets and no reactor; all socket options are in
    L{gateway.kernel.sockets}; stream sockets are read and written in L{gateway.wire.wire} only.
  - Storeys, of which none knows the one above: L{gateway.wire} (sockets of streams and what makes
    them), L{gateway.session} (one connection, with its inspector), L{gateway.admission} (who comes
    in, and who is there). Modules import each other in no circle anywhere.
  - L{gateway.interfaces} is the whole contract between the gateway and its inspectors. Plugin
    authors subclass L{gateway.inspector.StreamInspector} and test with L{gateway.testing}.
  - L{gateway.service} is the only module that composes and the only one that imports the reactor,
    but for what several processes do, L{gateway.workers}: they compose themselves.
    Nobody imports it. L{gateway.cli} and L{gateway.lab} stand beside it.
  - Whose fault an error is decides its type: a peer's is L{Denied<gateway.interfaces.Denied>}, the
    operator's a problem with file, line and column, ours an exception with a traceback. None
    of them lets a byte through.
  - When goals conflict: nothing passes that was not understood or allowed; nothing grows
    without bound; it reads well; it is fast. In this order.

C{tests/test_imports.py} checks who may import whom.
"""
