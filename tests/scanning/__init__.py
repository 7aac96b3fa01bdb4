"""What scanners are given."""
