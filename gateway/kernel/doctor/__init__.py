"""
The doctor: what about this host breaks transparent interception, and what mends it?

L{examine<gateway.kernel.doctor.examine>} runs all checks. Each looks at a
L{host<gateway.kernel.doctor.host>} and a policy and yields
L{finding<gateway.kernel.doctor.finding>}s.
"""
