"""
ICAP: bodies judged by another host's services.

    request       what it is asked: modes, headers, the message that the body belongs to
    answer        what it says: read by the grammar of HTTP/1
    options       what it has said of itself
    inspector     one body

Source: RFC 3507; headers that begin with X- as in draft-stecher-icap-subid-00, and as c-icap and
Squid use them.
"""
