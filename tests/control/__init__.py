"""What can be asked of a gateway that runs."""
