"""
Messages (RFC 5322) and what is in them (RFC 2045 to 2049): read, judged and,
where rules say so, changed while they pass. Of no protocol: whole lines go in,
and what may pass comes out, or an L{objection<protocols.mime.objection.Objection>}.

L{protocols.mime.message} has one message, with its L{header<protocols.mime.header>}.
L{protocols.mime.parts} follows the structure while the message passes.
L{protocols.mime.described} reads what the header of a part says,
L{protocols.mime.encoding} what its body is behind its encoding,
L{protocols.mime.archive} and L{protocols.mime.inline} what is in that.
L{protocols.mime.part} decides, by L{protocols.mime.rules}.

L{protocols.mime.dotted} and L{protocols.mime.lines} make whole lines of what comes by the way,
L{protocols.mime.stacked} runs them through another inspector, and L{protocols.mime.screening} is
a message that passes all of that.
"""
