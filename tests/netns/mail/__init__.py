"""
Real mail servers, and the clients that send to them, for the tests of SMTP.

Each server has everything in a folder of its own, takes all mail for
C{b.example} into one mailbox, and lets L{USERNAME} log in with L{PASSWORD} if
it can. The C{.conf} and C{.cf} files are their configurations, with
C{@NAMES@} for what L{tests.netns.mail.server} fills in.
"""

USERNAME = "joe"
PASSWORD = "a-long-secret"
