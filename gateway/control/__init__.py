"""
Control: what an operator asks of a gateway that runs, and what it answers.

A question is a noun with a module of its own: L{status<gateway.control.status>},
L{sessions<gateway.control.sessions>}, L{show<gateway.control.story>},
L{kill<gateway.control.killing>}; L{following<gateway.control.following>} is the one whose
answer goes on. The table of them is L{Questions<gateway.control.questions.Questions>}: it knows
nothing of how a question came. The Unix socket is L{port<gateway.control.port>} with its
L{conversations<gateway.control.conversation>}, and the commands' end of it
L{client<gateway.control.client>}.

Each worker answers for its own sessions; every question can C{merge} such answers. All questions
and answers are in docs/control.md.
"""
