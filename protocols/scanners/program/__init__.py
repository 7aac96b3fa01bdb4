"""
Program: bodies judged by a program of the operator's.

    environment   what it is told beside the body
    inspector     one body
"""
