"""What changed between two reports or traces, in the terminal."""
