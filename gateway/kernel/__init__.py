"""
What the kernel is told, and what it is asked.

The L{divert<gateway.kernel.divert>} is all that makes the kernel bring connections to the
gateway: rules of the packet L{filter<gateway.kernel.filter>}, installed by
L{netfilter<gateway.kernel.netfilter>}, and policy L{routing<gateway.kernel.routing>}, both
held under a L{claim<gateway.kernel.claim>}. It lives in the
L{keeper<gateway.kernel.keeper>}, a process of its own with the privileges that it takes.
L{sockets<gateway.kernel.sockets>} is the only module that sets socket options. The
L{doctor<gateway.kernel.doctor>} looks for what on a host is in the way.
"""
