"""Several processes that handle traffic."""
