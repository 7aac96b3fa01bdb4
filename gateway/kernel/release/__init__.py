"""
Release into the kernel: sessions of which nothing is left to inspect are forwarded by a program.

  - C{program}: the program, in C, and the object that is made of it (C{make program});
  - L{gateway.kernel.release.elf}: programs and their references, out of the object;
  - L{gateway.kernel.release.bpf}: the system call that loads and attaches them;
  - L{gateway.kernel.release.layout}: what the program and the gateway both write and read;
  - L{gateway.kernel.release.ring}: what the program tells.

Decisions, and what was measured: docs/decisions/release-by-overlap.md.
"""
