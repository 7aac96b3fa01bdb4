"""
The usher: takes both ends of a connection over when client and server have shaken hands.

A privileged process of its own. It sees the headers of three packets of each connection (L{segment
<gateway.kernel.handshake.segment>}), of no other one, and no configuration but marks and
bounds. What it has made, two sockets, it gives to the gateway, which may refuse them
(L{usher<gateway.kernel.handshake.usher>}). The rules that bring packets here are in
L{gateway.kernel.filter.through}.
"""
