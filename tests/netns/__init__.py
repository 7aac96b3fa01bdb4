"""
End to end: a client, the real C{twistd tproxygw} and a server in three namespaces.

L{tests.netns.scene} builds them, L{tests.netns.case} is what the tests subclass.
"""
