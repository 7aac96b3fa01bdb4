"""
SMTP (RFC 5321) and submission (RFC 6409): commands, replies, mail.

L{protocols.smtp.grammar} parses and writes, and knows nothing of a policy.
L{protocols.smtp.content} reads a message as lines that nobody can misread, and
has it judged by L{protocols.mime}.

L{protocols.smtp.inspector} has the dialogue, with its commands in
L{protocols.smtp.opening}, L{protocols.smtp.protection} and L{protocols.smtp.mailing}, and
what they share in L{protocols.smtp.dialogue}. L{protocols.smtp.transfer} brings a message across:
behind DATA, L{protocols.smtp.outgoing} holds it until it is judged;
L{protocols.smtp.chunked} sends it on in chunks.
"""
