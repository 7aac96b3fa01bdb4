"""
What judges bodies has its room, its daemons and its programs here: the tools behind
L{gateway.tools}, which is all that an inspector sees of them::

    spool      room for a body: memory, then a file without a name
    address    where a daemon is
    line       one connection to it
    daemon     the lines to one daemon: kept, shared out
    breaker    whether it may be asked, or is left alone since it fails
    daemons    all of them, and the first of several that answers
    confined   how a program is started: without privileges, in a folder of its own
    resident   one that stays, and the line to it
    program    one of the operator's, run with one body
    programs   all that run now
    doctor     whether daemons and programs are there
    aside      a mail that is kept in a folder
    tools      what one stacked session has of all this, until it ends
"""
