"""
Who comes in.

The L{Listener<gateway.admission.listener>} accepts, L{Admission<gateway.admission.admission>}
admits or refuses and makes the L{Session<gateway.session.session>}, and the
L{Register<gateway.admission.register>} counts those that run. Connections that sessions have
announced are in L{gateway.admission.related}.
"""
