"""
What is in a message (RFC 2045 to 2049): its parts, what they are, and what becomes of them.

L{protocols.smtp.mime.parts} follows the structure while the message passes.
L{protocols.smtp.mime.described} reads what the header of a part says,
L{protocols.smtp.mime.encoding} what its body is behind its encoding,
L{protocols.smtp.mime.archive} and L{protocols.smtp.mime.inline} what is in that.
L{protocols.smtp.mime.part} decides.
"""
