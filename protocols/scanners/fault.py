"""ScannerFault: a scanner that does not do what its protocol says."""

from __future__ import annotations


class ScannerFault(Exception):
    """
    A scanner broke off, answered what is no answer, or said that it can't.

    Its words are the operator's: nobody else reads them. Whatever a scanner sends, reading it
    raises nothing but this.
    """


class Unfit(ScannerFault):
    """
    A body that a scanner does not take, or can't be told of.

    It is no failure of the scanner: strangers, who choose the bodies, would have it left alone.
    """
