"""
Scanners: bodies judged by what a site already runs, and what is spoken with it.

Each scanner's protocol is a package of its own that knows no session (C{clamd}, C{icap},
C{milter}): bytes in, bytes out, and one exception for a scanner that does not keep to it
(L{Fault<protocols.scanners.fault.ScannerFault>}). Around it, L{protocols.scanners.scan} is what
all of them have in common: a body is held until it is judged.
"""
