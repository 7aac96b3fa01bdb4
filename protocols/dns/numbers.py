"""
Numbers of DNS that every message is compared with: plain ones. To look up a member of dnspython's
enumerations takes four times as long as to compare it.
"""

from __future__ import annotations

from dns.opcode import Opcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

A = int(RdataType.A)
AAAA = int(RdataType.AAAA)
ANY = int(RdataType.ANY)
AXFR = int(RdataType.AXFR)
CNAME = int(RdataType.CNAME)
DNAME = int(RdataType.DNAME)
OPT = int(RdataType.OPT)
RRSIG = int(RdataType.RRSIG)
SIG = int(RdataType.SIG)
TSIG = int(RdataType.TSIG)
TXT = int(RdataType.TXT)

IN = int(RdataClass.IN)
ANY_CLASS = int(RdataClass.ANY)

QUERY = int(Opcode.QUERY)
UPDATE = int(Opcode.UPDATE)
