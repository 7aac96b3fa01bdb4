"""
Other people's test suites, unmodified, driven through the gateway.

L{conformance.suites} lists them, L{conformance.install} fetches them,
L{conformance.driven} runs one directly or through an inspector in a network
namespace of its own, L{conformance.comparison} tells what differs.
C{differences} lists the differences that are as they should be.
"""
