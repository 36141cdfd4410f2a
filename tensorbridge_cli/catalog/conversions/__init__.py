"""The conversions, by where they lead; ``catalog.registry`` has all of them in one tuple."""
