"""
The console: a page for the operator's browser.

It is an HTTP face of the questions that L{gateway.control} answers, and adds none of its own
but what the page shows of the past: the last hour's figures, and the last refusals.

What comes over the network is believed in this order, and each module has one step of it::

    site        one request, of a bounded size, in a bounded time, on one of so many connections
    origin      for a name of this host, from a page of ours or from none
    door        from somebody who has a token, a login or a certificate, and the right to ask
    desk        a question that is known

A page can't be made to ask on somebody else's behalf: a login is a cookie, which scripts can't
read, B{and} a key, which only pages of this very origin can. A cookie alone would go to every
port of the host.
"""
