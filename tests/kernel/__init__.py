"""Tests of L{gateway.kernel}."""
