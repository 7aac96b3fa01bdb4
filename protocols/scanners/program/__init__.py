"""
Program: bodies judged by a program of the operator's.

    environment   what it is told beside the body
    answer        what it says in JSON
    talk          with one that stays
    inspector     one body
"""
