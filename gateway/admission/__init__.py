"""
Who comes in.

The L{Listener<gateway.admission.listener>} accepts, L{Sessions<gateway.admission.sessions>} admits
or refuses, counts, and makes the L{Session<gateway.session.session>}. Connections that sessions
have announced are in L{gateway.admission.related}.
"""
