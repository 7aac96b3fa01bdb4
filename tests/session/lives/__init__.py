"""
Random lives of sessions, in a simulated world.

A L{life<tests.session.lives.life.Life>} has two peers who do anything that peers do, in any order,
and an L{inspector<tests.session.lives.inspector>} that asks for anything that there is. What
has to hold holds always; nothing is expected of a single life.

A life is its seed: C{python -m tests.session.lives SEED} shows one.
"""
