"""
The life of the gateway's process: what it begins with, and what happens to it while it runs.

Composed by L{gateway.service}, which is the beginning and the end.
"""
