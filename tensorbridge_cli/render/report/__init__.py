"""A report in the terminal and in a notebook."""
