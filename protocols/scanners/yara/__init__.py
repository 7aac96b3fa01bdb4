"""
YARA: bodies matched against the operator's rules.

    rules       read with the policy, by YARA-X
    matcher     the program that matches: a process of its own, without privileges
    inspector   one body
"""
