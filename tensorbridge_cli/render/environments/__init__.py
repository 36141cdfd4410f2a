"""Several environments side by side, for a reader: a column each."""
