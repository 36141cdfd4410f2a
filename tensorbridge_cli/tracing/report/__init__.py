"""What runs after the traced program: its counts merged, and what they mean."""
