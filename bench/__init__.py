"""
What the gateway costs, side by side with what a user would choose instead.

Nothing here is a test: the figures depend on the machine and on what else it
does. L{bench.ways} says what is compared, L{bench.loads} with which loads,
L{bench.table} prints ratios. README.md in this folder says how to read them.
"""
