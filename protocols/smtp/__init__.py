"""
SMTP (RFC 5321) and submission (RFC 6409): commands, replies, mail.

The grammar is apart from the decisions: L{protocols.smtp.address},
L{protocols.smtp.parameter}, L{protocols.smtp.command}, L{protocols.smtp.reply}
and L{protocols.smtp.extension} parse and write, and know nothing of a policy.

L{protocols.smtp.inspector} has the dialogue, with its commands in
L{protocols.smtp.opening} and L{protocols.smtp.mailing}, and what they share in
L{protocols.smtp.dialogue}. L{protocols.smtp.transfer} brings a message across:
L{protocols.smtp.dotted} and L{protocols.smtp.chunked} read it as lines that nobody
can misread (L{protocols.smtp.lines}), L{protocols.smtp.message} judges it with
L{protocols.smtp.mime}, L{protocols.smtp.outgoing} holds it until then.
"""
