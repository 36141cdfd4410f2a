"""Two saved reports, or two traces, compared."""
