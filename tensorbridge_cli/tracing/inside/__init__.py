"""What runs in the traced process."""
