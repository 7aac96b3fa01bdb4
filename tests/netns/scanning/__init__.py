"""Scanners, through the real gateway, with the real daemons."""
