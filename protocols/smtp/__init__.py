"""
SMTP (RFC 5321) and submission (RFC 6409): commands, replies, mail.

The grammar is apart from the decisions: L{protocols.smtp.address},
L{protocols.smtp.parameter}, L{protocols.smtp.command}, L{protocols.smtp.reply}
and L{protocols.smtp.extension} parse and write, and know nothing of a policy;
L{protocols.smtp.lines} turns content into lines that nobody can misread, and
back; L{protocols.smtp.inspector} has the dialogue.
"""
