"""
End to end: a client, the real C{twistd tproxygw} and a server in three namespaces.

L{tests.netns.scene} builds them, L{tests.netns.case} is what the tests subclass.

Where the known ways to break transparent interception on Linux are tried (the
numbers are those of the table that the design was made from):

  - 1, fails open without the gateway: C{test_life.CrashTests}, C{PassCrashTests},
    C{IptablesCrashTests}
  - 2, both legs are one connection to a stateful firewall: C{test_kernel.FirewallTests},
    C{MasqueradeTests}, C{test_ftp_firewall}, and C{FirewallWithoutZonesTests} as the proof
  - 3, ICMP errors and path MTU: C{test_kernel.PathTests}
  - 4, 16, 17, 20, what a host can have set wrongly: C{test_doctor}
  - 5, accepted sockets that inherit the divert mark: C{test_kernel.HostSettingTests}
  - 6, marks that overlap or loop: C{test_kernel.OtherMarksTests}
  - 7, replies and sockets that are not ours: C{test_kernel.HostSettingTests}
  - 8, one client port to two servers: C{test_relay}
  - 9, the client's port can't be had: C{test_kernel.PortTakenTests}
  - 10, the client's address with any port: C{test_kernel.SourceTests}
  - 11, 12, what privileges it takes: C{test_life.PrivilegeTests}
  - 13, connections straight to the listener: C{test_relay}
  - 14, own traffic and own addresses: C{test_relay}
  - 15, several listeners on one port: not used; there is one process
  - 18, UDP: C{test_relay}, C{test_kernel.DatagramTests}
  - 19, servers that speak first: C{test_relay}
  - 21, a server on the client's own segment: a host can't be mended for it; documented
  - 22, urgent data: C{test_endings}
  - 23, connections that the server opens: C{test_relay}, C{test_plugin}
  - 24, client and server in one namespace: C{test_kernel.LoopbackTests}
"""
