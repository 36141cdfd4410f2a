"""Plain data, which imports nothing else of the package: the report, a trace, a page of ``explain``."""
