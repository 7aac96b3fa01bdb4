"""
The Probe: the kernel itself is asked whether what is to be inspected gets to the gateway.

Lists of settings and rules never hold all that there is on a host. So first packets that
the policy would have inspected are put into the interfaces by which clients come, as if they had
been received, and it is looked how far they get:

  - L{samples<gateway.kernel.probe.samples>}: which packets, by what the policy says;
  - L{links<gateway.kernel.probe.links>}: the interfaces, and who is behind them;
  - L{packets<gateway.kernel.probe.packets>}: such a packet, byte by byte;
  - L{injection<gateway.kernel.probe.injection>}: how it gets into an interface;
  - L{stages<gateway.kernel.probe.stages>}: how far it got;
  - L{trace<gateway.kernel.probe.trace>}: who has dropped it;
  - L{ways<gateway.kernel.probe.ways>}: what the routing says, which drops without a word;
  - L{probe<gateway.kernel.probe.probe>}: all of it together.

It is safe where people work. No packet leaves the host, nor reaches a socket: it is dropped at the
end of its way, and has but one hop to live. Nothing is attached to an interface.
"""
