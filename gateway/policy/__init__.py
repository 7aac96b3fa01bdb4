"""
What is allowed: the operator's files, and the one object that is made of them.

Pure: nothing here knows a socket, a reactor or a clock.

L{load<gateway.policy.load>} reads the folder. A L{document<gateway.policy.document>}
says what a file holds and L{where<gateway.policy.locate>}; L{structure<gateway.policy.structure>}
makes typed L{settings<gateway.policy.settings>} of its tables, which are declared in
L{written<gateway.policy.written>}; L{resolve<gateway.policy.resolve>} looks the
names up and makes L{Service}s, L{Rule}s and L{Zone}s of them. Whatever is wrong is a
L{Problem<gateway.policy.problem>} with its place, and all of them are told at once.

Rules have no order of their own: the narrower one wins. L{narrower<gateway.policy.narrower>}
refuses rules of which it is not clear who wins, with a L{witness<gateway.policy.witness>}.
For this and for deciding, rules are numbers: L{spans<gateway.policy.spans>} of addresses and
ports, a product of spans for each rule (L{extent<gateway.policy.extent>},
L{region<gateway.policy.region>}), and in each L{dimension<gateway.policy.dimension>} bit masks
that tell which rules are where. L{ranking<gateway.policy.ranking>} compares all rules by them, and
the L{classifier<gateway.policy.classifier>} finds the one that wins.

All of it becomes one frozen L{Policy<gateway.policy.policy>}, which decides, and which
L{explain<gateway.policy.explain>} explains. The
L{reference<gateway.policy.reference>} of all keys is made from the same declarations.
"""
