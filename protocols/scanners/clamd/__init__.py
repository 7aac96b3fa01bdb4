"""
The protocol of ClamAV's daemon: commands, bodies in chunks, and replies.

Source: clamd(8) of ClamAV 1.4, and what that daemon was seen to do where the page is silent.
"""
