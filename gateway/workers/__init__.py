"""
Workers: several processes that handle traffic, so that the gateway has all cores.

The I{supervisor} is the process that C{twistd} runs: policy, keeper, listening sockets, audit
file, metrics, control, console. It reads nothing of the traffic. The I{nursery}
(L{gateway.workers.nursery}) has loaded the policy and everything else that a worker needs, but no
reactor, and forks I{workers}, which accept at the sockets that the supervisor holds.
"""
