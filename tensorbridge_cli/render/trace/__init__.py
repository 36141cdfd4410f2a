"""A trace in the terminal."""
