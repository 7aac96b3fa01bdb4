"""
One connection, from its admission to the verdict.

The L{Session <gateway.session.session.Session>} stands between two L{Legs
<gateway.session.leg.Leg>}, finds its server by an L{Approach <gateway.session.approach.Approach>},
asks its inspector by an L{Inspection <gateway.session.inspection.Inspection>}, and keeps the
books. UDP has a simpler life, in L{gateway.session.datagrams}.

What is below, L{gateway.wire}, knows nothing of sessions; who is admitted is decided above, in
L{gateway.admission}.
"""
