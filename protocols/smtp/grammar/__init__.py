"""
The grammar of SMTP: commands, addresses, parameters, replies, extensions, parsed
and written. Nothing here knows a policy or a session.
"""
