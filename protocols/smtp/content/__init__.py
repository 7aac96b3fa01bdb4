"""
The content of a message, from the client's bytes to what may leave: lines that
nobody can misread (L{protocols.mime.lines}), judged. Nothing here knows the dialogue or the server.
"""
