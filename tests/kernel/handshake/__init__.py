"""Tests of gateway.kernel.handshake."""
