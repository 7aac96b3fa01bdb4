"""
The packet filter's rules as text: what the policy says, rendered for nftables or iptables.

Pure, as the policy is: who installs them is L{gateway.kernel.netfilter}. A
L{ruleset<gateway.kernel.filter.ruleset>} sorts the policy's rules by what a packet filter
knows for nothing. L{nftables<gateway.kernel.filter.nftables>} renders it as decision
L{tree<gateway.kernel.filter.tree>}s, L{iptables<gateway.kernel.filter.iptables>} one rule after
the other. The tests hold both against the policy, by a model that evaluates the same objects.
"""
