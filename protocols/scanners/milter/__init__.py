"""
Milter: mails judged, and changed, by filters that speak Sendmail's protocol.

    numbers        commands, steps and actions, by libmilter's names
    packet         how they are on the wire
    message        a mail as filters see it: fields, and where the body begins
    readdressing   what filters make of its envelope
    changes        what a filter wants to be changed, understood and applied
    conversation   one mail, told to one filter
    inspector      one mail, and all filters

Source: mfdef.h and mfapi.h of libmilter, protocol version 6, and what filters were seen to do.
"""
