"""What can be tried: conversions, dtypes, layouts and states, each declared once."""
